//! The list of an appliance's models, for `smearscope model list` and HTTP.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use smearscope_artifacts::{Evaluation, Manifest};
use smearscope_hardware::with_causes;
use utoipa::ToSchema;

use crate::models::{ModelError, ModelId, ModelLocation, ModelStore, Models};
use crate::records::SlideRuleEntry;

/// A model in the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    /// `named` (by the configuration), `current`, `previous` or `shipped`.
    pub(crate) role: &'static str,
    /// Whether the next start uses it.
    pub(crate) in_use: bool,
    /// Its folder, or `built in` for the model that is part of the program.
    #[schema(value_type = String)]
    pub(crate) folder: ModelLocation,
    #[serde(flatten)]
    pub(crate) state: ModelState,
}

/// Whether a model can be used.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ModelState {
    /// Its files and its signature are verified.
    Usable {
        name: String,
        version: String,
        demo: bool,
        signed: bool,
        manifest_sha256: String,
        card: Box<ModelCard>,
    },
    /// It failed verification.
    Unusable { problem: String },
}

/// A model's card: what it is, and its evaluation.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelCard {
    /// The network's architecture.
    architecture: String,
    /// The training data.
    trained_on: String,
    /// The intended use.
    intended_use: String,
    /// The weights' licence, as an SPDX expression.
    license: String,
    /// The name of the positive class.
    positive: String,
    /// The name of the negative class.
    negative: String,
    /// How probabilities become verdicts.
    decision: DecisionCard,
    /// How the fields of a slide are combined.
    slide: SlideRuleEntry,
    /// The evaluation: data set, protocol and figures.
    #[schema(value_type = Object)]
    evaluation: Evaluation,
}

/// How a model's probabilities become verdicts.
#[derive(Serialize, ToSchema)]
struct DecisionCard {
    /// Probability from which on a verdict outside the inconclusive band is positive.
    threshold: f32,
    /// The inconclusive band: a probability strictly between these two decides nothing.
    inconclusive_band: [f32; 2],
    /// Divides the network's logit margin before it becomes a probability.
    temperature: f32,
    /// Whether that changes the network's own probabilities.
    calibrated: bool,
}

impl From<&Manifest> for ModelCard {
    fn from(manifest: &Manifest) -> Self {
        Self {
            architecture: manifest.architecture.clone(),
            trained_on: manifest.trained_on.clone(),
            intended_use: manifest.intended_use.clone(),
            license: manifest.license.clone(),
            positive: manifest.labels.positive.clone(),
            negative: manifest.labels.negative.clone(),
            decision: DecisionCard {
                threshold: manifest.decision.threshold,
                inconclusive_band: manifest.decision.inconclusive,
                temperature: manifest.decision.temperature,
                calibrated: manifest.decision.is_calibrated(),
            },
            slide: manifest.slide.into(),
            evaluation: manifest.evaluation.clone(),
        }
    }
}

impl Listed {
    fn new(models: Models<'_>, role: &'static str, in_use: bool, folder: ModelLocation) -> Self {
        let state = match models.open(&folder) {
            Ok(files) => ModelState::Usable {
                name: files.manifest().name.clone(),
                version: files.manifest().version.to_string(),
                demo: files.manifest().demo,
                signed: files.is_signed(),
                manifest_sha256: files.manifest_sha256().into(),
                card: Box::new(ModelCard::from(files.manifest())),
            },
            Err(error) => ModelState::Unusable {
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

/// Lists the models that a configuration allows.
///
/// # Errors
/// [`ModelError`] if the store cannot be read.
pub(crate) fn listed(models: Models<'_>) -> Result<Vec<Listed>> {
    let configured = models.configured_folder().map(Path::to_owned);
    let is_configured = configured.is_some();
    let roles = models.store().as_ref().map(ModelStore::roles).transpose();
    let roles = roles.map_err(ModelError::from)?.unwrap_or_default();
    let mut ids = vec![("current", roles.current.clone())];
    ids.extend(roles.previous.map(|id| ("previous", id)));
    if ids.iter().all(|(_, id)| *id != ModelId::Shipped) {
        ids.push(("shipped", ModelId::Shipped));
    }
    let mut listed: Vec<_> = configured
        .map(|folder| Listed::new(models, "named", true, folder.into()))
        .into_iter()
        .collect();
    for (role, id) in ids {
        let in_use = role == "current" && !is_configured;
        listed.push(Listed::new(models, role, in_use, models.location_of(&id)));
    }
    Ok(listed)
}
