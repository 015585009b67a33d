//! `manifest.toml`: everything a user of the model must know, and nothing it must guess.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Domain, SlideRule};

/// The contents of `manifest.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this file format; readers refuse any other than [`Manifest::FORMAT_VERSION`].
    pub format_version: u32,
    /// Short name, `[a-z0-9-]+`.
    pub name: String,
    /// Version of the model.
    pub version: Version,
    /// Which network, by the name the trainer knows it under.
    pub architecture: String,
    /// What the model was trained on, in a sentence or two.
    pub trained_on: String,
    /// What the model may be used for.
    pub intended_use: String,
    /// SPDX expression of the weights' licence.
    pub license: String,
    /// Whether this is a demonstration model: every surface that shows its verdict says so.
    pub demo: bool,
    /// What the two classes are called.
    pub labels: Labels,
    /// How an image becomes the network's input.
    pub input: InputContract,
    /// The network's outputs by name.
    pub outputs: Outputs,
    /// From logit margin to verdict.
    pub decision: DecisionRule,
    /// From the fields of a slide to its verdict.
    #[serde(default)]
    pub slide: SlideRule,
    /// Where the pictures of the training lie, where the model knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// What was measured, and on what.
    pub evaluation: Evaluation,
    /// The model's files.
    pub files: Files,
    /// Inputs with known outputs, run before the model is used.
    pub golden: Vec<GoldenSample>,
}

impl Manifest {
    /// The format this crate reads and writes.
    pub const FORMAT_VERSION: u32 = 1;
    /// The file's name inside a model folder.
    pub const FILE_NAME: &str = "manifest.toml";

    /// Every other file of the model.
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

/// What the two classes are called, and which output is which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// The class without the finding.
    pub negative: String,
    /// The class with the finding.
    pub positive: String,
    /// Index of the positive class in the network's softmax output: 0 or 1.
    pub positive_index: usize,
}

/// How an image becomes the network's input tensor: decode to RGB, resize to `width × height`
/// without keeping the aspect ratio, then per channel `(value × scale − mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputContract {
    /// Pixels per row of the network's input.
    pub width: u32,
    /// Rows of the network's input.
    pub height: u32,
    /// Order of the channels in the tensor.
    pub channels: ChannelOrder,
    /// Order of the axes in the tensor.
    pub layout: Layout,
    /// How the image is resized.
    pub resize: ResizeFilter,
    /// Factor applied to each 8-bit sample first.
    pub scale: f32,
    /// Subtracted after scaling; one value per channel, in tensor order.
    pub mean: [f32; 3],
    /// Divides last; one value per channel, in tensor order.
    pub std: [f32; 3],
}

impl InputContract {
    /// Shape of the input tensor.
    pub fn shape(&self) -> [usize; 4] {
        let (width, height) = (self.width as usize, self.height as usize);
        match self.layout {
            Layout::Nchw => [1, 3, height, width],
            Layout::Nhwc => [1, height, width, 3],
        }
    }

    /// By how much the width and the height of a JPEG are reduced while it is decoded: by 1, 2, 4 or 8.
    ///
    /// Its decoder gives means of so many by so many pixels at less cost than the pixels
    /// themselves, and an area filter would average them anyway. So where the contract has that filter, and
    /// both sides are whole multiples, at least twice as many pixels are left as the
    /// network's input has along its longer side, and at least [`InputContract::LEAST_SIDE`] along the picture's.
    pub fn reduction(&self, width: u32, height: u32) -> u32 {
        if self.resize != ResizeFilter::Area {
            return 1;
        }
        let least = self.width.max(self.height).saturating_mul(2);
        let is_enough = |by: &u32| {
            width.is_multiple_of(*by)
                && height.is_multiple_of(*by)
                && width.min(height) / by >= least
                && width.max(height) / by >= Self::LEAST_SIDE
        };
        [8, 4, 2].into_iter().find(is_enough).unwrap_or(1)
    }

    /// Pixels along the longer side of a picture that are never reduced further: the figures of its quality
    /// are taken on copies with half of them.
    pub const LEAST_SIDE: u32 = 1024;

    /// What an 8-bit sample becomes in a channel of the tensor.
    ///
    /// # Panics
    /// If `channel` is not 0, 1 or 2.
    pub fn normalise(&self, channel: usize, sample: u8) -> f32 {
        (f32::from(sample) * self.scale - self.mean[channel]) / self.std[channel]
    }
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red first.
    Rgb,
    /// Blue first, as OpenCV reads images.
    Bgr,
}

/// Order of the tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// How an image is resized to the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResizeFilter {
    /// Mean over the area that falls on each output pixel; no aliasing when shrinking
    /// (OpenCV's `INTER_AREA`).
    Area,
    /// Four neighbours whatever the scale; aliases when shrinking (OpenCV's `INTER_LINEAR`).
    Bilinear,
}

/// Names of the network's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Softmax over the two classes, shape `[1, 2]`.
    pub probability: String,
    /// Evidence map, shape `[1, 1, h, w]`, where the model has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// From logit margin to verdict: `p = σ(margin / temperature)`; inside the inconclusive band no
/// verdict is given, else `p ≥ threshold` is positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRule {
    /// Calibrated probability from which on the verdict is positive; strictly between 0 and 1.
    pub threshold: f32,
    /// `[low, high]` calibrated probabilities, `low ≤ threshold ≤ high`; a probability strictly
    /// between them gives no verdict.
    pub inconclusive: [f32; 2],
    /// Divides the logit margin; 1 leaves the network's own probabilities (Guo et al. 2017,
    /// "On Calibration of Modern Neural Networks").
    pub temperature: f32,
}

/// Figures that were measured on images which the network had not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// What the figures were measured on, in words a user cannot misread.
    pub dataset: String,
    /// How the data were split.
    pub protocol: String,
    /// Number of positive images.
    pub positives: u32,
    /// Number of negative images.
    pub negatives: u32,
    /// Figures by name (`accuracy`, `sensitivity`, `specificity`, `auroc`, …), each 0 to 1.
    pub figures: BTreeMap<String, f64>,
    /// Lower and upper end of each figure's 95 % interval, where one could be computed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
    /// Reasons to doubt the figures, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The model's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// OpenVINO IR: topology.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_xml: Option<FileEntry>,
    /// OpenVINO IR: weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ir_bin: Option<FileEntry>,
    /// ONNX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnx: Option<FileEntry>,
}

/// One file of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the model folder; never leaves it.
    pub path: PathBuf,
    /// SHA-256 of the contents, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

impl FileEntry {
    /// The entry of a file with these contents.
    pub fn for_bytes(path: impl Into<PathBuf>, bytes: &[u8]) -> Self {
        Self {
            path: path.into(),
            sha256: sha256(bytes),
        }
    }
}

/// The SHA-256 of some bytes, as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        for nibble in [byte >> 4, byte & 15] {
            sha256.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    sha256
}

/// An image with the probability that the network must give it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenSample {
    /// Small lossless image, relative to the model folder.
    pub image: FileEntry,
    /// Uncalibrated probability of the positive class.
    pub probability: f32,
    /// Largest absolute difference allowed.
    pub tolerance: f32,
}
