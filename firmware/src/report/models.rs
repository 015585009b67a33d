//! The list of an appliance's models, for `smearscope model list` and HTTP.

use serde::Serialize;
use smearscope_artifacts::{Evaluation, FieldModel, Manifest};
use smearscope_hardware::with_causes;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::models::{ModelId, ModelLocation, Models, Roles};
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
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ModelState {
    /// Its files and its signature are verified.
    Usable(Box<UsableModel>),
    /// It failed verification.
    Unusable { problem: String },
}

/// A model whose files and signature are verified.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsableModel {
    /// Such as `smear-demo`.
    pub(crate) name: String,
    /// Such as `0.2.0` (Semantic Versioning).
    pub(crate) version: String,
    /// Whether it is a demonstration model, whose verdicts are meaningless.
    pub(crate) demo: bool,
    /// Whether it has a signature of a trusted key.
    pub(crate) signed: bool,
    /// SHA-256 of its manifest.
    manifest_sha256: String,
    /// What it is, and its evaluation.
    card: ModelCard,
}

/// In the OpenAPI document, a state has the properties of all states, none of which is required: generators of clients
/// cannot flatten alternatives into an object.
impl PartialSchema for ModelState {
    fn schema() -> RefOr<Schema> {
        let problem = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "Why it cannot be used; it then has only this, its role and its folder.",
            ));
        let mut schema = UsableModel::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
            object.properties.insert("problem".into(), problem.into());
            object.description = Some("Whether a model can be used.".into());
        }
        schema
    }
}

impl ToSchema for ModelState {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        UsableModel::schemas(schemas);
    }
}

/// A model's card: what it is, and its evaluation.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelCard {
    /// The network's architecture.
    architecture: String,
    /// The training data.
    trained_on: String,
    /// What the model is for, and what it is not for.
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
    /// Subtracted from the network's logit margin.
    offset: f32,
    /// Divides the rest before it becomes a probability.
    temperature: f32,
    /// Whether offset and temperature change the network's own probabilities.
    calibrated: bool,
}

impl From<&Manifest<FieldModel>> for ModelCard {
    fn from(manifest: &Manifest<FieldModel>) -> Self {
        Self {
            architecture: manifest.architecture.clone(),
            trained_on: manifest.trained_on.clone(),
            intended_use: manifest.intended_use.clone(),
            license: manifest.license.clone(),
            positive: manifest.model.labels.positive.clone(),
            negative: manifest.model.labels.negative.clone(),
            decision: DecisionCard {
                threshold: manifest.model.decision.threshold,
                inconclusive_band: manifest.model.decision.inconclusive,
                offset: manifest.model.decision.offset,
                temperature: manifest.model.decision.temperature,
                calibrated: manifest.model.decision.is_calibrated(),
            },
            slide: manifest.model.slide.into(),
            evaluation: manifest.evaluation.clone(),
        }
    }
}

impl Listed {
    fn new(models: Models<'_>, role: &'static str, folder: ModelLocation) -> Self {
        let state = match models.open(&folder) {
            Ok(files) => ModelState::Usable(Box::new(UsableModel {
                name: files.manifest().name.clone(),
                version: files.manifest().version.to_string(),
                demo: files.manifest().demo,
                signed: files.is_signed(),
                manifest_sha256: files.manifest_sha256().into(),
                card: ModelCard::from(files.manifest()),
            })),
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
