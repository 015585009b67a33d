//! The files of a dataset: which there are, and which of them are images.

use std::path::{Path, PathBuf};

use smearscope_artifacts::is_image_path;
use walkdir::WalkDir;

use crate::error::TrainError;

/// The folder that archives made on a Mac hold beside the real ones.
pub(super) const ARCHIVE_FOLDER: &str = "__MACOSX";
/// Extensions of images that cannot be read; such a file is not passed over but refused.
const UNREADABLE: [&str; 10] = [
    "avif", "dcm", "gif", "heic", "heif", "jp2", "jxl", "ndpi", "svs", "webp",
];

/// Whether a file is an image by its name, of a format that can be read or not.
pub(super) fn is_named_like_an_image(path: &Path) -> bool {
    is_image_path(path) || UNREADABLE.iter().any(|known| has_extension(path, known))
}

/// All files below a folder, except hidden ones.
pub(super) fn walk(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path()))
        .filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()))
        .map(|entry| match entry {
            Ok(entry) => Ok(entry.into_path()),
            Err(error) => Err(TrainError::unreadable(
                error.path().unwrap_or(folder),
                &error,
            )),
        })
        .collect()
}

pub(super) fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(super) fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(super) fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}

pub(super) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|own| own.eq_ignore_ascii_case(extension))
}

/// Refuses a file below the root whose name no report could hold.
pub(super) fn check_name(path: &Path, root: &Path) -> Result<(), TrainError> {
    let below = path.strip_prefix(root).unwrap_or(path);
    let problem = match below.to_str() {
        None => "its name is not UTF-8",
        Some(name) if name.contains(char::is_control) => "its name has a control character",
        Some(_) => return Ok(()),
    };
    Err(TrainError::data(path, problem, "rename it"))
}
