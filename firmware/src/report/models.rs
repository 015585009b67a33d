//! The list of an appliance's models, for `smearscope model list` and HTTP.

use serde::Serialize;
use smearscope_artifacts::{Evaluation, Manifest, ModelKind};
use smearscope_hardware::with_causes;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::models::{LoadOutcome, ModelId, ModelLocation, Models, Roles};
use crate::records::{CountRuleEntry, SlideRuleEntry};

/// A model in the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    /// `named` (by the configuration), `current`, `previous` or `shipped`.
    pub(crate) role: &'static str,
    /// Whether the appliance runs it. The command line tells which one the next start will run.
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
    /// It failed verification, or its golden samples at the start.
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
    /// The name of the positive class; null if cells are counted.
    #[schema(required)]
    positive: Option<String>,
    /// The name of the negative class; null if cells are counted.
    #[schema(required)]
    negative: Option<String>,
    /// How probabilities become verdicts; null if cells are counted.
    #[schema(required)]
    decision: Option<DecisionCard>,
    /// How the fields of a slide are combined; null if cells are counted.
    #[schema(required)]
    slide: Option<SlideRuleEntry>,
    /// The classes of cells that it tells apart; empty if whole fields are judged.
    classes: Vec<String>,
    /// How a count of cells becomes a verdict; null if whole fields are judged.
    #[schema(required)]
    count_rule: Option<CountRuleEntry>,
    /// The evaluation: data set, protocol and figures.
    #[schema(value_type = Object)]
    evaluation: Evaluation,
}

/// How a model's probabilities become verdicts.
#[derive(Serialize, ToSchema)]
struct DecisionCard {
    /// Probability from which on a verdict outside the inconclusive band is positive.
    #[schema(minimum = 0, maximum = 1)]
    threshold: f32,
    /// The inconclusive band: a probability strictly between these two decides nothing.
    inconclusive_band: [f32; 2],
    /// Whether the model's probabilities are calibrated, not the network's own.
    calibrated: bool,
    /// Subtracted from the network's logit margin.
    offset: f32,
    /// Divides the rest before it becomes a probability.
    temperature: f32,
}

impl From<&Manifest> for ModelCard {
    fn from(manifest: &Manifest) -> Self {
        let (field, cells) = match &manifest.model {
            ModelKind::Field(model) => (Some(model), None),
            ModelKind::Cells(model) => (None, Some(model)),
        };
        let classes = cells.iter().flat_map(|model| &model.cell.classes);
        Self {
            architecture: manifest.architecture.clone(),
            trained_on: manifest.trained_on.clone(),
            intended_use: manifest.intended_use.clone(),
            license: manifest.license.clone(),
            positive: field.map(|model| model.labels.positive.clone()),
            negative: field.map(|model| model.labels.negative.clone()),
            decision: field.map(|model| DecisionCard {
                threshold: model.decision.threshold,
                inconclusive_band: model.decision.inconclusive,
                calibrated: model.decision.is_calibrated(),
                offset: model.decision.offset,
                temperature: model.decision.temperature,
            }),
            slide: field.map(|model| model.slide.into()),
            classes: classes.map(|class| class.name.clone()).collect(),
            count_rule: cells.map(|model| (&model.count).into()),
            evaluation: manifest.evaluation.clone(),
        }
    }
}

impl Listed {
    fn new(
        models: Models<'_>,
        outcome: Option<&LoadOutcome>,
        role: &'static str,
        folder: ModelLocation,
    ) -> Self {
        let mut failed = outcome.into_iter().flat_map(|outcome| &outcome.failed);
        let failure = failed.find(|(location, _)| *location == folder);
        let opened = match failure {
            Some((_, problem)) => Err(problem.clone()),
            None => models.open(&folder).map_err(|error| with_causes(&error)),
        };
        let state = match opened {
            Ok(files) => ModelState::Usable(Box::new(UsableModel {
                name: files.manifest().name.clone(),
                version: files.manifest().version.to_string(),
                demo: files.manifest().demo,
                signed: files.is_signed(),
                manifest_sha256: files.manifest_sha256().into(),
                card: ModelCard::from(files.manifest()),
            })),
            Err(problem) => ModelState::Unusable { problem },
        };
        Self {
            role,
            in_use: outcome.is_some_and(|outcome| outcome.location == folder),
            folder,
            state,
        }
    }
}

/// Lists the models that a configuration allows. `outcome` says which of them was loaded; `None` if none was.
pub(crate) fn listed(models: Models<'_>, outcome: Option<&LoadOutcome>) -> Vec<Listed> {
    let new = |role, location| Listed::new(models, outcome, role, location);
    let mut listed = Vec::new();
    if let Some(folder) = models.configured_folder() {
        listed.push(new("named", folder.to_owned().into()));
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
        listed.push(new(role, models.location_of(&id)));
    }
    // What was loaded if the shipped model's folder cannot be used.
    if outcome.is_some_and(|outcome| outcome.location == ModelLocation::BuiltIn)
        && listed.iter().all(|model| !model.in_use)
    {
        listed.push(new("shipped", ModelLocation::BuiltIn));
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    #[test]
    fn the_model_that_was_loaded_is_in_use_and_what_failed_is_not() {
        let state = tempfile::tempdir().unwrap();
        let mut raw = Raw::default();
        raw.storage.state = state.path().into();
        let config = raw.validate().unwrap();
        let models = Models::new(&config);
        let shown = |outcome: Option<LoadOutcome>| -> Vec<_> {
            let listed = listed(models, outcome.as_ref());
            let row = |model: Listed| {
                let problem = match model.state {
                    ModelState::Usable(_) => None,
                    ModelState::Unusable { problem } => Some(problem),
                };
                (model.role, model.in_use, problem)
            };
            listed.into_iter().map(row).collect()
        };
        assert_eq!(shown(None), [("current", false, None)]);
        let shipped = models.location_of(&ModelId::Shipped);
        let outcome = LoadOutcome {
            location: shipped.clone(),
            failed: Vec::new(),
        };
        assert_eq!(shown(Some(outcome)), [("current", true, None)]);
        let outcome = LoadOutcome {
            location: ModelLocation::BuiltIn,
            failed: vec![(shipped, "golden sample 1 differs".into())],
        };
        let expected = [
            ("current", false, Some("golden sample 1 differs".into())),
            ("shipped", true, None),
        ];
        assert_eq!(shown(Some(outcome)), expected);
    }
}
