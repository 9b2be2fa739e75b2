//! The slicer against published answers, a second implementation, and what must hold for every size.

use loupe::image::Size;
use loupe::image::slice::{Grid, Knobs, Layout, MOST_ASPECT, PRESETS, Slicing, Uhd};

const COLUMNS: [(&str, u32); 7] = [
    ("uhd-v1", 7),
    ("minicpm-v", 9),
    ("mtmd-minicpm-v", 9),
    ("minicpm-v-4.6-16x", 9),
    ("mtmd-minicpm-v-4.6-16x", 9),
    ("minicpm-v-4.6-4x", 9),
    ("minicpm-v-4.6-16x", 36),
];

fn pair(text: &str) -> (u32, u32) {
    let (a, b) = text.split_once('×').expect("a×b");
    (a.parse().expect("a number"), b.parse().expect("a number"))
}

fn size(text: &str) -> Size {
    let (width, height) = pair(text);
    Size::new(width, height)
}

/// "2×3 266×406 336×336" or "— 336×336" → overview and grid.
fn expected(cell: &str) -> (Size, Option<Grid>) {
    let words: Vec<_> = cell.split_whitespace().collect();
    match words[..] {
        ["—", overview] => (size(overview), None),
        [grid, overview, slice] => {
            let (columns, rows) = pair(grid);
            (size(overview), Some(Grid { columns, rows, slice: size(slice) }))
        }
        _ => panic!("cannot read “{cell}”"),
    }
}

fn uhd(preset: &str) -> Uhd {
    match Slicing::preset(preset) {
        Ok(Slicing::Uhd(uhd)) => uhd,
        other => panic!("{preset} is {other:?}"),
    }
}

fn sliced(slicing: impl Into<Slicing>, width: u32, height: u32) -> Layout {
    slicing.into().layout(width, height).expect("a layout")
}

