//! `smearscope-train fit`: from a folder of images to a model folder.

use image::RgbImage;
use serde_json::Value;
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{
    DecisionRule, EngineChoice, Evaluation, FileEntry, Files, Labels, Manifest, Outputs, SlideRule,
};

use crate::cli;
use crate::dataset::{Basis, Dataset, Provenance, Sample, Source, TestPlan};
use crate::error::TrainError;
use crate::metrics::{self, Judged};
use crate::networks::{EVIDENCE, Network, POSITIVE, PROBABILITY};
use crate::package::destination::Destination;
use crate::package::golden::{self, Golden};
use crate::package::model_package::{self, Agreement, Identity, Package};
use crate::report::card;
use crate::report::cases::Judges;
use crate::report::plots::Measured;
use crate::report::results::{self, Report};
use crate::report::shortcuts::Audit;
use crate::training::checkpoint::{Checkpoints, Description};
use crate::training::device;
use crate::training::domain;
use crate::training::protocol::{Folds, Outcome, Protocol};
use crate::training::train::{self, Plan};

/// Images unmet in training that the export is compared on, beside the golden samples.
const COMPARED: usize = 16;

/// What to train on, how, and where to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    pub(crate) data: Source,
    pub(crate) out: Destination,
    pub(crate) resume: bool,
    pub(crate) protocol: Protocol,
    pub(crate) identity: Identity,
    /// Fewest fields for the verdict on a slide.
    pub(crate) min_fields: u32,
}

impl Job {
    /// Trains, evaluates, exports and proves a model; `--out` appears only when all of it is done.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let contract = self.protocol.plan.architecture.input_contract();
        let mut dataset = Dataset::load(&self.data, &contract)?;
        let split = &self.protocol.split;
        if let TestPlan::Leaky(holdout) = &split.test {
            dataset = dataset.with_variants(holdout.as_ref(), split.seed)?;
        }
        let origin = Origin::of(&dataset);
        let folds = Folds::of(&dataset, split)?;
        let engines = self.rehearse(&dataset, &folds, &origin)?;

