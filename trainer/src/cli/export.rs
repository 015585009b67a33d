//! `smearscope-train export`: a finished model in another precision.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use log::info;
use smearscope_artifacts::{
    EngineChoice, EngineConfig, FieldModel, Manifest, Model, ModelFiles, Preprocessor, Verdict,
};
use walkdir::WalkDir;

use crate::arguments;
use crate::dataset::{Dataset, Source};
use crate::error::TrainError;
use crate::graph::precision::{self, Ranges};
use crate::graph::{Graph, ir, onnx};
use crate::metrics;
use crate::package::{self, AGREEMENT, Destination, GOLDEN_TOLERANCE, IR_BIN, IR_XML};
use crate::report::{self, CARD_FILE, PLOTS_FOLDER, REPORT_FILE, TRAINING_LOG};
use crate::stdout;

/// The precision of stored weights and of computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Precision {
    /// 32-bit weights and computation
    Fp32,
    /// 16-bit weights: half the size; the precision of the Neural Compute Stick 2
    Fp16,
    /// 8-bit convolutions, calibrated on images (--data): faster on CPUs that support it
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

    /// The name of an architecture in this precision; replaces another precision in the name.
    fn rename(self, architecture: &str) -> String {
        let known = Self::value_variants().iter();
        let plain = known.fold(architecture, |plain, precision| {
            let suffix = format!(" ({})", precision.name());
            plain.strip_suffix(&suffix).unwrap_or(plain)
        });
        format!("{plain} ({})", self.name())
    }

    /// Tolerance of golden samples.
    fn golden_tolerance(self) -> f32 {
        match self {
            Self::Fp32 | Self::Fp16 => GOLDEN_TOLERANCE,
            Self::Int8 => INT8_TOLERANCE,
        }
    }
}

/// Writes a copy of the model whose OpenVINO IR has another precision. The ONNX file, which the
/// embedded engine runs, is not changed. Both models are run on the golden samples and, if given, on
/// --data. The export fails if it turns a golden sample from positive to negative or back, a probability by more than
/// the precision allows, or AUROC by 0.005 or more.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(mut_arg("root", |data| {
    data.required(false)
        .help("Labelled images: a folder, or the CSV file that lists them; required for int8")
}))]
pub(crate) struct Export {
    /// Folder of the model
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    out: Destination,
    /// Precision of the OpenVINO IR
    #[arg(long, value_enum)]
    precision: Precision,
    #[command(flatten)]
    data: Option<Source>,
}

/// Largest number of images for calibration.
const CALIBRATION_IMAGES: usize = 200;
/// Largest change of a probability for 16-bit weights, which have 11 significant bits.
const FP16_AGREEMENT: f32 = 2e-3;
/// Tolerance of golden samples for 8 bits.
const INT8_TOLERANCE: f32 = 0.05;
/// AUROC must change by less.
const MAX_AUROC_CHANGE: f64 = 0.005;

impl Export {
    /// Writes the model. `out` is created only if the new model agrees with the old one.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] for an unusable model, [`TrainError::Data`] for unusable images,
    /// [`TrainError::Export`] if the precision changes a verdict or costs too much accuracy, and
    /// [`TrainError::Output`].
    pub(super) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let files = ModelFiles::open(&self.model)?.into_field()?;
        let manifest = files.manifest();
        let graph = self.network(&files)?;
        let data = self.data.as_ref();
        let data = data.map(|source| Dataset::load(source, &manifest.model.input));
        let data = data.transpose()?;
        let converted = match (self.precision, &data) {
            (Precision::Fp32, _) => graph.clone(),
            (Precision::Fp16, _) => precision::halve(&graph),
            (Precision::Int8, Some(data)) => {
                info!("calibrating on up to {CALIBRATION_IMAGES} images");
                let inputs = inputs(manifest, data)?;
                let ranges = Ranges::of(&graph, inputs.iter().map(Vec::as_slice));
                precision::quantise(&graph, &ranges)
            }
            (Precision::Int8, None) => {
                return Err(TrainError::Export {
                    problem: "int8 needs labelled images for calibration; give them with --data"
                        .into(),
                });
            }
        };

