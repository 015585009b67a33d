//! From labelled cells to a folder of a model that counts cells.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use log::info;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::Value;
use smearscope_artifacts::{
    BlastCalls, CellCounter, CellFigures, CellNetwork as CellModel, CellsModel, CountRule,
    CropInput, EngineConfig, Evaluation, FiguresRule, Finder as FinderModel, Manifest, ModelFiles,
    Ruler, Thresholds, TileInput, sha256,
};

use super::super::trained_on;
use crate::arguments;
use crate::audit::{AuditedCell, CellAudit};
use crate::cell_kind::CellKind;
use crate::dataset::{
    CellCollection, CellSource, CellSplit, CellSplitPlan, ImageContent, ImageOrigin, LabelledImage,
    Part, TrainedOn,
};
use crate::error::TrainError;
use crate::interruption;
use crate::networks::cell::{CellNetwork, Classes};
use crate::networks::finder::{Finder, Size};
use crate::package::{
    Destination, GoldenPicture, GoldenPictures, Identity, TrainedNetworks, cell_model,
    finder_model, save, write_networks,
};
use crate::progress;
use crate::report::{self, CARD_FILE, CellEvaluation, CellsReport};
use crate::stdout;
use crate::training::cells::cell_training::CellTraining;
use crate::training::cells::crops::LabelledCrop;
use crate::training::cells::figures_rule::fit_figures_rule;
use crate::training::cells::finder_training::FinderTraining;
use crate::training::cells::found::FieldMaps;
use crate::training::cells::kinds::Kinds;
use crate::training::cells::mix::Mix;
use crate::training::cells::novelty::{Described, fit_novelty};
use crate::training::cells::seen::{SeenCell, look_at, temperature};
use crate::training::cells::surroundings::Surroundings;
use crate::training::cells::thresholds::choose_thresholds;
use crate::training::cells::windows::LabelledField;
use crate::training::{Checkpoints, History, JobDescription, Plan, Training, device_name};

/// A network of a model that counts cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OneNetwork {
    /// The network that finds leukocytes and red cells
    Finder,
    /// The network that names leukocytes
    Cell,
}

/// The training of a model that counts cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FitCells {
    /// File that names the sources.
    pub(super) datasets: PathBuf,
    pub(super) out: Destination,
    /// Whether an interrupted training is continued.
    pub(super) resume: bool,
    pub(super) plan: Plan,
    pub(super) validation_share: f64,
    pub(super) test_share: f64,
    /// The only network that is trained.
    pub(super) only: Option<OneNetwork>,
    /// The model that the other one is from.
    pub(super) base: Option<PathBuf>,
    /// Share of blasts that decides.
    pub(super) blast_share: f64,
    pub(super) min_cells: u32,
    pub(super) identity: Identity,
    /// Windows of fields that are learned from in an epoch.
    pub(super) windows: usize,
}

/// Scale and tiles of the finder.
const TILES: TileInput = TileInput {
    um_per_pixel: 0.5,
    side: 256,
    margin: 40,
    stride: 4,
};
/// Scale and size of the crops of the cell network.
const CROPS: CropInput = CropInput {
    um_per_pixel: 0.25,
    side: 96,
    batch: 4,
};
/// How red cells give a scale.
const RULER: Ruler = Ruler {
    red_cell_um: 7.2,
    min_cells: 5,
    max_spread: 0.25,
};
/// The picture of some cells of the test images.
const SHEET_FILE: &str = "cells.png";
/// The networks' architecture, as manifests name it.
const ARCHITECTURE: &str = "finder and cell network";
/// Most cells that novelty and measured figures are fitted to; more would not change them.
const MAX_DESCRIBED: usize = 4000;
/// Most cells that are learned from in an epoch.
const MAX_CELLS: usize = 16_384;
/// Fewest blasts, and other leukocytes, on which calls are measured.
const MIN_TESTED: usize = 20;
/// Thresholds of a finder that is not trained yet.
const UNMEASURED_THRESHOLDS: Thresholds = Thresholds {
    leukocytes: 0.5,
    red_cells: 0.5,
};
/// Highest learning rate if none is given.
const LEARNING_RATE: f64 = 3e-3;
/// Numbers of golden fields, and of golden cells of each class.
const GOLDEN: [usize; 2] = [3, 1];

/// The images of each part, as the networks learn from them.
#[derive(Debug)]
struct Material {
    weights: Vec<f64>,
    kinds: Kinds,
    fields: [Vec<LabelledField>; 2],
    cells: [Vec<LabelledCrop>; 2],
}

/// A model of which one network is kept.
#[derive(Debug)]
struct Base {
    files: ModelFiles<CellsModel>,
    trained_on: TrainedOn,
}

/// The networks that were trained, with their histories.
#[derive(Debug, Default)]
struct Networks {
    finder: Option<Finder>,
    cell: Option<CellNetwork>,
    histories: Vec<(String, History)>,
}