        let checkpoints = Checkpoints::open(
            &self.out.folder,
            &self.described(&dataset, &folds),
            self.resume,
        )?;
        let outcome = self.protocol.run(&folds, &checkpoints)?;
        let Outcome {
            network,
            rule,
            predictions,
            judges,
            courses,
        } = &outcome;
        let judged: Vec<Judged> = predictions.iter().map(|item| item.judged).collect();
        let shortcuts = Audit::of(&folds, predictions)?;
        let scored = train::score(network, folds.unmet())?;
        let golden = golden::choose(folds.unmet(), &scored)?;
        let mut manifest = self.describe(&dataset, &origin, &folds, *rule, &judged);
        manifest.evaluation.warnings = self.warnings(&shortcuts);
        let seed = self.protocol.plan.seed;
        manifest.domain = Some(domain::measure(&folds.kept().train, &contract, seed)?);
        let package = Package {
            network,
            golden: &golden,
            manifest,
        };
        let staging = self.out.staging()?;
        let manifest = package.write(staging.path())?;
        let images = comparison_images(folds.unmet(), &golden)?;
        let agreements = engines
            .into_iter()
            .map(|engine| package.compare(staging.path(), engine, &images))
            .collect::<Result<Vec<Agreement>, TrainError>>()?;
        let mut report = Report::of(&manifest, &dataset, predictions);
        report.trainings = results::trainings(courses);
        report.shortcuts = Some(&shortcuts);
        report.trained_on = Some(folds.known(&dataset));
        report.save(staging.path())?;
        let measured = Measured {
            judged: &judged,
            evaluation: &manifest.evaluation,
            labels: &manifest.labels,
            courses,
        };
        measured.plot(staging.path())?;
        let leaky = metrics::leaky_word(&manifest.evaluation.figures);
        Judges(judges).draw_cases(staging.path(), predictions, &manifest.labels, leaky)?;
        let card = card::render(&manifest, &report, &agreements, &self.commands(&origin));
        model_package::save(staging.path(), card::FILE_NAME, card.as_bytes())?;
        self.out.publish(&staging)?;
        checkpoints.remove()?;
        println!(
            "{} {}: {}",
            manifest.name,
            manifest.version,
            self.out.folder.display()
        );
        print!("{report}");
        for agreement in &agreements {
            println!("{agreement}");
        }
        Ok(())
    }

    /// All that decides how trainings go; checkpoints of anything else do not fit.
    fn described(&self, dataset: &Dataset, folds: &Folds) -> Description {
        let Protocol {
            split: rule, plan, ..
        } = &self.protocol;
        let images: Vec<String> = dataset
            .samples
            .iter()
            .map(|sample| format!("{} {} {}\n", sample.sha256, sample.positive, sample.group))
            .collect();
        let digest = |text: &[String]| FileEntry::for_bytes("", text.concat().as_bytes()).sha256;
        // A list of held-out names may be edited under the same name.
        let split: Vec<String> = folds
            .tested()
            .iter()
            .flat_map(|part| {
                part.train
                    .iter()
                    .map(|s| ('t', s))
                    .chain(part.test.iter().map(|s| ('h', s)))
            })
            .map(|(part, sample)| format!("{part} {}\n", sample.sha256))
            .collect();
        let about: [(&str, Value); 13] = [
            ("digest of the split", digest(&split).into()),
            ("trainer", env!("CARGO_PKG_VERSION").into()),
            ("--network", plan.architecture.option().into()),
            ("images", dataset.samples.len().into()),
            ("digest of the images", digest(&images).into()),
            ("test images", rule.test.options().into()),
            ("--validation-share", rule.validation.into()),
            ("--epochs", plan.epochs.into()),
            ("--patience", plan.patience.into()),
            ("--batch-size", plan.batch_size.into()),
            ("--learning-rate", plan.learning_rate.into()),
            ("--device", device::name_of(&plan.device).into()),
            ("--seed", plan.seed.into()),
        ];
        let named = about
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        named.collect()
    }

    /// Exports the untrained network first: whatever is wrong with the output folder, the name or
    /// an engine shows now, and not after hours of training.
    fn rehearse(
        &self,
        dataset: &Dataset,
        folds: &Folds,
        origin: &Origin,
    ) -> Result<Vec<EngineChoice>, TrainError> {
        let Plan {
            architecture,
            seed,
            device,
            ..
        } = &self.protocol.plan;
        let network = Network::begin(*architecture, *seed, device);
        let first = &folds.unmet()[..1];
        let scored = train::score(&network, first)?;
        let golden = golden::choose(first, &scored)?;
        let package = Package {
            network: &network,
            golden: &golden,
            manifest: self.describe(dataset, origin, folds, UNCALIBRATED, &[]),
        };
        let staging = self.out.staging()?;
        package.write(staging.path())?;
        package.usable_engines(staging.path(), &comparison_images(folds.unmet(), &golden)?)
    }

    fn describe(
        &self,
        dataset: &Dataset,
        origin: &Origin,
        folds: &Folds,
        decision: DecisionRule,
        judged: &[Judged],
    ) -> Manifest {
        let &Plan {
            architecture, seed, ..
        } = &self.protocol.plan;
        let positives = judged.iter().filter(|item| item.positive).count();
        let leaky = self.protocol.split.test.is_leaky();
        Manifest {
            format_version: Manifest::FORMAT_VERSION,
            name: self.identity.name.clone(),
            version: self.identity.version.clone(),
            architecture: architecture.name().into(),
            trained_on: format!("{} images: {}", folds.kept().train.len(), origin.trained_on),
            intended_use: "Demonstration of the software. Not for diagnosis or treatment.".into(),
            license: self.identity.license.clone(),
            // Until figures can be trusted to hold for patients unseen, every model is a demo.
            demo: true,
            labels: Labels {
                negative: dataset.negative.clone(),
                positive: dataset.positive.clone(),
                positive_index: POSITIVE,
            },
            input: architecture.input_contract(),
            outputs: Outputs {
                probability: PROBABILITY.into(),
                evidence: Some(EVIDENCE.into()),
            },
            decision,
            slide: SlideRule {
                min_fields: self.min_fields,
                ..SlideRule::default()
            },
            domain: None,
            evaluation: Evaluation {
                dataset: if leaky {
                    format!(
                        "LEAKY: {}, which shares patients with what was trained on",
                        self.data.name()
                    )
                } else {
                    origin.evaluated_on.clone()
                },
                protocol: self.protocol_in_words(folds, origin.basis),
                positives: positives as u32,
                negatives: (judged.len() - positives) as u32,
                figures: metrics::named(metrics::figures(judged), leaky),
                intervals: metrics::named(metrics::intervals(judged, seed), leaky),
                warnings: Vec::new(),
            },
            files: Files {
                ir_xml: None,
                ir_bin: None,
                onnx: None,
            },
            golden: Vec::new(),
        }
    }

    fn warnings(&self, shortcuts: &Audit) -> Vec<String> {
        let leak = self.protocol.split.test.is_leaky().then(|| {
            "These figures are leaky: copies of the test images, or images of the same patients, were \
             trained on. They say nothing about new patients."
                .to_owned()
        });
        let word = if leak.is_some() { "Leaky: " } else { "" };
        let guesses = shortcuts.warnings().into_iter();
        let guesses = guesses.map(|warning| format!("{word}{warning}"));
        leak.into_iter().chain(guesses).collect()
    }

    fn protocol_in_words(&self, folds: &Folds, basis: Basis) -> String {
        let by = basis.in_words();
        let kept = folds.kept();
        let (train, validation) = (kept.train.len(), kept.validation.len());
        if self.protocol.split.test.is_leaky() {
            return format!(
                "LEAKY, for comparison with published figures only: images were varied first and \
                 split at random after that, {train} for training, {validation} to choose epoch and \
                 decision rule, {} for these figures, so that networks were judged on copies of \
                 what they had been trained on, or on patients that they knew.",
                kept.test.len()
            );
        }
        if self.protocol.split.test.is_crossed() {
            format!(
                "Cross-validation in {} folds that part no group, by {by}: every image was judged once, \
                 by a network and a decision rule made of other folds alone. The network of this \
                 folder was trained after that in the same way, on {train} images, with {validation} \
                 more to choose the epoch; no image was left to test it.",
                folds.tested().len()
            )
        } else {
            format!(
                "Images held out by name, split by {by}: {train} for training, {validation} to choose \
                 epoch and decision rule, {} for these figures, used once.",
                kept.test.len()
            )
        }
    }

    /// The commands that make this model again.
    fn commands(&self, origin: &Origin) -> Vec<String> {
        let Protocol {
            split,
            plan,
            requirements,
        } = &self.protocol;
        let fit = format!(
            "smearscope-train fit --network {} --dataset {} --data FIELDS --out MODEL --positive {} {} \
             --validation-share {} --epochs {} --patience {} --batch-size {} --learning-rate {} --device {} --seed {} \
             --sensitivity {} --accuracy {} --min-fields {} --name {} --model-version {} --license {}",
            plan.architecture.option(),
            cli::spelled(&self.data.layout),
            self.data.positive.join(","),
            split.test.options(),
            split.validation,
            plan.epochs,
            plan.patience,
            plan.batch_size,
            plan.learning_rate,
            device::name_of(&plan.device),
            plan.seed,
            requirements.sensitivity,
            requirements.accuracy,
            self.min_fields,
            self.identity.name,
            self.identity.version,
            self.identity.license
        );
        origin.command.iter().cloned().chain([fit]).collect()
    }
}

