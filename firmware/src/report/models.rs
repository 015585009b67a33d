//! The models of an appliance.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use smearscope_artifacts::{Evaluation, Manifest};
use smearscope_hardware::with_causes;
use utoipa::ToSchema;

use crate::models::{ModelError, ModelStore, Models, Slot};

/// A model of the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    /// `named` (by the configuration), `current`, `previous` or `shipped`.
    pub(crate) role: &'static str,
    /// Whether the next start uses it.
    pub(crate) in_use: bool,
    /// Where it lies.
    #[schema(value_type = String)]
    pub(crate) folder: PathBuf,
    #[serde(flatten)]
    pub(crate) state: State,
}

/// Whether it may be used.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelState)]
#[serde(untagged)]
pub(crate) enum State {
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
pub(crate) struct Card {
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
    let named = models.named().map(Path::to_owned);
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
