//! The engines on which a written model is checked.

use log::warn;
use smearscope_artifacts::{ArtifactError, EngineChoice};

use crate::error::TrainError;

/// Checks a model on each engine. The embedded engine must run it; OpenVINO may be missing.
///
/// # Errors
/// That of a check, except that OpenVINO cannot be used.
pub(super) fn on_each_engine<T>(
    mut check: impl FnMut(EngineChoice) -> Result<T, TrainError>,
) -> Result<Vec<T>, TrainError> {
    let mut results = Vec::new();
    for choice in [EngineChoice::OpenVino, EngineChoice::Embedded] {
        match check(choice) {
            Ok(result) => results.push(result),
            Err(TrainError::Artifact(error @ ArtifactError::Engine { .. }))
                if choice == EngineChoice::OpenVino =>
            {
                warn!("the export is not compared on OpenVINO: {error}");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(results)
}
