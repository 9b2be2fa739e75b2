//! What each way of feeding a picture to an encoder does to it, with no model: arithmetic that no training can undo.

use loupe::image::slice::Uhd;
use loupe::image::strategies::{LastTile, pad, pad_colour, stretch, tiled_size, tiles};
use loupe::image::views::views;
use loupe::image::{Rect, Rgb, Size};

const GREEN: [u8; 3] = [30, 160, 60];

fn uhd() -> Uhd {
    Uhd::V1
}

/// The UHD slices in pixels of the picture.
fn uhd_slices(size: Size) -> Vec<Rect> {
    let layout = uhd().layout(size.width, size.height).expect("a layout");
    let (columns, rows) = layout.grid.map_or((1, 1), |grid| (grid.columns, grid.rows));
    (0..rows).flat_map(|row| (0..columns).map(move |column| layout.source_rect(column, row))).collect()
}

fn draw(size: Size, inside: impl Fn(f64, f64) -> bool) -> Rgb {
    let mut picture = Rgb::filled(size, [240; 3]);
    let places = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (f64::from(x) + 0.5, f64::from(y) + 0.5)));
    for (pixel, (x, y)) in picture.pixels.chunks_exact_mut(3).zip(places) {
        if inside(x, y) {
            pixel.copy_from_slice(&GREEN);
        }
    }
    picture
}

#[test]
fn overlapped_tiles_show_pixels_up_to_four_times() {
    let size = Size::new(768, 768);
    assert_eq!(tiled_size(size), size);
    let shown = |tiles: &[Rect], x, y| {
        tiles.iter().filter(|t| (t.x..t.x + t.width).contains(&x) && (t.y..t.y + t.height).contains(&y)).count()
    };
    let (overlapped, zeroed) = (tiles(size, 512, LastTile::Overlap), tiles(size, 512, LastTile::Zero));
    for y in 0..768 {
        for x in 0..768 {
            // Corners of 256 × 256 once, edges twice, the middle four times.
            let doubled = [x, y].map(|z| if (256..512).contains(&z) { 2 } else { 1 });
            assert_eq!(shown(&overlapped, x, y), doubled[0] * doubled[1], "({x}, {y})");
            assert_eq!(shown(&zeroed, x, y), 1, "({x}, {y})");
        }
    }
    assert_eq!(tiled_size(Size::new(4096, 3072)), Size::new(1024, 768));
    assert_eq!(tiled_size(Size::new(1, 9000)), Size::new(1, 2048));
}

#[test]
fn padding_cannot_be_told_from_content() {
    let grey = pad_colour([0.5; 3]);
    assert_eq!(grey, [127; 3]);
    assert_eq!(pad_colour([0.481_454_66, 0.457_827_5, 0.408_210_73]), [122, 116, 104]);
    let borderless = Rgb::filled(Size::new(448, 224), GREEN);
    let mut barred = Rgb::filled(Size::new(448, 448), grey);
    barred.paste(&borderless, 0, 112);
    assert_eq!(pad(&borderless, grey), pad(&barred, grey));
    assert_ne!(seen(&borderless), seen(&barred));
}

#[test]
fn stretching_cannot_tell_a_circle_from_an_ellipse() {
    let circle = draw(Size::new(448, 224), |x, y| (x - 224.0).hypot(y - 112.0) < 80.0);
    let ellipse = stretch(&circle, 336);
    assert_eq!(stretch(&circle, 336), stretch(&ellipse, 336));
    assert_ne!(seen(&circle), seen(&ellipse));
}

/// Every byte that an encoder gets to see of a picture sliced as UHD does.
fn seen(picture: &Rgb) -> Vec<Rgb> {
    let layout = uhd().layout(picture.width, picture.height).expect("a layout");
    views(picture, &layout)
}

#[test]
fn padding_wastes_what_the_aspect_leaves() {
    for (width, height) in [(100, 400), (400, 100), (300, 400), (256, 256), (1, 64)] {
        let square = pad(&Rgb::filled(Size::new(width, height), GREEN), [127; 3]);
        let useful = square.pixels.chunks_exact(3).filter(|pixel| *pixel == GREEN).count();
        let share = useful as f64 / square.size().area() as f64;
        assert_eq!(share, f64::from(width.min(height)) / f64::from(width.max(height)), "{width} × {height}");
    }
}

#[derive(Clone, Copy)]
struct Circle {
    x: f64,
    y: f64,
    radius: f64,
}

