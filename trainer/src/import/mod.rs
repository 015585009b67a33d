//! `smearscope-train import`: a third party's network as a model folder.
//!
//! An IR says nothing of how an image becomes its input: whether red or blue comes first, and from
//! what to what values go. So it is tried on labelled images in every way that is in use, and the one
//! that tells the classes apart is written into the manifest. The reference project itself normalised in
//! three ways in training, testing and on the stick.

mod topology;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use log::info;
use smearscope_artifacts::{
    ChannelOrder, DecisionRule, EngineChoice, EngineConfig, Evaluation, Files, GoldenSample,
    InputContract, Labels, Manifest, Model, Outputs, ResizeFilter, SlideRule,
};

use crate::dataset::{Dataset, Sample, Source};
use crate::destination::Destination;
use crate::error::TrainError;
use crate::golden;
use crate::metrics::{self, Scored};
use crate::package::{self, GOLDEN_TOLERANCE, IR_BIN, IR_XML, Identity};
use topology::Topology;

/// Which network, and what it is called here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Import {
    pub(crate) xml: PathBuf,
    pub(crate) bin: PathBuf,
    /// In the order of the softmax's two outputs.
    pub(crate) labels: Vec<String>,
    /// Which of them is positive: 0 or 1.
    pub(crate) positive_index: usize,
    /// Labelled images.
    pub(crate) data: Source,
    pub(crate) out: Destination,
    pub(crate) identity: Identity,
}

/// A way from 8-bit samples to the network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    channels: ChannelOrder,
    resize: ResizeFilter,
    scale: f32,
    mean: f32,
}

/// Area under the ROC curve that the best reading must reach: less may be luck.
const LEAST_AUROC: f64 = 0.8;
/// What a decision rests on that nobody has calibrated.
const RULE: DecisionRule = DecisionRule {
    threshold: 0.5,
    inconclusive: [0.2, 0.8],
    temperature: 1.0,
};

impl Reading {
    /// Whatever is in use: 0 to 1, −1 to 1, 0 to 2 and 0 to 255, with red or blue first.
    fn all(resize: ResizeFilter) -> Vec<Self> {
        const RANGES: [(f32, f32); 4] = [
            (1.0 / 255.0, 0.0),
            (1.0 / 127.5, 1.0),
            (1.0 / 127.5, 0.0),
            (1.0, 0.0),
        ];
        let of = |channels| {
            RANGES.map(|(scale, mean)| Self {
                channels,
                resize,
                scale,
                mean,
            })
        };
        [of(ChannelOrder::Rgb), of(ChannelOrder::Bgr)].concat()
    }

    fn contract(self, topology: &Topology) -> InputContract {
        InputContract {
            width: topology.width,
            height: topology.height,
            channels: self.channels,
            layout: topology.layout,
            resize: self.resize,
            scale: self.scale,
            mean: [self.mean; 3],
            std: [1.0; 3],
        }
    }
}

