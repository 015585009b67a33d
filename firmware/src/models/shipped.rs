//! Where the model that comes with the program is.

use std::path::PathBuf;

use smearscope_artifacts::Manifest;

/// The folder in which the package installs the model.
pub(crate) const INSTALLED_MODEL: &str = "/usr/share/smearscope/models/smear-demo";
/// The model's folder in the source tree.
pub(crate) const SOURCE_TREE_MODEL: &str = "model-artifacts/smear-demo";

/// The folder of the model that comes with the program: the installed one, or the one of a source tree around the
/// program or the working directory.
pub(crate) fn find() -> Option<PathBuf> {
    let starts = [std::env::current_exe(), std::env::current_dir()];
    let in_source_tree = starts.iter().flatten().flat_map(|start| {
        start
            .ancestors()
            .map(|folder| folder.join(SOURCE_TREE_MODEL))
    });
    std::iter::once(PathBuf::from(INSTALLED_MODEL))
        .chain(in_source_tree)
        .find(|folder| folder.join(Manifest::FILE_NAME).is_file())
}
