//! A model that judges whole fields (`kind = "field"`).

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{FileEntry, Files};
use super::golden::{check_count, check_tolerance};
use crate::engine::interface::{Interface, WantedOutput};
use crate::files::MANIFEST_FILE;
use crate::image::contract::InputContract;
use crate::judgement::decision::DecisionRule;
use crate::judgement::domain::Domain;
use crate::judgement::slide::SlideRule;
use crate::validation::{FieldError, check_between, check_line};

/// What a manifest says about a model whose network looks at a whole field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename = "field")]
pub struct FieldModel {
    /// Names of the two classes.
    pub labels: Labels,
    /// How an image becomes the network's input.
    pub input: InputContract,
    /// The network's outputs by name.
    pub outputs: FieldOutputs,
    /// How the logit margin of a field becomes a verdict.
    pub decision: DecisionRule,
    /// How the fields of a slide become its verdict.
    pub slide: SlideRule,
    /// The range of images that the network was trained on; `None` if it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// The files of each engine, with their SHA-256.
    pub files: Files,
    /// Inputs with known outputs, run before the model is used; 1 to 64.
    pub golden: Vec<GoldenSample>,
}

impl FieldModel {
    /// The manifest's table of the network's files.
    pub(crate) const FILES: &str = "files";

    /// What the network must take and give.
    pub fn interface(&self) -> Interface {
        let probability = WantedOutput {
            field: "outputs.probability",
            name: self.outputs.probability.clone(),
            shape: vec![Some(1), Some(2)],
        };
        let evidence = self.outputs.evidence.as_ref().map(|name| WantedOutput {
            field: "outputs.evidence",
            name: name.clone(),
            shape: vec![Some(1), Some(1), None, None],
        });
        Interface {
            input_field: "input",
            input_shape: self.input.shape(),
            outputs: std::iter::once(probability).chain(evidence).collect(),
        }
    }

    /// Refuses the first field with an invalid value.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        self.labels.check()?;
        self.input.check()?;
        self.outputs.check()?;
        self.decision.check()?;
        self.slide.check()?;
        if let Some(domain) = &self.domain {
            domain.check()?;
        }
        let mut seen = HashSet::from([Path::new(MANIFEST_FILE)]);
        self.files.check(Self::FILES, &mut seen)?;
        check_count("golden", self.golden.len())?;
        for (index, sample) in self.golden.iter().enumerate() {
            sample.check(index)?;
        }
        Ok(())
    }
}

/// Names of the two classes, and their order in the network's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Name of the class without lymphoblasts.
    pub negative: String,
    /// Name of the class with lymphoblasts.
    pub positive: String,
    /// Index of the positive class in the network's softmax output: 0 or 1.
    pub positive_index: usize,
}

/// Names of the outputs of a network that looks at a whole field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldOutputs {
    /// Softmax over the two classes, shape `[1, 2]`.
    pub probability: String,
    /// Evidence map, shape `[1, 1, h, w]`; `None` if the network has no such output. Its positions stand for
    /// equal parts of the input, and must be centred on them: this is where they are painted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// An image with the probability that the network must compute for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenSample {
    /// A small image in a lossless format.
    pub image: FileEntry,
    /// Uncalibrated probability of the positive class, 0 to 1.
    pub probability: f32,
    /// Largest allowed absolute difference, above 0 and at most 0.05.
    pub tolerance: f32,
}

impl Labels {
    fn check(&self) -> Result<(), FieldError> {
        check_line("labels.negative", &self.negative)?;
        check_line("labels.positive", &self.positive)?;
        if self.negative == self.positive {
            return Err(FieldError::invalid(
                "labels.positive",
                format!(
                    "must differ from labels.negative, both are `{}`",
                    self.positive
                ),
            ));
        }
        check_between("labels.positive_index", self.positive_index, 0..=1)
    }
}

impl FieldOutputs {
    fn check(&self) -> Result<(), FieldError> {
        check_line("outputs.probability", &self.probability)?;
        let Some(evidence) = &self.evidence else {
            return Ok(());
        };
        check_line("outputs.evidence", evidence)?;
        if *evidence == self.probability {
            return Err(FieldError::invalid(
                "outputs.evidence",
                format!("must differ from outputs.probability, both are `{evidence}`"),
            ));
        }
        Ok(())
    }
}

impl GoldenSample {
    fn check(&self, index: usize) -> Result<(), FieldError> {
        let field = |name: &str| format!("golden[{index}].{name}");
        self.image.check(&field("image"))?;
        check_between(field("probability"), self.probability, 0.0..=1.0)?;
        check_tolerance(field("tolerance"), self.tolerance)
    }
}