/// What a model that adds up its slices would count: every circle once for each slice that shows a quarter of it.
fn slice_sum(slices: &[Rect], circles: &[Circle]) -> u32 {
    let shows = |slice: &Rect, circle: &Circle| {
        const STEPS: u32 = 24;
        let at = |i: u32| (f64::from(i) + 0.5) / f64::from(STEPS) * 2.0 - 1.0;
        let (left, top) = (f64::from(slice.x), f64::from(slice.y));
        let (right, bottom) = (left + f64::from(slice.width), top + f64::from(slice.height));
        let (mut whole, mut visible) = (0, 0);
        for (dx, dy) in (0..STEPS).flat_map(|i| (0..STEPS).map(move |j| (at(i), at(j)))) {
            if dx * dx + dy * dy <= 1.0 {
                let (x, y) = (circle.x + dx * circle.radius, circle.y + dy * circle.radius);
                whole += 1;
                visible += u32::from((left..right).contains(&x) && (top..bottom).contains(&y));
            }
        }
        visible * 4 >= whole
    };
    circles.iter().map(|circle| slices.iter().filter(|slice| shows(slice, circle)).count() as u32).sum()
}

/// Four circles in a square block around a point.
fn block(x: f64, y: f64) -> Vec<Circle> {
    let corners = [(-24.0, -24.0), (24.0, -24.0), (-24.0, 24.0), (24.0, 24.0)];
    corners.map(|(dx, dy)| Circle { x: x + dx, y: y + dy, radius: 16.0 }).to_vec()
}

#[test]
fn four_circles_are_counted_by_where_they_are() {
    let size = Size::new(768, 768);
    let overlapped = tiles(size, 512, LastTile::Overlap);
    for (x, y, count) in [(128.0, 128.0, 4), (384.0, 128.0, 8), (384.0, 384.0, 16)] {
        assert_eq!(slice_sum(&overlapped, &block(x, y)), count, "at ({x}, {y})");
        assert_eq!(slice_sum(&tiles(size, 512, LastTile::Zero), &block(x, y)), 4, "at ({x}, {y})");
    }
    let mut histogram = std::collections::BTreeMap::new();
    let (mut zeroed, mut sliced) = (0, 0);
    let position = |i: u32| 48.0 + 672.0 * f64::from(i) / 15.0;
    for (i, j) in (0..16).flat_map(|i| (0..16).map(move |j| (i, j))) {
        let circles = block(position(i), position(j));
        *histogram.entry(slice_sum(&overlapped, &circles)).or_insert(0) += 1;
        zeroed += u32::from(slice_sum(&tiles(size, 512, LastTile::Zero), &circles) == 4);
        sliced += u32::from(slice_sum(&uhd_slices(size), &circles) == 4);
    }
    assert_eq!(histogram.into_iter().collect::<Vec<_>>(), [(4, 64), (6, 64), (8, 68), (9, 12), (12, 32), (16, 16)]);
    // 88 % and 77 %: only circles that a border cuts are counted twice.
    assert_eq!((zeroed, sliced), (225, 196));
}

#[test]
fn nine_circles_are_counted_by_the_size_of_the_picture() {
    // Overlapped tiles, zero-filled tiles, UHD slices without their overview. 640 is left out: there a tile shows 25.2 %
    // of the outer circles, which is too near the quarter to prove anything.
    let table = [
        (320, 9, 9, 9),
        (384, 9, 9, 12),
        (448, 9, 9, 12),
        (512, 9, 9, 16),
        (576, 36, 9, 16),
        (704, 16, 9, 16),
        (768, 16, 9, 12),
    ];
    for (side, overlapped, zeroed, sliced) in table {
        let size = Size::new(side, side);
        let at = |i: u32| f64::from(side) * (f64::from(i) + 0.5) / 3.0;
        let radius = f64::from(side) / 12.0;
        let circles: Vec<_> = (0..9).map(|i| Circle { x: at(i % 3), y: at(i / 3), radius }).collect();
        assert_eq!(slice_sum(&tiles(size, 512, LastTile::Overlap), &circles), overlapped, "overlapped at {side}");
        assert_eq!(slice_sum(&tiles(size, 512, LastTile::Zero), &circles), zeroed, "zero-filled at {side}");
        assert_eq!(slice_sum(&uhd_slices(size), &circles), sliced, "sliced at {side}");
    }
}
