//! Between the text of a manifest and a validated [`Manifest`].

use std::convert::Infallible;
use std::path::Path;

use semver::Version;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::cells::{CellNetwork, CellsModel, ChainGolden, FiguresRule, Finder, Ruler};
use super::evaluation::Evaluation;
use super::field::{FieldModel, FieldOutputs, GoldenSample, Labels};
use super::files::Files;
use super::schema::{Manifest, ModelKind};
use crate::error::ArtifactError;
use crate::image::contract::InputContract;
use crate::judgement::count::CountRule;
use crate::judgement::decision::DecisionRule;
use crate::judgement::domain::Domain;
use crate::judgement::slide::SlideRule;
use crate::suggestion::{did_you_mean, most_similar};
use crate::validation::{CORRECT_IT, FieldError};

impl Manifest {
    /// Parses and validates the text of a manifest. `path` is the file's path for error messages.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] with the field and a remedy, if the text is not TOML, has a
    /// format version or kind that is not known, lacks a field, has an unknown field or has an invalid value.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ArtifactError> {
        // Version and kind are read first, because they decide about the other fields.
        let manifest = toml::from_str(text)
            .map_err(|error| explain(&error, text))
            .and_then(|head: Head| head.kind())
            .and_then(|kind| kind.read(text))
            .map_err(|error| error.at(path))?;
        manifest.check().map_err(|error| error.at(path))?;
        Ok(manifest)
    }
}

impl<M: Clone + Into<ModelKind>> Manifest<M> {
    /// The manifest as the text of a `manifest.toml`.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if a value is invalid.
    pub fn to_toml(&self) -> Result<String, ArtifactError> {
        let path = Path::new(Manifest::FILE_NAME);
        let Ok(manifest) = self
            .clone()
            .try_map(|model| Ok::<_, Infallible>(model.into()));
        manifest.check().map_err(|error| error.at(path))?;
        toml::to_string(&manifest)
            .map_err(|error| FieldError::invalid("manifest", error.to_string()).at(path))
    }
}

/// Format version and kind alone; other fields are ignored.
#[derive(Deserialize)]
struct Head {
    format_version: toml::Value,
    kind: Option<toml::Value>,
}

/// The kinds of models.
#[derive(Clone, Copy)]
enum Kind {
    Field,
    Cells,
}

impl Head {
    fn kind(&self) -> Result<Kind, FieldError> {
        let version = &self.format_version;
        let kind = match (version.as_integer(), &self.kind) {
            (Some(1), None) => return Ok(Kind::Field),
            (Some(1), Some(_)) => {
                return Err(FieldError::new(
                    "kind",
                    "is not part of format version 1",
                    "set format_version to 2, or remove kind",
                ));
            }
            (Some(2), Some(kind)) => kind,
            (Some(2), None) => {
                return Err(FieldError::new(
                    "kind",
                    "is missing",
                    "add kind = \"field\" or kind = \"cells\"",
                ));
            }
            _ => {
                return Err(FieldError::new(
                    "format_version",
                    format!(
                        "must be 1 or 2, the versions that this program reads, it is {version}"
                    ),
                    "update smearscope, or export the model again with this version's trainer",
                ));
            }
        };
        match kind.as_str() {
            Some("field") => Ok(Kind::Field),
            Some("cells") => Ok(Kind::Cells),
            text => {
                let known = text.and_then(|text| most_similar(text, ["field", "cells"]));
                Err(FieldError::new(
                    "kind",
                    format!("must be `field` or `cells`, it is {kind}"),
                    known.map_or_else(
                        || "update smearscope, or export the model again".to_owned(),
                        |known| format!("did you mean `{known}`?"),
                    ),
                ))
            }
        }
    }
}

impl Kind {
    fn read(self, text: &str) -> Result<Manifest, FieldError> {
        match self {
            Self::Field => toml::from_str::<FieldText>(text).map(Into::into),
            Self::Cells => toml::from_str::<CellsText>(text).map(Into::into),
        }
        .map_err(|error| explain(&error, text))
    }
}

/// Declares the text of one kind of manifest: the fields that all kinds share, and then those of the kind. Serde does
/// not refuse unknown fields, nor name lines, where structures are flattened into each other.
macro_rules! text_of_kind {
    ($text:ident, $model:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $text {
            #[serde(rename = "format_version")]
            _format_version: IgnoredAny,
            #[serde(rename = "kind")]
            _kind: Option<IgnoredAny>,
            name: String,
            version: Version,
            architecture: String,
            trained_on: String,
            intended_use: String,
            license: String,
            demo: bool,
            evaluation: Evaluation,
            $($(#[$attribute])* $field: $type,)*
        }

        impl From<$text> for Manifest {
            fn from(text: $text) -> Self {
                Self {
                    format_version: Self::FORMAT_VERSION,
                    name: text.name,
                    version: text.version,
                    architecture: text.architecture,
                    trained_on: text.trained_on,
                    intended_use: text.intended_use,
                    license: text.license,
                    demo: text.demo,
                    model: $model { $($field: text.$field,)* }.into(),
                    evaluation: text.evaluation,
                }
            }
        }
    };
}

text_of_kind!(
    FieldText,
    FieldModel {
        labels: Labels,
        input: InputContract,
        outputs: FieldOutputs,
        decision: DecisionRule,
        #[serde(default)]
        slide: SlideRule,
        #[serde(default)]
        domain: Option<Domain>,
        files: Files,
        golden: Vec<GoldenSample>,
    }
);

text_of_kind!(
    CellsText,
    CellsModel {
        finder: Finder,
        cell: CellNetwork,
        count: CountRule,
        #[serde(default)]
        ruler: Option<Ruler>,
        #[serde(default)]
        figures: Option<FiguresRule>,
        golden: Vec<ChainGolden>,
    }
);

/// Names the table and line at which the parser stopped, and the key that was probably meant.
fn explain(error: &toml::de::Error, text: &str) -> FieldError {
    let message = error.message();
    let (line, field) =
        error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or((1, "manifest"), |before| {
                let header = before.lines().rev().find_map(|line| {
                    line.trim()
                        .strip_prefix('[')
                        .map(|name| name.trim_matches(['[', ']']))
                });
                (
                    before.matches('\n').count() + 1,
                    header.unwrap_or("manifest"),
                )
            });
    let remedy = did_you_mean(message).map_or_else(
        || CORRECT_IT.to_owned(),
        |known| format!("did you mean `{known}`?"),
    );
    FieldError::new(field, format!("line {line}: {message}"), remedy)
}
