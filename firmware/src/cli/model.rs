//! `smearscope model`: list, show, verify, install and take back models.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use smearscope_artifacts::{Manifest, Model, ModelFiles};

use crate::models::ModelError;
use crate::report::models::{ModelState, listed};

use crate::models::Models;

use crate::analysis::identity::DEMO_NOTICE;
use crate::config::Config;

/// What to do with models.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ModelCommand {
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
    pub(crate) fn run(self, config: &Config, out: &mut impl Write) -> Result<()> {
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
                let previous = store.previous().map_err(ModelError::from)?;
                let previous = models
                    .load(&models.folder_of(&previous)?)
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
    let samples = model.golden().len();
    let mut text = format!(
        "{} {}: files verified, {samples} of {samples} golden samples passed on {} {}",
        manifest.name, manifest.version, engine.engine, engine.device
    );
    for reason in &engine.fallbacks {
        text.extend(["\ninstead: ", reason]);
    }
    text
}

fn list(models: Models<'_>, json: bool, out: &mut impl Write) -> Result<()> {
    for model in &listed(models)? {
        if json {
            writeln!(out, "{}", serde_json::to_string(model)?)?;
        } else {
            let mark = if model.in_use { '*' } else { ' ' };
            let state = match &model.state {
                ModelState::Usable {
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
                ModelState::Unusable { problem } => format!("UNUSABLE: {problem}"),
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
