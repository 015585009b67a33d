//! `smearscope-train export`: a finished model in another precision.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use image::RgbImage;
use log::info;
use smearscope_artifacts::{EngineChoice, EngineConfig, Manifest, Model, ModelFiles, Preprocessor};
use walkdir::WalkDir;

use super::precision::{self, Ranges};
use super::{Graph, ir, onnx};
use crate::card;
use crate::cli;
use crate::dataset::{Dataset, Source};
use crate::destination::Destination;
use crate::error::TrainError;
use crate::metrics;
use crate::package::{self, GOLDEN_TOLERANCE, IR_BIN, IR_XML};
use crate::plots;
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

    /// The name of an architecture in this precision, whichever it has been in.
    fn of(self, architecture: &str) -> String {
        let known = Self::value_variants().iter();
        let plain = known.fold(architecture, |plain, precision| {
            let suffix = format!(" ({})", precision.name());
            plain.strip_suffix(&suffix).unwrap_or(plain)
        });
        format!("{plain} ({})", self.name())
    }

    /// How far a golden sample may be off; 8 bits may not change its verdict at all.
    fn golden_tolerance(self) -> f32 {
        match self {
            Self::Fp32 | Self::Fp16 => GOLDEN_TOLERANCE,
            Self::Int8 => BYTE_TOLERANCE,
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
/// The same of a golden sample for 8 bits.
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
        let graph = self.network(&files)?;
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
        self.write_card(staging.path(), &proof)?;
        self.out.publish(&staging)?;
        println!("{}: {proof}", self.out.folder.display());
        Ok(())
    }

    /// The network of the ONNX file, which all precisions are made from.
    fn network(&self, files: &ModelFiles) -> Result<Graph, TrainError> {
        const REMEDY: &str = "give a model folder that `smearscope-train fit` made";
        let (Some(bytes), Some(entry)) = (files.onnx(), &files.manifest().files.onnx) else {
            let problem = "it has no ONNX file, which precisions are made from";
            return Err(TrainError::data(&self.model, problem, REMEDY));
        };
        let path = self.model.join(&entry.path);
        let graph =
            onnx::read(bytes).map_err(|problem| TrainError::data(&path, problem, REMEDY))?;
        let shape = files.manifest().input.shape();
        let inputs: Vec<&[usize]> = graph.parameters().collect();
        if inputs != [shape] {
            let problem = format!("its inputs are {inputs:?}, and the manifest's is {shape:?}");
            return Err(TrainError::data(&path, problem, REMEDY));
        }
        Ok(graph)
    }

    /// All files of the model, with the network of this graph.
    fn write(&self, files: &ModelFiles, graph: &Graph, folder: &Path) -> Result<(), TrainError> {
        let mut manifest = files.manifest().clone();
        manifest.architecture = self.precision.of(&manifest.architecture);
        for sample in &mut manifest.golden {
            sample.tolerance = self.precision.golden_tolerance();
        }
        let ir = ir::write(graph, &manifest.name).map_err(|error| TrainError::Export {
            problem: format!("{IR_XML}: {error}"),
        })?;
        manifest.files.ir_xml = Some(package::save(folder, IR_XML, &ir.xml)?);
        manifest.files.ir_bin = Some(package::save(folder, IR_BIN, &ir.bin)?);
        let copied = manifest.golden.iter().map(|sample| &sample.image);
        let copied = copied.chain(&manifest.files.onnx);
        let copied = copied.map(|entry| entry.path.clone());
        for path in copied.chain(self.documents()?) {
            let from = self.model.join(&path);
            let bytes = fs::read(&from).map_err(|error| unreadable(&from, &error))?;
            package::save(folder, &path.to_string_lossy(), &bytes)?;
        }
        package::save(folder, Manifest::FILE_NAME, manifest.to_toml()?.as_bytes())?;
        Ok(())
    }

    /// The report and the figures, of those that are there; paths inside the model folder.
    fn documents(&self) -> Result<Vec<PathBuf>, TrainError> {
        let mut documents = Vec::new();
        for name in [report::FILE_NAME, plots::FOLDER] {
            let place = self.model.join(name);
            if !place.exists() {
                continue;
            }
            for entry in WalkDir::new(&place) {
                let entry = entry.map_err(|error| unreadable(&place, &error))?;
                if !entry.file_type().is_dir() {
                    let inside = entry.path().strip_prefix(&self.model);
                    documents.push(inside.unwrap_or(entry.path()).to_owned());
                }
            }
        }
        Ok(documents)
    }

    /// The model's card, which tells of the new export.
    fn write_card(&self, folder: &Path, proof: &Proof) -> Result<(), TrainError> {
        let path = self.model.join(card::FILE_NAME);
        let old = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| unreadable(&path, &error))?,
        };
        let export = format!(
            "The OpenVINO IR was written again, with {}, after all that is told above was measured: {proof}.\n\n\
             ```sh\nsmearscope-train export --model MODEL --precision {} --out OUT\n```\n",
            self.precision.name(),
            cli::spelled(&self.precision),
        );
        let card = card::with_export(&old, &export);
        package::save(folder, card::FILE_NAME, card.as_bytes()).map(|_| ())
    }

    /// Runs the old model, by its ONNX file, and the new one on the same images.
    fn prove(
        &self,
        folder: &Path,
        golden: &[RgbImage],
        data: Option<&Dataset>,
    ) -> Result<Proof, TrainError> {
        let on = |choice| EngineConfig {
            choice,
            ..EngineConfig::default()
        };
        let mut old = Model::load(&self.model, &on(EngineChoice::Embedded))?;
        let mut new = Model::load(folder, &on(EngineChoice::OpenVino))?;
        let rule = old.manifest().decision;
        let mut proof = Proof::default();
        for image in golden {
            let (before, after) = (old.infer(image)?, new.infer(image)?);
            let calls = [&before, &after].map(|inference| rule.decide(inference.margin).verdict);
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
            Some([before, after]) => write!(f, " and AUROC by {:.4}", (before - after).abs()),
            None => Ok(()),
        }
    }
}

fn unreadable(path: &Path, error: &dyn Error) -> TrainError {
    let problem = format!("it cannot be read: {error}");
    TrainError::data(path, problem, "check the path and its permissions")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_is_of_one_precision() {
        let half = Precision::Fp16.of("compact-cnn");
        assert_eq!(half, "compact-cnn (FP16 weights)");
        assert_eq!(Precision::Int8.of(&half), "compact-cnn (INT8 convolutions)");
    }
}
