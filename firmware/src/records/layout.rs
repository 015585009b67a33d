//! File names in a state folder.

use std::path::{Path, PathBuf};

/// Lock file of the appliance that writes the records.
pub(super) const LOCK: &str = "records.lock";
/// The folder's identity, by which it is told from another one.
pub(super) const IDENTITY: &str = "records.identity";
/// Placeholder that reserves disk space for the database.
pub(super) const BALLAST: &str = "records.ballast";
/// Number and hash of the last row, to detect that the end of the database was lost.
pub(super) const HEAD: &str = "records.head";
/// Rows that were lost, until an operator moves the file away.
pub(super) const LOSS: &str = "records.loss";
/// Result of the last `smearscope records verify --record-result`.
pub(super) const VERIFIED: &str = "records.verified";
/// The last faults of the appliance.
pub(super) const FAULTS: &str = "faults.json";
/// Folder of the images, with a folder per slide.
pub(super) const IMAGES: &str = "images";
/// Folder of images that are being written.
pub(super) const INCOMING: &str = "incoming";

/// The database in a state folder.
pub(super) fn database(folder: &Path) -> PathBuf {
    folder.join("records.sqlite")
}

/// Whether a state folder has records, or had them.
pub(crate) fn exist(folder: &Path) -> bool {
    database(folder).exists() || folder.join(HEAD).exists()
}
