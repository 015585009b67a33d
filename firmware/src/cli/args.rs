//! Arguments that several commands share. Each one overrides a setting of the configuration.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use smearscope_artifacts::EngineChoice;

use crate::cli::exit::Failure;
use crate::config::{BoardKind, Config, PanelKind, Raw};

/// The configuration and the engine.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration [default: /etc/smearscope/config.toml, if it exists].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Engine that runs the model.
    #[arg(long, global = true)]
    engine: Option<EngineChoice>,
    /// OpenVINO device; repeat the option to name several in order of preference.
    #[arg(long = "device", value_name = "NAME", global = true)]
    devices: Vec<String>,
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
    /// Folder of images that the simulated camera plays [default: sim.fields of the configuration].
    #[arg(long, value_name = "DIR")]
    fields: Option<PathBuf>,
    /// How the simulated bench shows display, LEDs and button.
    #[arg(long)]
    panel: Option<PanelKind>,
    /// Folder for records and images [default: storage.state of the configuration].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl ConfigArgs {
    /// The configuration with these settings, validated.
    pub(crate) fn validated(self) -> Result<Config, Failure> {
        self.read()
            .and_then(Raw::validate)
            .map_err(Failure::configuration)
    }

    fn read(self) -> Result<Raw> {
        let mut raw = Raw::read(self.config.as_deref())?;
        if let Some(engine) = self.engine {
            raw.model.engine = engine;
        }
        if !self.devices.is_empty() {
            raw.model.devices = self.devices;
        }
        Ok(raw)
    }
}

impl ModelArgs {
    /// The configuration with these settings, validated.
    pub(crate) fn validated(self) -> Result<Config, Failure> {
        self.read()
            .and_then(Raw::validate)
            .map_err(Failure::configuration)
    }

    fn read(self) -> Result<Raw> {
        let mut raw = self.config.read()?;
        if let Some(model) = self.model {
            raw.model.folder = model;
        }
        Ok(raw)
    }
}

impl BoardArgs {
    /// The configuration with these settings and those of `model`, validated.
    pub(crate) fn validated(self, model: ModelArgs) -> Result<Config> {
        let mut raw = model.read()?;
        if let Some(board) = self.board {
            raw.board = board;
        }
        if let Some(fields) = self.fields {
            raw.sim.fields = fields;
        }
        if let Some(panel) = self.panel {
            raw.sim.panel = panel;
        }
        if let Some(state) = self.state {
            raw.storage.state = state;
        }
        raw.validate()
    }
}