impl FitCells {
    /// Trains the networks, measures them, and writes the model.
    ///
    /// # Errors
    /// [`TrainError`] says what failed and how to fix it.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        self.out.check()?;
        let base = self.base()?;
        let collection = CellCollection::read(&self.datasets)?;
        collection.refuse_losses()?;
        let mut split = collection.split(&CellSplitPlan {
            test_share: self.test_share,
            validation_share: self.validation_share,
            seed: self.plan.seed,
        })?;
        let seen_before = base.as_ref().map(|base| &base.trained_on);
        if let Some(trained_on) = seen_before {
            let unseen = collection.unseen(split.images(Part::Test), trained_on);
            split.keep_tests(&unseen.into_iter().collect());
        }
        let material = self.material(&collection, &split)?;
        self.dry_run(&material, &collection, &split, base.as_ref())?;
        let job = self.job_description(&collection, &split, base.as_ref());
        let checkpoints = Checkpoints::open(&self.out.folder, &job, self.resume)?;
        interruption::advise_to_resume();
        let networks = self.train(&material, &checkpoints)?;
        let staging = self.out.staging()?;
        let folder = staging.path();
        let model = self.model(&networks, &material, base.as_ref())?;
        let mut manifest = self.manifest(model, &collection, &split, base.as_ref());
        let trained = networks.trained();
        write_networks(folder, &manifest.name, trained, &mut manifest.model)?;
        if let Some(base) = &base {
            copy_networks(&base.files, folder, self.only)?;
        }
        let pictures = Self::golden_pictures(&networks, &manifest, &collection, &split)?;
        pictures.write_draft(folder, &mut manifest)?;
        let measured = Self::measure(folder, &collection, &split)?;
        Self::judge(&mut manifest, &measured, &collection, &split)?;
        let audit = self.audit(&networks, &material.kinds, &collection, &split)?;
        let warnings = audit.iter().flat_map(CellAudit::warnings);
        manifest.evaluation.warnings.extend(warnings);
        if manifest.model.cell.novelty.is_none() {
            manifest.evaluation.warnings.push(
                "Cells that are unlike all that the network learned from are not noticed: a class has too few cells.".into(),
            );
        }
        pictures.complete(folder, &mut manifest, networks.cell.as_ref())?;
        let agreements = pictures.compare_all(folder, trained)?;
        let report = CellsReport {
            manifest: &manifest,
            measured: &measured,
            audit: audit.as_ref(),
            trainings: report::trainings(&networks.histories),
            trained_on: learned_from(&collection, &split, seen_before),
        };
        report.save(folder)?;
        let card = report.card(&agreements, &self.commands(&collection));
        save(folder, CARD_FILE, card.as_bytes())?;
        measured.draw_sheet(&folder.join(SHEET_FILE), &collection)?;
        report::save_training_log(&networks.histories, false, folder)?;
        self.out.publish(&staging)?;
        checkpoints.remove()?;
        let Manifest { name, version, .. } = &manifest;
        let out = self.out.folder.display();
        stdout::print(format_args!("{name} {version}: {out}\n{measured}"));
        for agreement in &agreements {
            stdout::print(format_args!("{agreement}\n"));
        }
        Ok(())
    }

    fn trains(&self, network: OneNetwork) -> bool {
        self.only.is_none_or(|only| only == network)
    }

    /// The model whose other network is kept.
    fn base(&self) -> Result<Option<Base>, TrainError> {
        let open = |folder: &PathBuf| {
            Ok(Base {
                files: ModelFiles::open(folder)?.into_cells()?,
                trained_on: trained_on::read(folder)?.ok_or_else(|| {
                    TrainError::data(
                        folder,
                        "it does not say what it was trained on, so that it may know the test images",
                        "choose a model with a report.json",
                    )
                })?,
            })
        };
        self.base.as_ref().map(open).transpose()
    }

    /// The training and validation images as the networks learn from them.
    ///
    /// # Errors
    /// [`TrainError::Training`] if there are no fields or no blasts to learn from.
    fn material(
        &self,
        collection: &CellCollection,
        split: &CellSplit,
    ) -> Result<Material, TrainError> {
        let parts = [Part::Train, Part::Validation].map(|part| split.images(part));
        let fields = |images: &Vec<usize>| -> Vec<LabelledField> {
            let of = |image: &usize| LabelledField::of(collection, *image);
            images.iter().filter_map(of).collect()
        };
        let cells = |images: &Vec<usize>| {
            let of = |image: &usize| LabelledCrop::all(collection, *image);
            images.iter().flat_map(of).collect::<Vec<LabelledCrop>>()
        };
        let [train, validation] = &parts;
        let mut cells = parts.each_ref().map(cells);
        let kinds = Kinds::of(
            cells[0].iter().map(|cell| (cell.source, cell.kind)),
            collection.sources.len(),
        )
        .ok_or_else(|| TrainError::Training {
            problem: "the training part has no lymphoblasts, or no other leukocytes of known kind and scale".into(),
            remedy: "add a source of them, such as cells that `synth --cells` draws".into(),
        })?;
        for cells in &mut cells {
            cells.retain(|cell| kinds.lesson(cell.source, cell.kind).is_some());
        }
        let material = Material {
            weights: collection
                .sources
                .iter()
                .map(|source| source.weight)
                .collect(),
            fields: [fields(train), fields(validation)],
            cells,
            kinds,
        };
        let is_known = |cell: &LabelledCrop| {
            let lesson = material.kinds.lesson(cell.source, cell.kind);
            cell.kind.is_leukocyte() && lesson.is_some_and(|lesson| lesson.class().is_some())
        };
        let is_missing = |network, is_empty: bool| self.trains(network) && is_empty;
        let [fields, cells] = [
            material.fields.iter().any(Vec::is_empty),
            material
                .cells
                .iter()
                .any(|cells| !cells.iter().any(is_known)),
        ];
        let problem = if is_missing(OneNetwork::Finder, fields) {
            "the finder needs fields of known scale with boxes in the training and the validation part"
        } else if is_missing(OneNetwork::Cell, cells) {
            "the cell network needs cells of known kind and scale in the training and the validation part"
        } else {
            return Ok(material);
        };
        Err(TrainError::Training {
            problem: problem.into(),
            remedy: "add a source of them, or state `um_per_pixel` of those that there are; `inspect --datasets` shows what \
                     there is"
                .into(),
        })
    }

    /// Writes a model of untrained networks, so that problems with its name, its test images or the output folder show
    /// before hours of training.
    ///
    /// # Errors
    /// [`TrainError::Training`] if the test part has too few cells, and those of writing a model.
    fn dry_run(
        &self,
        material: &Material,
        collection: &CellCollection,
        split: &CellSplit,
        base: Option<&Base>,
    ) -> Result<(), TrainError> {
        refuse_few_tests(collection, split)?;
        let Plan { seed, device, .. } = &self.plan;
        let classes = Classes {
            count: material.kinds.len(),
            blast: material.kinds.blast(),
        };
        let untrained = Networks {
            finder: self
                .trains(OneNetwork::Finder)
                .then(|| Finder::init(Size::of_planes(TileInput::PLANES), *seed, device).folded()),
            cell: self
                .trains(OneNetwork::Cell)
                .then(|| CellNetwork::init(classes, *seed, device).folded()),
            histories: Vec::new(),
        };
        let described = base.map(|base| &base.files.manifest().model);
        let finder = match described {
            Some(base) if untrained.finder.is_none() => base.finder.clone(),
            _ => finder_model(TILES, UNMEASURED_THRESHOLDS),
        };
        let cell = match described {
            Some(base) if untrained.cell.is_none() => base.cell.clone(),
            _ => cell_model(CROPS, material.kinds.manifest(), 1.0, None),
        };
        let model = self.rules(finder, cell, None, None);
        let mut manifest = self.manifest(model, collection, split, base);
        let staging = self.out.staging()?;
        let folder = staging.path();
        write_networks(
            folder,
            &manifest.name,
            untrained.trained(),
            &mut manifest.model,
        )?;
        let pictures = Self::golden_pictures(&Networks::default(), &manifest, collection, split)?;
        pictures.write_draft(folder, &mut manifest)
    }

    fn train(
        &self,
        material: &Material,
        checkpoints: &Checkpoints,
    ) -> Result<Networks, TrainError> {
        let settings = self.plan.settings(LEARNING_RATE);
        let cells = material.cells[0].len().min(MAX_CELLS);
        let steps = [
            (OneNetwork::Finder, self.windows),
            (OneNetwork::Cell, cells),
        ]
        .into_iter()
        .filter(|(network, _)| self.trains(*network))
        .map(|(_, examples)| settings.steps(examples));
        let progress = progress::bar(steps.sum(), "steps");
        let training = |name| Training {
            settings: &settings,
            name,
            checkpoints,
            progress: &progress,
        };
        let nothing = || TrainError::Training {
            problem: "there is nothing to learn from".into(),
            remedy: "add sources to the file of data sets".into(),
        };
        let mut networks = Networks::default();
        if self.trains(OneNetwork::Finder) {
            let [train, validation] = &material.fields;
            info!(
                "finder: {} fields for training, {} for validation",
                train.len(),
                validation.len()
            );
            let sources = train.iter().map(|field| field.source);
            let trained = FinderTraining {
                train,
                validation,
                mix: &Mix::of(sources, &material.weights).ok_or_else(nothing)?,
                um_per_pixel: TILES.um_per_pixel,
                windows: self.windows,
            }
            .run(&training("finder"))?;
            networks.histories.push(("finder".into(), trained.history));
            networks.finder = Some(trained.network);
        }
        if self.trains(OneNetwork::Cell) {
            let [train, validation] = &material.cells;
            info!(
                "cell network: {} cells for training, {} for validation",
                train.len(),
                validation.len()
            );
            let sources = train.iter().map(|cell| cell.source);
            let fields = material.fields[0].iter();
            let real: Vec<&LabelledField> = fields.filter(|field| field.is_real).collect();
            let trained = CellTraining {
                kinds: &material.kinds,
                train,
                validation,
                mix: &Mix::of(sources, &material.weights).ok_or_else(nothing)?,
                surroundings: Surroundings(&real),
                input: CROPS,
                cells,
            }
            .run(&training("cell network"))?;
            networks
                .histories
                .push(("cell network".into(), trained.history));
            networks.cell = Some(trained.network);
        }
        progress.finish_and_clear();
        Ok(networks)
    }

    /// The description of the model without files, golden samples and measured calls.
    fn model(
        &self,
        networks: &Networks,
        material: &Material,
        base: Option<&Base>,
    ) -> Result<CellsModel, TrainError> {
        let base = base.map(|base| &base.files.manifest().model);
        let finder = match (&networks.finder, base) {
            (None, Some(base)) => base.finder.clone(),
            (None, None) => return Err(incomplete()),
            (Some(finder), _) => {
                let [_, validation] = &material.fields;
                finder_model(TILES, choose_thresholds(finder, TILES, validation)?)
            }
        };
        let (cell, figures) = match (&networks.cell, base) {
            (None, Some(base)) => (base.cell.clone(), base.figures.clone()),
            (None, None) => return Err(incomplete()),
            (Some(cell), _) => describe_cells(cell, material)?,
        };
        let ruler = match (&networks.finder, base) {
            (None, Some(base)) => base.ruler,
            _ => Some(RULER),
        };
        Ok(self.rules(finder, cell, figures, ruler))
    }

    /// A model of two networks, with rules that are not measured yet and without golden samples.
    fn rules(
        &self,
        finder: FinderModel,
        cell: CellModel,
        figures: Option<FiguresRule>,
        ruler: Option<Ruler>,
    ) -> CellsModel {
        let unmeasured = |called| BlastCalls { called, of: 100 };
        CellsModel {
            finder: FinderModel {
                golden: Vec::new(),
                ..finder
            },
            cell: CellModel {
                golden: Vec::new(),
                ..cell
            },
            count: CountRule {
                share: self.blast_share,
                min_cells: self.min_cells,
                sensitivity: unmeasured(100),
                false_positives: unmeasured(0),
            },
            ruler,
            figures,
            golden: Vec::new(),
        }
    }

    /// All settings that determine the trainings; only checkpoints with the same ones are resumed.
    fn job_description(
        &self,
        collection: &CellCollection,
        split: &CellSplit,
        base: Option<&Base>,
    ) -> JobDescription {
        let Self { plan, .. } = self;
        let learned: Vec<String> = collection
            .images
            .iter()
            .zip(&split.part_of)
            .map(|(image, part)| {
                let CellSource {
                    weight,
                    origin,
                    complete,
                    ..
                } = &collection.sources[image.source];
                format!(
                    "{} {part:?} {:?} {:?} {} {weight} {origin:?} {complete:?}\n",
                    image.sha256, image.um_per_pixel, image.content, image.source
                )
            })
            .collect();
        let about: [(&str, Value); 13] = [
            ("trainer", env!("CARGO_PKG_VERSION").into()),
            ("images", collection.images.len().into()),
            (
                "digest of labels and parts",
                sha256(learned.concat().as_bytes()).into(),
            ),
            ("--only", self.only.as_ref().map(arguments::spelled).into()),
            (
                "digest of the model in --base",
                base.map(|base| base.files.manifest_sha256()).into(),
            ),
            ("--epochs", plan.epochs.into()),
            ("--patience", plan.patience.into()),
            ("--batch-size", plan.batch_size.into()),
            (
                "--learning-rate",
                plan.learning_rate.unwrap_or(LEARNING_RATE).into(),
            ),
            ("--schedule", arguments::spelled(&plan.schedule).into()),
            ("windows per epoch", self.windows.into()),
            ("--device", device_name(&plan.device).into()),
            ("--seed", plan.seed.into()),
        ];
        let named = about
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        named.collect()
    }

    fn manifest(
        &self,
        model: CellsModel,
        collection: &CellCollection,
        split: &CellSplit,
        base: Option<&Base>,
    ) -> Manifest<CellsModel> {
        Manifest {
            format_version: Manifest::FORMAT_VERSION,
            name: self.identity.name(&self.out.folder),
            version: self.identity.version.clone(),
            architecture: ARCHITECTURE.into(),
            trained_on: match base {
                None => training_in_words(collection, split),
                Some(base) => format!(
                    "{} The network that was kept: {}",
                    training_in_words(collection, split),
                    base.files.manifest().trained_on
                ),
            },
            intended_use: "Demonstration of the software. Not for diagnosis or treatment.".into(),
            license: self.identity.license.clone(),
            // No figures are known to hold for new patients, so every model is a demo.
            demo: true,
            model,
            evaluation: Evaluation {
                dataset: "Not measured yet.".into(),
                protocol: "None.".into(),
                positives: 0,
                negatives: 0,
                figures: BTreeMap::new(),
                intervals: BTreeMap::new(),
                warnings: Vec::new(),
            },
        }
    }

    /// Small pictures of test images: fields, and a cell of each kind, of drawn sources where there are some.
    fn golden_pictures(
        networks: &Networks,
        manifest: &Manifest<CellsModel>,
        collection: &CellCollection,
        split: &CellSplit,
    ) -> Result<GoldenPictures, TrainError> {
        let [most_fields, most_cells] = GOLDEN;
        let mut tested = split.images(Part::Test);
        let is_real = |image: &usize| {
            let source = collection.images[*image].source;
            collection.sources[source].origin == ImageOrigin::Real
        };
        tested.sort_by_key(is_real);
        let of = |is_field: bool| {
            let is = move |image: &usize| {
                matches!(collection.images[*image].content, ImageContent::Field(_)) == is_field
            };
            tested.iter().copied().filter(is)
        };
        let finder = &manifest.model.finder;
        let is_steady = |picture: &GoldenPicture| {
            networks.finder.as_ref().is_none_or(|network| {
                FieldMaps::of(network, finder.input, &picture.image, picture.um_per_pixel)
                    .is_steady(finder.thresholds)
            })
        };
        let mut fields =
            GoldenPicture::choose(collection, of(true), "field", most_fields, is_steady)?;
        if fields.is_empty() {
            // A finder of few epochs may be steady in none, and is not thrown away for that.
            fields = GoldenPicture::choose(collection, of(true), "field", most_fields, |_| true)?;
        }
        let mut cells = Vec::new();
        for class in &manifest.model.cell.classes {
            let is_of = |image: &usize| {
                let ImageContent::Cell(kind) = collection.images[*image].content else {
                    return false;
                };
                kind.name() == class.name
            };
            let images = of(false).filter(is_of);
            cells.extend(GoldenPicture::choose(
                collection,
                images,
                &class.name,
                most_cells,
                |_| true,
            )?);
        }
        // Without images of single cells, the middle of a field is as good.
        if cells.is_empty() {
            cells = GoldenPicture::choose(collection, of(true), "cell", most_fields, |_| true)?;
        }
        if fields.is_empty() || cells.is_empty() {
            return Err(TrainError::Training {
                problem: "the test part has no field with leukocytes, which prove a model before it is used".into(),
                remedy: "add fields with boxes, or raise --test-share".into(),
            });
        }
        Ok(GoldenPictures { fields, cells })
    }

    /// Runs the draft of the model on the test images.
    fn measure(
        folder: &Path,
        collection: &CellCollection,
        split: &CellSplit,
    ) -> Result<CellEvaluation, TrainError> {
        let config = EngineConfig {
            // Images are judged side by side.
            threads: Some(1),
            ..EngineConfig::default()
        };
        let load = || CellCounter::load_unverified(folder, &config);
        CellEvaluation::measure(load, collection, &split.images(Part::Test))
    }

    /// What else than cells could explain the calls of a cell network that was trained.
    fn audit(
        &self,
        networks: &Networks,
        kinds: &Kinds,
        collection: &CellCollection,
        split: &CellSplit,
    ) -> Result<Option<CellAudit>, TrainError> {
        let Some(network) = &networks.cell else {
            return Ok(None);
        };
        let has_class = |kind| kinds.class(kind).is_some();
        let images = split.images(Part::Test);
        let cells = images
            .iter()
            .flat_map(|image| LabelledCrop::all(collection, *image));
        let cells = cells.filter(|cell| has_class(cell.kind));
        let cells = some_of(&cells.collect::<Vec<_>>());
        let seen = look_at(network, kinds, &cells, CROPS)?;
        let audited = seen.into_par_iter().map(|seen| {
            let cell = &cells[seen.number];
            let Some(border) = cell.margin(CROPS)? else {
                return Ok(None);
            };
            Ok(Some(AuditedCell {
                source: cell.source,
                is_drawn: cell.is_drawn,
                kind: cell.kind,
                group: collection.images[cell.image].group,
                border,
                blast: Some(seen.probability(kinds.blast())),
                features: seen.features,
            }))
        });
        let audited = audited.collect::<Result<Vec<Option<AuditedCell>>, TrainError>>()?;
        let audited: Vec<AuditedCell> = audited.into_iter().flatten().collect();
        CellAudit::of(&audited, self.plan.seed).map(Some)
    }

    /// The commands that reproduce this model.
    fn commands(&self, collection: &CellCollection) -> Vec<String> {
        let Self { plan, identity, .. } = self;
        let drawn = collection
            .sources
            .iter()
            .filter_map(|source| source.command.clone());
        let mut commands: Vec<String> = drawn.collect();
        let only = match (self.only, &self.base) {
            (Some(only), Some(_)) => format!(" --only {} --base BASE", arguments::spelled(&only)),
            _ => String::new(),
        };
        commands.push(format!(
            "smearscope-train fit --kind cells --datasets DATASETS.toml{only} --out MODEL --test-share {} \
             --validation-share {} --epochs {} --patience {} --batch-size {} --learning-rate {} --schedule {} --device {} \
             --seed {} --blast-share {} --min-cells {} --name {} --model-version {} --license {}",
            self.test_share,
            self.validation_share,
            plan.epochs,
            plan.patience,
            plan.batch_size,
            plan.learning_rate.unwrap_or(LEARNING_RATE),
            arguments::spelled(&plan.schedule),
            device_name(&plan.device),
            plan.seed,
            self.blast_share,
            self.min_cells,
            identity.name(&self.out.folder),
            identity.version,
            arguments::quoted(&identity.license),
        ));
        commands
    }

    /// Takes rule and figures from what was measured.
    fn judge(
        manifest: &mut Manifest<CellsModel>,
        measured: &CellEvaluation,
        collection: &CellCollection,
        split: &CellSplit,
    ) -> Result<(), TrainError> {
        let [sensitivity, false_positives] = measured.blast_calls().ok_or_else(|| TrainError::Training {
            problem: "the test part has too few blasts, or too few other leukocytes, to measure how often they are told apart"
                .into(),
            remedy: "add more of them, or raise --test-share".into(),
        })?;
        manifest.model.count = CountRule {
            sensitivity,
            false_positives,
            ..manifest.model.count
        };
        if measured.has_reliable_ruler() == Some(false) {
            manifest.model.ruler = None;
        }
        let count = |part| split.images(part).len();
        let protocol = format!(
            "Images split by slide, patient or copy: {} for training, {} to choose epochs, thresholds and temperature, {} for \
             these figures and for the errors by which counts are corrected.",
            count(Part::Train),
            count(Part::Validation),
            count(Part::Test)
        );
        let warnings = std::mem::take(&mut manifest.evaluation.warnings);
        let tested = sources_in_words(collection, split, Part::Test);
        manifest.evaluation =
            measured.evaluation(format!("images that were held out: {tested}."), protocol);
        manifest.evaluation.warnings.extend(warnings);
        Ok(())
    }
}

