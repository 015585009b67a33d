//! `smearscope model`: list, show, verify, install and take back models.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use smearscope_artifacts::{Evaluation, Manifest, Model, ModelFiles};
use smearscope_hardware::with_causes;
use utoipa::ToSchema;

use super::{ModelError, ModelStore, Models, Slot};
use crate::config::Config;
use crate::screens::DEMO_NOTICE;

/// What to do with models.
#[derive(Debug, Clone, Subcommand)]
pub enum ModelCommand {
    /// Lists the models that the appliance has.
    #[command(
        after_help = "With --json, each line is an object: role (`named` in the configuration, `current`, \
        `previous`, `shipped`), in_use, folder, and either name, version, demo, signed, \
        manifest_sha256 and card (what it is, and what was measured on it), or problem."
    )]
    List {
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shows what a model is and what was measured on it; the one in use, if no other is named.
    Show {
        /// The model's folder.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Print JSON: the manifest, with folder, signed and `manifest_sha256`.
        #[arg(long)]
        json: bool,
    },
    /// Checks a model's files and signature, and runs its golden samples on the engine.
    Verify {
        /// The model's folder; the one in use, if none is named.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Takes a model into use from the next start on, if it passes what `verify` checks.
    #[command(
        after_help = "Example: sudo smearscope model install /media/usb/smear-2 && \
        sudo systemctl reload smearscope\n\n\
        The model before it is kept: the appliance goes back to it by itself if the new one fails, \
        and `smearscope model rollback` does the same."
    )]
    Install {
        /// The model's folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Goes back to the model before this one, from the next start on.
    Rollback,
}

impl ModelCommand {
    /// Does it, and writes to `out`.
    ///
    /// # Errors
    /// [`ModelError`] if a model may not be used or the store cannot be; else those of `out`.
    pub fn run(self, config: &Config, out: &mut impl Write) -> Result<()> {
        let models = Models::new(config);
        match self {
            Self::List { json } => list(models, json, out),
            Self::Show { folder, json } => {
                let folder = folder.map_or_else(|| models.folder(), Ok)?;
                let files = models.open(&folder).map_err(ModelError::from)?;
                if json {
                    let shown = Shown {
                        folder: &folder,
                        signed: files.is_signed(),
                        manifest_sha256: files.manifest_sha256(),
                        manifest: files.manifest(),
                    };
                    writeln!(out, "{}", serde_json::to_string(&shown)?)?;
                    Ok(())
                } else {
                    show(&folder, &files, out)
                }
            }
            Self::Verify { folder } => {
                let folder = folder.map_or_else(|| models.folder(), Ok)?;
                let model = models.load(&folder).map_err(ModelError::from)?;
                Ok(writeln!(out, "{}", proof(&model))?)
            }
            Self::Install { folder } => {
                let store = models.store().ok_or(ModelError::NoStore)?;
                let mut proved = String::new();
                let key = config.public_key.as_ref();
                store
                    .install(&folder, key, |staged| {
                        proved = proof(&models.load(staged)?);
                        Ok(())
                    })
                    .map_err(ModelError::from)?;
                writeln!(out, "{proved}\ninstalled; {}", from_when(config))?;
                Ok(())
            }
            Self::Rollback => {
                let store = models.store().ok_or(ModelError::NoStore)?;
                let slot = store.previous().map_err(ModelError::from)?;
                let previous = models
                    .load(&models.folder_of(&slot)?)
                    .map_err(ModelError::from)?;
                store.swap().map_err(ModelError::from)?;
                writeln!(
                    out,
                    "{}\nback in use; {}",
                    proof(&previous),
                    from_when(config)
                )?;
                Ok(())
            }
        }
    }
}

/// Whether and when the appliance will use the store's current model.
fn from_when(config: &Config) -> String {
    match &config.model {
        None => "in effect from the next start on (systemctl reload smearscope)".into(),
        Some(folder) => format!(
            "not in effect while model.folder names {}",
            folder.display()
        ),
    }
}

/// That a model passed, and where.
fn proof(model: &Model) -> String {
    let (manifest, engine) = (model.manifest(), model.engine());
    let mut text = format!(
        "{} {}: files right, {} golden samples right on {} {}",
        manifest.name,
        manifest.version,
        model.golden().len(),
        engine.engine,
        engine.device
    );
    for reason in &engine.fallbacks {
        text.extend(["\ninstead: ", reason]);
    }
    text
}

/// A model of the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    /// `named` (by the configuration), `current`, `previous` or `shipped`.
    role: &'static str,
    /// Whether the next start uses it.
    in_use: bool,
    /// Where it lies.
    #[schema(value_type = String)]
    folder: PathBuf,
    #[serde(flatten)]
    state: State,
}

/// Whether it may be used.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelState)]
#[serde(untagged)]
enum State {
    /// It may.
    Right {
        name: String,
        version: String,
        demo: bool,
        signed: bool,
        manifest_sha256: String,
        card: Box<Card>,
    },
    /// It may not, and why.
    Wrong { problem: String },
}