        let staging = self.out.staging()?;
        self.write(&files, &converted, staging.path())?;
        let comparison = self.compare(staging.path(), &files, data.as_ref())?;
        self.write_card(staging.path(), &comparison)?;
        self.out.publish(&staging)?;
        let folder = self.out.folder.display();
        stdout::print(format_args!("{folder}: {comparison}\n"));
        Ok(())
    }

    /// The network of the ONNX file, from which every precision is made.
    fn network(&self, files: &ModelFiles<FieldModel>) -> Result<Graph, TrainError> {
        const REMEDY: &str = "give a model folder made by `smearscope-train fit`";
        let (Some(bytes), Some(entry)) = (files.network().onnx, &files.manifest().model.files.onnx)
        else {
            let problem = "it has no ONNX file, from which other precisions are made";
            return Err(TrainError::data(&self.model, problem, REMEDY));
        };
        let path = self.model.join(&entry.path);
        let graph =
            onnx::read(bytes).map_err(|problem| TrainError::data(&path, problem, REMEDY))?;
        let shape = files.manifest().model.input.shape();
        let inputs: Vec<&[usize]> = graph.parameters().collect();
        if inputs != [shape] {
            let problem = format!("its inputs are {inputs:?}, and the manifest says {shape:?}");
            return Err(TrainError::data(&path, problem, REMEDY));
        }
        Ok(graph)
    }

    /// Writes all files of the model, with this network as its IR.
    fn write(
        &self,
        files: &ModelFiles<FieldModel>,
        graph: &Graph,
        folder: &Path,
    ) -> Result<(), TrainError> {
        let mut manifest = files.manifest().clone();
        manifest.architecture = self.precision.rename(&manifest.architecture);
        for sample in &mut manifest.model.golden {
            sample.tolerance = self.precision.golden_tolerance();
        }
        let ir = ir::write(graph, &manifest.name).map_err(|error| TrainError::Export {
            problem: format!("{IR_XML}: {error}"),
        })?;
        manifest.model.files.ir_xml = Some(package::save(folder, IR_XML, &ir.xml)?);
        manifest.model.files.ir_bin = Some(package::save(folder, IR_BIN, &ir.bin)?);
        let copied = manifest.model.golden.iter().map(|sample| &sample.image);
        let copied = copied.chain(&manifest.model.files.onnx);
        let copied = copied.map(|entry| entry.path.clone());
        for path in copied.chain(self.documents()?) {
            let from = self.model.join(&path);
            let bytes = fs::read(&from).map_err(|error| TrainError::unreadable(&from, &error))?;
            package::save(folder, &path.to_string_lossy(), &bytes)?;
        }
        package::save_manifest(folder, &manifest)
    }

    /// Paths of the report, the log of the trainings and the plots inside the model folder, if there are any.
    fn documents(&self) -> Result<Vec<PathBuf>, TrainError> {
        let mut documents = Vec::new();
        for name in [REPORT_FILE, TRAINING_LOG, PLOTS_FOLDER] {
            let place = self.model.join(name);
            if !place.exists() {
                continue;
            }
            for entry in WalkDir::new(&place) {
                let entry = entry.map_err(|error| TrainError::unreadable(&place, &error))?;
                if !entry.file_type().is_dir() {
                    let inside = entry.path().strip_prefix(&self.model);
                    documents.push(inside.unwrap_or(entry.path()).to_owned());
                }
            }
        }
        Ok(documents)
    }

    /// Writes the model's card with a section about this export.
    fn write_card(&self, folder: &Path, comparison: &Comparison) -> Result<(), TrainError> {
        let path = self.model.join(CARD_FILE);
        let old = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| TrainError::unreadable(&path, &error))?,
        };
        let data = self.data.as_ref();
        let data = data.map_or_else(String::new, |data| format!(" {}", data.options("FIELDS")));
        let export = format!(
            "The OpenVINO IR was rewritten with {} after the figures above were measured: {comparison}.\n\n\
             ```sh\nsmearscope-train export --model MODEL --precision {} --out OUT{data}\n```\n",
            self.precision.name(),
            arguments::spelled(&self.precision),
        );
        let card = report::replace_export(&old, &export);
        package::save(folder, CARD_FILE, card.as_bytes()).map(|_| ())
    }

    /// Runs the old model (its ONNX file) and the new one on the same images.
    fn compare(
        &self,
        folder: &Path,
        files: &ModelFiles<FieldModel>,
        data: Option<&Dataset>,
    ) -> Result<Comparison, TrainError> {
        let on = |choice| EngineConfig {
            choice,
            ..EngineConfig::default()
        };
        let mut old = Model::load(&self.model, &on(EngineChoice::Embedded))?;
        let mut new = Model::load(folder, &on(EngineChoice::OpenVino))?;
        let rule = old.manifest().model.decision;
        let mut comparison = Comparison::default();
        for sample in &files.manifest().model.golden {
            let image = files.golden_image(&sample.image)?;
            let (before, after) = (old.infer(image)?, new.infer(image)?);
            let calls = [&before, &after].map(|inference| rule.decide(inference.margin).verdict);
            let changes_sides = calls[0] != calls[1] && !calls.contains(&Verdict::Inconclusive);
            let difference = (before.probability - after.probability).abs();
            if changes_sides || difference > self.precision.golden_tolerance() {
                return Err(TrainError::Export {
                    problem: format!(
                        "a golden sample changes too much: its probability was {:.3} ({}) and is now {:.3} ({})",
                        before.probability, calls[0], after.probability, calls[1]
                    ),
                });
            }
            comparison.add(before.probability, after.probability);
        }
        if let Some(data) = data {
            let mut scores = [Vec::new(), Vec::new()];
            for sample in &data.samples {
                let (before, after) = (old.infer(&sample.input)?, new.infer(&sample.input)?);
                comparison.add(before.probability, after.probability);
                scores[0].push((before.margin, sample.positive));
                scores[1].push((after.margin, sample.positive));
            }
            if let [Some(before), Some(after)] = scores.map(|scores| metrics::auroc(&scores)) {
                comparison.auroc = Some([before, after]);
            }
        }
        comparison.check(self.precision)?;
        Ok(comparison)
    }
}