impl Networks {
    fn trained(&self) -> TrainedNetworks<'_> {
        TrainedNetworks {
            finder: self.finder.as_ref(),
            cell: self.cell.as_ref(),
        }
    }
}

/// Refuses a test part on which it cannot be measured how often blasts and other leukocytes are told apart.
fn refuse_few_tests(collection: &CellCollection, split: &CellSplit) -> Result<(), TrainError> {
    let tested = split.images(Part::Test);
    let [mut blasts, mut others] = [0, 0];
    for image in tested.iter().map(|image| &collection.images[*image]) {
        let is_known = |kind: &CellKind| kind.is_leukocyte() && *kind != CellKind::Leukocyte;
        for kind in image.kinds().filter(is_known) {
            if image.um_per_pixel.is_none() {
                continue;
            }
            if kind == CellKind::Lymphoblast {
                blasts += 1;
            } else {
                others += 1;
            }
        }
    }
    if blasts >= MIN_TESTED && others >= MIN_TESTED {
        return Ok(());
    }
    Err(TrainError::Training {
        problem: format!(
            "the test part has {blasts} lymphoblasts and {others} other leukocytes of known kind and scale; \
             {MIN_TESTED} of each are needed to measure how often they are told apart"
        ),
        remedy: "add more of them, or raise --test-share".into(),
    })
}

