//! The files of a model folder.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};
use smearscope_artifacts::{FileEntry, Manifest, ModelKind};

use crate::error::TrainError;

pub(crate) const IR_XML: &str = "model.xml";
pub(crate) const IR_BIN: &str = "model.bin";
pub(crate) const ONNX: &str = "model.onnx";

/// An image as the contents of a PNG file, whose path is for messages.
///
/// # Errors
/// [`TrainError::Export`] if it cannot be encoded.
pub(super) fn png(image: &RgbImage, path: &str) -> Result<Vec<u8>, TrainError> {
    let mut png = Vec::new();
    image
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .map_err(|error| TrainError::Export {
            problem: format!("{path}: {error}"),
        })?;
    Ok(png)
}

/// Writes a file of the model folder.
pub(crate) fn save(folder: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, TrainError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| TrainError::output(parent, source))?;
    }
    fs::write(&path, bytes).map_err(|source| TrainError::output(&path, source))?;
    Ok(FileEntry::for_bytes(name, bytes))
}

/// Writes the manifest of a model folder.
pub(crate) fn save_manifest<M: Clone + Into<ModelKind>>(
    folder: &Path,
    manifest: &Manifest<M>,
) -> Result<(), TrainError> {
    save(folder, Manifest::FILE_NAME, manifest.to_toml()?.as_bytes()).map(|_| ())
}
