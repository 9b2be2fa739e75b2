//! The eleven colour names, the values each may take, and how far apart two values look.

use super::rng::Rng;

/// A colour by its name: an index into [`NAMES`].
pub type Colour = usize;

/// sRGB, 8 bits a channel.
pub type Rgb8 = [u8; 3];

/// The eleven basic colour terms of English.
pub const NAMES: [&str; 11] =
    ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"];

/// Values of each name in training and in ordinary tests; each is jittered.
const TRAIN: [&[Rgb8]; 11] = [
    &[[220, 38, 38], [200, 25, 30], [238, 58, 50], [180, 24, 32]],
    &[[245, 140, 30], [250, 122, 18], [240, 150, 52]],
    &[[245, 220, 50], [250, 232, 84], [238, 206, 28]],
    &[[40, 160, 60], [30, 118, 48], [92, 190, 80], [20, 142, 84]],
    &[[45, 85, 220], [30, 58, 168], [72, 132, 236], [58, 100, 198]],
    &[[135, 50, 170], [108, 38, 148], [150, 84, 202]],
    &[[246, 130, 186], [250, 160, 200], [236, 104, 166]],
    &[[125, 75, 35], [100, 60, 30], [144, 90, 50]],
    &[[14, 14, 14], [30, 30, 33]],
    &[[250, 250, 250], [240, 240, 237]],
    &[[128, 128, 128], [150, 150, 153], [105, 105, 108]],
];

/// Two palettes that training never sees: the web's named colours, and muted paint.
const HELD_OUT: [[Rgb8; 11]; 2] = [
    [
        [255, 0, 0],
        [255, 165, 0],
        [255, 255, 0],
        [0, 128, 0],
        [0, 0, 255],
        [128, 0, 128],
        [255, 105, 180],
        [139, 69, 19],
        [0, 0, 0],
        [255, 255, 255],
        [128, 128, 128],
    ],
    [
        [186, 48, 58],
        [226, 118, 58],
        [224, 200, 82],
        [70, 132, 82],
        [62, 102, 166],
        [118, 78, 152],
        [230, 150, 178],
        [112, 78, 54],
        [26, 23, 28],
        [244, 242, 235],
        [138, 136, 132],
    ],
];

/// Where the values of a scene's colours come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// The training values.
    Train,
    /// One of the two held-out palettes.
    HeldOut(usize),
}

/// How many palettes are held out.
pub const HELD_OUT_PALETTES: usize = HELD_OUT.len();

impl Palette {
    /// A value of `colour`.
    pub fn value(self, colour: Colour, rng: &mut Rng) -> Rgb8 {
        match self {
            Self::Train => {
                let anchor = *rng.pick(TRAIN[colour]);
                // Grays, black and white move along the gray axis only: a tint would be another colour's shade.
                let neutral = colour >= 8;
                let together = rng.int(-8, 8);
                anchor.map(|v| {
                    let step = if neutral { together } else { rng.int(-8, 8) };
                    (i32::from(v) + step).clamp(0, 255) as u8
                })
            }
            Self::HeldOut(i) => HELD_OUT[i % HELD_OUT_PALETTES][colour],
        }
    }
}

/// How different two values look, 0…765 (Riemersma's "redmean", a cheap stand-in for CIE distance).
pub fn distance(a: Rgb8, b: Rgb8) -> f32 {
    let mean_red = (f32::from(a[0]) + f32::from(b[0])) / 2.0;
    let [r, g, b] = [0, 1, 2].map(|i| f32::from(a[i]) - f32::from(b[i]));
    ((2.0 + mean_red / 256.0) * r * r + 4.0 * g * g + (2.0 + (255.0 - mean_red) / 256.0) * b * b).sqrt()
}

/// How light a value is, 0…255 (Rec. 601): letters need a difference of light, not only of hue.
pub fn lightness(rgb: Rgb8) -> f32 {
    0.299 * f32::from(rgb[0]) + 0.587 * f32::from(rgb[1]) + 0.114 * f32::from(rgb[2])
}
