//! The shipped model that counts cells.

use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::testing::{jpegs_in, micrographs_in, photographs};
use smearscope_artifacts::{CellCounter, EngineChoice, FieldCells, Scale, SlideCells, Verdict};

use crate::common::{CRATE, engine, has_openvino};

fn folder() -> PathBuf {
    Path::new(CRATE).join("smear-cells")
}

fn load(choice: EngineChoice) -> CellCounter {
    CellCounter::load(&folder(), &engine(choice)).unwrap()
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
fn red_cells_give_the_scale_of_real_fields() {
    let Some(fields) = micrographs_in("txl-pbc/bccd") else {
        return;
    };
    let mut counter = load(EngineChoice::Embedded);
    let mut ratios = Vec::new();
    let paths = jpegs_in(&fields);
    for path in paths.iter().step_by(3) {
        let image = decode::read(path, &Limits::default()).unwrap();
        if let Ok(Scale::Measured(scale)) = counter.analyse(&image, None).unwrap().scale {
            ratios.push(scale.um_per_pixel / BCCD_UM_PER_PIXEL);
        }
    }
    let near = |by: f32| {
        let near = ratios.iter().filter(|ratio| (ratio.ln()).abs() <= by.ln());
        near.count() as f32 / ratios.len() as f32
    };
    assert!(ratios.len() >= 45, "{ratios:?}");
    // Donors' red cells differ by some percent.
    assert!(near(1.15) >= 0.95 && near(1.3) >= 1.0, "{ratios:?}");
}

#[test]
fn a_cell_that_two_fields_show_counts_once() {
    const UM_PER_PIXEL: f32 = 0.112_766;
    const SHIFT: u32 = 213;
    let path = Path::new(CRATE).join("tests/fixtures/panorama.jpg");
    let panorama = decode::read(&path, &Limits::default()).unwrap();
    let part = |start| imageops::crop_imm(&panorama, start, 0, 640, 480).to_image();
    let mut counter = load(EngineChoice::Embedded);
    let mut analyse = |image: &RgbImage| counter.analyse(image, Some(UM_PER_PIXEL)).unwrap();
    let (first, second) = (analyse(&part(0)), analyse(&part(SHIFT)));
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
        let [x, y] = place(&second, cell, SHIFT);
        (0..first.cells.len()).any(|other| {
            let [other_x, other_y] = place(&first, other, 0);
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
    let other = imageops::rotate180(&part(SHIFT));
    let other = analyse(&other);
    let added = slide.add(&other);
    assert_eq!((added.overlaps.len(), added.count), (0, other.count()));
}

#[test]
fn photographs_get_no_verdict() {
    let mut counter = load(EngineChoice::Embedded);
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
