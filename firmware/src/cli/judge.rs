//! What `smearscope classify` classifies with: a model of this program or another appliance.

use std::path::Path;

use serde::Serialize;
use smearscope_artifacts::{AnyModel, EngineInfo};

use crate::cli::folder_answer::FolderAnswer;
use crate::report::answer::Said;

/// Classifies images.
pub(crate) trait Judge {
    /// The answer about an image.
    type Answer: Serialize;

    /// Classifies an image. Failures that leave the answer valid are added to `failures`.
    ///
    /// # Errors
    /// [`JudgeError`] if there is no answer.
    fn judge(
        &mut self,
        image: &Path,
        failures: &mut Vec<String>,
    ) -> Result<Self::Answer, JudgeError>;

    /// The part of an answer that is printed for people; JSON has all of it.
    fn said(answer: &Self::Answer) -> Said<'_>;

    /// The slides that the images make, if they are counted together.
    fn slides(&self) -> Vec<FolderAnswer> {
        Vec::new()
    }

    /// Model, engine, device and the limits that decide, as far as they are known.
    fn by(&self) -> String;

    /// Whether the model is a demonstration model, whose verdicts mean nothing.
    fn is_demo(&self) -> bool;
}

/// A model, what runs it, and its limits, for the line after all images.
pub(crate) fn model_on_engine(model: &AnyModel, engine: &EngineInfo, limits: &str) -> String {
    let (name, version) = (model.name(), model.version());
    let EngineInfo {
        engine,
        version: engine_version,
        device,
        ..
    } = engine;
    format!("{name} {version} on {engine} {engine_version}, {device}; {limits}")
}

/// Why there is no answer about an image.
pub(crate) enum JudgeError {
    /// The image cannot be classified; others may be.
    Image(String),
    /// No image can be classified.
    All(anyhow::Error),
}
