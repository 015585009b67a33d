//! The shipped model on real micrographs, through both engines.

use std::path::Path;

use crate::common::{engine, has_openvino};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::testing::micrographs;
use smearscope_artifacts::{EngineChoice, Model};

#[test]
fn the_engines_agree_on_real_micrographs() {
    let folder = Path::new(crate::common::CRATE).join("smear-demo");
    let mut embedded = Model::load(&folder, &engine(EngineChoice::Embedded)).unwrap();
    assert!(
        embedded.manifest().demo,
        "the shipped model is no demo model"
    );
    if !has_openvino() {
        return;
    }
    let mut openvino = Model::load(&folder, &engine(EngineChoice::OpenVino)).unwrap();
    let mut largest = 0.0_f32;
    for path in micrographs() {
        let image = decode::read(&path, &Limits::default()).unwrap();
        let a = embedded.infer(&image).unwrap();
        let b = openvino.infer(&image).unwrap();
        let difference = (a.probability - b.probability).abs();
        assert!(difference < 1e-4, "{}: {a:?} {b:?}", path.display());
        largest = largest.max(difference);
    }
    println!("largest difference of probability: {largest:e}");
}
