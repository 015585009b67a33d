//! Times of the stages of an analysis.

use std::time::Duration;

/// How long each stage of an analysis took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// From the request to the camera to its frame; `None` for an image from elsewhere.
    pub capture: Option<Duration>,
    /// Decoding the picture, and the one before it where the camera gave it.
    pub decoding: Duration,
    /// The quality gate; with it, what a network for whole fields sees is prepared.
    pub gate: Duration,
    /// Running the model; `None` if the gate refused the picture.
    pub model: Option<ModelTimes>,
    /// Adding the field to its slide, so that each cell counts once; `None` for an image of no slide.
    pub counting: Option<Duration>,
    /// Writing images and row to the disk; `None` if no records are kept.
    pub storing: Option<Duration>,
}

/// How long a model took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelTimes {
    /// The network for whole fields.
    Field(Duration),
    /// A model that counts cells.
    Cells {
        /// Searching the field for cells, and for its scale.
        search: Duration,
        /// Looking at each cell.
        cells: Duration,
    },
}

impl ModelTimes {
    /// All of it.
    pub fn total(self) -> Duration {
        match self {
            Self::Field(inference) => inference,
            Self::Cells { search, cells } => search + cells,
        }
    }
}

impl StageTimes {
    /// The stages that took place, by their names in answers and metrics.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let (inference, search, cells) = match self.model {
            None => (None, None, None),
            Some(ModelTimes::Field(inference)) => (Some(inference), None, None),
            Some(ModelTimes::Cells { search, cells }) => (None, Some(search), Some(cells)),
        };
        [
            ("capture", self.capture),
            ("decoding", Some(self.decoding)),
            ("gate", Some(self.gate)),
            ("inference", inference),
            ("search", search),
            ("cells", cells),
            ("counting", self.counting),
            ("storing", self.storing),
        ]
        .into_iter()
        .filter_map(|(stage, time)| Some((stage, time?)))
    }
}

/// A duration in milliseconds, rounded down to a microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}