impl Import {
    /// Tries the network, and makes a model folder of it.
    ///
    /// # Errors
    /// [`TrainError::Export`] if it is no network of one image in and two probabilities out, or if no
    /// reading of the images tells the classes apart; [`TrainError::Data`], [`TrainError::Artifact`] and
    /// [`TrainError::Output`] for images, engine and folder.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let refuse = |problem: String| TrainError::Export {
            problem: format!("{}: {problem}", self.xml.display()),
        };
        if !matches!(&self.labels[..], [first, second] if first != second) {
            return Err(refuse(format!(
                "its outputs cannot be called `{}`; give two names, --labels healthy,leukemia",
                self.labels.join(",")
            )));
        }
        let xml = fs::read(&self.xml).map_err(|error| refuse(error.to_string()))?;
        let bin = fs::read(&self.bin).map_err(|error| TrainError::Export {
            problem: format!("{}: {error}", self.bin.display()),
        })?;
        let topology = Topology::read(&String::from_utf8_lossy(&xml)).map_err(refuse)?;
        info!(
            "one image of {} × {} pixels in, softmax {} out",
            topology.width, topology.height, topology.output
        );

        let staging = self.out.staging()?;
        let files = Files {
            ir_xml: Some(package::save(staging.path(), IR_XML, &xml)?),
            ir_bin: Some(package::save(staging.path(), IR_BIN, &bin)?),
            onnx: None,
        };
        let mut trials = Vec::new();
        for resize in [ResizeFilter::Bilinear, ResizeFilter::Area] {
            let contract = Reading::all(resize)[0].contract(&topology);
            let dataset = Dataset::load(&self.data, &contract)?;
            for reading in Reading::all(resize) {
                let manifest = self.manifest(&topology, reading, &files);
                trials.push(try_on(staging.path(), manifest, &dataset)?);
            }
        }
        // The higher AUROC, and of equal ones the better calibrated.
        trials.sort_by(|a, b| {
            let by_auroc = b.auroc.total_cmp(&a.auroc);
            by_auroc.then(a.log_loss.total_cmp(&b.log_loss))
        });
        let best = &trials[0];
        if best.auroc < LEAST_AUROC {
            return Err(refuse(format!(
                "however its input is read, it does not tell these classes apart (AUROC {:.3} at best); \
                 check the order of --labels and the images in --data",
                best.auroc
            )));
        }
        let manifest = self.finished(staging.path(), best)?;
        let card = card(&manifest, &trials);
        package::save(staging.path(), crate::card::FILE_NAME, card.as_bytes())?;
        // As the appliance will, with its golden samples.
        Model::load(staging.path(), &openvino())?;
        self.out.publish(&staging)?;
        print!("{card}");
        Ok(())
    }

    fn manifest(&self, topology: &Topology, reading: Reading, files: &Files) -> Manifest {
        let label = |index: usize| self.labels.get(index).cloned().unwrap_or_default();
        Manifest {
            format_version: Manifest::FORMAT_VERSION,
            name: self.identity.name.clone(),
            version: self.identity.version.clone(),
            architecture: "imported".into(),
            trained_on: "Unknown: a third party's network.".into(),
            intended_use: "Research. Not for diagnosis or treatment.".into(),
            license: self.identity.license.clone(),
            demo: true,
            labels: Labels {
                negative: label(1 - self.positive_index),
                positive: label(self.positive_index),
                positive_index: self.positive_index,
            },
            input: reading.contract(topology),
            outputs: Outputs {
                probability: topology.output.clone(),
                evidence: None,
            },
            decision: RULE,
            slide: SlideRule::default(),
            domain: None,
            evaluation: Evaluation {
                dataset: "none".into(),
                protocol: "Not evaluated: the images at hand chose how the input is read. \
                           `smearscope-train evaluate` measures it on others."
                    .into(),
                positives: 0,
                negatives: 0,
                figures: std::collections::BTreeMap::new(),
                intervals: std::collections::BTreeMap::new(),
                warnings: vec![
                    "Nobody has told what this network was trained on; its threshold is not fitted."
                        .into(),
                ],
            },
            files: files.clone(),
            golden: Vec::new(),
        }
    }

    /// The manifest of a trial with golden samples that the network itself has answered.
    fn finished(&self, folder: &Path, trial: &Trial) -> Result<Manifest, TrainError> {
        let dataset = Dataset::load(&self.data, &trial.manifest.input)?;
        let samples: Vec<&Sample> = dataset.samples.iter().collect();
        let mut manifest = trial.manifest.clone();
        save_manifest(folder, &manifest)?;
        let mut model = Model::load_unverified(folder, &openvino())?;
        manifest.golden = golden::choose(&samples, &trial.scored)?
            .iter()
            .map(|golden| {
                Ok(GoldenSample {
                    image: package::save(folder, &golden.path, &golden.png)?,
                    probability: model.infer(&golden.image)?.probability,
                    tolerance: GOLDEN_TOLERANCE,
                })
            })
            .collect::<Result<_, TrainError>>()?;
        save_manifest(folder, &manifest)?;
        Ok(manifest)
    }
}

/// How the network did under one reading.
struct Trial {
    manifest: Manifest,
    scored: Vec<Scored>,
    auroc: f64,
    log_loss: f64,
}

fn try_on(folder: &Path, mut manifest: Manifest, dataset: &Dataset) -> Result<Trial, TrainError> {
    // A manifest has golden samples; what this one gives is not known yet.
    let placeholder = golden::shrink(&dataset.samples[0], "golden/negative-1.png".into())?;
    manifest.golden = vec![GoldenSample {
        image: package::save(folder, &placeholder.path, &placeholder.png)?,
        probability: 0.5,
        tolerance: GOLDEN_TOLERANCE,
    }];
    save_manifest(folder, &manifest)?;
    let mut model = Model::load_unverified(folder, &openvino())?;
    let scored = dataset
        .samples
        .iter()
        .map(|sample| {
            Ok(Scored {
                margin: model.infer(&sample.input)?.margin,
                positive: sample.positive,
                group: sample.group,
            })
        })
        .collect::<Result<Vec<Scored>, TrainError>>()?;
    let margins: Vec<(f32, bool)> = scored.iter().map(|s| (s.margin, s.positive)).collect();
    Ok(Trial {
        auroc: metrics::auroc(&margins).unwrap_or(0.0),
        log_loss: metrics::log_loss(&scored, 1.0),
        manifest,
        scored,
    })
}

/// Only OpenVINO runs an IR.
fn openvino() -> EngineConfig {
    EngineConfig {
        choice: EngineChoice::OpenVino,
        ..EngineConfig::default()
    }
}

fn save_manifest(folder: &Path, manifest: &Manifest) -> Result<(), TrainError> {
    package::save(folder, Manifest::FILE_NAME, manifest.to_toml()?.as_bytes()).map(|_| ())
}

