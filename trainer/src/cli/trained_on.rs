//! What a model says it was trained on.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::dataset::TrainedOn;
use crate::error::TrainError;
use crate::report::REPORT_FILE;

const REMEDY: &str = "make the model again: its report says what it was trained on";

/// Reads the record in a model folder; `None` if there is no report.
///
/// # Errors
/// [`TrainError::Data`] if the report cannot be read or lacks the record.
pub(super) fn read(model: &Path) -> Result<Option<TrainedOn>, TrainError> {
    #[derive(Deserialize)]
    struct ModelReport {
        trained_on: TrainedOn,
    }

    let path = model.join(REPORT_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(TrainError::data(&path, error.to_string(), REMEDY)),
    };
    let ModelReport { trained_on } = serde_json::from_str(&text)
        .map_err(|error| TrainError::data(&path, error.to_string(), REMEDY))?;
    Ok(Some(trained_on))
}

/// The warning about a model without a record.
pub(super) fn unknown() -> String {
    "It is not known what this model was trained on: it may have been trained on these images, or on others of the same \
     patients."
        .into()
}
