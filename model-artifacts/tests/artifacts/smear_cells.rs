//! The shipped model that counts cells.

use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::testing::{jpegs_in, micrographs_in, photographs};
use smearscope_artifacts::{CellCounter, EngineChoice, FieldCells, Scale, SlideCells, Verdict};

use crate::common::{CRATE, Copy, engine, has_openvino};

fn folder() -> PathBuf {
    Path::new(CRATE).join("smear-cells")
}

fn load(choice: EngineChoice) -> CellCounter {
    CellCounter::load(&folder(), &engine(choice)).unwrap()
}

/// The model with a ruler, which was not reliable enough for it to have one.
fn with_ruler() -> CellCounter {
    const RULER: &str = "[ruler]\nred_cell_um = 7.2\nmin_cells = 5\nmax_spread = 0.25\n\n[figures]";
    let copy = Copy::of(&folder()).edit("[figures]", RULER);
    CellCounter::load(copy.path(), &engine(EngineChoice::Embedded)).unwrap()
}

#[test]
fn it_is_small_and_both_engines_agree_on_real_fields() {
    let weights: u64 = ["finder.bin", "cell.bin"]
        .iter()
        .map(|file| folder().join(file).metadata().unwrap().len() / 4)
        .sum();
    assert!(weights <= 400_000, "{weights}");
    let mut embedded = load(EngineChoice::Embedded);
    assert!(embedded.manifest().demo);
    if !has_openvino() {
        return;
    }
    let mut openvino = load(EngineChoice::OpenVino);
    let Some(fields) = micrographs_in("txl-pbc/bccd") else {
        return;
    };
    let mut cells = 0;
    for path in jpegs_in(&fields).iter().step_by(10) {
        let image = decode::read(path, &Limits::default()).unwrap();
        let [a, b] = [&mut embedded, &mut openvino]
            .map(|counter| counter.analyse(&image, Some(BCCD_UM_PER_PIXEL)).unwrap());
        assert_eq!(a.cells.len(), b.cells.len(), "{}", path.display());
        for (a, b) in a.cells.iter().zip(&b.cells) {
            let pairs = a.probabilities.iter().zip(&b.probabilities);
            let largest = pairs.fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            // Single precision over some thousand terms, and a cell's place to a hundredth of a pixel.
            assert!(largest < 1e-3, "{}: {a:?} {b:?}", path.display());
            cells += 1;
        }
    }
    assert!(cells >= 10, "{cells}");
}

/// 7.2 µm by the median of all boxes of whole red cells, 103.4 pixels.
const BCCD_UM_PER_PIXEL: f32 = 0.0696;

#[test]
fn red_cells_give_the_scale_of_most_real_fields_and_none_is_far_off() {
    let Some(fields) = micrographs_in("txl-pbc/bccd") else {
        return;
    };
    let mut counter = with_ruler();
    let paths = jpegs_in(&fields);
    let paths: Vec<&PathBuf> = paths.iter().step_by(3).collect();
    let mut ratios: Vec<f32> = Vec::new();
    for path in &paths {
        let image = decode::read(path, &Limits::default()).unwrap();
        if let Ok(Scale::Measured(scale)) = counter.analyse(&image, None).unwrap().scale {
            ratios.push(scale.um_per_pixel / BCCD_UM_PER_PIXEL);
        }
    }
    let within = |factor: f32| {
        let is_near = |ratio: &&f32| ratio.ln().abs() <= factor.ln();
        ratios.iter().filter(is_near).count()
    };
    // Of all 150 fields 95 % get a scale. The donors' red cells differ by some percent.
    assert!(ratios.len() * 10 >= paths.len() * 9, "{ratios:?}");
    assert!(within(1.15) * 10 >= ratios.len() * 9, "{ratios:?}");
    assert_eq!(within(1.3), ratios.len(), "{ratios:?}");
}

#[test]
fn a_cell_that_two_fields_show_counts_once() {
    const UM_PER_PIXEL: f32 = 0.112_766;
    // A third of a field apart.
    const STARTS: [u32; 2] = [107, 320];
    let path = Path::new(CRATE).join("tests/fixtures/panorama.jpg");
    let panorama = decode::read(&path, &Limits::default()).unwrap();
    let part = |start| imageops::crop_imm(&panorama, start, 0, 640, 480).to_image();
    let mut counter = load(EngineChoice::Embedded);
    let mut analyse = |image: &RgbImage| counter.analyse(image, Some(UM_PER_PIXEL)).unwrap();
    let [first, second] = STARTS.map(|start| analyse(&part(start)));
    let mut slide = SlideCells::default();
    let added = slide.add(&first);
    assert_eq!((added.overlaps.len(), added.count), (0, first.count()));

    let added = slide.add(&second);
    assert_eq!(added.overlaps, [0]);
    let place = |field: &FieldCells, cell: usize, start: u32| {
        let site = field.cells[cell].site;
        [site.x + start as f32, site.y]
    };
    let is_in_first = |cell: usize| {
        let [x, y] = place(&second, cell, STARTS[1]);
        let mut earlier = (0..first.cells.len()).filter(|other| first.cells[*other].call.counts());
        earlier.any(|other| {
            let [other_x, other_y] = place(&first, other, STARTS[0]);
            (x - other_x).hypot(y - other_y) < 30.0
        })
    };
    let expected: Vec<bool> = (0..second.cells.len())
        .map(|cell| !is_in_first(cell))
        .collect();
    assert_eq!(added.is_new, expected);
    let seen_twice = expected.iter().filter(|is_new| !**is_new).count();
    assert!(seen_twice >= 3, "{seen_twice} of {expected:?}");

    // The same field again adds nothing, and another one all of its cells.
    let again = slide.add(&first);
    assert_eq!((again.count.cells, again.overlaps), (0, vec![1, 0]));
    let other = imageops::rotate180(&part(STARTS[1]));
    let other = analyse(&other);
    let added = slide.add(&other);
    assert_eq!((added.overlaps.len(), added.count), (0, other.count()));
}

#[test]
fn photographs_get_no_verdict() {
    let mut counter = with_ruler();
    for path in photographs() {
        let image = image::open(&path).unwrap().to_rgb8();
        let field = counter.analyse(&image, None).unwrap();
        let decision = counter.manifest().model.count.decide(field.count());
        assert_eq!(
            decision.verdict,
            Verdict::Inconclusive,
            "{}: {}",
            path.display(),
            decision.words()
        );
    }
}
