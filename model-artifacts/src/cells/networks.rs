//! The two networks of a model that counts cells, on one engine.

use super::cell_site::CellSite;
use super::peaks::CentreMap;
use super::tiles::{FieldMaps, Tiling};
use crate::engine::loader::LoadNetwork;
use crate::engine::network::{EngineInfo, Network, Output, Outputs};
use crate::error::ArtifactError;
use crate::image::density::DensityField;
use crate::image::tensor::Tensor;
use crate::judgement::evidence::EvidenceMap;
use crate::manifest::cells::{CellNetwork, CellsModel, Finder};
use crate::model_files::ModelFiles;

/// Largest deviation of the sum of a cell's probabilities from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// Finder and cell network.
pub struct CellNetworks {
    finder: Box<dyn Network>,
    finder_model: Finder,
    tile: Tensor,
    cell: Box<dyn Network>,
    cell_model: CellNetwork,
    batch: Tensor,
}

/// What the finder finds in a field, in pixels of its input.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FoundCells {
    pub(super) leukocytes: Vec<CellSite>,
    pub(super) red_cells: Vec<CellSite>,
}

/// What the cell network computes for one cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CellOutput {
    /// Uncalibrated probability of each class; they sum to 1.
    pub(super) probabilities: Vec<f32>,
    /// Empty if the network has no such output.
    pub(super) features: Vec<f32>,
    pub(super) evidence: Option<EvidenceMap>,
}

impl CellNetworks {
    /// Loads both networks of a model.
    ///
    /// # Errors
    /// Those of [`LoadNetwork::load`].
    pub(super) fn load(
        loader: &mut dyn LoadNetwork,
        files: &ModelFiles<CellsModel>,
    ) -> Result<Self, ArtifactError> {
        let CellsModel { finder, cell, .. } = &files.manifest().model;
        let zeros = |shape: [usize; 4]| Tensor {
            shape,
            data: vec![0.0; shape.iter().product()],
        };
        Ok(Self {
            tile: zeros(finder.interface().input_shape),
            batch: zeros(cell.interface().input_shape),
            finder: loader.load(&files.finder(), finder.interface())?,
            cell: loader.load(&files.cell(), cell.interface())?,
            finder_model: finder.clone(),
            cell_model: cell.clone(),
        })
    }

    /// The engine and device that run both networks.
    pub(super) fn info(&self) -> &EngineInfo {
        self.cell.info()
    }

    /// Finds the cells of a field, whose density is at the scale of the finder.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the engine fails, or if its outputs are not what the manifest declares.
    pub(super) fn find(&mut self, field: &DensityField) -> Result<FoundCells, ArtifactError> {
        const PLANES: [&str; 3] = ["leukocytes", "red cells", "diameters"];
        let engine = self.finder.info().engine;
        let failed = |problem| ArtifactError::Inference { engine, problem };
        let Finder {
            input,
            outputs: names,
            thresholds,
            ..
        } = &self.finder_model;
        let tiling = Tiling::of(*input);
        let area = tiling.positions().pow(2);
        let finder = &mut self.finder;
        let maps = tiling.run(field, &mut self.tile, PLANES.len(), |tile, place| {
            let outputs = finder.run(tile)?;
            let centres = output(&outputs, &names.centres).map_err(failed)?;
            let diameter = output(&outputs, &names.diameter).map_err(failed)?;
            if centres.values.len() != 2 * area || diameter.values.len() != area {
                return Err(failed("its maps have another size than it declares".into()));
            }
            let (leukocytes, red_cells) = centres.values.split_at(area);
            for (plane, values) in [leukocytes, red_cells, diameter.values]
                .into_iter()
                .enumerate()
            {
                if !values.iter().all(|value| value.is_finite()) {
                    return Err(failed(format!(
                        "the map of {} is not finite",
                        PLANES[plane]
                    )));
                }
                place(plane, values);
            }
            Ok(())
        })?;
        Ok(FoundCells {
            leukocytes: cells(&maps, 0, tiling, thresholds.leukocytes),
            red_cells: cells(&maps, 1, tiling, thresholds.red_cells),
        })
    }

    /// Looks at cells, in batches; each input is what a crop [gives](super::crop::CellCrop::network_input).
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the engine fails, or if its outputs are not what the manifest declares.
    pub(super) fn look_at(&mut self, inputs: &[&[f32]]) -> Result<Vec<CellOutput>, ArtifactError> {
        let engine = self.cell.info().engine;
        let failed = |problem| ArtifactError::Inference { engine, problem };
        let size = self.cell_model.input.batch as usize;
        let mut results = Vec::with_capacity(inputs.len());
        for inputs in inputs.chunks(size) {
            self.batch.data.clear();
            for input in inputs {
                self.batch.data.extend_from_slice(input);
            }
            self.batch
                .data
                .resize(self.batch.shape.iter().product(), 0.0);
            let outputs = self.cell.run(&self.batch)?;
            for place in 0..inputs.len() {
                results.push(cell_output(&self.cell_model, &outputs, place).map_err(failed)?);
            }
        }
        Ok(results)
    }
}

fn output<'a, 'b>(outputs: &'b Outputs<'a>, name: &str) -> Result<&'b Output<'a>, String> {
    outputs
        .get(name)
        .ok_or_else(|| format!("the network gives no output `{name}`"))
}

fn cells(maps: &FieldMaps, plane: usize, tiling: Tiling, threshold: f32) -> Vec<CellSite> {
    CentreMap {
        width: maps.width,
        scores: &maps.planes[plane],
        log_diameters: &maps.planes[2],
        stride: tiling.stride() as f32,
    }
    .cells(threshold)
}

/// The outputs for the cell at a place of the batch.
fn cell_output(model: &CellNetwork, outputs: &Outputs, place: usize) -> Result<CellOutput, String> {
    let size = model.input.batch as usize;
    let part = |name: &str| -> Result<(Vec<usize>, Vec<f32>), String> {
        let output = output(outputs, name)?;
        let count = output.values.len() / size;
        let values = output
            .values
            .chunks_exact(count.max(1))
            .nth(place)
            .ok_or_else(|| format!("the output `{name}` has the shape {:?}", output.shape))?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(format!("the output `{name}` is not finite"));
        }
        Ok((output.shape.clone(), values.to_vec()))
    };
    let (shape, probabilities) = part(&model.outputs.probability)?;
    let sum: f32 = probabilities.iter().sum();
    let in_range = |value: &f32| (-SUM_TOLERANCE..=1.0 + SUM_TOLERANCE).contains(value);
    let is_softmax = probabilities.len() == model.classes.len()
        && probabilities.iter().all(in_range)
        && (sum - 1.0).abs() <= SUM_TOLERANCE;
    if !is_softmax {
        return Err(format!(
            "the probabilities of shape {shape:?} are not {} that add up to 1",
            model.classes.len()
        ));
    }
    let features = model.outputs.features.as_deref().map(part).transpose()?;
    let evidence = match model.outputs.evidence.as_deref().map(part).transpose()? {
        Some((shape, values)) => {
            let &[_, 1, height, width] = shape.as_slice() else {
                return Err(format!("the evidence has the shape {shape:?}"));
            };
            Some(EvidenceMap {
                width,
                height,
                values,
            })
        }
        None => None,
    };
    Ok(CellOutput {
        probabilities,
        features: features.map(|(_, values)| values).unwrap_or_default(),
        evidence,
    })
}
