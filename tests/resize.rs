//! Resizing equals Pillow 13.0.0 byte for byte, and views and patches are laid out as the encoder expects.

use loupe::image::patches::{Normalise, patch_rows};
use loupe::image::resize::{Filter, PassOrder, resize};
use loupe::image::slice::{Slicing, Uhd};
use loupe::image::views::views;
use loupe::image::{Rect, Rgb, Size};
use sha2::{Digest, Sha256};

/// The picture that `fixtures/resize/reference.py` makes from the same seed.
fn noise(seed: u32, size: Size) -> Rgb {
    let mix = |i: u32| {
        let mut x = seed.wrapping_add(i);
        for (shift, factor) in [(16, 0x7feb_352d_u32), (15, 0x846c_a68b)] {
            x = (x ^ (x >> shift)).wrapping_mul(factor);
        }
        (x ^ (x >> 16)) as u8
    };
    let bytes = (0..size.area() as u32 * 3).map(mix).collect();
    Rgb::new(size.width, size.height, bytes).expect("as many bytes as asked for")
}

#[test]
fn equals_pillow() {
    let mut failures = Vec::new();
    let mut tall = 0;
    let mut cases = 0;
    for line in include_str!("fixtures/resize/cases.txt").lines().skip(1) {
        let words: Vec<_> = line.split(' ').collect();
        let n: Vec<u32> = words[1..6].iter().map(|n| n.parse().expect("a number")).collect();
        let filter = match words[0] {
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Lanczos,
        };
        let source = noise(n[0], Size::new(n[1], n[2]));
        let size = Size::new(n[3], n[4]);
        let resized = resize(&source, size, filter, PassOrder::BySize);
        let digest: String = Sha256::digest(&resized.pixels).iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != words[6] {
            failures.push(line);
        }
        tall += u32::from(resize(&source, size, filter, PassOrder::HorizontalFirst) != resized);
        cases += 1;
    }
    assert_eq!(cases, 240);
    assert!(tall >= 20, "only {tall} cases depend on the order of the passes");
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn empty_sides_do_not_panic() {
    let one = noise(0, Size::new(1, 1));
    let none = Rgb::filled(Size::new(0, 4), [0; 3]);
    assert_eq!(resize(&one, Size::new(0, 3), Filter::Bicubic, PassOrder::BySize).pixels.len(), 0);
    assert_eq!(resize(&none, Size::new(2, 2), Filter::Bicubic, PassOrder::BySize).pixels, [0; 12]);
}

#[test]
fn views_are_slices_row_by_row_then_the_overview() {
    let uhd = Uhd { area_side: 112, max_slices: 4, ..Uhd::V1 };
    let picture = noise(5, Size::new(200, 180));
    let layout = uhd.layout(200, 180).expect("a layout");
    let grid = layout.grid.expect("it is cut");
    let views = views(&picture, &layout);
    assert_eq!(views.len(), layout.views() as usize);
    let Size { width, height } = grid.slice;
    let whole = Size::new(width * grid.columns, height * grid.rows);
    let refined = resize(&picture, whole, Filter::Bicubic, PassOrder::BySize);
    for (i, view) in (0u32..).zip(&views[..views.len() - 1]) {
        let rect = Rect { x: i % grid.columns * width, y: i / grid.columns * height, width, height };
        assert_eq!(*view, refined.crop(rect), "slice {i}");
    }
    let overview = resize(&picture, layout.overview, Filter::Bicubic, PassOrder::BySize);
    assert_eq!(views.last(), Some(&overview));
}

#[test]
fn letterboxed_slices_are_centred_on_black() {
    let mtmd = Slicing::preset("mtmd-minicpm-v-4.6-16x").expect("a preset");
    let picture = Rgb::filled(Size::new(672, 1008), [255; 3]);
    let layout = mtmd.layout(672, 1008).expect("a layout");
    let first = &views(&picture, &layout)[0];
    // 672 × 1008 fills 747 × 1120 of 784 × 1120: 18 black columns at the left.
    let row = &first.pixels[..first.width as usize * 3];
    assert!(row[..18 * 3].iter().all(|&value| value == 0) && row[18 * 3..].iter().all(|&value| value == 255));
}

#[test]
fn patches_are_channel_major_and_row_major() {
    let view = noise(9, Size::new(6, 4));
    let normalise = Normalise { mean: [0.5, 0.4, 0.3], std: [0.5, 0.6, 0.7] };
    let rows = patch_rows(&view, 2, &normalise).expect("patches");
    assert_eq!(rows.len(), 6 * 12);
    for (i, &value) in rows.iter().enumerate() {
        let (patch, channel, y, x) = (i / 12, i / 4 % 3, i / 2 % 2, i % 2);
        let pixel = (patch / 3 * 2 + y) * 6 + patch % 3 * 2 + x;
        let level = f32::from(view.pixels[pixel * 3 + channel]);
        assert_eq!(value, (level / 255.0 - normalise.mean[channel]) / normalise.std[channel], "value {i}");
    }
    assert!(patch_rows(&view, 3, &normalise).is_err() && patch_rows(&view, 0, &normalise).is_err());
}
