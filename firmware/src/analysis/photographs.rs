//! Tests that photographs of everyday things get no verdict.

use std::io::Cursor;
use std::path::Path;

use image::imageops::crop_imm;
use image::{ImageFormat, RgbImage};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::testing::{jpegs_in, photographs};
use smearscope_artifacts::{EngineChoice, EngineConfig, Model, Verdict};

use crate::analysis::analyst::{Analysis, Analyst};

/// A few seconds' work, in equal parts from all photographs.
const CROPS: usize = 400;
/// The least from each photograph of a large collection.
const CROPS_OF_EACH: usize = 15;
/// Networks refuse smaller pictures.
const MIN_CROP: u32 = 100;
/// The gate would downscale larger ones.
const MAX_CROP: u32 = 400;

fn analyst() -> Analyst {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model-artifacts/smear-demo");
    let engine = EngineConfig {
        choice: EngineChoice::Embedded,
        ..EngineConfig::default()
    };
    Analyst::new(Model::load(&folder, &engine).unwrap(), Limits::default())
}

fn analyse(analyst: &mut Analyst, image: &RgbImage) -> Analysis {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Bmp).unwrap();
    analyst.analyse_bytes(bytes.get_ref(), None).unwrap().0
}

#[test]
fn crops_of_photographs_get_no_verdict() {
    let mut analyst = analyst();
    let mut random = StdRng::seed_from_u64(1);
    let (mut crops, mut passed) = (0, 0);
    let photographs = photographs();
    let crops_of_each = (CROPS / photographs.len().max(1)).max(CROPS_OF_EACH);
    for path in &photographs {
        let image = image::open(path).unwrap().to_rgb8();
        let (width, height) = image.dimensions();
        for _ in 0..crops_of_each {
            let mut side = |whole: u32| {
                let whole_or_most = whole.min(MAX_CROP);
                random.random_range(MIN_CROP.min(whole_or_most)..=whole_or_most)
            };
            let (w, h) = (side(width), side(height));
            let x = random.random_range(0..=width - w);
            let y = random.random_range(0..=height - h);
            let crop = crop_imm(&image, x, y, w, h).to_image();
            let analysis = analyse(&mut analyst, &crop);
            assert_eq!(
                analysis.judgement.verdict(),
                Verdict::Inconclusive,
                "{}, {w} × {h} pixels at {x}, {y}: {:?}",
                path.display(),
                analysis.quality
            );
            crops += 1;
            passed += usize::from(analysis.quality.failure().is_none());
        }
    }
    println!("{crops} crops, of which {passed} passed the gate");
}

#[test]
fn the_shipped_fields_still_get_verdicts() {
    let mut analyst = analyst();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hardware/fields");
    let fields = jpegs_in(&folder);
    assert!(!fields.is_empty(), "{} has no fields", folder.display());
    for path in fields {
        let (analysis, _) = analyst.analyse_file(&path, None).unwrap();
        let name = path.display();
        assert_ne!(
            analysis.judgement.verdict(),
            Verdict::Inconclusive,
            "{name}: {:?}",
            analysis.quality
        );
    }
}
