//! A model that counts cells as a folder, compared on each engine with the networks that it was made from.

use std::fmt;
use std::path::Path;

use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use smearscope_artifacts::{
    Background, CellClass, CellCounter, CellGolden, CellNetwork as CellModel, CellOutputs,
    CellSite, CellsModel, ChainGolden, CropInput, Cropper, EngineChoice, EngineConfig, EngineInfo,
    FieldCells, Files, Finder as FinderModel, FinderGolden, FinderOutputs, GoldenResult, Manifest,
    Novelty, Thresholds, TileInput,
};

use super::cells_golden::GoldenPicture;
use super::engines::on_each_engine;
use super::files::{save, save_manifest};
use super::model_package::{AGREEMENT, GOLDEN_TOLERANCE};
use crate::error::TrainError;
use crate::graph::{Graph, ir, onnx};
use crate::networks::cell::{CellAnswers, CellNetwork};
use crate::networks::finder::{CENTRES, DIAMETER, Finder};
use crate::networks::{EVIDENCE, FEATURES, PROBABILITY, floats};
use crate::training::cells::found::FieldMaps;

/// Largest distance between a cell that the trained finder finds and that of an engine, and between their diameters,
/// in pixels of the finder's input.
const PLACE_AGREEMENT: f32 = 0.05;

/// A finder or a cell network that was trained; the other one may come from a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrainedNetworks<'a> {
    pub(crate) finder: Option<&'a Finder>,
    pub(crate) cell: Option<&'a CellNetwork>,
}

/// The pictures that prove a model.
#[derive(Debug)]
pub(crate) struct GoldenPictures {
    /// Fields.
    pub(crate) fields: Vec<GoldenPicture>,
    /// Single cells, in the middle.
    pub(crate) cells: Vec<GoldenPicture>,
}

/// How closely an engine reproduces trained networks.
#[derive(Debug)]
pub(crate) struct CellsAgreement {
    pub(crate) engine: EngineInfo,
    /// Number of golden fields and cells.
    pub(crate) pictures: usize,
    /// Largest absolute difference of a class's probability.
    pub(crate) probability: f32,
    /// Largest absolute difference of the evidence.
    pub(crate) evidence: f32,
    /// Largest difference of a cell's place or diameter, in pixels of the finder's input.
    pub(crate) place: f32,
}

impl fmt::Display for CellsAgreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} reproduces the trained networks within {:.1e} (probability), {:.1e} (evidence) and {:.1e} pixels (place of a \
             cell) on {} pictures",
            self.engine.engine, self.probability, self.evidence, self.place, self.pictures
        )
    }
}

/// Writes the networks that were trained; returns their descriptions with the new files.
///
/// # Errors
/// [`TrainError::Export`] and [`TrainError::Output`].
pub(crate) fn write_networks(
    folder: &Path,
    name: &str,
    trained: TrainedNetworks,
    model: &mut CellsModel,
) -> Result<(), TrainError> {
    if let Some(finder) = trained.finder {
        let side = model.finder.input.side as usize;
        model.finder.files = save_network(folder, name, "finder", &finder.graph(1, [side; 2]))?;
    }
    if let Some(cell) = trained.cell {
        let graph = cell.graph(model.cell.input.batch as usize);
        model.cell.files = save_network(folder, name, "cell", &graph)?;
    }
    Ok(())
}

/// The names of the finder's outputs.
pub(crate) fn finder_outputs() -> FinderOutputs {
    FinderOutputs {
        centres: CENTRES.into(),
        diameter: DIAMETER.into(),
    }
}

/// The names of the cell network's outputs.
pub(crate) fn cell_outputs() -> CellOutputs {
    CellOutputs {
        probability: PROBABILITY.into(),
        features: Some(FEATURES.into()),
        evidence: Some(EVIDENCE.into()),
    }
}

fn save_network(
    folder: &Path,
    model: &str,
    network: &str,
    graph: &Graph,
) -> Result<Files, TrainError> {
    let name = format!("{model}-{network}");
    let failed = |problem: String| TrainError::Export {
        problem: format!("{network}: {problem}"),
    };
    let ir = ir::write(graph, &name).map_err(|error| failed(error.to_string()))?;
    let onnx = onnx::write(graph, &name).map_err(failed)?;
    Ok(Files {
        ir_xml: Some(save(folder, &format!("{network}.xml"), &ir.xml)?),
        ir_bin: Some(save(folder, &format!("{network}.bin"), &ir.bin)?),
        onnx: Some(save(folder, &format!("{network}.onnx"), &onnx)?),
    })
}

