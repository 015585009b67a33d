//! From labelled fields to a folder of a model for whole fields.

use image::RgbImage;
use serde_json::Value;
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{EngineChoice, FileEntry};

use crate::arguments;
use crate::audit::Audit;
use crate::dataset::{Dataset, Origin, Sample, Source, SplitPlan, TestPlan};
use crate::error::TrainError;
use crate::interruption;
use crate::metrics::{self, Judged};
use crate::networks::Network;
use crate::package::{self, Agreement, Destination, Golden, Identity, ModelPackage, UNCALIBRATED};
use crate::report::{self, CARD_FILE, Description, FoldNetworks, Measured, Report, render_card};
use crate::stdout;
use crate::training::{
    Checkpoints, Folds, JobDescription, Outcome, Plan, Protocol, Targets, device_name,
    measure_domain, score,
};

/// Number of held-out images that the export is compared on, beside the golden samples.
const COMPARED: usize = 16;

/// The training of a model for whole fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FitField {
    pub(super) data: Source,
    pub(super) out: Destination,
    /// Whether an interrupted training is continued.
    pub(super) resume: bool,
    pub(super) plan: Plan,
    pub(super) split: SplitPlan,
    pub(super) targets: Targets,
    /// Smallest number of fields of view for the verdict on a slide.
    pub(super) min_fields: u32,
    pub(super) identity: Identity,
}

impl FitField {
    /// Trains, evaluates, exports and verifies a model. `--out` is created only when all of that is
    /// done.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let seed = self.plan.seed;
        let contract = self.plan.architecture().input_contract();
        let mut dataset = Dataset::load(&self.data, &contract)?;
        if let Some(masks) = &self.plan.evidence.masks {
            dataset = dataset.with_masks(masks, &contract)?;
        }
        if let TestPlan::Leaky(holdout) = &self.split.test {
            dataset = dataset.with_published_copies(holdout.as_ref(), seed)?;
        }
        let origin = Origin::of(&dataset);
        let folds = Folds::of(&dataset, &self.split, seed)?;
        let description = self.description(&dataset, &origin, &folds);
        let engines = self.dry_run_export(&description)?;

