//! Engines run a network behind one small trait.

mod elf;
mod embedded;
mod library;
mod ncs2;
mod openvino;
mod ports;
mod stick_library;
mod usb;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{ArtifactError, ModelFiles, Tensor};

/// Runs one loaded network.
///
/// Object-safe, so that the engine is a matter of configuration. `&mut self` because an engine
/// reuses its buffers from call to call.
pub trait Classifier: Send {
    /// Runs the network on one input tensor of the shape in the model's input contract.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the engine fails or gives values that are not finite; never a
    /// made-up result.
    fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError>;

    /// The engine, its version and the device that really runs.
    fn info(&self) -> &EngineInfo;
}

/// What a network says about one input, before calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// Softmax output of the positive class, 0 to 1.
    pub probability: f32,
    /// Logit margin: positive logit − negative logit. Kept beside the probability, which loses it
    /// where `f32` rounds to 1.
    pub margin: f32,
    /// Contribution of each position to the margin; absent in models without that output.
    pub evidence: Option<EvidenceMap>,
}

/// The exact contribution of each spatial position to the logit margin, for networks with a linear
/// head: the sum over all positions plus the difference of the head's biases is the margin.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceMap {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width × height` values, rows from the top; positive speaks for the positive class.
    pub values: Vec<f32>,
}

/// Who ran the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineInfo {
    /// `ncs2`, `openvino` or `embedded`.
    pub engine: &'static str,
    /// The engine's version.
    pub version: String,
    /// The device that really runs, as the engine names it: `CPU`, `MYRIAD`.
    pub device: String,
    /// Why this is not what was asked for first, in the operator's words; one line per fallback.
    pub fallbacks: Vec<String>,
}

impl EngineInfo {
    /// Engine and device, in words.
    pub fn name(&self) -> String {
        format!("{} on {}", self.engine, self.device)
    }
}

/// Which engine to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// A Neural Compute Stick 2 where one is plugged in, else OpenVINO where its library is installed, else
    /// the embedded engine. One that fails while it is used is left for the next.
    #[default]
    Auto,
    /// A Neural Compute Stick 2, or an error.
    Ncs2,
    /// OpenVINO, or an error.
    OpenVino,
    /// The engine that is part of the program.
    Embedded,
}

/// How to start an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineConfig {
    /// Which engine.
    pub choice: EngineChoice,
    /// The `libopenvino_c` file, or a folder that holds it. Without it, the environment's
    /// `SMEARSCOPE_OPENVINO` says so, else the usual places are searched: `.runtime/openvino/libs`
    /// (see `scripts/setup`) beside or above the program and the working directory, then the system's.
    pub library: Option<PathBuf>,
    /// OpenVINO devices in order of preference; the first that is present and compiles is used.
    /// Empty means `CPU`. `AUTO` and `MULTI` are refused: they hide which device runs.
    pub devices: Vec<String>,
    /// Where OpenVINO may keep compiled networks.
    pub cache_dir: Option<PathBuf>,
    /// Threads of one inference; `None` leaves it to the engine.
    pub threads: Option<usize>,
    /// `libopenvino_c.so` of a runtime that drives the stick (OpenVINO 2021.x, 2022.3.1), or a folder that holds it.
    /// Without it, the environment's `SMEARSCOPE_NCS2` says so, else it is where `setupvars.sh` of that
    /// runtime says, or in `/opt/intel/openvino_2022`. See [`EngineConfig::announce_stick_library`].
    pub stick_library: Option<PathBuf>,
    /// Where the system lists USB devices, among which the stick is looked for; without it, where Linux does.
    pub usb_devices: Option<PathBuf>,
}

/// An engine that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Ncs2,
    OpenVino,
    Embedded,
}

impl EngineChoice {
    /// The engine that must work if it comes to that.
    pub(crate) fn last(self) -> Engine {
        match self {
            Self::Ncs2 => Engine::Ncs2,
            Self::OpenVino => Engine::OpenVino,
            Self::Auto | Self::Embedded => Engine::Embedded,
        }
    }
}

impl EngineConfig {
    /// The engines to try, in this order.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        match self.choice {
            EngineChoice::Auto if usb::has_stick(self.usb_devices.as_deref()) => {
                vec![Engine::Ncs2, Engine::OpenVino, Engine::Embedded]
            }
            EngineChoice::Auto => vec![Engine::OpenVino, Engine::Embedded],
            only => vec![only.last()],
        }
    }
}

impl Engine {
    /// Starts the engine on a model's network, after comparing its ports with the manifest.
    pub(crate) fn start(
        self,
        files: &ModelFiles,
        config: &EngineConfig,
    ) -> Result<Box<dyn Classifier>, ArtifactError> {
        Ok(match self {
            Self::Ncs2 => Box::new(ncs2::Ncs2::start(files, config)?),
            Self::OpenVino => Box::new(openvino::OpenVino::start(files, config)?),
            Self::Embedded => Box::new(embedded::Embedded::start(files, config)?),
        })
    }
}
