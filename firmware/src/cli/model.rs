//! `smearscope model`: lists, shows, verifies, installs and rolls back models.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;
use smearscope_artifacts::{
    AnyModel, CellsModel, DecisionRule, FieldModel, Manifest, ModelFiles, ModelKind,
};

use crate::analysis::identity::DEMO_NOTICE;
use crate::cli::args::{ConfigArgs, StateArgs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::plural::counted;
use crate::config::Config;
use crate::models::{ModelError, ModelLocation, Models};
use crate::report::models::{ModelState, listed};
use crate::system::logging;

/// List, verify, install and roll back models.
#[derive(Debug, Args)]
#[command(after_help = "If a model cannot be used, the exit code is 4 and nothing is changed.")]
pub(crate) struct ModelCommandArgs {
    #[command(subcommand)]
    command: ModelCommand,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    state: StateArgs,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// List the models of the appliance.
    #[command(
        after_help = "The model that the next start of the appliance will use is marked with an asterisk: the current one or, if \
        its files, signature or golden samples fail, the previous or the shipped one. What the running appliance uses is in \
        its self-test and on its page.\n\n\
        With --json, each line is an object: role (`named` in the configuration, `current`, \
        `previous`, `shipped`), in_use, folder (`built in` for the model that is part of the program), and \
        either name, version, demo, signed, manifest_sha256 and card (its description and evaluation), or \
        problem."
    )]
    List {
        /// Print JSON, one object per line.
        #[arg(long)]
        json: bool,
    },
    /// Show a model's description and evaluation.
    Show {
        /// The model's folder [default: the model in use].
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Print JSON: the manifest, with folder, signed and `manifest_sha256`.
        #[arg(long)]
        json: bool,
    },
    /// Verify a model's files and signature, and run its golden samples on the engine.
    Verify {
        /// The model's folder [default: the model in use].
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Verify a model and use it from the next start.
    #[command(
        after_help = "Example: sudo smearscope model install /media/usb/smear-2 && \
        sudo systemctl reload smearscope\n\n\
        The model that was in use becomes the previous one. The appliance rolls back to it if the new model \
        fails, and `smearscope model rollback` does so on request."
    )]
    Install {
        /// The model's folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Allow a version that is older than the one in use.
        #[arg(long)]
        downgrade: bool,
    },
    /// Use the previous model again from the next start.
    Rollback,
}

impl ModelCommandArgs {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let raw = self.state.apply(self.config.read()?);
        let config = raw.validate().map_err(Failure::configuration)?;
        logging::start_for_command(config.log);
        config.engine.set_stick_library_path();
        self.command.run(&config, &mut std::io::stdout().lock())?;
        Ok(Exit::Success)
    }
}

impl ModelCommand {
    /// Runs the command and writes to `out`.
    ///
    /// # Errors
    /// [`ModelError`] if a model or the store cannot be used; else those of `out`.
    fn run(self, config: &Config, out: &mut impl Write) -> Result<()> {
        let models = Models::new(config);
        let named_or_current =
            |folder: Option<PathBuf>| folder.map_or_else(|| models.location(), ModelLocation::from);
        match self {
            Self::List { json } => list(models, json, out)?,
            Self::Show { folder, json } => {
                let location = named_or_current(folder);
                let files = models.open(&location).map_err(ModelError::from)?;
                if json {
                    let shown = Shown {
                        folder: &location,
                        signed: files.is_signed(),
                        manifest_sha256: files.manifest_sha256(),
                        manifest: files.manifest(),
                    };
                    writeln!(out, "{}", serde_json::to_string(&shown)?)?;
                } else {
                    show(&location, &files, out)?;
                }
            }
            Self::Verify { folder } => {
                let location = named_or_current(folder);
                let model = models.load(&location).map_err(ModelError::from)?;
                writeln!(out, "{}", verified(&model))?;
            }
            Self::Install { folder, downgrade } => {
                let store = models.store().ok_or(ModelError::NoStore)?;
                if !downgrade {
                    let files = models.open(&folder.clone().into());
                    models.require_no_downgrade(files.map_err(ModelError::from)?.manifest())?;
                }
                let mut passed = String::new();
                let key = config.public_key.as_ref();
                store
                    .install(&folder, key, |copy| {
                        passed = verified(&models.load(&ModelLocation::Folder(copy.into()))?);
                        Ok(())
                    })
                    .map_err(ModelError::from)?;
                writeln!(out, "{passed}\ninstalled; {}", in_effect(config))?;
            }
            Self::Rollback => {
                let store = models.store().ok_or(ModelError::NoStore)?;
                let previous = store.previous().map_err(ModelError::from)?;
                let model = models
                    .load(&models.location_of(&previous))
                    .map_err(ModelError::from)?;
                store.swap().map_err(ModelError::from)?;
                writeln!(
                    out,
                    "{}\nrolled back; {}",
                    verified(&model),
                    in_effect(config)
                )?;
            }
        }
        Ok(())
    }
}