        let checkpoints = Checkpoints::open(
            &self.out.folder,
            &self.job_description(&dataset, &folds),
            self.resume,
        )?;
        interruption::advise_to_resume();
        let outcome = self.protocol().run(&folds, &checkpoints)?;
        let Outcome {
            network,
            rule,
            predictions,
            fold_networks,
            histories,
        } = &outcome;
        let judged: Vec<Judged> = predictions.iter().map(|item| item.judged).collect();
        let shortcuts = Audit::of(&folds, predictions)?;
        let scored = score(network, folds.held_out())?;
        let golden = Golden::choose(folds.held_out(), &scored)?;
        let mut manifest = description.manifest(*rule, &judged);
        let warning = description.shortcut_warning(&shortcuts);
        manifest.evaluation.warnings.extend(warning);
        manifest.model.domain = Some(measure_domain(&folds.kept().train, &contract, seed)?);
        let package = ModelPackage {
            network,
            golden: &golden,
            manifest,
        };
        let staging = self.out.staging()?;
        let manifest = package.write(staging.path())?;
        let images = comparison_images(folds.held_out(), &golden)?;
        let agreements = engines
            .into_iter()
            .map(|engine| package.compare(staging.path(), engine, &images))
            .collect::<Result<Vec<Agreement>, TrainError>>()?;
        let mut report = Report::of(&manifest, &dataset, predictions);
        report.trainings = report::trainings(histories);
        report.evidence = outcome.evidence()?;
        report.shortcuts = Some(&shortcuts);
        report.trained_on = Some(folds.trained_on(&dataset));
        let describe = || {
            let card = render_card(&manifest, &report, &agreements, &self.commands(&origin));
            package::save(staging.path(), CARD_FILE, card.as_bytes())?;
            report.save(staging.path())?;
            let leaky = self.split.test.is_leaky();
            report::save_training_log(histories, leaky, staging.path())?;
            let measured = Measured {
                judged: &judged,
                evaluation: &manifest.evaluation,
                labels: &manifest.model.labels,
                histories,
            };
            report::write_plots(&measured, staging.path())?;
            let leaky = metrics::leaky_prefix(&manifest.evaluation.figures);
            FoldNetworks(fold_networks).draw_cases(
                staging.path(),
                predictions,
                &manifest.model.labels,
                leaky,
            )
        };
        // The model is verified: it is kept even where its description cannot be written.
        let described = describe();
        self.out.publish(&staging)?;
        checkpoints.remove()?;
        described.map_err(|error| TrainError::Report {
            path: self.out.folder.clone(),
            source: error.into(),
        })?;
        stdout::print(format_args!(
            "{} {}: {}\n{report}",
            manifest.name,
            manifest.version,
            self.out.folder.display()
        ));
        for agreement in &agreements {
            stdout::print(format_args!("{agreement}\n"));
        }
        Ok(())
    }

    fn protocol(&self) -> Protocol<'_> {
        Protocol {
            plan: &self.plan,
            leaky: self.split.test.is_leaky(),
            targets: self.targets,
        }
    }

    fn description<'a>(
        &'a self,
        dataset: &'a Dataset,
        origin: &'a Origin,
        folds: &'a Folds<'a>,
    ) -> Description<'a> {
        Description {
            identity: &self.identity,
            name: self.identity.name(&self.out.folder),
            min_fields: self.min_fields,
            plan: &self.plan,
            test: &self.split.test,
            source: &self.data,
            dataset,
            origin,
            folds,
        }
    }

    /// All settings that determine the trainings; only checkpoints with the same ones are resumed.
    fn job_description(&self, dataset: &Dataset, folds: &Folds) -> JobDescription {
        let Self {
            split: rule, plan, ..
        } = self;
        let images: Vec<String> = dataset
            .samples
            .iter()
            .map(|sample| format!("{} {} {}\n", sample.sha256, sample.positive, sample.group))
            .collect();
        let digest = |text: &[String]| FileEntry::for_bytes("", text.concat().as_bytes()).sha256;
        // A list of held-out names may change under the same file name.
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
        let masks = dataset.samples.iter().map(|sample| match &sample.cells {
            None => "\n".to_owned(),
            Some(cells) => FileEntry::for_bytes("", cells.as_raw()).sha256,
        });
        let masks: Vec<String> = masks.collect();
        let about: [(&str, Value); 18] = [
            ("digest of the split", digest(&split).into()),
            ("trainer", env!("CARGO_PKG_VERSION").into()),
            ("--network", plan.network.option().into()),
            ("--input", arguments::spelled(&plan.input).into()),
            ("images", dataset.samples.len().into()),
            ("digest of the images", digest(&images).into()),
            ("digest of the masks", digest(&masks).into()),
            ("--evidence-weight", plan.evidence.evidence_weight.into()),
            ("test images", rule.test.options().into()),
            ("--validation-share", rule.validation.into()),
            ("--epochs", plan.epochs.into()),
            ("--patience", plan.patience.into()),
            ("--batch-size", plan.batch_size.into()),
            ("--learning-rate", plan.highest_learning_rate().into()),
            ("--schedule", arguments::spelled(&plan.schedule).into()),
            (
                "--class-weights",
                arguments::spelled(&plan.class_weights).into(),
            ),
            ("--device", device_name(&plan.device).into()),
            ("--seed", plan.seed.into()),
        ];
        let named = about
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        named.collect()
    }

    /// Exports the untrained network, so that problems with the output folder, the name, a warning or
    /// an engine show before hours of training. Returns the engines to compare with.
    fn dry_run_export(&self, description: &Description) -> Result<Vec<EngineChoice>, TrainError> {
        let Plan { seed, device, .. } = &self.plan;
        let network = Network::init(self.plan.architecture(), *seed, device);
        let held_out = description.folds.held_out();
        let first = &held_out[..1];
        let scored = score(&network, first)?;
        let golden = Golden::choose(first, &scored)?;
        let package = ModelPackage {
            network: &network,
            golden: &golden,
            manifest: description.manifest(UNCALIBRATED, &[]),
        };
        let staging = self.out.staging()?;
        package.write(staging.path())?;
        package.usable_engines(staging.path(), &comparison_images(held_out, &golden)?)
    }

    /// The commands that reproduce this model.
    fn commands(&self, origin: &Origin) -> Vec<String> {
        let Self {
            split,
            plan,
            targets,
            ..
        } = self;
        let fit = format!(
            "smearscope-train fit --network {} --input {} {}{} --out MODEL {} --validation-share {} --epochs {} --patience {} --batch-size {} --learning-rate {} --schedule {} --class-weights {} --device {} --seed {} \
             --sensitivity {} --accuracy {} --min-fields {} --name {} --model-version {} --license {}",
            plan.network.option(),
            arguments::spelled(&plan.input),
            self.data.options("FIELDS"),
            plan.evidence.options("MASKS"),
            split.test.options(),
            split.validation,
            plan.epochs,
            plan.patience,
            plan.batch_size,
            plan.highest_learning_rate(),
            arguments::spelled(&plan.schedule),
            arguments::spelled(&plan.class_weights),
            device_name(&plan.device),
            plan.seed,
            targets.sensitivity,
            targets.accuracy,
            self.min_fields,
            self.identity.name(&self.out.folder),
            self.identity.version,
            arguments::quoted(&self.identity.license)
        );
        let masks = plan.evidence.masks.as_ref().map(|_| " --masks MASKS");
        let drawn = origin.command.iter();
        drawn
            .map(|command| format!("{command}{}", masks.unwrap_or_default()))
            .chain([fit])
            .collect()
    }
}