impl GoldenPictures {
    /// Saves the pictures and lists them in a manifest with results that are not known yet, so that the folder can be
    /// opened.
    ///
    /// # Errors
    /// [`TrainError::Output`].
    pub(crate) fn write_draft(
        &self,
        folder: &Path,
        manifest: &mut Manifest<CellsModel>,
    ) -> Result<(), TrainError> {
        let model = &mut manifest.model;
        let even = vec![(model.cell.classes.len() as f32).recip(); model.cell.classes.len()];
        for picture in &self.fields {
            let image = save(folder, &picture.path, &picture.png)?;
            let um_per_pixel = picture.um_per_pixel;
            model.finder.golden.push(FinderGolden {
                image: image.clone(),
                um_per_pixel,
                leukocytes: 0,
                red_cells: 0,
            });
            model.golden.push(ChainGolden {
                image,
                um_per_pixel,
                cells: 0,
                blasts: 0,
                probabilities: Vec::new(),
                tolerance: GOLDEN_TOLERANCE,
            });
        }
        for picture in &self.cells {
            model.cell.golden.push(CellGolden {
                image: save(folder, &picture.path, &picture.png)?,
                um_per_pixel: picture.um_per_pixel,
                probabilities: even.clone(),
                tolerance: GOLDEN_TOLERANCE,
            });
        }
        save_manifest(folder, manifest)
    }

    /// Completes a draft by what the model in the folder finds, and by what a trained cell network computes; without one,
    /// by what the one in the folder does.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the model fails, and [`TrainError::Output`].
    pub(crate) fn complete(
        &self,
        folder: &Path,
        manifest: &mut Manifest<CellsModel>,
        cell: Option<&CellNetwork>,
    ) -> Result<(), TrainError> {
        save_manifest(folder, manifest)?;
        let config = EngineConfig {
            choice: EngineChoice::Embedded,
            ..EngineConfig::default()
        };
        let mut counter = CellCounter::load_unverified(folder, &config)?;
        for (number, picture) in self.fields.iter().enumerate() {
            let found = counter.analyse(&picture.image, Some(picture.um_per_pixel))?;
            let model = &mut manifest.model;
            let numbers = found.count();
            let mut probabilities: Vec<f32> = found
                .cells
                .iter()
                .filter(|cell| cell.call.counts())
                .map(|cell| cell.blast_probability(model))
                .collect();
            probabilities.sort_unstable_by(|a, b| b.total_cmp(a));
            let finder = &mut model.finder.golden[number];
            finder.leukocytes = found.cells.len() as u32;
            finder.red_cells = found.red_cells.len() as u32;
            let chain = &mut model.golden[number];
            chain.cells = numbers.cells;
            chain.blasts = numbers.blasts;
            chain.probabilities = probabilities;
        }
        let model = &mut manifest.model.cell;
        for (picture, golden) in self.cells.iter().zip(&mut model.golden) {
            let probabilities = if let Some(cell) = cell {
                let answers = answers(cell, model.input, picture);
                answers.map(|answers| floats(softmax(answers.logits, 1)))
            } else {
                let middle = [picture.middle()];
                let looked = counter.look_at(&picture.image, picture.um_per_pixel, &middle)?;
                let kept = looked.into_iter().flatten().next();
                kept.map(|cell| uncalibrated(&cell.probabilities, model.temperature))
            };
            golden.probabilities = probabilities.unwrap_or_default();
        }
        save_manifest(folder, manifest)
    }

    /// Loads the finished folder on an engine, as the appliance does, and compares what it finds with what the trained
    /// networks do.
    ///
    /// # Errors
    /// [`TrainError::Export`] if they differ, [`TrainError::Artifact`] if the model cannot be loaded.
    pub(crate) fn compare(
        &self,
        folder: &Path,
        choice: EngineChoice,
        trained: TrainedNetworks,
    ) -> Result<CellsAgreement, TrainError> {
        let config = EngineConfig {
            choice,
            ..EngineConfig::default()
        };
        let mut counter = CellCounter::load(folder, &config)?;
        let model = counter.manifest().model.clone();
        let mut agreement = CellsAgreement {
            engine: counter.engine().clone(),
            pictures: self.fields.len() + self.cells.len(),
            probability: 0.0,
            evidence: 0.0,
            place: 0.0,
        };
        let is_of_a_cell =
            |result: &&GoldenResult| self.cells.iter().any(|cell| result.image == *cell.path);
        for result in counter.golden().iter().filter(is_of_a_cell) {
            let difference = (result.expected - result.actual).abs();
            agreement.probability = agreement.probability.max(difference);
        }
        if let Some(network) = trained.cell {
            for picture in &self.cells {
                let looked =
                    counter.look_at(&picture.image, picture.um_per_pixel, &[picture.middle()])?;
                let found = looked.into_iter().flatten().find_map(|cell| cell.evidence);
                let expected = answers(network, model.cell.input, picture)
                    .map(|answers| floats(answers.evidence));
                let difference = match (&found, &expected) {
                    (Some(found), Some(expected)) if found.values.len() == expected.len() => {
                        let pairs = found.values.iter().zip(expected);
                        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
                    }
                    (None, None) => 0.0,
                    _ => f32::INFINITY,
                };
                agreement.evidence = agreement.evidence.max(difference);
            }
        }
        if let Some(finder) = trained.finder {
            for picture in &self.fields {
                let found = counter.analyse(&picture.image, Some(picture.um_per_pixel))?;
                let distance = farthest(finder, &model, picture, &found);
                agreement.place = agreement.place.max(distance);
            }
        }
        let is_close = agreement.probability <= AGREEMENT
            && agreement.evidence <= AGREEMENT
            && agreement.place <= PLACE_AGREEMENT;
        if !is_close {
            return Err(TrainError::Export {
                problem: format!(
                    "on {} a probability differs by {:.1e} and the evidence by {:.1e}, {AGREEMENT:.0e} is allowed, and the \
                     place of a cell by {:.1e} pixels, {PLACE_AGREEMENT:.0e} is allowed",
                    agreement.engine.engine,
                    agreement.probability,
                    agreement.evidence,
                    agreement.place
                ),
            });
        }
        Ok(agreement)
    }