/// clap asks for a base where only one network is trained.
fn incomplete() -> TrainError {
    TrainError::Training {
        problem: "one network is missing".into(),
        remedy: "give a model to take it from with --base".into(),
    }
}

/// The cell network's description and the rule on measured figures, fitted to training cells, with limits and
/// temperature by validation cells.
fn describe_cells(
    network: &CellNetwork,
    material: &Material,
) -> Result<(CellModel, Option<FiguresRule>), TrainError> {
    let Material { kinds, cells, .. } = material;
    let [train, validation] = cells;
    let train = look_at(network, kinds, &some_of(train), CROPS)?;
    let validation = look_at(network, kinds, &some_of(validation), CROPS)?;
    let tells_blasts = |cell: &&SeenCell| cell.is_known && kinds.has_both(cell.source);
    let temperature = temperature(validation.iter().filter(tells_blasts), kinds.len());
    // A leukocyte of unknown kind that looks like a blast must not make others like it known blasts.
    let described = |cells: &[SeenCell]| -> Vec<Described> {
        let cells = cells
            .iter()
            .filter(|cell| cell.is_known || cell.class != kinds.blast());
        cells
            .map(|cell| (cell.class, cell.features.clone()))
            .collect()
    };
    let novelty = fit_novelty(&described(&train), &described(&validation), kinds.len());
    let measured: Vec<(CellFigures, bool)> = train
        .iter()
        .filter(tells_blasts)
        .filter(|cell| kinds.is_leukocyte(cell.class))
        .filter_map(|cell| Some((cell.figures?, cell.class == kinds.blast())))
        .collect();
    let model = cell_model(CROPS, kinds.manifest(), temperature, novelty);
    Ok((model, fit_figures_rule(&measured)?))
}

