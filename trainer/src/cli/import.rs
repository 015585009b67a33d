//! `smearscope-train import`: a third party's network as a model folder.
//!
//! An IR does not say how an image becomes its input: whether red or blue comes first, and how values
//! are scaled. Every common encoding is therefore tried on labelled images, and the one that separates
//! the classes best is written into the manifest. The reference project itself normalised in three
//! ways: in training, in testing and on the stick.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use log::info;
use smearscope_artifacts::{
    ChannelOrder, EngineChoice, EngineConfig, Evaluation, Files, GoldenSample, InputContract,
    Labels, Manifest, Model, Outputs, ResizeFilter, SlideRule,
};

use crate::dataset::{Dataset, Sample, Source};
use crate::error::TrainError;
use crate::graph::topology::Topology;
use crate::metrics::{self, Scored};
use crate::package::{
    self, Destination, GOLDEN_TOLERANCE, Golden, IR_BIN, IR_XML, Identity, UNCALIBRATED,
    save_manifest,
};
use crate::report::CARD_FILE;

/// For networks with one three-channel image as input and a softmax over two classes as output, such
/// as the reference project's. How an image becomes the input (channel order, scaling of values,
/// resizing) is found by trying every common way on labelled images: give some ten of each class that
/// the network classifies well.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Import {
    /// Topology
    #[arg(long, value_name = "FILE")]
    xml: PathBuf,
    /// Weights
    #[arg(long, value_name = "FILE")]
    bin: PathBuf,
    /// Names of the two outputs, in order
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "negative,positive",
        value_name = "FIRST,SECOND"
    )]
    labels: Vec<String>,
    /// The first output is the positive class, not the second
    #[arg(long)]
    positive_first: bool,
    #[command(flatten)]
    data: Source,
    #[command(flatten)]
    out: Destination,
    #[command(flatten)]
    identity: Identity,
}

/// How 8-bit samples become the network's input.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Encoding {
    channels: ChannelOrder,
    resize: ResizeFilter,
    scale: f32,
    mean: f32,
}

/// AUROC that the best encoding must reach; less may be chance.
const MIN_AUROC: f64 = 0.8;

impl Encoding {
    /// The common encodings: values 0 to 1, −1 to 1, 0 to 2 and 0 to 255, with red or blue first.
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
    /// Tries the network and makes a model folder of it.
    ///
    /// # Errors
    /// [`TrainError::Export`] if the network does not map one image to two probabilities, or if no
    /// encoding separates the classes; [`TrainError::Data`], [`TrainError::Artifact`] and
    /// [`TrainError::Output`] for images, engine and folder.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let refuse = |problem: String| TrainError::Export {
            problem: format!("{}: {problem}", self.xml.display()),
        };
        if !matches!(&self.labels[..], [first, second] if first != second) {
            return Err(refuse(format!(
                "`{}` is not a pair of names for its outputs; give two, as in --labels healthy,leukemia",
                self.labels.join(",")
            )));
        }
        let xml = fs::read(&self.xml).map_err(|error| refuse(error.to_string()))?;
        let bin = fs::read(&self.bin).map_err(|error| TrainError::Export {
            problem: format!("{}: {error}", self.bin.display()),
        })?;
        let topology = Topology::read(&String::from_utf8_lossy(&xml)).map_err(refuse)?;
        info!(
            "input: one image of {} × {} pixels; output: softmax {}",
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
            let contract = Encoding::all(resize)[0].contract(&topology);
            let dataset = Dataset::load(&self.data, &contract)?;
            for encoding in Encoding::all(resize) {
                let manifest = self.manifest(&topology, encoding, &files);
                trials.push(try_on(staging.path(), manifest, &dataset)?);
            }
        }
        // By AUROC, then by calibration.
        trials.sort_by(|a, b| {
            let by_auroc = b.auroc.total_cmp(&a.auroc);
            by_auroc.then(a.log_loss.total_cmp(&b.log_loss))
        });
        let best = &trials[0];
        if best.auroc < MIN_AUROC {
            return Err(refuse(format!(
                "no encoding of its input separates these classes (best AUROC {:.3}); \
                 check the order of --labels and the images in --data",
                best.auroc
            )));
        }
        let manifest = self.finished(staging.path(), best)?;
        let card = card(&manifest, &trials);
        package::save(staging.path(), CARD_FILE, card.as_bytes())?;
        // Loads it as the appliance does, which checks the golden samples.
        Model::load(staging.path(), &openvino())?;
        self.out.publish(&staging)?;
        print!("{card}");
        Ok(())
    }

    /// Index of the positive output.
    fn positive_index(&self) -> usize {
        usize::from(!self.positive_first)
    }

    /// A manifest without golden samples.
    fn manifest(&self, topology: &Topology, encoding: Encoding, files: &Files) -> Manifest {
        let label = |index: usize| self.labels.get(index).cloned().unwrap_or_default();
        Manifest {
            format_version: Manifest::FORMAT_VERSION,
            name: self.identity.name(&self.out.folder),
            version: self.identity.version.clone(),
            architecture: "imported".into(),
            trained_on: "Unknown: a third party's network.".into(),
            intended_use: "Research. Not for diagnosis or treatment.".into(),
            license: self.identity.license.clone(),
            demo: true,
            labels: Labels {
                negative: label(1 - self.positive_index()),
                positive: label(self.positive_index()),
                positive_index: self.positive_index(),
            },
            input: encoding.contract(topology),
            outputs: Outputs {
                probability: topology.output.clone(),
                evidence: None,
            },
            decision: UNCALIBRATED,
            slide: SlideRule::default(),
            domain: None,
            evaluation: Evaluation {
                dataset: "none".into(),
                protocol: "Not evaluated: the available images chose the encoding of the input. \
                           `smearscope-train evaluate` evaluates it on other images."
                    .into(),
                positives: 0,
                negatives: 0,
                figures: std::collections::BTreeMap::new(),
                intervals: std::collections::BTreeMap::new(),
                warnings: vec![
                    "It is not known what this network was trained on; its threshold is not fitted."
                        .into(),
                ],
            },
            files: files.clone(),
            golden: Vec::new(),
        }
    }

    /// Adds golden samples, with the network's probabilities, to the manifest of a trial.
    fn finished(&self, folder: &Path, trial: &Trial) -> Result<Manifest, TrainError> {
        let dataset = Dataset::load(&self.data, &trial.manifest.input)?;
        let samples: Vec<&Sample> = dataset.samples.iter().collect();
        let mut manifest = trial.manifest.clone();
        save_manifest(folder, &manifest)?;
        let mut model = Model::load_unverified(folder, &openvino())?;
        manifest.golden = Golden::choose(&samples, &trial.scored)?
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

/// The network's results with one encoding.
struct Trial {
    manifest: Manifest,
    scored: Vec<Scored>,
    auroc: f64,
    log_loss: f64,
}

fn try_on(folder: &Path, mut manifest: Manifest, dataset: &Dataset) -> Result<Trial, TrainError> {
    // A manifest needs golden samples; the probability of this one is not known yet.
    let placeholder = Golden::of(&dataset.samples[0], "golden/negative-1.png".into())?;
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
        log_loss: metrics::log_loss(&scored),
        manifest,
        scored,
    })
}

