//! What `smearscope classify` classifies with: a model of this program or another appliance.

use std::path::Path;

use serde::Serialize;

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

    /// Model, engine, device and the probabilities that decide, as far as they are known.
    fn by(&self) -> String;

    /// Whether the model is a demonstration model, whose verdicts mean nothing.
    fn is_demo(&self) -> bool;
}

/// Why there is no answer about an image.
pub(crate) enum JudgeError {
    /// The image cannot be classified; others may be.
    Image(String),
    /// No image can be classified.
    All(anyhow::Error),
}