/// What a model is, and what was measured on it.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelCard)]
struct Card {
    /// Which network.
    architecture: String,
    /// What it was trained on.
    trained_on: String,
    /// What it may be used for.
    intended_use: String,
    /// SPDX expression of the weights' licence.
    license: String,
    /// What the positive class is called.
    positive: String,
    /// What the negative class is called.
    negative: String,
    /// What was measured, and on what.
    #[schema(value_type = Object)]
    evaluation: Evaluation,
}

impl From<&Manifest> for Card {
    fn from(manifest: &Manifest) -> Self {
        Self {
            architecture: manifest.architecture.clone(),
            trained_on: manifest.trained_on.clone(),
            intended_use: manifest.intended_use.clone(),
            license: manifest.license.clone(),
            positive: manifest.labels.positive.clone(),
            negative: manifest.labels.negative.clone(),
            evaluation: manifest.evaluation.clone(),
        }
    }
}

impl Listed {
    fn new(models: Models<'_>, role: &'static str, in_use: bool, folder: PathBuf) -> Self {
        let state = match models.open(&folder) {
            Ok(files) => State::Right {
                name: files.manifest().name.clone(),
                version: files.manifest().version.to_string(),
                demo: files.manifest().demo,
                signed: files.is_signed(),
                manifest_sha256: files.manifest_sha256().into(),
                card: Box::new(Card::from(files.manifest())),
            },
            Err(error) => State::Wrong {
                problem: with_causes(&error),
            },
        };
        Self {
            role,
            in_use,
            folder,
            state,
        }
    }
}

/// The models that a configuration allows.
pub(crate) fn listed(models: Models<'_>) -> Result<Vec<Listed>> {
    let named = models.config.model.clone();
    let is_named = named.is_some();
    let roles = models.store().as_ref().map(ModelStore::roles).transpose();
    let roles = roles.map_err(ModelError::from)?.unwrap_or_default();
    let mut slots = vec![("current", roles.current.clone())];
    slots.extend(roles.previous.map(|slot| ("previous", slot)));
    if slots.iter().all(|(_, slot)| *slot != Slot::Shipped) {
        slots.push(("shipped", Slot::Shipped));
    }
    let mut listed: Vec<_> = named
        .map(|folder| Listed::new(models, "named", true, folder))
        .into_iter()
        .collect();
    for (role, slot) in slots {
        match models.folder_of(&slot) {
            Ok(folder) => {
                let in_use = role == "current" && !is_named;
                listed.push(Listed::new(models, role, in_use, folder));
            }
            // Where all that is installed works without it, it may well be absent.
            Err(_) if role == "shipped" || is_named => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(listed)
}

fn list(models: Models<'_>, json: bool, out: &mut impl Write) -> Result<()> {
    for model in &listed(models)? {
        if json {
            writeln!(out, "{}", serde_json::to_string(model)?)?;
        } else {
            let mark = if model.in_use { '*' } else { ' ' };
            let state = match &model.state {
                State::Right {
                    name,
                    version,
                    demo,
                    signed,
                    ..
                } => {
                    let signed = if *signed { ", signed" } else { "" };
                    let demo = if *demo { ", demo" } else { "" };
                    format!("{name} {version}{signed}{demo}, {}", model.folder.display())
                }
                State::Wrong { problem } => format!("UNUSABLE: {problem}"),
            };
            writeln!(out, "{mark} {:8} {state}", model.role)?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Shown<'a> {
    folder: &'a Path,
    signed: bool,
    manifest_sha256: &'a str,
    #[serde(flatten)]
    manifest: &'a Manifest,
}

fn show(folder: &Path, files: &ModelFiles, out: &mut impl Write) -> Result<()> {
    let manifest = files.manifest();
    let evaluation = &manifest.evaluation;
    writeln!(out, "{} {}", manifest.name, manifest.version)?;
    if manifest.demo {
        writeln!(out, "{DEMO_NOTICE}")?;
    }
    let signed = if files.is_signed() {
        "by the holder of the configured key"
    } else {
        "not checked, no key is configured"
    };
    for (name, value) in [
        ("folder", folder.display().to_string()),
        ("manifest", format!("SHA-256 {}", files.manifest_sha256())),
        ("signature", signed.into()),
        ("network", manifest.architecture.clone()),
        ("trained on", manifest.trained_on.clone()),
        ("for", manifest.intended_use.clone()),
        ("licence", manifest.license.clone()),
        ("measured on", evaluation.dataset.clone()),
        ("protocol", evaluation.protocol.clone()),
        (
            "images",
            format!(
                "{} positive, {} negative",
                evaluation.positives, evaluation.negatives
            ),
        ),
    ] {
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
        writeln!(out, "{:12} {warning}", "doubt")?;
    }
    Ok(())
}
