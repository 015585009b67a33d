//! Where the model that comes with the program is.

use std::path::PathBuf;

use smearscope_artifacts::Manifest;

use crate::models::location::ModelLocation;

/// The folder in which the package installs the model.
const INSTALLED_MODEL: &str = "/usr/share/smearscope/models/smear-demo";
/// The model's folder in the source tree.
const SOURCE_TREE_MODEL: &str = "model-artifacts/smear-demo";

/// Where the model that comes with the program is: the folder of the package, the one of a source tree around the
/// program or the working directory, or else the program itself.
pub(crate) fn find() -> ModelLocation {
    let starts = [std::env::current_exe(), std::env::current_dir()];
    let in_source_tree = starts.iter().flatten().flat_map(|start| {
        start
            .ancestors()
            .map(|folder| folder.join(SOURCE_TREE_MODEL))
    });
    std::iter::once(PathBuf::from(INSTALLED_MODEL))
        .chain(in_source_tree)
        .find(|folder| folder.join(Manifest::FILE_NAME).is_file())
        .map_or(ModelLocation::BuiltIn, ModelLocation::Folder)
}
