//! The list of an appliance's models, for `smearscope model list` and HTTP.

use serde::Serialize;
use smearscope_artifacts::{Evaluation, Manifest};
use smearscope_hardware::with_causes;
use utoipa::ToSchema;

use crate::models::{ModelId, ModelLocation, Models, Roles};

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
    /// The evaluation: data set, protocol and figures.
    #[schema(value_type = Object)]
    evaluation: Evaluation,
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
            evaluation: manifest.evaluation.clone(),
        }
    }
}

impl Listed {
    fn new(models: Models<'_>, role: &'static str, folder: ModelLocation) -> Self {
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
            in_use: false,
            folder,
            state,
        }
    }
}

/// Lists the models that a configuration allows.
pub(crate) fn listed(models: Models<'_>) -> Vec<Listed> {
    let mut listed = Vec::new();
    if let Some(folder) = models.configured_folder() {
        listed.push(Listed::new(models, "named", folder.to_owned().into()));
    }
    let roles = models
        .store()
        .map_or_else(|| Ok(Roles::default()), |store| store.roles());
    let ids = match roles {
        Ok(Roles { current, previous }) => {
            let previous = previous.map(|id| ("previous", id));
            std::iter::once(("current", current))
                .chain(previous)
                .collect()
        }
        Err(error) => {
            listed.extend(models.store().map(|store| Listed {
                role: "current",
                in_use: false,
                folder: store.folder().to_owned().into(),
                state: ModelState::Unusable {
                    problem: with_causes(&error),
                },
            }));
            Vec::new()
        }
    };
    let is_shipped = ids.iter().any(|(_, id)| *id == ModelId::Shipped);
    let shipped = (!is_shipped).then_some(("shipped", ModelId::Shipped));
    for (role, id) in ids.into_iter().chain(shipped) {
        listed.push(Listed::new(models, role, models.location_of(&id)));
    }
    // As at the start of the appliance: a model that the configuration names has none to fall back to.
    let in_use = if models.configured_folder().is_some() {
        0
    } else {
        let usable = |model: &Listed| matches!(model.state, ModelState::Usable { .. });
        listed.iter().position(usable).unwrap_or_default()
    };
    if let Some(model) = listed.get_mut(in_use) {
        model.in_use = true;
    }
    listed
}
