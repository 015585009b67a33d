//! Arguments that several commands share. Each one overrides a setting of the configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use smearscope_artifacts::EngineChoice;

use crate::analysis::reading::SCALES;
use crate::cli::exit::Failure;
use crate::config::service::Service;
use crate::config::storage::StorageConfig;
use crate::config::{BoardKind, PanelKind, Raw};

/// The configuration file.
#[derive(Debug, Clone, Args)]
pub(crate) struct FileArgs {
    /// Configuration [default: /etc/smearscope/config.toml, if it exists].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// The configuration and the engine.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Engine that runs the model.
    #[arg(long, global = true)]
    engine: Option<EngineChoice>,
    /// OpenVINO device; repeat the option to name several in order of preference.
    #[arg(long = "device", value_name = "NAME", global = true)]
    devices: Vec<String>,
}

/// The folder of everything that is stored.
#[derive(Debug, Clone, Args)]
pub(crate) struct StateArgs {
    /// Folder for records, images, tokens and models [default: storage.state of the configuration].
    #[arg(long, value_name = "DIR", global = true)]
    state: Option<PathBuf>,
}

/// The configuration, the engine and the model.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Folder of the model [default: the installed model, or else the demo model of the program].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// The board and where records are stored.
#[derive(Debug, Clone, Args)]
pub(crate) struct BoardArgs {
    /// Board with camera, button, LEDs and display.
    #[arg(long)]
    board: Option<BoardKind>,
    /// Size of a pixel of the camera's pictures in the plane of the specimen, µm [default: `camera.um_per_pixel` of the
    /// configuration].
    #[arg(long, value_name = "UM", value_parser = scale)]
    um_per_pixel: Option<f32>,
    /// Folder of images that the simulated camera plays [default: sim.fields of the configuration].
    #[arg(long, value_name = "DIR")]
    fields: Option<PathBuf>,
    /// How the simulated bench shows display, LEDs and button.
    #[arg(long)]
    panel: Option<PanelKind>,
    #[command(flatten)]
    state: StateArgs,
}

impl FileArgs {
    /// The file that is named, if one is.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The settings of the file and the environment.
    pub(crate) fn read(&self) -> Result<Raw, Failure> {
        Raw::read(self.path()).map_err(Failure::configuration)
    }
}

impl StateArgs {
    /// The folder that is named, if one is.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.state.as_deref()
    }

    /// The settings with this folder.
    pub(crate) fn apply(&self, mut raw: Raw) -> Raw {
        if let Some(state) = &self.state {
            raw.storage.state.clone_from(state);
        }
        raw
    }
}

impl ConfigArgs {
    /// The settings of the file and the environment, with these.
    pub(crate) fn read(&self) -> Result<Raw, Failure> {
        self.file.read().map(|raw| self.apply(raw))
    }

    fn apply(&self, mut raw: Raw) -> Raw {
        if let Some(engine) = self.engine {
            raw.model.engine = engine;
        }
        if !self.devices.is_empty() {
            raw.model.devices.clone_from(&self.devices);
        }
        raw
    }
}

impl ModelArgs {
    /// The file that is named, if one is.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.config.file.path()
    }

    /// The settings of the file and the environment, with these.
    pub(crate) fn read(&self) -> Result<Raw, Failure> {
        self.config.file.read().map(|raw| self.apply(raw))
    }

    /// The settings with these.
    pub(crate) fn apply(&self, raw: Raw) -> Raw {
        let mut raw = self.config.apply(raw);
        if let Some(model) = &self.model {
            raw.model.folder.clone_from(model);
        }
        raw
    }
}

impl BoardArgs {
    /// The settings with these.
    pub(crate) fn apply(&self, raw: Raw) -> Raw {
        let mut raw = self.state.apply(raw);
        if let Some(board) = self.board {
            raw.board = board;
        }
        if let Some(um_per_pixel) = self.um_per_pixel {
            // Without the digits that a longer number would have.
            raw.camera.um_per_pixel = (f64::from(um_per_pixel) * 1e6).round() / 1e6;
        }
        if let Some(fields) = &self.fields {
            raw.sim.fields.clone_from(fields);
        }
        if let Some(panel) = self.panel {
            raw.sim.panel = panel;
        }
        raw
    }
}

/// A size of a pixel in µm.
pub(crate) fn scale(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(scale) if SCALES.contains(&scale) => Ok(scale),
        _ => Err(format!(
            "must be a number of µm from {} to {}, such as 0.08",
            SCALES.start(),
            SCALES.end()
        )),
    }
}

/// The settings for a state folder that is read. A folder that `state` names is read on any machine, whatever its
/// configuration is.
pub(crate) fn storage(file: &FileArgs, state: &StateArgs) -> Result<StorageConfig, Failure> {
    let raw = match (file.path(), state.folder(), Service::detect(false)) {
        (None, Some(_), _) => Raw::default(),
        (named, _, Some(service)) => service.in_use(named).map_err(Failure::configuration)?,
        (_, _, None) => file.read()?,
    };
    let config = state.apply(raw).validate();
    stored(config.map_err(Failure::configuration)?.storage)
}

/// What a setting names that is needed and may be empty: here the folder of [`StateArgs`].
pub(crate) fn stored<T>(setting: Option<T>) -> Result<T, Failure> {
    setting
        .context("nothing is stored because storage.state is empty; set it, or name a folder with --state")
        .map_err(Failure::configuration)
}
