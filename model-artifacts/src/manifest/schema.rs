//! The contents of `manifest.toml`: everything that a program needs to know to use a model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::files::{MANIFEST_FILE, sha256};
use crate::image::contract::InputContract;
use crate::judgement::decision::DecisionRule;
use crate::judgement::domain::Domain;
use crate::judgement::slide::SlideRule;

/// The contents of `manifest.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this file format; readers refuse any other than [`Manifest::FORMAT_VERSION`].
    pub format_version: u32,
    /// Short name, `[a-z0-9-]+`.
    pub name: String,
    /// Version of the model, by the rules of semantic versioning.
    pub version: Version,
    /// The network's architecture, by the trainer's name for it.
    pub architecture: String,
    /// The training data, in a sentence or two.
    pub trained_on: String,
    /// The use that the model is meant for, and the uses that it is not meant for.
    pub intended_use: String,
    /// SPDX expression of the weights' licence.
    pub license: String,
    /// Whether this is a demonstration model. Everything that shows its verdicts must say so.
    pub demo: bool,
    /// Names of the two classes.
    pub labels: Labels,
    /// How an image becomes the network's input.
    pub input: InputContract,
    /// The network's outputs by name.
    pub outputs: Outputs,
    /// How the logit margin of a field becomes a verdict.
    pub decision: DecisionRule,
    /// How the fields of a slide become its verdict.
    #[serde(default)]
    pub slide: SlideRule,
    /// The range of images that the network was trained on; `None` if it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Figures that were measured on images the model was not trained on.
    pub evaluation: Evaluation,
    /// The files of each engine, with their SHA-256.
    pub files: Files,
    /// Inputs with known outputs, run before the model is used; 1 to 64.
    pub golden: Vec<GoldenSample>,
}

impl Manifest {
    /// The format version that this crate reads and writes.
    pub const FORMAT_VERSION: u32 = 1;
    /// The file's name inside a model folder.
    pub const FILE_NAME: &str = MANIFEST_FILE;

    /// All files that the manifest names: networks, then golden samples.
    pub fn entries(&self) -> impl Iterator<Item = &FileEntry> {
        let Files {
            ir_xml,
            ir_bin,
            onnx,
        } = &self.files;
        let networks = [ir_xml, ir_bin, onnx].into_iter().flatten();
        networks.chain(self.golden.iter().map(|sample| &sample.image))
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

/// Names of the network's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Softmax over the two classes, shape `[1, 2]`.
    pub probability: String,
    /// Evidence map, shape `[1, 1, h, w]`; `None` if the network has no such output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Performance measured on images that the network was not trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Description of the evaluation images.
    pub dataset: String,
    /// How training and evaluation images were separated.
    pub protocol: String,
    /// Number of evaluated images with lymphoblasts.
    pub positives: u32,
    /// Number of evaluated images without lymphoblasts.
    pub negatives: u32,
    /// Figures by name (`accuracy`, `sensitivity`, `specificity`, `auroc`, …), each 0 to 1.
    pub figures: BTreeMap<String, f64>,
    /// `[low, high]` of a figure's 95 % interval, for the figures that have one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// Reasons to doubt the figures, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The files of the network: an OpenVINO IR, an ONNX file, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Topology of the OpenVINO IR; needs `ir_bin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_xml: Option<FileEntry>,
    /// Weights of the OpenVINO IR; needs `ir_xml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_bin: Option<FileEntry>,
    /// The network as ONNX, for the embedded engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnx: Option<FileEntry>,
}

/// One file of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the model folder, and inside it.
    pub path: PathBuf,
    /// SHA-256 of the contents, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl FileEntry {
    /// The entry for a file with the contents `bytes`.
    pub fn for_bytes(path: impl Into<PathBuf>, bytes: &[u8]) -> Self {
        Self {
            path: path.into(),
            sha256: sha256(bytes),
        }
    }
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