/// How the new model compares with the old one.
#[derive(Debug, Default)]
struct Comparison {
    images: usize,
    /// Largest absolute difference of the probability.
    probability: f32,
    /// Before and after.
    auroc: Option<[f64; 2]>,
}

impl Comparison {
    fn add(&mut self, before: f32, after: f32) {
        self.images += 1;
        self.probability = self.probability.max((before - after).abs());
    }

    fn check(&self, precision: Precision) -> Result<(), TrainError> {
        let allowed = match precision {
            Precision::Fp32 => AGREEMENT,
            Precision::Fp16 => FP16_AGREEMENT,
            // Checked by verdicts and AUROC.
            Precision::Int8 => 1.0,
        };
        if self.probability > allowed {
            return Err(TrainError::Export {
                problem: format!("{self}, but only {allowed:.0e} is allowed"),
            });
        }
        match self.auroc {
            Some([before, after]) if (before - after).abs() >= MAX_AUROC_CHANGE => {
                Err(TrainError::Export {
                    problem: format!(
                        "{self}, but AUROC may only change by less than {MAX_AUROC_CHANGE}"
                    ),
                })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no golden sample changes between positive and negative; on {} images a probability changes by {:.1e} at most",
            self.images, self.probability
        )?;
        match self.auroc {
            Some([before, after]) => write!(f, " and AUROC by {:.4}", (before - after).abs()),
            None => Ok(()),
        }
    }
}

/// The network's inputs for an even selection of the images.
fn inputs(manifest: &Manifest<FieldModel>, data: &Dataset) -> Result<Vec<Vec<f32>>, TrainError> {
    let mut preprocessor = Preprocessor::new(manifest.model.input.clone())?;
    let step = data.samples.len().div_ceil(CALIBRATION_IMAGES);
    let samples = data.samples.iter().step_by(step);
    samples
        .map(|sample| Ok(preprocessor.prepare(&sample.input)?.data.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_names_one_precision() {
        let half = Precision::Fp16.rename("compact-cnn");
        assert_eq!(half, "compact-cnn (FP16 weights)");
        assert_eq!(
            Precision::Int8.rename(&half),
            "compact-cnn (INT8 convolutions)"
        );
    }
}