/// OpenVINO, the only engine that runs an IR.
fn openvino() -> EngineConfig {
    EngineConfig {
        choice: EngineChoice::OpenVino,
        ..EngineConfig::default()
    }
}

fn card(manifest: &Manifest, trials: &[Trial]) -> String {
    let mut card = format!("# {} {}\n\n", manifest.name, manifest.version);
    card.push_str(
        "Written by `smearscope-train import`; do not edit.\n\n\
         A third party's network. Neither its training data nor its accuracy is known; its \
         threshold and its inconclusive band are not fitted. The figures below were only used to \
         choose how an image becomes its input.\n\n\
         | channels | resizing | 0 to 255 become | AUROC | log loss |\n|---|---|---|---|---|\n",
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
    use crate::graph::{Graph, ir};

    #[test]
    fn other_files_are_refused() {
        for (xml, problem) in [
            ("<html></html>", "not an OpenVINO IR"),
            ("<net><layers></layers></net>", "0 inputs"),
            ("<net><layers><layer id='0'", "syntax"),
        ] {
            let message = Topology::read(xml).unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
    }

    /// A network like the reference project's: blue first, values from 0 to 1. It is positive where
    /// the mean of blue is above one half.
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

    /// Images whose classes differ in blue but not in red.
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
    fn the_encoding_of_a_third_party_s_input_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        third_party(folder.path());
        draw(&place("data"));
        let import = Import {
            xml: place("theirs.xml"),
            bin: place("theirs.bin"),
            labels: vec!["healthy".into(), "blasts".into()],
            positive_first: false,
            data: Source {
                layout: Layout::Folder,
                root: place("data"),
                positive: vec!["blasts".into()],
                negative: Vec::new(),
                skip_unusable: false,
                limit: None,
            },
            out: Destination {
                folder: place("model"),
                replace: false,
            },
            identity: Identity {
                name: Some("theirs".into()),
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
            positive_first: true,
            out: Destination {
                folder: place("other"),
                replace: false,
            },
            ..import
        };
        let message = swapped.run().unwrap_err().to_string();
        assert!(
            message.contains("no encoding of its input separates"),
            "{message}"
        );
        assert!(!place("other").exists());
    }
}