/// Some of many cells: as many of each kind, at even distances.
fn some_of(cells: &[LabelledCrop]) -> Vec<LabelledCrop> {
    let mut by_kind: BTreeMap<CellKind, Vec<&LabelledCrop>> = BTreeMap::new();
    for cell in cells {
        by_kind.entry(cell.kind).or_default().push(cell);
    }
    let of_each = MAX_DESCRIBED / by_kind.len().max(1);
    let some = |of_kind: Vec<&LabelledCrop>| {
        let step = of_kind.len().div_ceil(of_each).max(1);
        of_kind
            .into_iter()
            .step_by(step)
            .cloned()
            .collect::<Vec<_>>()
    };
    by_kind.into_values().flat_map(some).collect()
}

/// What the networks were trained on. Without a real image of a lymphoblast, it says so.
fn training_in_words(collection: &CellCollection, split: &CellSplit) -> String {
    let sources = sources_in_words(collection, split, Part::Train);
    let is_real = |image: &&usize| {
        let source = collection.images[**image].source;
        collection.sources[source].origin == ImageOrigin::Real
    };
    let trained = split.images(Part::Train);
    let mut kinds = trained
        .iter()
        .filter(is_real)
        .flat_map(|image| collection.images[*image].kinds());
    if kinds.any(|kind| kind == CellKind::Lymphoblast) {
        format!("{sources}.")
    } else {
        format!("{sources}. No real image has a cell that is labelled as a lymphoblast.")
    }
}

