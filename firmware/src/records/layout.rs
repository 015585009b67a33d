//! File names in a state folder.

use std::path::{Path, PathBuf};

/// Lock file of the appliance that writes the records.
pub(super) const LOCK: &str = "records.lock";
/// The folder's identity, by which it is told from another one.
pub(super) const IDENTITY: &str = "records.identity";
/// Placeholder that reserves disk space for the database.
pub(super) const BALLAST: &str = "records.ballast";
/// Folder of the images, with a folder per slide.
pub(super) const IMAGES: &str = "images";
/// Folder of images that are being written.
pub(super) const INCOMING: &str = "incoming";

/// The database in a state folder.
pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join("records.sqlite")
}