fn card(manifest: &Manifest, trials: &[Trial]) -> String {
    let mut card = format!("# {} {}\n\n", manifest.name, manifest.version);
    card.push_str(
        "Written by `smearscope-train import`; do not edit.\n\n\
         A third party's network. What it was trained on is not known, nor what it is worth; its \
         threshold and its inconclusive band are not fitted. The figures below chose how an image \
         becomes its input, and say nothing else.\n\n\
         | order | resized by | 0 to 255 become | AUROC | log loss |\n|---|---|---|---|---|\n",
    );
    for trial in trials {
        let input = &trial.manifest.input;
        let [low, high] = [0, 255].map(|sample| input.normalise(0, sample));
        // Writing to a String cannot fail.
        let _ = writeln!(
            card,
            "| {:?} | {:?} | {low:.0} to {high:.0} | {:.4} | {:.4} |",
            input.channels, input.resize, trial.auroc, trial.log_loss
        );
    }
    card
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use semver::Version;
    use smearscope_artifacts::{ArtifactError, testing};

    use super::*;
    use crate::dataset::Layout;
    use crate::export::{Graph, ir};

    #[test]
    fn other_files_are_no_topology() {
        for (xml, problem) in [
            ("<html></html>", "no OpenVINO IR"),
            ("<net><layers></layers></net>", "0 inputs"),
            ("<net><layers><layer id='0'", "syntax"),
        ] {
            let told = Topology::read(xml).unwrap_err();
            assert!(told.contains(problem), "{told}");
        }
    }

    /// As the reference project's: blue first, values from 0 to 1. It is positive where the mean of
    /// blue is above one half.
    fn third_party(folder: &Path) {
        let mut graph = Graph::default();
        let image = graph.parameter("input", &[1, 3, 100, 100]);
        let mean = graph.global_average_pool("mean", image);
        let flat = graph.reshape("flat", mean, &[1, 3]);
        let weight = graph.weights("weight", &[3, 2], vec![0.0, 20.0, 0.0, 0.0, 0.0, 0.0]);
        let bias = graph.weights("bias", &[1, 2], vec![0.0, -10.0]);
        let product = graph.mat_mul("product", flat, weight);
        let logits = graph.add("logits", product, bias);
        let softmax = graph.softmax("their_softmax", logits);
        graph.result(softmax);
        let ir = ir::write(&graph, "theirs").unwrap();
        fs::write(folder.join("theirs.xml"), ir.xml).unwrap();
        fs::write(folder.join("theirs.bin"), ir.bin).unwrap();
    }

    /// Images that differ in blue, while red says nothing.
    fn draw(folder: &Path) {
        for (class, blue) in [("healthy", 40_u8), ("blasts", 150)] {
            fs::create_dir_all(folder.join(class)).unwrap();
            for number in 0..6_u8 {
                let picture = RgbImage::from_fn(60, 40, |x, y| {
                    let grain = (x * 7 + y * 13 + u32::from(number) * 29) as u8 % 64;
                    Rgb([40 * number + grain / 4, grain, blue + grain])
                });
                let name = format!("{class}/{number}.png");
                picture.save(folder.join(name)).unwrap();
            }
        }
    }

    #[test]
    fn the_way_to_read_a_third_party_s_input_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        third_party(folder.path());
        draw(&place("data"));
        let import = Import {
            xml: place("theirs.xml"),
            bin: place("theirs.bin"),
            labels: vec!["healthy".into(), "blasts".into()],
            positive_index: 1,
            data: Source {
                layout: Layout::Folder,
                root: place("data"),
                positive: vec!["blasts".into()],
            },
            out: Destination {
                folder: place("model"),
                replace: false,
            },
            identity: Identity {
                name: "theirs".into(),
                version: Version::new(1, 0, 0),
                license: "MIT".into(),
            },
        };
        match import.run() {
            Err(TrainError::Artifact(error @ ArtifactError::Engine { .. })) => {
                testing::skip(error);
                return;
            }
            outcome => outcome.unwrap(),
        }
        let mut model = Model::load(&import.out.folder, &openvino()).unwrap();
        let manifest = model.manifest();
        assert_eq!(manifest.input.channels, ChannelOrder::Bgr);
        assert_eq!(
            (manifest.input.scale, manifest.input.mean),
            (1.0 / 255.0, [0.0; 3])
        );
        assert_eq!(manifest.outputs.probability, "their_softmax");
        assert_eq!(manifest.labels.positive, "blasts");
        let blue = RgbImage::from_pixel(50, 50, Rgb([0, 0, 204]));
        // 20 × 0.8 − 10.
        let margin = model.infer(&blue).unwrap().margin;
        assert!((margin - 6.0).abs() < 1e-2, "{margin}");

        let swapped = Import {
            positive_index: 0,
            out: Destination {
                folder: place("other"),
                replace: false,
            },
            ..import
        };
        let told = swapped.run().unwrap_err().to_string();
        assert!(told.contains("does not tell these classes apart"), "{told}");
        assert!(!place("other").exists());
    }
}