/// The rule before the temperature is known.
const UNCALIBRATED: DecisionRule = DecisionRule {
    threshold: 0.5,
    inconclusive: [0.2, 0.8],
    temperature: 1.0,
};

/// Where the images come from, in the words of the manifest.
struct Origin {
    trained_on: String,
    evaluated_on: String,
    command: Option<String>,
    /// What held-out images have in common with no other.
    basis: Basis,
}

impl Origin {
    fn of(dataset: &Dataset) -> Self {
        let basis = dataset.groups.basis;
        if let Some(Provenance { origin, command }) = &dataset.provenance {
            return Self {
                trained_on: format!("{origin}. No image of a patient."),
                evaluated_on: format!(
                    "held-out fields of the same kind ({origin}); says nothing about patients"
                ),
                command: Some(command.clone()),
                basis,
            };
        }
        let root = &dataset.root;
        let name = root.file_name().unwrap_or(root.as_os_str());
        let name = name.to_string_lossy();
        Self {
            trained_on: format!("the collection {name}, whose origin this trainer cannot know."),
            evaluated_on: format!(
                "images of the collection {name}, separated by {}",
                basis.in_words()
            ),
            command: None,
            basis,
        }
    }
}

fn comparison_images(unmet: &[&Sample], golden: &[Golden]) -> Result<Vec<RgbImage>, TrainError> {
    let mut images: Vec<RgbImage> = golden.iter().map(|golden| golden.image.clone()).collect();
    for sample in unmet.iter().take(COMPARED) {
        images.push(decode::read(&sample.path, &Limits::default())?);
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use burn::tensor::Device;
    use semver::Version;
    use smearscope_artifacts::{EngineConfig, Model};

    use super::*;
    use crate::dataset::{Layout, SplitPlan};
    use crate::networks::Architecture;
    use crate::synth::Collection;
    use crate::training::calibration::Requirements;

    fn job(folder: &Path) -> Job {
        Job {
            data: Source {
                layout: Layout::Folder,
                root: folder.join("fields"),
                positive: vec!["positive".into()],
            },
            out: Destination {
                folder: folder.join("model"),
                replace: false,
            },
            resume: false,
            protocol: Protocol {
                split: SplitPlan {
                    test: TestPlan::Folds(3),
                    validation: 0.2,
                    seed: 5,
                },
                plan: Plan {
                    architecture: Architecture::tiny(24),
                    epochs: 2,
                    patience: 2,
                    batch_size: 4,
                    learning_rate: 1e-3,
                    varied: true,
                    seed: 5,
                    device: Device::flex(),
                },
                requirements: Requirements {
                    sensitivity: 0.95,
                    accuracy: 0.95,
                },
            },
            min_fields: 1,
            identity: Identity {
                name: "tiny".into(),
                version: Version::new(1, 2, 3),
                license: "MIT".into(),
            },
        }
    }

    fn draw_fields(folder: &Path) {
        Collection {
            out: folder.join("fields"),
            count: 30,
            positive_share: 0.5,
            seed: 21,
            width: 160,
            height: 120,
        }
        .write()
        .unwrap();
    }

    fn files_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn fit_makes_a_model_that_the_appliance_loads() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let job = job(folder.path());
        job.run().unwrap();
        assert_eq!(files_in(folder.path()), ["fields", "model"]);
        assert_eq!(
            files_in(&job.out.folder),
            [
                "MODEL_CARD.md",
                "figures",
                "golden",
                "manifest.toml",
                "model.bin",
                "model.onnx",
                "model.xml",
                "report.json"
            ]
        );

        let config = EngineConfig {
            choice: EngineChoice::Embedded,
            ..EngineConfig::default()
        };
        let model = Model::load(&job.out.folder, &config).unwrap();
        let manifest = model.manifest();
        assert!(manifest.demo);
        assert!(manifest.trained_on.contains("synthetic"));
        assert!(
            manifest
                .evaluation
                .dataset
                .contains("says nothing about patients")
        );
        assert_eq!(
            (manifest.evaluation.positives, manifest.evaluation.negatives),
            (15, 15)
        );
        let protocol = &manifest.evaluation.protocol;
        assert!(protocol.contains("in 3 folds"), "{protocol}");
        let Evaluation {
            figures, intervals, ..
        } = &manifest.evaluation;
        assert!(figures.contains_key("auroc"));
        assert!(figures.keys().eq(intervals.keys()));
        let report = fs::read(job.out.folder.join(results::FILE_NAME)).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["images"].as_array().unwrap().len(), 30);
        let trainings = report["trainings"].as_array().unwrap();
        let names: Vec<&str> = trainings
            .iter()
            .map(|training| training["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3", "model"]
        );
        assert!(model.golden().len() >= 4);
        let card = fs::read_to_string(job.out.folder.join(card::FILE_NAME)).unwrap();
        for name in files_in(&job.out.folder.join("figures")) {
            let (stem, kind) = name.rsplit_once('.').unwrap();
            let link = format!("](figures/{stem}.png)");
            assert!(
                ["png", "svg"].contains(&kind) && card.contains(&link),
                "{name}"
            );
        }
        assert_eq!(files_in(&job.out.folder.join("figures")).len(), 11);
        assert!(
            card.contains("not for diagnosis") && card.contains("synth --out FIELDS --count 30")
        );
    }

    #[test]
    fn the_network_of_a_fold_is_the_one_that_judged_its_images() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let job = job(folder.path());
        let architecture = job.protocol.plan.architecture;
        let dataset = Dataset::load(&job.data, &architecture.input_contract()).unwrap();
        let folds = Folds::of(&dataset, &job.protocol.split).unwrap();
        let checkpoints = Checkpoints::open(&job.out.folder, &Description::new(), false).unwrap();
        let outcome = job.protocol.run(&folds, &checkpoints).unwrap();
        assert_eq!(outcome.judges.len(), 3);
        for (number, judge) in (1..).zip(&outcome.judges) {
            let of_fold = || {
                outcome
                    .predictions
                    .iter()
                    .filter(|item| item.fold == number)
            };
            let samples: Vec<&Sample> = of_fold().map(|item| item.sample).collect();
            let scored = train::score(judge, &samples).unwrap();
            // A rule divides all margins by its temperature.
            let temperatures = scored
                .iter()
                .zip(of_fold())
                .map(|(scored, item)| scored.margin / item.judged.logit);
            let low = temperatures.clone().fold(f32::INFINITY, f32::min);
            let high = temperatures.fold(f32::NEG_INFINITY, f32::max);
            assert!(high - low < 1e-3 * high, "{low} {high}");
        }
    }

    #[test]
    fn an_existing_folder_is_replaced_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = job(folder.path());
        fs::create_dir(&job.out.folder).unwrap();
        let refused = |job: &Job| match job.run().unwrap_err() {
            TrainError::Output { source, .. } => source.to_string(),
            other => panic!("{other}"),
        };
        assert!(refused(&job).contains("--replace"));
        job.out.replace = true;
        assert!(refused(&job).contains("no model folder"));
        fs::write(job.out.folder.join(Manifest::FILE_NAME), "old").unwrap();
        draw_fields(folder.path());
        job.run().unwrap();
        assert_ne!(
            fs::read(job.out.folder.join(Manifest::FILE_NAME)).unwrap(),
            b"old"
        );
        assert_eq!(files_in(folder.path()), ["fields", "model"]);
    }

    #[test]
    fn an_export_of_other_weights_is_caught() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let job = job(folder.path());
        let architecture = job.protocol.plan.architecture;
        let dataset = Dataset::load(&job.data, &architecture.input_contract()).unwrap();
        let origin = Origin::of(&dataset);
        let folds = Folds::of(&dataset, &job.protocol.split).unwrap();
        let networks = [1, 2].map(|seed| Network::begin(architecture, seed, &Device::flex()));
        let scored = train::score(&networks[0], folds.unmet()).unwrap();
        let golden = golden::choose(folds.unmet(), &scored).unwrap();
        let [written, other] = [&networks[0], &networks[1]].map(|network| Package {
            network,
            golden: &golden,
            manifest: job.describe(&dataset, &origin, &folds, UNCALIBRATED, &[]),
        });
        let images = comparison_images(folds.unmet(), &golden).unwrap();
        written.write(folder.path()).unwrap();
        let embedded = EngineChoice::Embedded;
        written.compare(folder.path(), embedded, &images).unwrap();
        let error = other.compare(folder.path(), embedded, &images).unwrap_err();
        assert!(matches!(error, TrainError::Export { .. }), "{error}");
    }

    #[test]
    fn an_impossible_name_is_refused_before_training() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let mut job = job(folder.path());
        job.identity.name = "No Spaces".into();
        assert!(job.run().unwrap_err().to_string().contains("name"));
        assert_eq!(files_in(folder.path()), ["fields"]);
    }
}
