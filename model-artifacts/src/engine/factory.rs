//! Starts the configured engines.

use super::classifier::Classifier;
use super::config::{EngineChoice, EngineConfig};
use super::embedded::Embedded;
use super::kind::EngineKind;
#[cfg(feature = "ncs2")]
use super::ncs2::{network::Ncs2, search_path, usb};
#[cfg(feature = "openvino")]
use super::openvino::{library, network::OpenVino};
use crate::error::ArtifactError;
use crate::model_files::ModelFiles;

impl EngineConfig {
    /// Adds the folder of the configured [stick library](Self::stick_library) to the environment variable
    /// `LD_LIBRARY_PATH`, where the bindings for the stick find it. Call this at the start of a program: if
    /// the process has several threads, it does nothing, and starting the engine reports what is missing.
    /// Without the feature `ncs2` it does nothing.
    pub fn set_stick_library_path(&self) {
        #[cfg(feature = "ncs2")]
        search_path::add_configured(self);
    }
}

/// The engines to try, in order of preference; never empty.
pub(super) fn candidates(config: &EngineConfig) -> Vec<EngineKind> {
    if config.choice != EngineChoice::Auto {
        return vec![last_candidate(config.choice)];
    }
    let mut candidates = Vec::new();
    #[cfg(feature = "ncs2")]
    if usb::has_stick(config.usb_devices.as_deref()) {
        candidates.push(EngineKind::Ncs2);
    }
    candidates.extend([EngineKind::OpenVino, EngineKind::Embedded]);
    candidates.retain(|kind| kind.is_built_in());
    // Whoever names a library or devices is told why they cannot be used.
    #[cfg(feature = "openvino")]
    if config.devices.iter().all(|device| device == "CPU")
        && !library::is_named_or_installed(config.library.as_deref())
    {
        candidates.retain(|kind| *kind != EngineKind::OpenVino);
    }
    candidates
}

/// The last engine to try.
pub(super) fn last_candidate(choice: EngineChoice) -> EngineKind {
    match choice {
        EngineChoice::Ncs2 => EngineKind::Ncs2,
        EngineChoice::OpenVino => EngineKind::OpenVino,
        EngineChoice::Auto | EngineChoice::Embedded => EngineKind::Embedded,
    }
}

/// Starts an engine on a model's network, after comparing the network's inputs and outputs with the
/// manifest.
///
/// # Errors
/// [`ArtifactError::Engine`] if the engine is not part of this program or cannot be started,
/// [`ArtifactError::Manifest`] if the network is not the one that the manifest describes.
pub(super) fn start(
    kind: EngineKind,
    files: &ModelFiles,
    config: &EngineConfig,
) -> Result<Box<dyn Classifier>, ArtifactError> {
    match kind {
        #[cfg(feature = "ncs2")]
        EngineKind::Ncs2 => Ok(Box::new(Ncs2::start(files, config)?)),
        #[cfg(feature = "openvino")]
        EngineKind::OpenVino => Ok(Box::new(OpenVino::start(files, config)?)),
        EngineKind::Embedded => Ok(Box::new(Embedded::start(files, config)?)),
        #[cfg(not(all(feature = "ncs2", feature = "openvino")))]
        missing => Err(missing.unusable(
            "it was not built into this program",
            format!(
                "build smearscope with the feature `{}`, or use another engine",
                missing.name()
            ),
        )),
    }
}
