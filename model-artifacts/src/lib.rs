//! A smearscope model as everyone but its trainer sees it: describe, prepare, run, verify.
//!
//! 1. [`Manifest`] describes a model folder and [`ModelFiles`] holds its files, checked.
//! 2. [`decode`] turns hostile bytes into pixels, and [`Preprocessor`] pixels into a [`Tensor`].
//! 3. [`Classifier`] runs the tensor on an engine: a Neural Compute Stick 2, OpenVINO, or the embedded one.
//! 4. [`Model::load`] does all of it and proves the golden samples before anything is classified.

mod decision;
pub mod decode;
mod domain;
pub mod engine;
mod error;
mod files;
mod manifest;
mod model;
mod overlay;
mod preprocess;
mod resample;
mod running;
mod signature;
mod slide;
mod suggestion;
mod tensor;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
mod validate;
mod weighted;

pub use decision::{Call, Decision};
pub use domain::{Descriptor, Domain, FEATURES};
pub use engine::{Classifier, EngineChoice, EngineConfig, EngineInfo, EvidenceMap, Inference};
pub use error::ArtifactError;
pub use manifest::*;
pub use model::{Model, ModelFiles, Prepared};
pub use overlay::Place;
pub use preprocess::Preprocessor;
pub use resample::Resampler;
pub use running::GoldenResult;
pub use signature::{NoPublicKey, PublicKey};
pub use slide::{MOST_LOG_ODDS, SlideRule};
pub use suggestion::did_you_mean;
pub use tensor::Tensor;
pub use weighted::weighted_sum;