fn comparison_images(held_out: &[&Sample], golden: &[Golden]) -> Result<Vec<RgbImage>, TrainError> {
    let mut images: Vec<RgbImage> = golden.iter().map(|golden| golden.image.clone()).collect();
    for sample in held_out.iter().take(COMPARED) {
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
    use smearscope_artifacts::{Colour, EngineConfig, Evaluation, Manifest, Model};

    use super::*;
    use crate::dataset::Layout;
    use crate::networks::Architecture;
    use crate::report::REPORT_FILE;
    use crate::synth::Collection;
    use crate::training::plan::{ClassWeighting, EvidencePlan};
    use crate::training::schedule::Schedule;

    fn fit(folder: &Path) -> FitField {
        FitField {
            data: Source {
                layout: Layout::Folder,
                root: folder.join("fields"),
                positive: vec!["positive".into()],
                negative: Vec::new(),
                skip_unusable: false,
                limit: None,
            },
            out: Destination {
                folder: folder.join("model"),
                replace: false,
            },
            resume: false,
            plan: Plan {
                network: Architecture::tiny(24),
                input: Colour::Rgb,
                epochs: 2,
                patience: 2,
                batch_size: 4,
                learning_rate: Some(1e-3),
                schedule: Schedule::Cosine,
                class_weights: ClassWeighting::None,
                evidence: EvidencePlan::NONE,
                seed: 5,
                device: Device::flex(),
            },
            split: SplitPlan {
                test: TestPlan::Folds(3),
                validation: 0.2,
            },
            targets: Targets {
                sensitivity: 0.95,
                accuracy: 0.95,
            },
            min_fields: 1,
            identity: Identity {
                name: Some("tiny".into()),
                version: Version::new(1, 2, 3),
                license: "MIT".into(),
            },
        }
    }

    fn draw_fields(folder: &Path) {
        Collection::small(folder.join("fields"), 30, 21)
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
        let masks = folder.path().join("masks");
        Collection {
            masks: Some(masks.clone()),
            ..Collection::small(folder.path().join("fields"), 30, 21)
        }
        .write()
        .unwrap();
        let mut fit = fit(folder.path());
        fit.plan.evidence.masks = Some(masks);
        fit.plan.input = Colour::Density;
        fit.run().unwrap();
        assert_eq!(files_in(folder.path()), ["fields", "masks", "model"]);
        assert_eq!(
            files_in(&fit.out.folder),
            [
                "MODEL_CARD.md",
                "figures",
                "golden",
                "manifest.toml",
                "model.bin",
                "model.onnx",
                "model.xml",
                "report.json",
                "training.csv"
            ]
        );

        let config = EngineConfig {
            choice: EngineChoice::Embedded,
            ..EngineConfig::default()
        };
        let model = Model::load(&fit.out.folder, &config).unwrap();
        let manifest = model.manifest();
        assert!(manifest.demo);
        assert_eq!(manifest.model.input.colour, Colour::Density);
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
        let report = fs::read(fit.out.folder.join(REPORT_FILE)).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["images"].as_array().unwrap().len(), 30);
        // Of the 15 positive ones.
        assert_eq!(report["evidence"]["fields"], 15);
        let inside = report["evidence"]["inside"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&inside), "{inside}");
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
        let card = fs::read_to_string(fit.out.folder.join(CARD_FILE)).unwrap();
        for name in files_in(&fit.out.folder.join("figures")) {
            let (stem, kind) = name.rsplit_once('.').unwrap();
            let link = format!("](figures/{stem}.png)");
            assert!(
                ["png", "svg"].contains(&kind) && card.contains(&link),
                "{name}"
            );
        }
        assert_eq!(files_in(&fit.out.folder.join("figures")).len(), 11);
        assert!(
            card.contains("not for diagnosis") && card.contains("synth --out FIELDS --count 30")
        );
        assert!(
            card.contains(" --input density ")
                && card.contains(" --masks MASKS --evidence-weight 1 ")
        );
    }

    #[test]
    fn the_network_of_a_fold_is_the_one_that_judged_its_images() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let fit = fit(folder.path());
        let architecture = fit.plan.architecture();
        let dataset = Dataset::load(&fit.data, &architecture.input_contract()).unwrap();
        let folds = Folds::of(&dataset, &fit.split, 5).unwrap();
        let checkpoints =
            Checkpoints::open(&fit.out.folder, &JobDescription::new(), false).unwrap();
        let outcome = fit.protocol().run(&folds, &checkpoints).unwrap();
        assert_eq!(outcome.fold_networks.len(), 3);
        for (number, network) in (1..).zip(&outcome.fold_networks) {
            let of_fold = || {
                outcome
                    .predictions
                    .iter()
                    .filter(|item| item.fold == number)
            };
            let samples: Vec<&Sample> = of_fold().map(|item| item.sample).collect();
            let scored = score(network, &samples).unwrap();
            // A rule shifts all margins by its offset and divides them by its temperature.
            let pairs: Vec<[f32; 2]> = scored
                .iter()
                .zip(of_fold())
                .map(|(scored, item)| [scored.margin, item.judged.logit])
                .collect();
            let temperatures = pairs
                .iter()
                .filter(|pair| (pair[1] - pairs[0][1]).abs() > 1e-3)
                .map(|pair| (pair[0] - pairs[0][0]) / (pair[1] - pairs[0][1]));
            let low = temperatures.clone().fold(f32::INFINITY, f32::min);
            let high = temperatures.fold(f32::NEG_INFINITY, f32::max);
            assert!(high - low < 1e-3 * high, "{low} {high}");
        }
    }

    #[test]
    fn an_existing_folder_is_replaced_only_on_request() {
        let folder = tempfile::tempdir().unwrap();
        let mut fit = fit(folder.path());
        fs::create_dir(&fit.out.folder).unwrap();
        let refused = |fit: &FitField| match fit.run().unwrap_err() {
            TrainError::Refused { problem, .. } => problem,
            other => panic!("{other}"),
        };
        assert!(refused(&fit).contains("--replace"));
        fit.out.replace = true;
        assert!(refused(&fit).contains("not a model folder"));
        fs::write(fit.out.folder.join(Manifest::FILE_NAME), "old").unwrap();
        draw_fields(folder.path());
        fit.run().unwrap();
        assert_ne!(
            fs::read(fit.out.folder.join(Manifest::FILE_NAME)).unwrap(),
            b"old"
        );
        assert_eq!(files_in(folder.path()), ["fields", "model"]);
    }

    #[test]
    fn an_export_of_other_weights_is_caught() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let fit = fit(folder.path());
        let architecture = fit.plan.architecture();
        let dataset = Dataset::load(&fit.data, &architecture.input_contract()).unwrap();
        let origin = Origin::of(&dataset);
        let folds = Folds::of(&dataset, &fit.split, 5).unwrap();
        let description = fit.description(&dataset, &origin, &folds);
        let networks = [1, 2].map(|seed| Network::init(architecture, seed, &Device::flex()));
        let scored = score(&networks[0], folds.held_out()).unwrap();
        let golden = Golden::choose(folds.held_out(), &scored).unwrap();
        let [written, other] = [&networks[0], &networks[1]].map(|network| ModelPackage {
            network,
            golden: &golden,
            manifest: description.manifest(UNCALIBRATED, &[]),
        });
        let images = comparison_images(folds.held_out(), &golden).unwrap();
        written.write(folder.path()).unwrap();
        let embedded = EngineChoice::Embedded;
        written.compare(folder.path(), embedded, &images).unwrap();
        let error = other.compare(folder.path(), embedded, &images).unwrap_err();
        assert!(matches!(error, TrainError::Export { .. }), "{error}");
    }

    #[test]
    fn what_no_manifest_can_hold_is_refused_before_training() {
        let folder = tempfile::tempdir().unwrap();
        draw_fields(folder.path());
        let mut fit = fit(folder.path());
        fit.identity.name = Some("No Spaces".into());
        assert!(fit.run().unwrap_err().to_string().contains("name"));

        let fit = self::fit(folder.path());
        let contract = fit.plan.architecture().input_contract();
        let mut dataset = Dataset::load(&fit.data, &contract).unwrap();
        dataset.warnings.push("one \u{7}bell".into());
        let origin = Origin::of(&dataset);
        let folds = Folds::of(&dataset, &fit.split, 5).unwrap();
        let description = fit.description(&dataset, &origin, &folds);
        let message = fit.dry_run_export(&description).unwrap_err().to_string();
        assert!(message.contains("evaluation.warnings"), "{message}");
        assert_eq!(files_in(folder.path()), ["fields"]);
    }
}
