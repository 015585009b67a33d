//! The demo model that is part of the program, so that the program works without any other file.

use std::path::Path;

use smearscope_artifacts::{ArtifactError, ModelFiles, PublicKey};

/// What stands for the model's folder in messages and lists.
pub(crate) const PLACE: &str = "built in";

/// Includes files of the demo model by name.
macro_rules! demo_model {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../model-artifacts/smear-demo/", $name)),
        )),+]
    };
}

/// The manifest and the files that it names, 471 KiB. The model card and its figures are left out.
const FILES: [(&str, &[u8]); 10] = demo_model![
    "manifest.toml",
    "model.xml",
    "model.bin",
    "model.onnx",
    "golden/negative-1.png",
    "golden/negative-2.png",
    "golden/negative-3.png",
    "golden/positive-1.png",
    "golden/positive-2.png",
    "golden/positive-3.png",
];

/// Verifies the files as if they were read from a folder. They are not signed, so any key refuses them.
///
/// # Errors
/// Those of [`ModelFiles::from_memory`].
pub(crate) fn open(key: Option<&PublicKey>) -> Result<ModelFiles, ArtifactError> {
    ModelFiles::from_memory(Path::new(PLACE), &FILES, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of minisign's documentation.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn it_is_the_demo_model_of_the_source_tree() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../model-artifacts/smear-demo");
        let (built_in, source) = (
            open(None).unwrap(),
            ModelFiles::open(Path::new(folder)).unwrap(),
        );
        assert_eq!(built_in.manifest_sha256(), source.manifest_sha256());
        // No file is included that the manifest does not name.
        assert_eq!(FILES.len(), 1 + source.manifest().entries().count());
        assert!(FILES.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 512 << 10);
    }

    #[test]
    fn a_configured_key_refuses_it_because_it_is_not_signed() {
        let key = KEY.parse().unwrap();
        let message = open(Some(&key)).unwrap_err().to_string();
        assert!(
            message.starts_with("built in/manifest.toml: the model is not signed"),
            "{message}"
        );
    }
}