/// Whether and when the appliance uses the store's current model.
fn in_effect(config: &Config) -> String {
    match &config.model {
        None => "in effect from the next start (systemctl reload smearscope)".into(),
        Some(folder) => format!("not in effect while model.folder is {}", folder.display()),
    }
}

/// Says that a model passed verification, and on which engine.
fn verified(model: &AnyModel) -> String {
    let (name, version, engine) = (model.name(), model.version(), model.engine());
    let samples = model.golden().len();
    let mut text = format!(
        "{name} {version}: files verified, {samples} of {samples} golden samples passed on {} {}",
        engine.engine, engine.device
    );
    for reason in &engine.fallbacks {
        text.extend(["\nused because ", reason]);
    }
    text
}

fn list(models: Models<'_>, json: bool, out: &mut impl Write) -> Result<()> {
    // Says itself which models failed.
    let loaded = models.load_or_fall_back();
    let outcome = loaded.map(|loaded| loaded.outcome).ok();
    for model in &listed(models, outcome.as_ref()) {
        if json {
            writeln!(out, "{}", serde_json::to_string(model)?)?;
        } else {
            let mark = if model.in_use { '*' } else { ' ' };
            let state = match &model.state {
                ModelState::Usable(usable) => {
                    let signed = if usable.signed { ", signed" } else { "" };
                    let demo = if usable.demo { ", demo" } else { "" };
                    let (name, version) = (&usable.name, &usable.version);
                    format!("{name} {version}{signed}{demo}, {}", model.folder)
                }
                ModelState::Unusable { problem } => format!("UNUSABLE: {problem}"),
            };
            writeln!(out, "{mark} {:8} {state}", model.role)?;
        }
    }
    Ok(())
}

/// Whether probabilities are calibrated, in words.
fn calibration(decision: &DecisionRule) -> String {
    if decision.is_calibrated() {
        format!(
            "offset {}, temperature {}",
            decision.offset, decision.temperature
        )
    } else {
        "none: probabilities are the network's own".into()
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    folder: &'a ModelLocation,
    signed: bool,
    manifest_sha256: &'a str,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

/// How a model for whole fields judges.
fn field_rules(model: &FieldModel) -> Vec<(&'static str, String)> {
    let slide = format!(
        "from {}, correlation {}",
        counted(model.slide.min_fields, "field"),
        model.slide.correlation
    );
    vec![
        ("verdict", model.decision.words()),
        ("calibration", calibration(&model.decision)),
        ("slide", slide),
    ]
}

/// How a model counts cells.
fn cells_rules(model: &CellsModel) -> Vec<(&'static str, String)> {
    let classes: Vec<_> = model
        .cell
        .classes
        .iter()
        .map(|class| &*class.name)
        .collect();
    let scale = match &model.ruler {
        Some(ruler) => format!(
            "stated, or measured by at least {}",
            counted(ruler.min_cells, "red cell")
        ),
        None => "must be stated: the model does not measure it".into(),
    };
    vec![
        ("verdict", model.count.words()),
        ("classes", classes.join(", ")),
        ("scale", scale),
    ]
}

fn show(folder: &ModelLocation, files: &ModelFiles, out: &mut impl Write) -> Result<()> {
    let manifest = files.manifest();
    let evaluation = &manifest.evaluation;
    writeln!(out, "{} {}", manifest.name, manifest.version)?;
    if manifest.demo {
        writeln!(out, "{DEMO_NOTICE}")?;
    }
    let signed = if files.is_signed() {
        "verified with the configured key"
    } else {
        "not verified, because no key is configured"
    };
    let rules = match &manifest.model {
        ModelKind::Field(model) => field_rules(model),
        ModelKind::Cells(model) => cells_rules(model),
    };
    let about = [
        ("folder", folder.to_string()),
        ("manifest", format!("SHA-256 {}", files.manifest_sha256())),
        ("signature", signed.into()),
        ("network", manifest.architecture.clone()),
        ("trained on", manifest.trained_on.clone()),
        ("use", manifest.intended_use.clone()),
        ("licence", manifest.license.clone()),
    ];
    let evaluated = [
        ("evaluated on", evaluation.dataset.clone()),
        ("protocol", evaluation.protocol.clone()),
        (
            "images",
            format!(
                "{} positive, {} negative",
                evaluation.positives, evaluation.negatives
            ),
        ),
    ];
    for (name, value) in about.into_iter().chain(rules).chain(evaluated) {
        writeln!(out, "{name:12} {value}")?;
    }
    for (name, figure) in &evaluation.figures {
        let interval = evaluation
            .intervals
            .get(name)
            .map(|[low, high]| format!(" (95 %: {low:.3} to {high:.3})"))
            .unwrap_or_default();
        writeln!(out, "{name:12} {figure:.3}{interval}")?;
    }
    for warning in &evaluation.warnings {
        writeln!(out, "{:12} {warning}", "warning")?;
    }
    Ok(())
}
