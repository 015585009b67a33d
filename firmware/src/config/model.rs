//! `[model]`: the model and the engine that runs it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use smearscope_artifacts::{EngineChoice, EngineConfig, PublicKey};
use smearscope_hardware::settings::{InvalidValue, Settings};

use crate::config::path::non_empty;

smearscope_hardware::settings! {
    /// The model and the engine that runs it.
    pub struct RawModel in "model" {
        /// Folder of the model; empty: the one that `smearscope model install` installed, else the one that is
        /// shipped with the program.
        folder: PathBuf = PathBuf::new();
        /// Minisign public key; models that it did not sign are refused. Empty: models need no signature.
        public_key: String = String::new();
        /// Engine; "auto": a Neural Compute Stick 2 if one is plugged in, else OpenVINO if it is installed, else the
        /// embedded engine.
        engine: EngineChoice = EngineChoice::Auto;
        /// OpenVINO devices in order of preference.
        devices: Vec<String> = vec!["CPU".into()];
        /// `libopenvino_c` or its folder; empty: search the usual places.
        library: PathBuf = PathBuf::new();
        /// `libopenvino_c.so` of OpenVINO 2022.3.1 or 2021.x, which drives a Neural Compute Stick 2, or its folder;
        /// empty: search the usual places.
        stick_library: PathBuf = PathBuf::new();
        /// Folder in which the system lists USB devices, to find the stick.
        usb_devices: PathBuf = "/sys/bus/usb/devices".into();
        /// Folder in which OpenVINO caches compiled networks; empty: no cache.
        cache: PathBuf = PathBuf::new();
        /// Threads of one inference; 0: the engine decides.
        threads: usize = 0, valid(0..=64);
    }
}

/// Validated `[model]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModelSettings {
    /// Folder of the model; `None`: the installed or shipped one.
    pub(crate) folder: Option<PathBuf>,
    /// Key that must have signed models; `None`: signatures are not checked.
    pub(crate) public_key: Option<PublicKey>,
    /// How to start an engine.
    pub(crate) engine: EngineConfig,
}

impl RawModel {
    /// Checks every value.
    pub(crate) fn validate(self) -> Result<ModelSettings> {
        self.check_ranges()?;
        if self.devices.iter().any(|device| device.trim().is_empty()) {
            let devices = format!("{:?}", self.devices);
            let requirement = "every device needs a name, such as \"CPU\"";
            return Err(InvalidValue::new("model.devices", devices, requirement).into());
        }
        let public_key = Some(self.public_key)
            .filter(|key| !key.is_empty())
            .map(|key| key.parse().context("model.public_key"))
            .transpose()?;
        Ok(ModelSettings {
            folder: non_empty(self.folder),
            public_key,
            engine: EngineConfig {
                choice: self.engine,
                library: non_empty(self.library),
                devices: self.devices,
                cache_dir: non_empty(self.cache),
                threads: Some(self.threads).filter(|threads| *threads > 0),
                stick_library: non_empty(self.stick_library),
                usb_devices: non_empty(self.usb_devices),
            },
        })
    }
}
