//! Tables of labelled images: CSV files with the columns path, label and, optionally, group.

use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;

/// One image.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    /// Path relative to the folder of the table.
    pub(crate) path: PathBuf,
    pub(crate) label: String,
    /// Patient, animal or slide; the column may be missing.
    pub(crate) group: Option<String>,
}

/// Reads all lines.
///
/// # Errors
/// The first invalid line and what is wrong with it.
pub(crate) fn read(source: impl Read) -> Result<Vec<Row>, csv::Error> {
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(source)
        .into_deserialize()
        .collect()
}
