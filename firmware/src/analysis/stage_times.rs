//! Times of the stages of an analysis.

use std::time::{Duration, Instant};

/// How long each stage of an analysis took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From the request to the camera to its frame; zero for an image from elsewhere.
    pub capture: Duration,
    /// Decoding, the quality gate and preparing the model's input.
    pub preparation: Duration,
    /// Running the model; `None` if the gate refused the picture.
    pub inference: Option<Duration>,
    /// Writing images and row to the disk; `None` if no records are kept.
    pub storing: Option<Duration>,
}

impl StageTimes {
    /// The times of an analysis that began then and ends now without running the model.
    pub(crate) fn without_inference(began: Instant) -> Self {
        Self {
            preparation: began.elapsed(),
            ..Self::default()
        }
    }
}