/// The images of a part by source, with leukocytes, licence and citation.
fn sources_in_words(collection: &CellCollection, split: &CellSplit, part: Part) -> String {
    let images = split.images(part);
    let sources = collection
        .sources
        .iter()
        .enumerate()
        .map(|(number, source)| {
            let of_source = || {
                let images = images.iter().map(|image| &collection.images[*image]);
                images.filter(move |image| image.source == number)
            };
            let leukocytes = of_source()
                .flat_map(LabelledImage::kinds)
                .filter(|kind| kind.is_leukocyte());
            let mut text = format!(
                "{} ({} images, {} leukocytes",
                source.name.display(),
                of_source().count(),
                leukocytes.count()
            );
            for about in [&source.citation, &source.licence].into_iter().flatten() {
                text += "; ";
                text += about;
            }
            text + ")"
        });
    let sources: Vec<String> = sources.collect();
    sources.join(", ")
}

/// The images that networks saw, and their slides, patients or subjects; with those that a network saw before.
fn learned_from(
    collection: &CellCollection,
    split: &CellSplit,
    before: Option<&TrainedOn>,
) -> TrainedOn {
    let images = [Part::Train, Part::Validation]
        .map(|part| split.images(part))
        .concat();
    let images = || images.iter().map(|image| &collection.images[*image]);
    let subjects = images().flat_map(|image| collection.subjects_of(image.group));
    let mut learned = TrainedOn {
        subjects: subjects.map(str::to_owned).collect(),
        captures: BTreeMap::new(),
        images: images().map(|image| image.sha256.clone()).collect(),
    };
    if let Some(before) = before {
        learned.subjects.extend(before.subjects.iter().cloned());
        learned.images.extend(before.images.iter().cloned());
    }
    learned
}

