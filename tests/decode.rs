//! Every format gives the picture that went in, and nothing that is not a picture gets further than one sentence.

use std::fs;
use std::path::PathBuf;

use loupe::error::ErrorKind;
use loupe::image::decode::{decode, from_rgba, to_png};
use loupe::image::slice::Uhd;
use loupe::image::{Rgb, Size, draw};

fn fixture(name: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/pictures", name].iter().collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// File, what it must decode to, and by how much a value may be off (lossy formats).
const TABLE: [(&str, &str, u8); 26] = [
    ("rgb.png", "opaque", 0),
    ("palette.png", "opaque", 0),
    ("rgb16.png", "opaque", 0),
    ("exif-behind-o3.png", "opaque", 0),
    ("gray.png", "gray", 0),
    ("gray16.png", "gray", 0),
    ("alpha.png", "white", 1),
    ("alpha16.png", "white", 1),
    ("gray-alpha.png", "gray-white", 1),
    ("palette-alpha.png", "hard", 0),
    ("rgb.jpg", "opaque", 2),
    ("progressive.jpg", "opaque", 2),
    ("restart.jpg", "opaque", 2),
    ("subsampled.jpg", "opaque", 255),
    ("gray.jpg", "gray", 2),
    ("cmyk.jpg", "opaque", 3),
    ("lossless.webp", "opaque", 0),
    ("lossy.webp", "opaque", 255),
    ("alpha.webp", "white", 1),
    ("animated.webp", "opaque", 0),
    ("still.gif", "opaque", 0),
    ("animated.gif", "opaque", 0),
    ("interlaced.gif", "opaque", 0),
    ("transparent.gif", "hard", 0),
    ("rgb.bmp", "opaque", 0),
    ("palette.bmp", "opaque", 0),
];

#[test]
fn every_format_gives_the_same_pixels() {
    let turned =
        (1..=8).flat_map(|o| [("jpg", 2), ("png", 0), ("webp", 0)].map(|(end, off)| (format!("o{o}.{end}"), off)));
    let turned: Vec<_> = turned.map(|(name, off)| (name, "opaque", off)).collect();
    let table = TABLE.iter().map(|&(name, expected, off)| (name.to_string(), expected, off)).chain(turned);
    let mut failures = Vec::new();
    for (name, expected, off) in table {
        let expected = fixture(&format!("{expected}.rgb"));
        let picture = match decode(&fixture(&name)) {
            Ok(picture) => picture,
            Err(error) => {
                failures.push(format!("{name}: {error}"));
                continue;
            }
        };
        assert_eq!((picture.width, picture.height), (32, 24), "{name}");
        let far = picture.pixels.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
        let mean = picture.pixels.iter().zip(&expected).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 2304.0;
        // Colours that are stored at half resolution bleed into their neighbours, but stay right on the whole.
        if far > Some(off) || mean > 12.0 {
            failures.push(format!("{name}: off by up to {far:?}, {mean:.1} on average"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn pixels_from_elsewhere_and_back() {
    let rgba = [10, 20, 30, 255, 10, 20, 30, 0, 0, 0, 0, 128, 255, 255, 255, 7];
    let picture = from_rgba(2, 2, &rgba).unwrap();
    assert_eq!(picture.pixels, [10, 20, 30, 255, 255, 255, 127, 127, 127, 255, 255, 255]);
    assert_eq!(decode(&to_png(&picture).unwrap()).unwrap(), picture);
    for (width, height, bytes) in [(2, 1, &rgba[..]), (0, 2, &[]), (20_000, 20_000, &[]), (u32::MAX, u32::MAX, &[])] {
        assert_eq!(from_rgba(width, height, bytes).unwrap_err().kind(), ErrorKind::Picture);
    }
    assert!(to_png(&Rgb { width: 0, height: 0, pixels: Vec::new() }).is_err());
}

/// A PNG header that promises `width` × `height` pixels, and nothing else.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = fixture("rgb.png");
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = png[12..29].iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    png
}

#[test]
fn what_is_not_a_picture_says_what_it_is() {
    let cut = |name| {
        let bytes = fixture(name);
        bytes[..bytes.len() * 4 / 5].to_vec()
    };
    let brand = |brand: &[u8]| [b"\0\0\0\x20ftyp", brand, b"\0\0\0\0mif1miaf"].concat();
    let cases: [(&str, Vec<u8>, &str); 26] = [
        ("empty", Vec::new(), "empty"),
        ("text.png", b"just some words\n".to_vec(), "text"),
        ("half a character", "naïve café".as_bytes()[..11].to_vec(), "text"),
        ("svg", b"<?xml version=\"1.0\"?>\n<svg/>".to_vec(), "SVG"),
        ("avif", brand(b"avif"), "AVIF"),
        ("heic", brand(b"heic"), "HEIC"),
        ("mp4", brand(b"isom"), "video"),
        ("pdf", b"%PDF-1.7\n".to_vec(), "PDF"),
        ("tiff", b"II*\0\x08\0\0\0".to_vec(), "TIFF"),
        ("jxl", b"\xff\x0a\x01\x02".to_vec(), "JPEG XL"),
        ("noise", vec![0x93, 0, 1, 2, 0xfe], "known format"),
        ("png signature", b"\x89PNG\r\n\x1a\n".to_vec(), "cut short"),
        ("jpeg signature", b"\xff\xd8\xff".to_vec(), "cut short"),
        ("webp signature", b"RIFF\x10\0\0\0WEBP".to_vec(), "cut short"),
        ("gif signature", b"GIF89a".to_vec(), "GIF"),
        ("bmp signature", b"BM".to_vec(), "cut short"),
        ("cut png", cut("rgb.png"), "cut short"),
        ("cut jpeg", cut("rgb.jpg"), "cut short"),
        ("cut progressive", cut("progressive.jpg"), "cut short"),
        ("cut webp", cut("lossless.webp"), "WebP"),
        ("cut gif", cut("still.gif"), "GIF"),
        ("cut bmp", cut("rgb.bmp"), "cut short"),
        ("20,000 × 20,000", png_header(20_000, 20_000), "20000 × 20000"),
        ("2³¹", png_header(0x7fff_ffff, 0x7fff_ffff), "smaller first"),
        ("no width", png_header(0, 5), "PNG"),
        ("tall", png_header(1, 100_000_001), "at most 100"),
    ];
    let mut failures = Vec::new();
    for (name, bytes, says) in cases {
        match decode(&bytes) {
            Ok(picture) => failures.push(format!("{name}: decoded to {} × {}", picture.width, picture.height)),
            Err(error) => {
                let sentence = error.to_string();
                let one = sentence.ends_with('.') && !sentence.contains(". ") && !sentence.contains('\n');
                if error.kind() != ErrorKind::Picture || !sentence.contains(says) || !one {
                    failures.push(format!("{name}: {sentence}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// In wasm a panic ends the worker, so no damage may cause one.
#[test]
fn no_damage_panics() {
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (name, ..) in TABLE.iter().chain(&[("o6.jpg", "", 0), ("o6.png", "", 0), ("o6.webp", "", 0)]) {
        let whole = fixture(name);
        for cut in 0..whole.len() {
            let _ = decode(&whole[..cut]);
        }
        for _ in 0..rounds() {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] ^= 1 << random(8),
                    1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random(6)],
                    _ => bytes[at] = random(256) as u8,
                }
            }
            if random(8) == 0 {
                bytes.truncate(random(bytes.len()));
            }
            if let Ok(picture) = decode(&bytes) {
                assert_eq!(picture.pixels.len() as u64, picture.size().area() * 3, "{name}");
            }
        }
    }
}

/// Damaged copies of each file; LOUPE_ROUNDS asks for more than a test run has time for.
fn rounds() -> usize {
    std::env::var("LOUPE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500)
}

#[test]
fn the_grid_is_drawn_between_the_slices() {
    const LINE: [u8; 3] = [255, 196, 0];
    let uhd = Uhd { area_side: 112, max_slices: 4, ..Uhd::V1 };
    for (width, height, columns) in [(640, 480, 2), (1, 1, 1), (3000, 40, 4), (40, 3000, 1), (2, 512, 1)] {
        let picture = Rgb::filled(Size::new(width, height), [90, 120, 200]);
        let layout = uhd.layout(width, height).unwrap();
        let drawing = draw::slices(&picture, &layout);
        assert!((512..=1280).contains(&drawing.width.max(drawing.height)), "{width} × {height}");
        assert_eq!(layout.grid.map_or(1, |grid| grid.columns), columns, "{width} × {height}");
        // Along a row that no line runs along, only the borders of columns are bright.
        let row = drawing.height as usize * 3 / 16 * drawing.width as usize * 3;
        let line = drawing.pixels[row..].chunks_exact(3).take(drawing.width as usize);
        let bright: Vec<bool> = line.map(|pixel| pixel == LINE).collect();
        let starts = bright.windows(2).filter(|pair| pair[1] && !pair[0]).count() + usize::from(bright[0]);
        if width.min(height) > 2 && height > 40 {
            assert_eq!(starts, columns as usize + 1, "{width} × {height}");
        }
    }
}
