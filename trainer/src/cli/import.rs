//! `smearscope-train import`: a third party's network as a model folder.
//!
//! A network's file does not say how an image becomes its input: whether red or blue comes first, and how
//! values are scaled. Unless the user states it, every common reading is tried on labelled images, and the
//! one that is right on clearly more of them than all others is written into the manifest. The reference
//! project itself normalised in three ways: in training, in testing and on the stick.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use image::RgbImage;
use log::info;
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{
    ArtifactError, EngineChoice, EngineConfig, Evaluation, FieldModel, FieldOutputs, Files,
    GoldenSample, InputContract, Labels, Layout, Manifest, Model, SlideRule, is_image_path,
};
use walkdir::WalkDir;

use crate::arguments;
use crate::dataset::{Dataset, Sample, Source};
use crate::error::TrainError;
use crate::graph::foreign::ir::ForeignIr;
use crate::graph::foreign::onnx::ForeignOnnx;
use crate::graph::foreign::{Adaptation, PROBABILITY, Wanted};
use crate::metrics::Scored;
use crate::package::{
    self, Destination, GOLDEN_TOLERANCE, Golden, IR_BIN, IR_XML, Identity, ONNX, UNCALIBRATED,
    save_manifest,
};
use crate::reading::{Stated, Trial, Trials};
use crate::report::CARD_FILE;
use crate::stdout;
use crate::synth;

/// For networks with one three-channel image as input and a softmax, or logits, over two classes as output, such
/// as the reference project's. No file says how an image becomes the input (channel order, scaling of values,
/// resizing). State it with --channels and --scale; or give --data, some ten or more images of each class, on which
/// all common readings are tried. Batches and sizes that are not fixed become fixed, and inputs of 16 or 8 bits
/// are converted.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(mut_arg("root", |data| {
    data.required(false)
        .help("Labelled images that show how an image becomes the input: a folder, or the CSV file that lists them")
}))]
pub(crate) struct Import {
    /// Topology of an OpenVINO IR
    #[arg(long, value_name = "FILE", required_unless_present = "onnx")]
    xml: Option<PathBuf>,
    /// Weights of the IR; beside the topology if not given
    #[arg(long, value_name = "FILE", requires = "xml")]
    bin: Option<PathBuf>,
    /// An ONNX file instead of an IR; it runs on the embedded engine
    #[arg(long, value_name = "FILE", conflicts_with = "xml")]
    onnx: Option<PathBuf>,
    /// Position of the output with the probabilities, from 1, if there are several
    #[arg(long, value_name = "POSITION")]
    output: Option<usize>,
    /// The output holds logits: append a softmax
    #[arg(long)]
    logits: bool,
    /// Order of the input's axes, if its shape does not say it
    #[arg(long = "layout", value_enum)]
    axes: Option<Layout>,
    /// Size of the input in pixels, if it is not fixed
    #[arg(long, value_parser = arguments::size, value_name = "WIDTHxHEIGHT")]
    size: Option<(u32, u32)>,
    /// Names of the two classes, in the order of the output
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "negative,positive",
        value_name = "FIRST,SECOND"
    )]
    labels: Vec<String>,
    /// The first class is the positive one, not the second
    #[arg(long)]
    positive_first: bool,
    #[command(flatten)]
    stated: Stated,
    #[command(flatten)]
    data: Option<Source>,
    /// Images for the golden samples of a stated reading; drawn ones if neither this nor --data is given
    #[arg(long, value_name = "FOLDER", conflicts_with = "root")]
    golden: Option<PathBuf>,
    #[command(flatten)]
    out: Destination,
    #[command(flatten)]
    identity: Identity,
}

/// Golden samples of a reading that was not tried on images.
const GOLDEN_SAMPLES: usize = 6;
/// Size of drawn golden samples in pixels.
const DRAWN_SIZE: (usize, usize) = (224, 168);

/// A network whose input and output are those of a model folder.
struct Adapted {
    adaptation: Adaptation,
    /// Name of its output.
    output: String,
    /// Whether its input took whole numbers.
    takes_integers: bool,
    files: Files,
    engine: EngineChoice,
}

