//! `smearscope-train export`: a finished model in another precision.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use image::RgbImage;
use log::info;
use smearscope_artifacts::{EngineChoice, EngineConfig, Manifest, Model, ModelFiles, Preprocessor};

use super::precision::{self, Ranges};
use super::{Graph, ir, onnx};
use crate::card;
use crate::dataset::{Dataset, Source};
use crate::destination::Destination;
use crate::error::TrainError;
use crate::metrics;
use crate::package::{self, IR_BIN, IR_XML};
use crate::report;

/// How exactly weights are stored and numbers computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// Weights and numbers of 32 bits
    Fp32,
    /// Weights of 16 bits: half the size; what the Neural Compute Stick 2 computes in
    Fp16,
    /// Convolutions in 8 bits, fitted to images (--data): faster on processors that can
    Int8,
}

impl Precision {
    fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "FP32",
            Self::Fp16 => "FP16 weights",
            Self::Int8 => "INT8 convolutions",
        }
    }
}

/// Which model to write how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recast {
    /// The model's folder.
    pub(crate) model: PathBuf,
    pub(crate) out: Destination,
    pub(crate) precision: Precision,
    /// Labelled images, which 8 bits are fitted to and measured on.
    pub(crate) data: Option<Source>,
}

/// Images that ranges are taken from.
const CALIBRATED_ON: usize = 200;
/// Largest change of a probability on OpenVINO for 16-bit weights, which keep 11 significant bits.
const HALF_AGREEMENT: f32 = 2e-3;
/// The same of a golden sample for 8 bits, whose verdict may not change at all.
const BYTE_TOLERANCE: f32 = 0.05;
/// Largest change of AUROC for 8 bits.
const MOST_AUROC: f64 = 0.005;

impl Recast {
    /// Writes the model again; `out` appears only when the new one agrees with the old.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] for an unusable model, [`TrainError::Data`] for unusable images,
    /// [`TrainError::Export`] if precision costs a verdict or too much accuracy, and
    /// [`TrainError::Output`].
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let files = ModelFiles::open(&self.model)?;
        let manifest = files.manifest();
        let bytes = files.onnx().ok_or_else(|| TrainError::Export {
            problem: format!(
                "{} has no ONNX file, which precisions are made from",
                self.model.display()
            ),
        })?;
        let graph = onnx::read(bytes).map_err(|problem| TrainError::Export {
            problem: format!("{}: its ONNX file: {problem}", self.model.display()),
        })?;
        let data = self.data.as_ref();
        let data = data.map(|source| Dataset::load(source, &manifest.input));
        let data = data.transpose()?;
        let recast = match (self.precision, &data) {
            (Precision::Fp32, _) => graph.clone(),
            (Precision::Fp16, _) => precision::halve(&graph),
            (Precision::Int8, Some(data)) => {
                info!("looking at the network at work on {CALIBRATED_ON} images at most");
                let inputs = inputs(manifest, data)?;
                let ranges = Ranges::of(&graph, inputs.iter().map(Vec::as_slice));
                precision::quantise(&graph, &ranges)
            }
            (Precision::Int8, None) => {
                return Err(TrainError::Export {
                    problem: "8 bits are fitted to images; give labelled ones with --data".into(),
                });
            }
        };

