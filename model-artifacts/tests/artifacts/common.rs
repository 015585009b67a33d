//! Helpers of several tests.

use std::path::{Path, PathBuf};

use smearscope_artifacts::{ArtifactError, EngineChoice, EngineConfig, FileEntry, Model, testing};
use tempfile::TempDir;

pub(crate) const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// The tiny fixture model, which OpenVINO and the embedded engine run.
pub(crate) fn tiny() -> PathBuf {
    Path::new(CRATE).join("tests/fixtures/tiny")
}

/// Copies the files of a folder and of those in it.
fn copy_files(from: &Path, to: &Path) {
    for file in from.read_dir().unwrap() {
        let file = file.unwrap();
        let copy = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            std::fs::create_dir(&copy).unwrap();
            copy_files(&file.path(), &copy);
        } else {
            std::fs::copy(file.path(), copy).unwrap();
        }
    }
}

/// A copy of a model, which tests may damage.
pub(crate) struct Copy(TempDir);

impl Copy {
    /// A copy of the tiny model.
    pub(crate) fn new() -> Self {
        Self::of(&tiny())
    }

    pub(crate) fn of(model: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_files(model, folder.path());
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Replaces text in the manifest, which must contain it.
    pub(crate) fn edit(self, from: &str, to: &str) -> Self {
        let path = self.path().join("manifest.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in the manifest");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        self
    }

    /// Changes a file's contents, and its checksum in the manifest.
    pub(crate) fn replace(self, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        let path = self.path().join(file);
        let before = std::fs::read(&path).unwrap();
        let old = FileEntry::for_bytes(file, &before).sha256;
        let after = change(before);
        let new = FileEntry::for_bytes(file, &after).sha256;
        std::fs::write(path, after).unwrap();
        self.edit(&old, &new)
    }

    pub(crate) fn load(&self, choice: EngineChoice) -> Result<Model, ArtifactError> {
        Model::load(self.path(), &engine(choice))
    }

    /// The error message of loading this model on the embedded engine.
    pub(crate) fn refusal(&self) -> String {
        match self.load(EngineChoice::Embedded) {
            Ok(_) => panic!("the model was accepted"),
            Err(error) => error.to_string(),
        }
    }
}

pub(crate) fn engine(choice: EngineChoice) -> EngineConfig {
    EngineConfig {
        choice,
        ..EngineConfig::default()
    }
}

/// Whether OpenVINO is built in and installed; if not, [skips](testing::skip).
pub(crate) fn has_openvino() -> bool {
    let missing = ["there is no libopenvino_c.so on", "not built into"];
    match Model::load(&tiny(), &engine(EngineChoice::OpenVino)) {
        Err(error) if missing.iter().any(|text| error.to_string().contains(text)) => {
            testing::skip(error);
            false
        }
        _ => true,
    }
}
