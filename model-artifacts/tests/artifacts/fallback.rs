//! Failover: an engine that fails in use is replaced by another one, which is verified first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use image::{Rgb, RgbImage};
use smearscope_artifacts::{
    ArtifactError, EngineChoice, EngineInfo, Model, Network, Outputs, Tensor,
};

use crate::common::{Copy, engine, has_openvino, tiny};

/// An engine that fails while a flag is set.
struct Unreliable {
    engine: Box<dyn Network>,
    is_lost: Arc<AtomicBool>,
}

impl Network for Unreliable {
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(ArtifactError::Inference {
                engine: "openvino",
                problem: "the device is gone".into(),
            });
        }
        self.engine.run(input)
    }

    fn info(&self) -> &EngineInfo {
        self.engine.info()
    }
}

/// A model whose engine fails while the returned flag is set.
fn unreliable(model: Model) -> (Model, Arc<AtomicBool>) {
    let is_lost = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_lost);
    let model = model.wrap_engine(|engine| {
        Box::new(Unreliable {
            engine,
            is_lost: flag,
        })
    });
    (model, is_lost)
}

fn image() -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 3) as u8, (y * 5) as u8, 90]))
}

#[test]
fn the_next_engine_replaces_one_that_fails() {
    if !has_openvino() {
        return;
    }
    let (mut model, is_lost) =
        unreliable(Model::load(&tiny(), &engine(EngineChoice::Auto)).unwrap());
    let before = model.infer(&image()).unwrap();
    assert_eq!(model.engine().engine, "openvino");

    is_lost.store(true, Ordering::Relaxed);
    let after = model.infer(&image()).unwrap();
    assert!((after.probability - before.probability).abs() < 1e-4);
    assert_eq!(model.engine().engine, "embedded");
    assert_eq!(
        model.engine().fallbacks,
        ["inference failed on openvino: the device is gone"]
    );
    assert_eq!(model.golden().len(), 1, "it was verified first");

    is_lost.store(false, Ordering::Relaxed);
    model.infer(&image()).unwrap();
    assert_eq!(model.engine().engine, "embedded", "for good");
}

#[test]
fn a_single_configured_engine_is_not_replaced() {
    let only = Model::load(&tiny(), &engine(EngineChoice::Embedded)).unwrap();
    let (mut model, is_lost) = unreliable(only);
    is_lost.store(true, Ordering::Relaxed);
    let error = model.infer(&image()).unwrap_err().to_string();
    assert_eq!(error, "inference failed on openvino: the device is gone");
    assert_eq!(model.engine().engine, "embedded");
}

#[test]
fn an_engine_that_fails_a_golden_sample_replaces_none() {
    if !has_openvino() {
        return;
    }
    // The ONNX alone is of another network than the golden sample: its last bias is another.
    let copy = Copy::new().replace("tiny.onnx", |mut onnx| {
        let bias = [-0.25_f32, 0.125].map(f32::to_le_bytes).concat();
        let at = onnx.windows(8).position(|bytes| bytes == bias).unwrap();
        onnx[at..at + 4].copy_from_slice(&4.0_f32.to_le_bytes());
        onnx
    });
    let (mut model, is_lost) = unreliable(copy.load(EngineChoice::Auto).unwrap());
    let before = model.infer(&image()).unwrap();
    is_lost.store(true, Ordering::Relaxed);
    let error = model.infer(&image()).unwrap_err().to_string();
    assert!(error.contains("the device is gone"), "{error}");
    assert!(error.contains("golden sample"), "{error}");
    assert_eq!(model.engine().engine, "openvino");

    is_lost.store(false, Ordering::Relaxed);
    assert_eq!(model.infer(&image()).unwrap(), before, "it is asked again");
}