impl Import {
    /// Adapts the network and makes a model folder of it.
    ///
    /// # Errors
    /// [`TrainError::Network`] if the network does not map one image to two probabilities, if more must be
    /// stated, or if no reading of its input is clearly right; [`TrainError::Data`], [`TrainError::Artifact`]
    /// and [`TrainError::Output`] for images, engine and folder.
    pub(super) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        if !matches!(&self.labels[..], [first, second] if first != second) {
            return Err(self.refuse(format!(
                "`{}` is not a pair of names for the two classes; give two, as in --labels healthy,leukemia",
                self.labels.join(",")
            )));
        }
        let staging = self.out.staging()?;
        let card = self
            .make(staging.path())
            .map_err(|error| self.in_words_of_options(error))?;
        self.out.publish(&staging)?;
        stdout::print(card);
        Ok(())
    }

    /// Makes the model in a folder; returns its card.
    fn make(&self, folder: &Path) -> Result<String, TrainError> {
        let network = self.adapt(folder)?;
        let encodings = self
            .stated
            .encodings(network.takes_integers)
            .map_err(|problem| self.refuse(problem))?;
        let filters = self.stated.filters();
        let card = match (&self.data, &encodings[..]) {
            (Some(data), _) => {
                let (mut trials, mut failure) = (Vec::new(), None);
                for filter in filters {
                    let contracts: Vec<InputContract> = encodings
                        .iter()
                        .map(|encoding| encoding.contract(&network.adaptation, filter))
                        .collect();
                    let dataset = Dataset::load(data, &contracts[0])?;
                    for contract in contracts {
                        match self.try_on(folder, &network, contract, &dataset) {
                            Ok(trial) => trials.push(trial),
                            // Values other than those that it was trained on may overflow.
                            Err(error @ TrainError::Artifact(ArtifactError::Inference { .. })) => {
                                failure = Some(error);
                            }
                            Err(error) => return Err(error),
                        }
                    }
                }
                if let Some(error) = failure.filter(|_| trials.is_empty()) {
                    return Err(error);
                }
                let trials = Trials::new(trials);
                let right = trials.right().map_err(|problem| self.refuse(problem))?;
                let golden = golden_of(data, right)?;
                let manifest = self.finish(folder, &network, &right.contract, &golden)?;
                card(&manifest, &trials.to_string())
            }
            (None, [stated]) => {
                let contract = stated.contract(&network.adaptation, filters[0]);
                let golden = self.unlabelled_golden()?;
                let manifest = self.finish(folder, &network, &contract, &golden)?;
                card(&manifest, "")
            }
            (None, _) => {
                return Err(self.refuse(
                    "no file says how an image becomes its input: state it with --channels and --scale (and, \
                     where they are used, --mean and --std), or give labelled images with --data"
                        .into(),
                ));
            }
        };
        package::save(folder, CARD_FILE, card.as_bytes())?;
        // Loads it as the appliance does, which checks the golden samples.
        Model::load(folder, &config(network.engine))?;
        Ok(card)
    }

    /// The file that describes the network.
    fn source(&self) -> &Path {
        let source = self.onnx.as_ref().or(self.xml.as_ref());
        source.map_or(Path::new(""), PathBuf::as_path)
    }

    fn refuse(&self, problem: String) -> TrainError {
        TrainError::Network {
            path: self.source().into(),
            problem,
        }
    }

    /// Writes the adapted network into a folder.
    fn adapt(&self, folder: &Path) -> Result<Adapted, TrainError> {
        let refuse = |problem| self.refuse(problem);
        let read =
            |path: &Path| fs::read(path).map_err(|error| TrainError::unreadable(path, &error));
        let source = read(self.source())?;
        let wanted = Wanted {
            output: self.output,
            layout: self.axes,
            size: self.size,
            logits: self.logits,
        };
        let network = if self.onnx.is_some() {
            let network = ForeignOnnx::read(&source).map_err(refuse)?;
            let adaptation = network.topology.adapt(&wanted).map_err(refuse)?;
            let (onnx, output) = network.adapted(&adaptation).map_err(refuse)?;
            Adapted {
                adaptation,
                output,
                takes_integers: network.topology.element().is_integer(),
                files: Files {
                    ir_xml: None,
                    ir_bin: None,
                    onnx: Some(package::save(folder, ONNX, &onnx)?),
                },
                engine: EngineChoice::Embedded,
            }
        } else {
            let beside = || self.source().with_extension("bin");
            let bin = read(&self.bin.clone().unwrap_or_else(beside))?;
            let xml = str::from_utf8(&source)
                .map_err(|_| refuse("it is not an OpenVINO IR: it is not UTF-8 text".into()))?;
            let network = ForeignIr::read(xml).map_err(refuse)?;
            let adaptation = network.topology.adapt(&wanted).map_err(refuse)?;
            let xml = network.adapted(&adaptation).map_err(refuse)?;
            Adapted {
                adaptation,
                output: PROBABILITY.into(),
                takes_integers: network.topology.element().is_integer(),
                files: Files {
                    ir_xml: Some(package::save(folder, IR_XML, &xml)?),
                    ir_bin: Some(package::save(folder, IR_BIN, &bin)?),
                    onnx: None,
                },
                engine: EngineChoice::OpenVino,
            }
        };
        let Adaptation { width, height, .. } = network.adaptation;
        info!("input: one image of {width} × {height} pixels");
        Ok(network)
    }

    /// Index of the positive class in the output.
    fn positive_index(&self) -> usize {
        usize::from(!self.positive_first)
    }

    /// A manifest without golden samples.
    fn manifest(&self, network: &Adapted, input: InputContract) -> Manifest<FieldModel> {
        let label = |index: usize| self.labels.get(index).cloned().unwrap_or_default();
        let protocol = if self.data.is_some() {
            "Not evaluated: the available images chose the reading of the input."
        } else {
            "Not evaluated: the reading of the input was stated, and no labelled images were seen."
        };
        let mut warnings = vec![
            "It is not known what this network was trained on; its threshold is not fitted.".into(),
        ];
        if self.data.is_none() {
            warnings.push(
                "How an image becomes the input was stated by hand, not measured; if that is wrong, so are the verdicts."
                    .into(),
            );
        }
        Manifest {
            format_version: Manifest::FORMAT_VERSION,
            name: self.identity.name(&self.out.folder),
            version: self.identity.version.clone(),
            architecture: "imported".into(),
            trained_on: "Unknown: a third party's network.".into(),
            intended_use: "Research. Not for diagnosis or treatment.".into(),
            license: self.identity.license.clone(),
            demo: true,
            model: FieldModel {
                labels: Labels {
                    negative: label(1 - self.positive_index()),
                    positive: label(self.positive_index()),
                    positive_index: self.positive_index(),
                },
                input,
                outputs: FieldOutputs {
                    probability: network.output.clone(),
                    evidence: None,
                },
                decision: UNCALIBRATED,
                slide: SlideRule::default(),
                domain: None,
                files: network.files.clone(),
                golden: Vec::new(),
            },
            evaluation: Evaluation {
                dataset: "none".into(),
                protocol: format!(
                    "{protocol} `smearscope-train evaluate` evaluates it on labelled images."
                ),
                positives: 0,
                negatives: 0,
                figures: BTreeMap::new(),
                intervals: BTreeMap::new(),
                warnings,
            },
        }
    }

    /// Runs the network with one reading.
    fn try_on(
        &self,
        folder: &Path,
        network: &Adapted,
        contract: InputContract,
        dataset: &Dataset,
    ) -> Result<Trial, TrainError> {
        let mut manifest = self.manifest(network, contract);
        // A manifest needs golden samples; the probability of this one is not known yet.
        let image = decode::read(&dataset.samples[0].path, &Limits::default())?;
        let placeholder = Golden::of(&image, "golden/negative-1.png".into())?;
        let mut model = Self::start(folder, network, &mut manifest, &[placeholder])?;
        let scored = dataset.samples.iter().map(|sample| {
            Ok(Scored {
                margin: model.infer(&sample.input)?.margin,
                positive: sample.positive,
                group: sample.group,
            })
        });
        let scored = scored.collect::<Result<_, TrainError>>()?;
        Ok(Trial::new(manifest.model.input, scored))
    }

    /// Writes the manifest, with golden samples of unknown probabilities, and starts the model.
    fn start(
        folder: &Path,
        network: &Adapted,
        manifest: &mut Manifest<FieldModel>,
        golden: &[Golden],
    ) -> Result<Model, TrainError> {
        manifest.model.golden = golden
            .iter()
            .map(|golden| {
                Ok(GoldenSample {
                    image: package::save(folder, &golden.path, &golden.png)?,
                    probability: 0.5,
                    tolerance: GOLDEN_TOLERANCE,
                })
            })
            .collect::<Result<_, TrainError>>()?;
        save_manifest(folder, manifest)?;
        Ok(Model::load_unverified(folder, &config(network.engine))?)
    }

    /// Writes the manifest with golden samples and the network's probabilities for them.
    fn finish(
        &self,
        folder: &Path,
        network: &Adapted,
        contract: &InputContract,
        golden: &[Golden],
    ) -> Result<Manifest<FieldModel>, TrainError> {
        let mut manifest = self.manifest(network, contract.clone());
        let mut model = Self::start(folder, network, &mut manifest, golden)?;
        for (sample, golden) in manifest.model.golden.iter_mut().zip(golden) {
            sample.probability = model.infer(&golden.image)?.probability;
        }
        save_manifest(folder, &manifest)?;
        Ok(manifest)
    }

    /// Golden samples of `--golden`, or drawn ones.
    fn unlabelled_golden(&self) -> Result<Vec<Golden>, TrainError> {
        let images: Vec<RgbImage> = match &self.golden {
            None => (0..GOLDEN_SAMPLES as u64)
                .map(|index| synth::example_field(index, DRAWN_SIZE.0, DRAWN_SIZE.1))
                .collect(),
            Some(folder) => {
                let files = WalkDir::new(folder).sort_by_file_name();
                let files: Vec<PathBuf> = files
                    .into_iter()
                    .map(|entry| entry.map(walkdir::DirEntry::into_path))
                    .collect::<Result<_, _>>()
                    .map_err(|error| TrainError::unreadable(folder, &error))?;
                let images: Vec<PathBuf> = files
                    .into_iter()
                    .filter(|path| is_image_path(path))
                    .collect();
                if images.is_empty() {
                    let problem = "it has no images for golden samples";
                    return Err(TrainError::data(
                        folder,
                        problem,
                        "name another folder with --golden",
                    ));
                }
                let count = images.len().min(GOLDEN_SAMPLES);
                (0..count)
                    .map(|index| {
                        decode::read(&images[index * images.len() / count], &Limits::default())
                    })
                    .collect::<Result<_, ArtifactError>>()?
            }
        };
        let named = images.iter().enumerate();
        named
            .map(|(index, image)| Golden::of(image, format!("golden/sample-{}.png", index + 1)))
            .collect()
    }

    /// An error of a manifest that the user did not write, by the option or the part of the network that is
    /// its cause.
    fn in_words_of_options(&self, error: TrainError) -> TrainError {
        let (field, problem) = match error {
            TrainError::Artifact(ArtifactError::Manifest { field, problem, .. }) => {
                (field, problem)
            }
            // An operator that only OpenVINO knows, for example.
            TrainError::Artifact(ArtifactError::Engine { problem, .. }) if self.onnx.is_some() => {
                return self.refuse(format!(
                    "{problem}; convert it to an IR with OpenVINO's `ovc FILE`, and give that with --xml"
                ));
            }
            other => return other,
        };
        let part = match field.as_str() {
            "name" => "--name",
            "license" => "--license",
            field if field.starts_with("labels") => "--labels",
            field if field.starts_with("input") => "its input",
            field if field.starts_with("outputs") => "its output",
            field => field,
        };
        self.refuse(format!("{part}: {problem}"))
    }
}

