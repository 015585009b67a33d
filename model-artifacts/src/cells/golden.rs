//! Loads both networks and proves them by their golden samples, and by those of the whole chain.

use super::analysis::{Field, look_at_field};
use super::cell_site::CellSite;
use super::networks::CellNetworks;
use crate::engine::failover::{GoldenResult, NetworkSet};
use crate::engine::loader::LoadNetwork;
use crate::engine::network::EngineInfo;
use crate::error::ArtifactError;
use crate::image::background::Background;
use crate::manifest::cells::{CellGolden, CellsModel, ChainGolden, FinderGolden};
use crate::manifest::files::FileEntry;
use crate::model_files::ModelFiles;

impl NetworkSet for CellNetworks {
    type Model = CellsModel;
    type Preprocessor = ();

    fn of_kind(files: ModelFiles) -> Result<ModelFiles<CellsModel>, ArtifactError> {
        files.into_cells()
    }

    /// Crops are prepared as they are cut.
    fn preprocessor(_: &CellsModel) -> Result<(), ArtifactError> {
        Ok(())
    }

    fn load(
        loader: &mut dyn LoadNetwork,
        files: &ModelFiles<CellsModel>,
    ) -> Result<Self, ArtifactError> {
        Self::load(loader, files)
    }

    fn info(&self) -> &EngineInfo {
        self.info()
    }

    /// A result for each sample: a count for those of the finder, and for the others the probability that is farthest
    /// from the expected one.
    fn verify(
        &mut self,
        files: &ModelFiles<CellsModel>,
    ) -> Result<Vec<GoldenResult>, ArtifactError> {
        let model = &files.manifest().model;
        let mut results = Vec::new();
        for sample in &model.finder.golden {
            results.push(find(self, files, sample)?);
        }
        for sample in &model.cell.golden {
            results.push(look_at(self, files, sample)?);
        }
        for sample in &model.golden {
            results.push(count(self, files, sample)?);
        }
        Ok(results)
    }
}

fn find(
    networks: &mut CellNetworks,
    files: &ModelFiles<CellsModel>,
    sample: &FinderGolden,
) -> Result<GoldenResult, ArtifactError> {
    let image = files.golden_image(&sample.image)?;
    let background = Background::fit(image);
    let field = Field::new(image, &background, &files.manifest().model);
    let found = field
        .find(networks, sample.um_per_pixel)?
        .unwrap_or_default();
    let compared = Compared::new(networks, &sample.image, 0.0);
    compared.check(sample.leukocytes as f32, found.leukocytes.len() as f32)?;
    compared.check(sample.red_cells as f32, found.red_cells.len() as f32)
}

fn look_at(
    networks: &mut CellNetworks,
    files: &ModelFiles<CellsModel>,
    sample: &CellGolden,
) -> Result<GoldenResult, ArtifactError> {
    let image = files.golden_image(&sample.image)?;
    let background = Background::fit(image);
    let (width, height) = (image.width() as f32, image.height() as f32);
    let middle = CellSite {
        x: width / 2.0,
        y: height / 2.0,
        diameter: width.min(height) / 2.0,
        score: 1.0,
    };
    let probabilities = Field::new(image, &background, &files.manifest().model)
        .look_at(networks, &[middle], sample.um_per_pixel, |_, output| {
            output.probabilities
        })?
        .pop()
        .flatten();
    let compared = Compared::new(networks, &sample.image, sample.tolerance);
    compared.check_all(&sample.probabilities, &probabilities.unwrap_or_default())
}

fn count(
    networks: &mut CellNetworks,
    files: &ModelFiles<CellsModel>,
    sample: &ChainGolden,
) -> Result<GoldenResult, ArtifactError> {
    let model = &files.manifest().model;
    let image = files.golden_image(&sample.image)?;
    let field = look_at_field(networks, model, image, Some(sample.um_per_pixel))?;
    let counted = field.count();
    let exact = Compared::new(networks, &sample.image, 0.0);
    exact.check(sample.cells as f32, counted.cells as f32)?;
    exact.check(sample.blasts as f32, counted.blasts as f32)?;
    let counting = field.cells.iter().filter(|cell| cell.call.counts());
    let mut probabilities: Vec<f32> = counting.map(|cell| cell.blast_probability(model)).collect();
    probabilities.sort_unstable_by(|a, b| b.total_cmp(a));
    Compared::new(networks, &sample.image, sample.tolerance)
        .check_all(&sample.probabilities, &probabilities)
}

/// A golden sample on an engine.
struct Compared<'a> {
    image: &'a FileEntry,
    engine: String,
    tolerance: f32,
}

impl<'a> Compared<'a> {
    fn new(networks: &CellNetworks, image: &'a FileEntry, tolerance: f32) -> Self {
        Self {
            image,
            engine: networks.info().name(),
            tolerance,
        }
    }

    fn check(&self, expected: f32, actual: f32) -> Result<GoldenResult, ArtifactError> {
        // Written so that NaN fails, too.
        if (actual - expected).abs() <= self.tolerance {
            return Ok(GoldenResult {
                image: self.image.path.clone(),
                expected,
                actual,
            });
        }
        Err(ArtifactError::Golden {
            sample: self.image.path.clone(),
            engine: self.engine.clone(),
            expected,
            actual,
            tolerance: self.tolerance,
        })
    }

    /// The farthest of the pairs. Missing values fail.
    fn check_all(&self, expected: &[f32], actual: &[f32]) -> Result<GoldenResult, ArtifactError> {
        let values = actual.iter().copied().chain(std::iter::repeat(f32::NAN));
        let mut farthest = self.check(0.0, 0.0)?;
        for (expected, actual) in expected.iter().zip(values) {
            let result = self.check(*expected, actual)?;
            let distance = |result: &GoldenResult| (result.actual - result.expected).abs();
            if distance(&result) >= distance(&farthest) {
                farthest = result;
            }
        }
        Ok(farthest)
    }
}