/// Copies the files of the network that is not trained.
fn copy_networks(
    base: &ModelFiles<CellsModel>,
    folder: &Path,
    only: Option<OneNetwork>,
) -> Result<(), TrainError> {
    let model = &base.manifest().model;
    let (files, network) = match only {
        Some(OneNetwork::Finder) => (&model.cell.files, base.cell()),
        Some(OneNetwork::Cell) => (&model.finder.files, base.finder()),
        None => return Ok(()),
    };
    let contents = [
        (&files.ir_xml, network.ir_xml),
        (&files.ir_bin, network.ir_bin),
        (&files.onnx, network.onnx),
    ];
    for (entry, bytes) in contents {
        if let (Some(entry), Some(bytes)) = (entry, bytes) {
            save(folder, &entry.path.to_string_lossy(), bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::fs;

    use burn::tensor::Device;
    use image::{Rgb, RgbImage};
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use semver::Version;
    use smearscope_artifacts::{Colour, EngineChoice};

    use super::*;
    use crate::networks::Architecture;
    use crate::report::REPORT_FILE;
    use crate::training::plan::{ClassWeighting, EvidencePlan};
    use crate::training::schedule::Schedule;

    /// Scale of the drawn images.
    const UM_PER_PIXEL: f32 = 0.25;

    /// A picture of discs: centre, diameter in µm, and colour.
    fn discs(size: [u32; 2], discs: &[([f32; 2], f32, [u8; 3])], rng: &mut impl Rng) -> RgbImage {
        RgbImage::from_fn(size[0], size[1], |x, y| {
            let at = [x, y].map(|at| at as f32 + 0.5);
            let disc = discs.iter().rev().find(|([cx, cy], diameter, _)| {
                (at[0] - cx).hypot(at[1] - cy) * UM_PER_PIXEL < diameter / 2.0
            });
            let colour = disc.map_or([225, 215, 228], |(_, _, colour)| *colour);
            Rgb(colour.map(|value| value.saturating_add(rng.random_range(0..8))))
        })
    }

    const NUCLEUS: [u8; 3] = [90, 40, 130];
    const CYTOPLASM: [u8; 3] = [150, 140, 200];
    const RED_CELL: [u8; 3] = [215, 150, 165];

    /// Nuclei of a blast and of a lymphocyte, µm.
    fn nucleus(is_blast: bool) -> f32 {
        if is_blast { 11.0 } else { 6.0 }
    }

    fn draw(folder: &Path) {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for number in 0..200 {
            let is_blast = number % 2 == 0;
            let kind = if is_blast {
                "lymphoblast"
            } else {
                "lymphocyte"
            };
            let path = folder
                .join("cells")
                .join(kind)
                .join(format!("{number}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let middle = [52.0; 2];
            let size = nucleus(is_blast) + rng.random_range(-0.8..0.8);
            let cell = [
                ([20.0, 15.0], 7.2, RED_CELL),
                (middle, size + 2.0, CYTOPLASM),
                (middle, size, NUCLEUS),
            ];
            discs([104, 104], &cell, &mut rng).save(path).unwrap();
        }
        let mut table = "image,class,x,y,width,height\n".to_owned();
        for number in 0..24 {
            let mut cells = Vec::new();
            for place in 0..12 {
                let centre = [place % 4, place / 4]
                    .map(|step| 30.0 + 45.0 * step as f32 + rng.random_range(-6.0..6.0));
                let (class, diameter) = if place == number % 12 {
                    ("leukocyte", 12.0)
                } else {
                    ("erythrocyte", 7.2)
                };
                let side = diameter / UM_PER_PIXEL;
                let [x, y] = centre.map(|at| at - side / 2.0);
                writeln!(table, "{number}.png,{class},{x},{y},{side},{side}").unwrap();
                if class == "leukocyte" {
                    cells.push((centre, diameter, CYTOPLASM));
                    cells.push((centre, 9.0, NUCLEUS));
                } else {
                    cells.push((centre, diameter, RED_CELL));
                }
            }
            let path = folder.join("fields").join(format!("{number}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            discs([200, 160], &cells, &mut rng).save(path).unwrap();
        }
        fs::write(folder.join("fields/boxes.csv"), table).unwrap();
        fs::write(
            folder.join("datasets.toml"),
            "[[source]]\npath = \"cells\"\nformat = \"folders\"\num_per_pixel = 0.25\norigin = \"drawn\"\nlicence = \"MIT\"\n\
             [[source]]\npath = \"fields\"\num_per_pixel = 0.25\norigin = \"drawn\"\ncomplete = [\"leukocyte\", \"erythrocyte\"]\n",
        )
        .unwrap();
    }

    fn fit(folder: &Path, out: &str) -> FitCells {
        FitCells {
            datasets: folder.join("datasets.toml"),
            out: Destination {
                folder: folder.join(out),
                replace: false,
            },
            resume: false,
            plan: Plan {
                network: Architecture::tiny(24),
                input: Colour::Rgb,
                evidence: EvidencePlan::NONE,
                epochs: 3,
                patience: 3,
                batch_size: 12,
                learning_rate: None,
                schedule: Schedule::Cosine,
                class_weights: ClassWeighting::None,
                seed: 3,
                device: Device::flex(),
            },
            validation_share: 0.15,
            test_share: 0.35,
            only: None,
            base: None,
            blast_share: 0.2,
            min_cells: 50,
            identity: Identity {
                name: Some("discs".into()),
                version: Version::new(0, 1, 0),
                license: "MIT".into(),
            },
            windows: 48,
        }
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_model_is_made_that_counts_cells_and_one_network_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        draw(folder.path());
        let first = fit(folder.path(), "model");
        first.run().unwrap();
        assert_eq!(
            names_in(&first.out.folder),
            [
                "MODEL_CARD.md",
                "cell.bin",
                "cell.onnx",
                "cell.xml",
                "cells.png",
                "finder.bin",
                "finder.onnx",
                "finder.xml",
                "golden",
                "manifest.toml",
                "report.json",
                "training.csv"
            ]
        );
        assert!(!folder.path().join("model.checkpoints").exists());
        let config = EngineConfig {
            choice: EngineChoice::Embedded,
            ..EngineConfig::default()
        };
        let mut counter = CellCounter::load(&first.out.folder, &config).unwrap();
        let manifest = counter.manifest().clone();
        assert_eq!(manifest.model.count.min_cells, 50);
        assert_eq!(manifest.model.golden.len(), 3);
        assert_eq!(manifest.model.cell.golden.len(), 2);
        // Nobody measured the single cells, so that there is no rule on their figures.
        assert!(manifest.model.figures.is_none() && manifest.model.cell.novelty.is_some());
        assert!(manifest.trained_on.contains("cells (") && manifest.trained_on.contains("MIT"));
        assert!(manifest.trained_on.ends_with("labelled as a lymphoblast."));
        let tested = &manifest.evaluation.dataset;
        assert!(
            tested.starts_with("images that were held out: cells ("),
            "{tested}"
        );
        // A blast and a lymphocyte of the test part are told apart by size alone.
        let auroc = manifest.evaluation.figures["blast_auroc"];
        assert!(auroc > 0.95, "{auroc}");
        let card = fs::read_to_string(first.out.folder.join(CARD_FILE)).unwrap();
        assert!(
            card.contains("not for diagnosis") && card.contains("fit --kind cells"),
            "{card}"
        );
        let report = fs::read(first.out.folder.join(REPORT_FILE)).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let trained = report["trained_on"]["images"].as_array().unwrap();
        assert!((130..180).contains(&trained.len()), "{}", trained.len());
        assert!(report["trained_on"]["subjects"].is_array());

        let second = FitCells {
            only: Some(OneNetwork::Finder),
            base: Some(first.out.folder.clone()),
            // With the same seed, the same images test.
            plan: Plan {
                epochs: 2,
                ..first.plan.clone()
            },
            ..fit(folder.path(), "second")
        };
        second.run().unwrap();
        let file = |fit: &FitCells, name: &str| fs::read(fit.out.folder.join(name)).unwrap();
        assert_eq!(file(&first, "cell.onnx"), file(&second, "cell.onnx"));
        assert_ne!(file(&first, "finder.onnx"), file(&second, "finder.onnx"));
        let image = RgbImage::from_pixel(200, 160, Rgb([225, 215, 228]));
        assert_eq!(
            counter.analyse(&image, Some(0.25)).unwrap().count().cells,
            0
        );
    }

    #[test]
    fn without_blasts_nothing_is_trained() {
        let folder = tempfile::tempdir().unwrap();
        draw(folder.path());
        let text = fs::read_to_string(folder.path().join("datasets.toml")).unwrap();
        let text = text.replace(
            "path = \"cells\"\n",
            "path = \"cells\"\nignore = [\"lymphoblast\"]\n",
        );
        fs::write(folder.path().join("datasets.toml"), text).unwrap();
        let error = fit(folder.path(), "model").run().unwrap_err().to_string();
        assert!(error.contains("no lymphoblasts"), "{error}");
        assert!(!folder.path().join("model").exists());
    }
}