        let staging = self.out.staging()?;
        self.write(&files, &recast, staging.path())?;
        let proof = self.prove(staging.path(), files.golden_images(), data.as_ref())?;
        self.out.publish(&staging)?;
        println!("{}: {proof}", self.out.folder.display());
        Ok(())
    }

    /// All files of the model, with the network of this graph.
    fn write(&self, files: &ModelFiles, graph: &Graph, folder: &Path) -> Result<(), TrainError> {
        let mut manifest = files.manifest().clone();
        manifest.architecture = format!("{} ({})", manifest.architecture, self.precision.name());
        if self.precision == Precision::Int8 {
            for sample in &mut manifest.golden {
                sample.tolerance = BYTE_TOLERANCE;
            }
        }
        let ir = ir::write(graph, &manifest.name).map_err(|error| TrainError::Export {
            problem: format!("{IR_XML}: {error}"),
        })?;
        manifest.files.ir_xml = Some(package::save(folder, IR_XML, &ir.xml)?);
        manifest.files.ir_bin = Some(package::save(folder, IR_BIN, &ir.bin)?);
        let copied = manifest.golden.iter().map(|sample| &sample.image);
        let copied = copied.chain(&manifest.files.onnx);
        let documents = [report::FILE_NAME, card::FILE_NAME].map(PathBuf::from);
        for path in copied.map(|entry| entry.path.clone()).chain(documents) {
            let from = self.model.join(&path);
            if let Ok(bytes) = std::fs::read(&from) {
                package::save(folder, &path.to_string_lossy(), &bytes)?;
            }
        }
        package::save(folder, Manifest::FILE_NAME, manifest.to_toml()?.as_bytes())?;
        Ok(())
    }

    /// Runs the old model and the new one on the same images.
    fn prove(
        &self,
        folder: &Path,
        golden: &[RgbImage],
        data: Option<&Dataset>,
    ) -> Result<Proof, TrainError> {
        let config = EngineConfig {
            choice: EngineChoice::OpenVino,
            ..EngineConfig::default()
        };
        let mut old = Model::load(&self.model, &config)?;
        let mut new = Model::load(folder, &config)?;
        let rule = old.manifest().decision;
        let mut proof = Proof::default();
        for image in golden {
            let (before, after) = (old.infer(image)?, new.infer(image)?);
            let calls = [&before, &after].map(|inference| rule.decide(inference.margin).call);
            if calls[0] != calls[1] {
                return Err(TrainError::Export {
                    problem: format!(
                        "a golden sample's verdict changes: its probability was {:.3} and is {:.3}",
                        before.probability, after.probability
                    ),
                });
            }
            proof.add(before.probability, after.probability);
        }
        if let Some(data) = data {
            let mut scores = [Vec::new(), Vec::new()];
            for sample in &data.samples {
                let (before, after) = (old.infer(&sample.input)?, new.infer(&sample.input)?);
                proof.add(before.probability, after.probability);
                scores[0].push((before.margin, sample.positive));
                scores[1].push((after.margin, sample.positive));
            }
            if let [Some(before), Some(after)] = scores.map(|scores| metrics::auroc(&scores)) {
                proof.auroc = Some([before, after]);
            }
        }
        proof.judge(self.precision)?;
        Ok(proof)
    }
}

/// How the new model compares with the old one.
#[derive(Debug, Default)]
struct Proof {
    images: usize,
    /// Largest absolute difference of the probability.
    probability: f32,
    /// Before and after.
    auroc: Option<[f64; 2]>,
}

impl Proof {
    fn add(&mut self, before: f32, after: f32) {
        self.images += 1;
        self.probability = self.probability.max((before - after).abs());
    }

    fn judge(&self, precision: Precision) -> Result<(), TrainError> {
        let allowed = match precision {
            Precision::Fp32 => package::AGREEMENT,
            Precision::Fp16 => HALF_AGREEMENT,
            // Judged by verdicts and AUROC.
            Precision::Int8 => 1.0,
        };
        if self.probability > allowed {
            return Err(TrainError::Export {
                problem: format!("{self}, where {allowed:.0e} is allowed"),
            });
        }
        match self.auroc {
            Some([before, after]) if (before - after).abs() >= MOST_AUROC => {
                Err(TrainError::Export {
                    problem: format!("{self}, where AUROC may change by less than {MOST_AUROC}"),
                })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "every golden verdict is kept; on {} images a probability changes by {:.1e} at most",
            self.images, self.probability
        )?;
        match self.auroc {
            Some([before, after]) => write!(f, ", AUROC from {before:.4} to {after:.4}"),
            None => Ok(()),
        }
    }
}

/// What the network is given for some of the images, spread over all of them.
fn inputs(manifest: &Manifest, data: &Dataset) -> Result<Vec<Vec<f32>>, TrainError> {
    let mut preprocessor = Preprocessor::new(manifest.input.clone())?;
    let step = data.samples.len().div_ceil(CALIBRATED_ON);
    let samples = data.samples.iter().step_by(step);
    samples
        .map(|sample| Ok(preprocessor.prepare(&sample.input)?.data.clone()))
        .collect()
}
