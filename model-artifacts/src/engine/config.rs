//! Configuration of the engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which engine to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "lower"))]
pub enum EngineChoice {
    /// The Neural Compute Stick 2 if one is plugged in, else OpenVINO if its library is installed, else
    /// the embedded engine. If an engine fails in use, the next one replaces it.
    #[default]
    Auto,
    /// The Neural Compute Stick 2, or an error.
    Ncs2,
    /// OpenVINO only: an error if its library or its device cannot be used.
    OpenVino,
    /// The engine that is part of the program.
    Embedded,
}

/// How to start an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// The engine to use, or `auto` for the first that works.
    pub choice: EngineChoice,
    /// The `libopenvino_c` file, or its folder. If `None`, the environment variable
    /// `SMEARSCOPE_OPENVINO` names it, or else it is searched for: first in `.runtime/openvino/libs`
    /// (see `scripts/setup`) beside or above the program and the working directory, then in the system's
    /// library folders.
    pub library: Option<PathBuf>,
    /// OpenVINO devices in order of preference; the first one that is present and compiles the network is
    /// used. Empty means `CPU`. `AUTO` and `MULTI` are refused, because they hide which device runs.
    pub devices: Vec<String>,
    /// Folder in which OpenVINO may cache compiled networks.
    pub cache_dir: Option<PathBuf>,
    /// Number of threads of one inference; if `None`, the engine decides.
    pub threads: Option<usize>,
    /// The `libopenvino_c.so` of a runtime that drives the stick (OpenVINO 2021.x or 2022.3.1), or its
    /// folder. If `None`, the environment variable `SMEARSCOPE_NCS2` names it, or else it is searched for
    /// where that runtime's `setupvars.sh` says, and in `/opt/intel/openvino_2022`. See
    /// [`EngineConfig::set_stick_library_path`].
    pub stick_library: Option<PathBuf>,
    /// Folder in which the system lists USB devices, to find the stick; if `None`, that of Linux.
    pub usb_devices: Option<PathBuf>,
}