    /// Compares on all engines that run the folder. The embedded engine must run it; OpenVINO may be missing.
    ///
    /// # Errors
    /// Those of [`GoldenPictures::compare`].
    pub(crate) fn compare_all(
        &self,
        folder: &Path,
        trained: TrainedNetworks,
    ) -> Result<Vec<CellsAgreement>, TrainError> {
        on_each_engine(|choice| self.compare(folder, choice, trained))
    }
}

/// The probabilities before their logits were divided by the temperature.
fn uncalibrated(probabilities: &[f32], temperature: f32) -> Vec<f32> {
    let powers = probabilities
        .iter()
        .map(|probability| probability.powf(temperature));
    let powers: Vec<f32> = powers.collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// What the trained network says about the cell in the middle of a picture; `None` if the picture is too small.
fn answers(
    network: &CellNetwork,
    input: CropInput,
    picture: &GoldenPicture,
) -> Option<CellAnswers> {
    let GoldenPicture {
        image,
        um_per_pixel,
        ..
    } = picture;
    let background = Background::fit(image);
    let mut cropper = Cropper::new(input);
    let crop = cropper.cut(image, &background, *um_per_pixel, &picture.middle())?;
    let side = crop.side;
    let data = TensorData::new(crop.network_input(), [1, 1, side, side]);
    Some(network.answers(Tensor::from_data(data, &network.device())))
}

/// The largest distance between the leukocytes that the trained finder finds and those that an engine found, and
/// between their diameters, in pixels of the finder's input; infinite if they are not as many, or not as many red cells.
fn farthest(
    finder: &Finder,
    model: &CellsModel,
    picture: &GoldenPicture,
    found: &FieldCells,
) -> f32 {
    let tiles = model.finder.input;
    let maps = FieldMaps::of(finder, tiles, &picture.image, picture.um_per_pixel);
    let expected = maps.leukocytes(model.finder.thresholds.leukocytes);
    let red_cells = maps.red_cells(model.finder.thresholds.red_cells);
    if expected.len() != found.cells.len() || red_cells.len() != found.red_cells.len() {
        return f32::INFINITY;
    }
    let nearest = |site: &CellSite| {
        let distances = found.cells.iter().map(|cell| {
            let other = cell.site;
            let place = (site.x - other.x).hypot(site.y - other.y);
            place.max((site.diameter - other.diameter).abs())
        });
        distances.fold(f32::INFINITY, f32::min)
    };
    let farthest = expected.iter().map(nearest).fold(0.0, f32::max);
    farthest * picture.um_per_pixel / tiles.um_per_pixel
}

/// A finder's description without files and golden samples.
pub(crate) fn finder_model(input: TileInput, thresholds: Thresholds) -> FinderModel {
    FinderModel {
        input,
        thresholds,
        outputs: finder_outputs(),
        files: NO_FILES,
        golden: Vec::new(),
    }
}

/// A cell network's description without files and golden samples.
pub(crate) fn cell_model(
    input: CropInput,
    classes: Vec<CellClass>,
    temperature: f32,
    novelty: Option<Novelty>,
) -> CellModel {
    CellModel {
        temperature,
        input,
        classes,
        outputs: cell_outputs(),
        novelty,
        files: NO_FILES,
        golden: Vec::new(),
    }
}

const NO_FILES: Files = Files {
    ir_xml: None,
    ir_bin: None,
    onnx: None,
};