/// The golden samples of labelled images.
fn golden_of(data: &Source, trial: &Trial) -> Result<Vec<Golden>, TrainError> {
    let dataset = Dataset::load(data, &trial.contract)?;
    let samples: Vec<&Sample> = dataset.samples.iter().collect();
    Golden::choose(&samples, &trial.scored)
}

fn config(choice: EngineChoice) -> EngineConfig {
    EngineConfig {
        choice,
        ..EngineConfig::default()
    }
}

/// The model's card. `trials` is the table of readings that were tried, if any were.
fn card(manifest: &Manifest<FieldModel>, trials: &str) -> String {
    let Manifest { name, version, .. } = manifest;
    let reading = if trials.is_empty() {
        "How an image becomes its input was stated on the command line, not measured. No decision was measured, \
         either: no labelled image was seen.\n"
            .into()
    } else {
        format!(
            "The figures below were only used to choose how an image becomes its input; the first reading was \
             chosen.\n\n{trials}"
        )
    };
    format!(
        "# {name} {version}\n\n\
         Written by `smearscope-train import`; do not edit.\n\n\
         A third party's network. Neither its training data nor its accuracy is known; its \
         threshold and its inconclusive band are not fitted. {reading}"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use image::Rgb;
    use smearscope_artifacts::{ChannelOrder, ResizeFilter, testing};

    use super::*;
    use crate::graph::{Graph, ir, onnx};
    use crate::testing::python;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        import: Import,
    }

    /// Imports a network of this folder into its folder `out`.
    fn import(folder: &Path, options: &str) -> Result<Model, TrainError> {
        let place = |word: &str| match word.strip_prefix("./") {
            Some(name) => folder.join(name).display().to_string(),
            None => word.to_owned(),
        };
        let line = format!("import --out ./out --replace {options}");
        let import = Line::try_parse_from(line.split(' ').map(place))
            .unwrap()
            .import;
        import.run()?;
        let engine = match &import.onnx {
            Some(_) => EngineChoice::Embedded,
            None => EngineChoice::OpenVino,
        };
        Ok(Model::load(&import.out.folder, &config(engine))?)
    }

    fn refusal(folder: &Path, options: &str) -> String {
        fs::remove_dir_all(folder.join("out")).ok();
        let message = import(folder, options).unwrap_err().to_string();
        assert!(!folder.join("out").exists(), "{message}");
        assert!(!message.contains("manifest"), "{message}");
        message
    }

    /// A network that is positive where 20 × the mean of a channel of its input is above 10, as IR and ONNX.
    fn write_network(folder: &Path, channel: usize) {
        write_scaled_network(folder, channel, 20.0);
    }

    /// A network that is positive where the mean of a channel of its input is above 0.5.
    fn write_scaled_network(folder: &Path, channel: usize, factor: f32) {
        let mut graph = Graph::default();
        let image = graph.parameter("input", &[1, 3, 40, 40]);
        let mean = graph.global_average_pool("mean", image);
        let flat = graph.reshape("flat", mean, &[1, 3]);
        let mut weights = vec![0.0; 6];
        weights[2 * channel + 1] = factor;
        // A name that the adapted network must not use for its input.
        let weight = graph.weights("image", &[3, 2], weights);
        let bias = graph.weights("bias", &[1, 2], vec![0.0, -factor / 2.0]);
        let product = graph.mat_mul("product", flat, weight);
        let logits = graph.add("logits", product, bias);
        let softmax = graph.softmax("their_softmax", logits);
        graph.result(softmax);
        let ir = ir::write(&graph, "theirs").unwrap();
        fs::write(folder.join("theirs.xml"), ir.xml).unwrap();
        fs::write(folder.join("theirs.bin"), ir.bin).unwrap();
        let onnx = onnx::write(&graph, "theirs").unwrap();
        fs::write(folder.join("theirs.onnx"), onnx).unwrap();
    }

    /// Plain images whose blue is that of `levels`, in the class of those above the threshold; red takes the
    /// same values in another order.
    fn draw(folder: &Path, levels: &[u8], threshold: f32) {
        for (index, &blue) in levels.iter().enumerate() {
            let class = ["healthy", "blasts"][usize::from(f32::from(blue) > threshold)];
            let folder = folder.join("data").join(class);
            fs::create_dir_all(&folder).unwrap();
            let red = levels[index * 7 % levels.len()];
            RgbImage::from_pixel(60, 40, Rgb([red, 90, blue]))
                .save(folder.join(format!("{index}.png")))
                .unwrap();
        }
    }

    /// Around the thresholds of all common readings of [`write_network`].
    const LEVELS: [u8; 18] = [
        88, 96, 106, 110, 114, 118, 122, 128, 129, 130, 131, 132, 140, 150, 170, 180, 185, 190,
    ];
    const DATA: &str = "--labels healthy,blasts --data ./data --positive blasts";

    #[test]
    fn the_reading_of_an_input_is_found() {
        let folder = tempfile::tempdir().unwrap();
        // Blue first, values from 0 to 1: the limit is at 127.5.
        write_network(folder.path(), 0);
        draw(folder.path(), &LEVELS, 127.5);
        let mut model = import(folder.path(), &format!("--onnx ./theirs.onnx {DATA}")).unwrap();
        let manifest = model.manifest();
        let InputContract {
            channels,
            scale,
            mean,
            ..
        } = manifest.model.input;
        assert_eq!(
            (channels, scale, mean),
            (ChannelOrder::Bgr, 1.0 / 255.0, [0.0; 3])
        );
        assert_eq!(manifest.model.labels.positive, "blasts");
        assert!(!manifest.model.decision.is_calibrated());
        // 20 × 0.8 − 10.
        let blue = RgbImage::from_pixel(50, 50, Rgb([0, 0, 204]));
        let margin = model.infer(&blue).unwrap().margin;
        assert!((margin - 6.0).abs() < 1e-2, "{margin}");

        let swapped = format!("--onnx ./theirs.onnx --positive-first {DATA}");
        let message = refusal(folder.path(), &swapped);
        assert!(
            message.contains("no reading of its input separates"),
            "{message}"
        );
    }

    #[test]
    fn networks_trained_on_imagenet_s_values_are_read_as_such() {
        let folder = tempfile::tempdir().unwrap();
        // Red first; (b / 255 − 0.406) / 0.225 is 0.5 at 132.2.
        write_network(folder.path(), 2);
        draw(folder.path(), &LEVELS, 132.2);
        let model = import(folder.path(), &format!("--onnx ./theirs.onnx {DATA}")).unwrap();
        let InputContract {
            channels,
            mean,
            std,
            ..
        } = model.manifest().model.input;
        assert_eq!(channels, ChannelOrder::Rgb);
        assert_eq!((mean, std), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]));
    }

    #[test]
    fn a_reading_whose_values_overflow_does_not_end_the_import() {
        let folder = tempfile::tempdir().unwrap();
        // Finite for values up to 2 only; (b / 255 − 0.406) / 0.225 is 0.5 at 132.2.
        write_scaled_network(folder.path(), 2, 1e38);
        draw(folder.path(), &LEVELS, 132.2);
        let model = import(folder.path(), &format!("--onnx ./theirs.onnx {DATA}")).unwrap();
        let mean = model.manifest().model.input.mean.map(f32::to_bits);
        assert_eq!(mean, [0.485_f32, 0.456, 0.406].map(f32::to_bits));
    }

    #[test]
    fn a_reading_that_the_images_do_not_show_is_stated() {
        let folder = tempfile::tempdir().unwrap();
        write_network(folder.path(), 0);
        // All readings with blue first are right about these.
        draw(
            folder.path(),
            &[20, 30, 40, 50, 60, 70, 200, 210, 220, 230, 240, 250],
            127.5,
        );
        let message = refusal(folder.path(), &format!("--onnx ./theirs.onnx {DATA}"));
        assert!(
            message.contains("more readings are right on about as many"),
            "{message}"
        );
        assert!(
            message.contains("| bgr | 1/255 | 0.406,0.456,0.485 |"),
            "{message}"
        );
        let message = refusal(folder.path(), "--onnx ./theirs.onnx");
        assert!(
            message.contains("--channels") && message.contains("--data"),
            "{message}"
        );

        let stated = "--onnx ./theirs.onnx --channels bgr --scale 1/255";
        for (options, reading, golden) in [
            (DATA, "| bgr | 1/255 | 0 | 1 |", "golden/positive-3.png"),
            (
                "--golden ./data",
                "stated on the command line",
                "golden/sample-6.png",
            ),
            ("", "no labelled image was seen", "golden/sample-6.png"),
        ] {
            let line = format!("{stated} {options}");
            let model = import(folder.path(), line.trim_end()).unwrap();
            assert_eq!(model.golden().len(), 6);
            assert_eq!(model.golden()[5].image, Path::new(golden));
            let evaluation = &model.manifest().evaluation;
            assert!(evaluation.figures.is_empty() && evaluation.positives == 0);
            let card = fs::read_to_string(folder.path().join("out").join(CARD_FILE)).unwrap();
            assert!(card.contains(reading), "{card}");
        }
        let more = "--mean 0.5 --std 0.25,0.5,1 --resize bilinear";
        let model = import(folder.path(), &format!("{stated} {more}")).unwrap();
        let input = &model.manifest().model.input;
        assert_eq!((input.mean, input.std), ([0.5; 3], [0.25, 0.5, 1.0]));
        assert_eq!(input.resize, ResizeFilter::Bilinear);
    }

    #[test]
    fn problems_are_told_in_the_words_of_the_options() {
        let folder = tempfile::tempdir().unwrap();
        write_network(folder.path(), 0);
        let stated = "--onnx ./theirs.onnx --channels bgr --scale 1";
        for (options, part) in [
            ("--name Their_Model", "--name: "),
            ("--labels a,a", "--labels"),
            ("--labels a,b,c", "--labels"),
            ("--size 50x40", "--size"),
            ("--layout nhwc", "--layout"),
            ("--output 2", "no output 2"),
            ("--logits", "already"),
        ] {
            let message = refusal(folder.path(), &format!("{stated} {options}"));
            assert!(message.contains("theirs.onnx"), "{message}");
            assert!(message.contains(part), "{part}: {message}");
        }
        fs::write(folder.path().join("theirs.onnx"), b"\x0a\xff\xff").unwrap();
        let message = refusal(folder.path(), stated);
        assert!(message.contains("not an ONNX file"), "{message}");
    }

    #[test]
    fn networks_of_other_programs_are_adapted() {
        let folder = tempfile::tempdir().unwrap();
        if python("foreign_networks.py", &folder.path().display().to_string()).is_none() {
            return;
        }
        let floats = "--channels bgr --scale 1/255";
        let blue = RgbImage::from_pixel(50, 50, Rgb([0, 0, 204]));
        for (network, options) in [
            ("--onnx ./dynamic.onnx --size 48x32", floats),
            ("--onnx ./bytes.onnx", "--channels bgr"),
            ("--onnx ./half.onnx --logits", floats),
            ("--xml ./named.xml", floats),
            ("--xml ./unnamed.xml", floats),
            ("--xml ./dynamic.xml --size 48x32", floats),
            ("--xml ./unknown.xml --size 48x32 --layout nhwc", floats),
            ("--xml ./bytes.xml", "--channels bgr"),
            ("--xml ./half.xml", floats),
            ("--xml ./logits.xml --logits", floats),
            ("--xml ./several.xml --output 2", floats),
        ] {
            let mut model = match import(folder.path(), &format!("{network} {options}")) {
                Err(TrainError::Artifact(error @ ArtifactError::Engine { .. })) => {
                    testing::skip(error);
                    return;
                }
                outcome => outcome.unwrap_or_else(|error| panic!("{network}: {error}")),
            };
            // 20 × 0.8 − 10, in eleven bits.
            let margin = model.infer(&blue).unwrap().margin;
            assert!((margin - 6.0).abs() < 0.3, "{network}: {margin}");
        }
        let message = refusal(folder.path(), &format!("--xml ./several.xml {floats}"));
        assert!(
            message.contains("1: ReduceMean") && message.contains("2: SoftMax"),
            "{message}"
        );
        let message = refusal(folder.path(), &format!("--xml ./dynamic.xml {floats}"));
        assert!(message.contains("--size"), "{message}");
    }
}