#[test]
fn published_sizes() {
    let mut failures = Vec::new();
    let rows = include_str!("fixtures/slicing/presets.txt").lines().filter(|line| line.contains(" | ")).skip(1);
    let mut checked = 0;
    for row in rows {
        let cells: Vec<_> = row.split(" | ").collect();
        let (width, height) = pair(cells[0]);
        let mut answers: Vec<&str> = Vec::new();
        for (i, &cell) in cells[1..].iter().enumerate() {
            let same = if i == 6 { 3 } else { i.saturating_sub(1) };
            answers.push(if cell == "=" { answers[same] } else { cell });
            let (preset, max_slices) = COLUMNS[i];
            let slicing = Uhd { max_slices, ..uhd(preset) };
            let layout = sliced(slicing, width, height);
            if (layout.overview, layout.grid) != expected(answers[i]) {
                failures.push(format!("{width}×{height} {preset}: {} but {layout:?}", answers[i]));
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 35 * 7);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn ties() {
    let grid = |preset: &str, max_slices, width, height| {
        let slicing = Uhd { max_slices, ..uhd(preset) };
        sliced(slicing, width, height).grid.map(|grid| (grid.columns, grid.rows))
    };
    for preset in ["minicpm-v", "minicpm-v-4.6-16x", "minicpm-v-4.6-4x"] {
        for (width, height, columns, rows) in
            [(1050, 1050, 3, 2), (1100, 1100, 3, 2), (3000, 750, 8, 1), (750, 3000, 1, 8), (449, 449, 1, 2)]
        {
            assert_eq!(grid(preset, 9, width, height), Some((columns, rows)), "{preset} {width}×{height}");
        }
    }
    for (width, height, columns, rows) in
        [(1050, 1050, 2, 3), (1100, 1100, 2, 3), (3000, 750, 4, 2), (750, 3000, 1, 8), (449, 449, 1, 2)]
    {
        assert_eq!(grid("mtmd-minicpm-v", 9, width, height), Some((columns, rows)), "mtmd {width}×{height}");
    }
    for (width, height, columns, rows) in
        [(1500, 1500, 4, 3), (1900, 1900, 3, 6), (2000, 2000, 4, 5), (2400, 2400, 5, 6), (1100, 2200, 3, 4)]
    {
        assert_eq!(grid("minicpm-v-4.6-16x", 36, width, height), Some((columns, rows)), "36 {width}×{height}");
    }
}

/// 2,000 sizes, all ties among them, from `fixtures/slicing/reference.py`.
#[test]
fn a_second_implementation_agrees() {
    let mut failures = Vec::new();
    for line in include_str!("fixtures/slicing/sizes.txt").lines().skip(1) {
        let (name, numbers) = line.split_once(' ').expect("a name");
        let mut knobs = name.split('/');
        let preset = knobs.next().expect("a preset").to_string();
        let mut knob = || knobs.next().map(|n| n.parse().expect("a number"));
        let (area_side, max_slices) = (knob(), knob());
        let slicing = Slicing::from_knobs(&Knobs { preset, area_side, max_slices, ..Knobs::default() }).expect("knobs");
        let n: Vec<u32> = numbers.split(' ').map(|n| n.parse().expect("a number")).collect();
        let grid = (n[2] > 0).then(|| Grid { columns: n[2], rows: n[3], slice: Size::new(n[6], n[7]) });
        let layout = sliced(slicing, n[0], n[1]);
        if (layout.overview, layout.grid) != (Size::new(n[4], n[5]), grid) {
            failures.push(format!("{line}: {layout:?}"));
        }
    }
    assert!(failures.is_empty(), "{} differ\n{}", failures.len(), failures.join("\n"));
}

/// 800 sizes from `fixtures/slicing/processors.py`, in which transformers' own code decides.
#[test]
fn tiles_are_cut_as_transformers_cuts_them() {
    let mut failures = Vec::new();
    let lines: Vec<_> = include_str!("fixtures/slicing/processors.txt").lines().skip(1).collect();
    assert!(lines.len() >= 800);
    for line in lines {
        let (preset, numbers) = line.split_once(' ').expect("a name");
        let n: Vec<u32> = numbers.split(' ').map(|n| n.parse().expect("a number")).collect();
        let layout = sliced(Slicing::preset(preset).expect("a preset"), n[0], n[1]);
        let grid = (n[2] > 0).then(|| Grid { columns: n[2], rows: n[3], slice: Size::new(n[6], n[7]) });
        let via = (n[8] > 0).then(|| Size::new(n[8], n[9]));
        if (layout.overview, layout.grid, layout.via) != (Size::new(n[4], n[5]), grid, via) {
            failures.push(format!("{line}: {layout:?}"));
        }
    }
    assert!(failures.is_empty(), "{} differ\n{}", failures.len(), failures.join("\n"));
}

/// Pictures as the published tables have them: how they are cut, and the rows of the decoder at 64 a tile of SmolVLM's.
#[test]
fn published_tiles() {
    for (width, height, via, tiles, lfm2, overview) in [
        (336, 336, (2048, 2048), (4, 4), None, (320, 320)),
        (672, 1008, (1366, 2048), (3, 4), Some((2, 3)), (416, 608)),
        (1344, 336, (2048, 512), (4, 1), None, (1024, 256)),
        (4000, 3000, (2048, 1536), (4, 3), Some((3, 2)), (576, 416)),
        (100, 2000, (102, 2048), (1, 4), None, (96, 1984)),
        (1, 1, (2048, 2048), (4, 4), None, (256, 256)),
        (1920, 1080, (2048, 1152), (4, 3), Some((4, 2)), (672, 384)),
        (1170, 2532, (946, 2048), (2, 4), Some((2, 4)), (320, 736)),
    ] {
        let of = |preset: &str| sliced(Slicing::preset(preset).expect("a preset"), width, height);
        let grid = |layout: Layout| layout.grid.map(|grid| (grid.columns, grid.rows));
        let smolvlm = of("smolvlm");
        assert_eq!((smolvlm.via, grid(smolvlm)), (Some(Size::new(via.0, via.1)), Some(tiles)), "{width}×{height}");
        assert_eq!(grid(of("mtmd-idefics3")), Some(tiles), "{width}×{height} in llama.cpp");
        let flexible = of("lfm2-vl");
        assert_eq!((flexible.overview, grid(flexible)), (Size::new(overview.0, overview.1), lfm2), "{width}×{height}");
    }
}

#[test]
fn a_preset_is_taken_at_the_models_sizes() {
    let preset = |name: &str| Slicing::preset(name).expect("a preset");
    let tiny = Uhd { area_side: 112, align: 28, max_slices: 4, ..uhd("minicpm-v") };
    let Ok(Slicing::Uhd(manner)) = Slicing::Uhd(tiny).in_the_manner_of("mtmd-minicpm-v") else { panic!("not UHD") };
    assert_eq!(manner, Uhd { area_side: 112, align: 28, max_slices: 4, ..uhd("mtmd-minicpm-v") });
    let Ok(Slicing::Tiles(tiles)) = preset("smolvlm-2.2b").in_the_manner_of("mtmd-idefics3") else {
        panic!("no tiles")
    };
    assert!(tiles.always && (tiles.side, tiles.longest) == (384, 1536), "{tiles:?}");
    let Ok(square) = preset("llava-1.5").in_the_manner_of("llava-1.5-pad") else { panic!("no square") };
    assert_eq!(square, preset("llava-1.5-pad"));
    for (slicing, name, named) in [
        ("smolvlm", "lfm2-vl", "mtmd-idefics3"),
        ("llava-1.5", "smolvlm", "llava-1.5-pad"),
        ("lfm2-vl", "nonsense", "uhd-v1"),
    ] {
        let error = preset(slicing).in_the_manner_of(name).expect_err("it is for another");
        let text = error.to_string();
        assert!(error.kind() == loupe::ErrorKind::Usage && text.contains(name) && text.contains(named), "{text}");
    }
}

/// The cost of a view grows with the square of its patches: no aspect that is taken asks for many more than a square does.
#[test]
fn no_view_is_much_larger_than_a_square_one() {
    for (name, slicing) in PRESETS {
        let square = sliced(slicing, 4000, 4000).grid.map_or(slicing.side().pow(2), |grid| grid.slice.area() as u32);
        for (width, height) in [(1, MOST_ASPECT), (MOST_ASPECT, 1), (20, 4000), (4000, 20), (40, 10_000), (10_000, 41)]
        {
            let layout = sliced(slicing, width, height);
            let slice = layout.grid.map_or(0, |grid| grid.slice.area());
            let most = layout.overview.area().max(slice) as f64 / f64::from(square);
            assert!(most <= 4.0, "{name} {width}×{height}: {most:.2} times a square view");
        }
    }
}

/// 10,000 sizes of 16 to 8192 pixels a side and aspects of 1:8 to 8:1, from a seed.
fn many_sizes() -> impl Iterator<Item = Size> {
    let mut state = 7u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24)
    };
    let next = move || {
        let width = 16.0 * 512f64.powf(uniform());
        let height = width * 8f64.powf(2.0 * uniform() - 1.0);
        Size::new(width.round() as u32, height.round() as u32)
    };
    std::iter::repeat_with(next).filter(|size| (16..=8192).contains(&size.height)).take(10_000)
}

#[test]
fn every_pixel_belongs_to_exactly_one_slice() {
    let uhd = Uhd::V1;
    let ours = Uhd { area_side: 112, max_slices: 4, ..uhd };
    for slicing in [uhd, ours] {
        for size in many_sizes() {
            let layout = sliced(slicing, size.width, size.height);
            let (columns, rows) = layout.grid.map_or((1, 1), |grid| (grid.columns, grid.rows));
            // A grid of rectangles: covering each column once and each row once covers each pixel once.
            let mut covered = vec![0u8; size.width as usize];
            for column in 0..columns {
                let rect = layout.source_rect(column, 0);
                covered[rect.x as usize..(rect.x + rect.width) as usize].iter_mut().for_each(|n| *n += 1);
            }
            assert!(covered.iter().all(|&n| n == 1), "columns of {size:?}: {layout:?}");
            let mut covered = vec![0u8; size.height as usize];
            for row in 0..rows {
                let rect = layout.source_rect(0, row);
                covered[rect.y as usize..(rect.y + rect.height) as usize].iter_mut().for_each(|n| *n += 1);
            }
            assert!(covered.iter().all(|&n| n == 1), "rows of {size:?}: {layout:?}");
        }
    }
}

#[test]
fn slices_keep_area_aspect_and_alignment() {
    let uhd = Uhd::V1;
    let side = f64::from(uhd.area_side);
    let (mut least, mut most, mut distorted) = (f64::MAX, 0f64, 0f64);
    for size in many_sizes().filter(|size| size.width.min(size.height) >= 64) {
        let layout = sliced(uhd, size.width, size.height);
        let aligned = |size: Size| size.width.is_multiple_of(uhd.align) && size.height.is_multiple_of(uhd.align);
        assert!(aligned(layout.overview), "{layout:?}");
        let Some(Grid { columns, rows, slice }) = layout.grid else { continue };
        assert!(aligned(slice), "{layout:?}");
        let area = slice.area() as f64 / (side * side);
        let refined = f64::from(columns * slice.width) / f64::from(rows * slice.height);
        let aspect = f64::from(size.width) / f64::from(size.height);
        least = least.min(area);
        most = most.max(area);
        distorted = distorted.max((refined / aspect).ln().abs());
    }
    assert!(least >= 0.90 && most <= 1.00, "cell areas from {least:.4} to {most:.4} of {side}²");
    assert!(distorted <= 0.065, "aspect distorted by {distorted:.4}");
}

#[test]
fn a_picture_is_cut_into_no_more_slices_than_are_wanted() {
    let mut fewer = 0;
    for (name, preset) in PRESETS {
        for size in many_sizes().take(200) {
            let own = preset.layout(size.width, size.height).expect("a layout");
            for most in 0..=preset.max_slices() {
                let layout = preset.at_most(most).layout(size.width, size.height).expect("a layout");
                let slices = layout.views() - 1;
                assert!(slices <= most.max(1), "{name}: {slices} of {most} slices for {size:?}");
                assert!(most < preset.max_slices() || layout == own, "{name}: {layout:?} and not {own:?}");
                fewer += u32::from(slices < own.views() - 1);
            }
        }
    }
    assert!(fewer > 0, "no picture was cut into fewer slices");
}

#[test]
fn what_cannot_be_cut_says_so() {
    let uhd = Uhd::V1;
    assert!(uhd.layout(0, 5).is_err() && uhd.layout(5, 0).is_err());
    assert!(uhd.layout(MOST_ASPECT, 1).is_ok() && uhd.layout(1, MOST_ASPECT).is_ok());
    assert!(uhd.layout(MOST_ASPECT + 1, 1).is_err() && uhd.layout(1, MOST_ASPECT + 1).is_err());
    assert!(uhd.layout(u32::MAX, u32::MAX).is_ok());
    let knobs = Knobs { preset: "uhd-v1".into(), ..Knobs::default() };
    for wrong in [
        Knobs { preset: "uhd-v9".into(), ..Knobs::default() },
        Knobs { area_side: Some(13), ..knobs.clone() },
        Knobs { area_side: Some(4097), ..knobs.clone() },
        Knobs { align: Some(0), ..knobs.clone() },
        Knobs { max_slices: Some(0), ..knobs.clone() },
        Knobs { max_slices: Some(37), ..knobs.clone() },
        Knobs { round: Some("up".into()), ..knobs.clone() },
    ] {
        assert!(Slicing::from_knobs(&wrong).is_err(), "{wrong:?}");
    }
    for slicing in [
        Slicing::Square { side: 0, making: uhd.making },
        Slicing::Square { side: 4097, making: uhd.making },
        match Slicing::preset("smolvlm").expect("a preset") {
            Slicing::Tiles(tiles) => Slicing::Tiles(loupe::image::slice::Tiles { side: 8, ..tiles }),
            other => panic!("{other:?}"),
        },
    ] {
        assert!(slicing.checked().is_err(), "{slicing:?}");
    }
    for (name, slicing) in PRESETS {
        assert_eq!(Slicing::from_knobs(&Knobs { preset: name.into(), ..Knobs::default() }).expect(name), slicing);
    }
}
