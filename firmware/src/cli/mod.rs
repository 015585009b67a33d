//! The command line.

mod classify;
pub mod exit;
pub(crate) mod import_hias;
mod model;
mod records;
mod remote;
mod run;
mod screens;
mod selftest;
mod token;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use smearscope_artifacts::EngineChoice;
use smearscope_hardware::HardwareError;

use crate::analysis::analyst::Analyst;
use crate::appliance::event_loop::ApplianceError;
use crate::cli::classify::Local;
use crate::cli::exit::Exit;
use crate::cli::model::ModelCommand;
use crate::cli::records::RecordsCommand;
use crate::cli::remote::Remote;
use crate::cli::token::TokenCommand;
use crate::config::storage::StorageConfig;
use crate::config::{BoardKind, Config, DEFAULT_PATH, PanelKind, Raw, existing_file};
use crate::models::{ModelError, Models};
use crate::records::RecordsError;
use crate::system::logging;
use crate::system::sanitize::printable_lines;

/// Classifies blood-smear micrographs for acute lymphoblastic leukemia, on the bench or from files.
///
/// Research use only: not for diagnosis or treatment.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the appliance: press the button, read the verdict.
    #[command(
        after_help = "Example: smearscope run --board sim --fields ~/micrographs\n\n\
        On the simulated bench the space bar is the button and q switches off; without a terminal, \
        lines on standard input do: `press`, `long` (next slide), `double` (last verdict again), `quit`. \
        Each verdict is printed as a line that starts with `verdict:`. If the model cannot be used, the \
        screen says so, nothing is analysed, and \
        the exit code is 4."
    )]
    Run {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        bench: Bench,
    },
    /// Classifies image files and folders of them.
    #[command(
        after_help = "Example: smearscope classify --json slides/ | jq .verdict\n\n\
        With --json, each line is an object: an image (path, verdict, reason, hint, probability, \
        threshold, strongest, quality, engine, device, model, demo, elapsed_ms), or what could not be analysed \
        (path, error); the last has the key `summary`. Names that end in _0 (healthy) or _1 (ALL), as \
        ALL-IDB's do, are counted as true and false positives and negatives."
    )]
    Classify {
        /// Images, or folders to search for them.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
        /// Paint what speaks for ALL (vermilion) and against it (blue) into this folder, as NAME-evidence.png.
        #[arg(long, value_name = "DIR")]
        overlays: Option<PathBuf>,
        /// Have the appliance at this address classify them, with its own model. A token is taken from the environment's `SMEARSCOPE_TOKEN`.
        #[arg(long, value_name = "URL", conflicts_with_all = ["overlays", "model", "engine"])]
        url: Option<String>,
        /// Certificate of that appliance in PEM, such as its tls.pem [default: those that the system trusts].
        #[arg(long, value_name = "FILE", requires = "url")]
        certificate: Option<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Checks model, engine and board, and says what works.
    Selftest {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        bench: Bench,
    },
    /// Lists, checks, installs and takes back models.
    #[command(
        after_help = "A model that may not be used ends with exit code 4, and changes nothing."
    )]
    Model {
        #[command(subcommand)]
        command: ModelCommand,
        #[command(flatten)]
        setup: Setup,
    },
    /// Lists, shows, proves and exports what was recorded, also while the appliance runs.
    Records {
        #[command(subcommand)]
        command: RecordsCommand,
        /// Configuration [default: /etc/smearscope/config.toml, if there is one].
        #[arg(long, value_name = "FILE", global = true)]
        config: Option<PathBuf>,
        /// Folder of the records [default: storage.state of the configuration].
        #[arg(long, value_name = "DIR", global = true)]
        state: Option<PathBuf>,
    },
    /// Makes, lists and takes back tokens of the HTTP API.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
        #[command(flatten)]
        setup: Setup,
    },
    /// Shows or checks the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Draws every screen of the appliance as a PNG.
    Screens {
        /// Folder for the pictures; it is made if need be.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints the configuration in use: every setting with its meaning, default and valid values.
    Show {
        /// File to read.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Takes over a HIAS agent's credentials into the sections [hias] and [http] of a configuration.
    #[command(
        name = "import-hias",
        after_help = "Reads iotJumpWay{host, port, location, zone, entity, name, un, up} and, if it is there, \
        server{ip, port}; what else is there is passed over. The rest of the configuration stays as it is, comments included, and so does the \
        whole file if anything is missing or wrong. Each setting that changes is printed, the password hidden."
    )]
    ImportHias {
        /// The agent's credentials.json.
        #[arg(value_name = "CREDENTIALS")]
        credentials: PathBuf,
        /// Configuration to change; it is made if need be [default: /etc/smearscope/config.toml].
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Checks a configuration; exit code 3 if it is not valid.
    Check {
        /// File to read.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What most commands take.
#[derive(Debug, Clone, Args)]
struct Common {
    #[command(flatten)]
    setup: Setup,
    /// Folder of the model [default: the one that is installed, or else comes with the program].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
}

/// Which configuration, and which engine.
#[derive(Debug, Clone, Args)]
struct Setup {
    /// Configuration [default: /etc/smearscope/config.toml, if there is one].
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Which engine: auto takes a Neural Compute Stick 2 where one is plugged in, else OpenVINO where it is installed, else the embedded one.
    #[arg(long, global = true)]
    engine: Option<Engine>,
    /// OpenVINO device; repeat it for devices in order of preference.
    #[arg(long = "device", value_name = "NAME", global = true)]
    devices: Vec<String>,
}

/// Which bench.
#[derive(Debug, Clone, Args)]
struct Bench {
    /// Which hardware.
    #[arg(long)]
    board: Option<BoardKind>,
    /// Folder of images that the simulated camera plays.
    #[arg(long, value_name = "DIR")]
    fields: Option<PathBuf>,
    /// What stands for the simulated OLED, LEDs and button.
    #[arg(long)]
    panel: Option<PanelKind>,
    /// Folder for records and images [default: storage.state of the configuration].
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Engine {
    Auto,
    Ncs2,
    Openvino,
    Embedded,
}

impl Common {
    fn read(self) -> Result<Raw> {
        let mut raw = self.setup.read()?;
        if let Some(model) = self.model {
            raw.model.folder = model;
        }
        Ok(raw)
    }
}

impl Setup {
    fn read(self) -> Result<Raw> {
        let mut raw = Raw::read(self.config.as_deref())?;
        if let Some(engine) = self.engine {
            raw.model.engine = match engine {
                Engine::Auto => EngineChoice::Auto,
                Engine::Ncs2 => EngineChoice::Ncs2,
                Engine::Openvino => EngineChoice::OpenVino,
                Engine::Embedded => EngineChoice::Embedded,
            };
        }
        if !self.devices.is_empty() {
            raw.model.devices = self.devices;
        }
        Ok(raw)
    }
}

impl Bench {
    fn apply(self, raw: &mut Raw) {
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
    }
}

impl Cli {
    /// Does what was asked for, reporting errors on standard error.
    pub fn run(self) -> Exit {
        match self.command.run() {
            Ok(exit) => exit,
            // The reader has seen enough; what it saw was right.
            Err(failure) if is_broken_pipe(&failure.error) => Exit::Success,
            Err(Failure { exit, error }) => {
                // Standard error may be closed; the exit code still tells.
                let text = printable_lines(&format!("{error:#}"));
                let _ = writeln!(std::io::stderr(), "error: {text}");
                exit
            }
        }
    }
}

/// An error with the exit code that tells its kind.
struct Failure {
    exit: Exit,
    error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = if error.is::<ModelError>() {
            Exit::Model
        } else if error.is::<HardwareError>() {
            Exit::Hardware
        } else if let Some(error) = error.downcast_ref::<RecordsError>() {
            records_exit(error)
        } else {
            match error.downcast_ref() {
                Some(ApplianceError::Model(_)) => Exit::Model,
                Some(ApplianceError::Hardware(_)) => Exit::Hardware,
                Some(ApplianceError::Records(error)) => records_exit(error),
                Some(ApplianceError::Thread(_)) | None => Exit::Failure,
            }
        };
        Self { exit, error }
    }
}

fn records_exit(error: &RecordsError) -> Exit {
    match error {
        RecordsError::Mismatch { .. } => Exit::Mismatch,
        _ => Exit::Records,
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

impl Command {
    fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Run { common, bench } => {
                let read = || configured(common.clone(), Some(bench.clone()));
                let config = read().map_err(wrong_configuration)?;
                config.engine.set_stick_library_path();
                run::run(&config, read)?;
                Ok(Exit::Success)
            }
            Self::Classify {
                paths,
                json,
                overlays,
                url,
                certificate,
                common,
            } => {
                logging::start_for_command();
                if let Some(url) = url {
                    let mut remote = Remote::new(&url, certificate.as_deref())?;
                    return Ok(classify::classify(&mut remote, &paths, json)?);
                }
                let config = configured(common, None).map_err(wrong_configuration)?;
                config.engine.set_stick_library_path();
                let mut local = Local::new(load(&config)?, overlays.as_deref());
                Ok(classify::classify(&mut local, &paths, json)?)
            }
            Self::Selftest {
                json,
                common,
                bench,
            } => {
                logging::start_for_command();
                let config = configured(common, Some(bench)).map_err(wrong_configuration)?;
                config.engine.set_stick_library_path();
                Ok(selftest::selftest(&config, json)?)
            }
            Self::Model { command, setup } => {
                logging::start_for_command();
                let config = setup.read().and_then(Raw::validate);
                let config = config.map_err(wrong_configuration)?;
                config.engine.set_stick_library_path();
                command.run(&config, &mut std::io::stdout().lock())?;
                Ok(Exit::Success)
            }
            Self::Records {
                command,
                config,
                state,
            } => {
                let storage = storage(config.as_deref(), state).map_err(wrong_configuration)?;
                Ok(command.run(&storage.state, storage.min_free)?)
            }
            Self::Token { command, setup } => {
                logging::start_for_command();
                let config = setup.read().and_then(Raw::validate);
                let config = config.map_err(wrong_configuration)?;
                command.run(&config, &mut std::io::stdout().lock())?;
                Ok(Exit::Success)
            }
            Self::Config { command } => command.run().map_err(wrong_configuration),
            Self::Screens { out } => {
                screens::write_all(&out)?;
                Ok(Exit::Success)
            }
        }
    }
}

impl ConfigCommand {
    fn run(self) -> Result<Exit> {
        let mut stdout = std::io::stdout().lock();
        match self {
            Self::Show { file } => {
                let raw = Raw::read(file.as_deref())?;
                stdout.write_all(raw.documented()?.as_bytes())?;
            }
            Self::ImportHias {
                credentials,
                config,
            } => {
                let config = config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
                import_hias::import(&credentials, config, &mut stdout)?;
            }
            Self::Check { file } => {
                Raw::read(file.as_deref())?.validate()?;
                match existing_file(file.as_deref()) {
                    Some(path) => writeln!(stdout, "{}: OK", path.display())?,
                    None => writeln!(stdout, "no file; defaults: OK")?,
                }
            }
        }
        Ok(Exit::Success)
    }
}

fn configured(common: Common, bench: Option<Bench>) -> Result<Config> {
    let mut raw = common.read()?;
    if let Some(bench) = bench {
        bench.apply(&mut raw);
    }
    raw.validate()
}

/// Where records are: in a folder that is named, whatever the machine's own configuration says, or where a configuration says.
fn storage(config: Option<&Path>, named: Option<PathBuf>) -> Result<StorageConfig> {
    let mut raw = if named.is_some() && config.is_none() {
        Raw::default()
    } else {
        Raw::read(config)?
    };
    if let Some(folder) = named {
        raw.storage.state = folder;
    }
    raw.validate()?
        .storage
        .context("nothing is recorded: storage.state is empty; name a folder with --state")
}

fn wrong_configuration(error: Error) -> Failure {
    Failure {
        exit: Exit::Configuration,
        error,
    }
}

fn load(config: &Config) -> Result<Analyst> {
    let models = Models::new(config);
    let model = models.load(&models.folder()?).map_err(ModelError::from)?;
    for fallback in &model.engine().fallbacks {
        log::warn!("{fallback}");
    }
    Ok(Analyst::new(model, config.limits))
}
