//! A smearscope model as everyone but its trainer sees it: describe, prepare, run, verify.

pub mod engine;
mod error;
mod manifest;
mod tensor;

pub use engine::{Classifier, EngineChoice, EngineConfig, EngineInfo, EvidenceMap, Inference};
pub use error::ArtifactError;
pub use manifest::*;
pub use tensor::Tensor;
