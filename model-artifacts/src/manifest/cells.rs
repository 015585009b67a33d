//! A model that finds cells, looks at each and counts them (`kind = "cells"`).

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{FileEntry, Files};
use super::golden::{check_count, check_tolerance};
use crate::engine::interface::{Interface, WantedOutput};
use crate::files::MANIFEST_FILE;
use crate::image::contract::InputContract;
use crate::judgement::count::CountRule;
use crate::judgement::novelty::Novelty;
use crate::validation::{FieldError, check_between, check_line};

/// Finest and coarsest scale of a network's input, in µm per pixel.
const SCALES: std::ops::RangeInclusive<f32> = 0.02..=5.0;
/// Temperatures that leave probabilities finite.
const TEMPERATURES: std::ops::RangeInclusive<f32> = 0.05..=20.0;
/// Smallest and largest side of a tile for the finder, in pixels.
const TILE_SIDES: std::ops::RangeInclusive<u32> = 32..=2048;
/// Smallest and largest side of a crop around a cell, in pixels.
const CROP_SIDES: std::ops::RangeInclusive<u32> = 8..=512;
/// Largest number of cells that the cell network takes at once.
const MAX_BATCH: u32 = 256;
/// Smallest and largest number of classes of cells.
const CLASSES: std::ops::RangeInclusive<usize> = 2..=32;
/// Largest number of measured figures.
const MAX_FIGURES: usize = 32;
/// Largest number of red cells that the ruler may require in a field.
const MAX_RULER_CELLS: u32 = 1000;
/// Largest deviation of the sum of a sample's probabilities from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// What a manifest says about a model that counts cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename = "cells")]
pub struct CellsModel {
    /// The network that finds leukocytes and red cells in a field.
    pub finder: Finder,
    /// The network that looks at each leukocyte.
    pub cell: CellNetwork,
    /// How the cells of a slide become its verdict.
    pub count: CountRule,
    /// How red cells give the scale of a field; `None` if they were found to give wrong ones, so that only fields of
    /// known scale are looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ruler: Option<Ruler>,
    /// How the measured figures of a cell become the probability of a blast; `None` if they were not fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<FiguresRule>,
    /// Fields with known cells, analysed before the model is used; 1 to 64.
    pub golden: Vec<ChainGolden>,
}

/// The network that finds cells: fully convolutional, on tiles of a field at a fixed scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finder {
    /// Its input.
    pub input: TileInput,
    /// What counts as a cell.
    pub thresholds: Thresholds,
    /// Its outputs by name.
    pub outputs: FinderOutputs,
    /// The files of each engine, with their SHA-256.
    pub files: Files,
    /// Tiles with known numbers of cells, run before the model is used; 1 to 64.
    pub golden: Vec<FinderGolden>,
}

/// The input of the finder, shape `[1, 2, side, side]`: optical density in red and in green light.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileInput {
    /// Scale, 0.02 to 5 µm per pixel.
    pub um_per_pixel: f32,
    /// Side of a square tile, 32 to 2048 pixels.
    pub side: u32,
    /// Width of the border of a tile whose positions see too little around them, in pixels: at least half of the
    /// network's receptive field, and less than half of the side. A multiple of the stride.
    pub margin: u32,
    /// Pixels per position of the network's maps, along each axis; the side is a multiple.
    pub stride: u32,
}

impl TileInput {
    /// Number of planes.
    pub const PLANES: usize = 2;
}

/// Smallest value of a peak in the finder's maps that is a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// For leukocytes, strictly between 0 and 1.
    pub leukocytes: f32,
    /// For red cells, strictly between 0 and 1.
    pub red_cells: f32,
}

/// Names of the finder's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinderOutputs {
    /// Probability that a leukocyte and that a red cell is centred at a position, shape `[1, 2, h, w]`.
    pub centres: String,
    /// Natural logarithm of the diameter of the cell at a position, in pixels of the input, shape `[1, 1, h, w]`.
    pub diameter: String,
}

/// The network that looks at single cells, on crops of a fixed scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellNetwork {
    /// Divides the logits, above 0; 1 leaves the network's probabilities unchanged.
    pub temperature: f32,
    /// Its input.
    pub input: CropInput,
    /// The classes in the order of its probabilities, 2 to 32.
    pub classes: Vec<CellClass>,
    /// Its outputs by name.
    pub outputs: CellOutputs,
    /// The cells that it learned from, to notice others; `None` if they were not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub novelty: Option<Novelty>,
    /// The files of each engine, with their SHA-256.
    pub files: Files,
    /// Crops with known probabilities, run before the model is used; 1 to 64.
    pub golden: Vec<CellGolden>,
}

/// The input of the cell network, shape `[batch, 1, side, side]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropInput {
    /// Scale, 0.02 to 5 µm per pixel.
    pub um_per_pixel: f32,
    /// Side of the square around a cell, 8 to 512 pixels.
    pub side: u32,
    /// Number of cells that are run at once, 1 to 256.
    pub batch: u32,
}

impl CropInput {
    /// Largest size of a pixel of a reduced image, relative to that of a crop: the crop's pixels remain means of some.
    const COARSEST: f32 = 0.6;

    /// Factor by which width and height of a JPEG are reduced while it is decoded: 1, 2 or 4. It is the largest for which
    /// both are multiples of it, the longer side remains at least [`InputContract::MIN_REDUCED_SIDE`], and the pixels, of
    /// `um_per_pixel` before, are fine enough for the crops; 1 if their size is unknown. Means of pixels are computed faster
    /// than the pixels, and crops average them anyway.
    pub fn reduction(&self, um_per_pixel: Option<f32>, width: u32, height: u32) -> u32 {
        let is_fine = |by: &u32| {
            let coarse =
                um_per_pixel.is_none_or(|um| um * *by as f32 > Self::COARSEST * self.um_per_pixel);
            let is_large = width.max(height) / by >= InputContract::MIN_REDUCED_SIDE;
            !coarse && is_large && width.is_multiple_of(*by) && height.is_multiple_of(*by)
        };
        [4, 2].into_iter().find(is_fine).unwrap_or(1)
    }
}

/// A class of cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellClass {
    /// Its name, such as `lymphoblast`.
    pub name: String,
    /// Whether its cells are blasts.
    pub blast: bool,
    /// Whether its cells are leukocytes, which are counted; others are artefacts.
    pub leukocyte: bool,
}

/// Names of the cell network's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellOutputs {
    /// Softmax over the classes, shape `[batch, classes]`.
    pub probability: String,
    /// Features of each cell, shape `[batch, f]`; `None` if the network has no such output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// Evidence map of each cell, shape `[batch, 1, h, w]`; `None` if the network has no such output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// How the red cells of a field give its scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruler {
    /// Median diameter of red cells on a dry smear, 5 to 10 µm.
    pub red_cell_um: f32,
    /// Smallest number of red cells that give a scale, 1 to 1000.
    pub min_cells: u32,
    /// Largest spread of the red cells' diameters as a share of their median, above 0 and at most 1.
    pub max_spread: f32,
}

/// A logistic rule: the probability of a blast is `σ(intercept + Σ weight · figure)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FiguresRule {
    /// Log-odds where all figures are 0.
    pub intercept: f32,
    /// Weight of each measured figure by its name, 1 to 32.
    pub weights: BTreeMap<String, f32>,
}

/// A tile with the numbers of cells that the finder must find in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinderGolden {
    /// A small image in a lossless format.
    pub image: FileEntry,
    /// The image's scale.
    pub um_per_pixel: f32,
    /// Number of leukocytes.
    pub leukocytes: u32,
    /// Number of red cells.
    pub red_cells: u32,
}

/// A cell with the probabilities that the cell network must compute for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellGolden {
    /// A small image in a lossless format, with the cell in its centre.
    pub image: FileEntry,
    /// The image's scale.
    pub um_per_pixel: f32,
    /// Uncalibrated probability of each class, 0 to 1; they sum to 1.
    pub probabilities: Vec<f32>,
    /// Largest allowed absolute difference of each, above 0 and at most 0.05.
    pub tolerance: f32,
}

/// A field with the cells that both networks together must find in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainGolden {
    /// A small image in a lossless format.
    pub image: FileEntry,
    /// The image's scale.
    pub um_per_pixel: f32,
    /// Number of leukocytes.
    pub cells: u32,
    /// Number of those that are called blasts.
    pub blasts: u32,
    /// Calibrated probability of a blast for each leukocyte, 0 to 1, largest first.
    pub probabilities: Vec<f32>,
    /// Largest allowed absolute difference of each, above 0 and at most 0.05.
    pub tolerance: f32,
}

impl CellsModel {
    /// Refuses the first field with an invalid value.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let mut seen = HashSet::from([Path::new(MANIFEST_FILE)]);
        self.finder.check(&mut seen)?;
        self.cell.check(&mut seen)?;
        self.count.check()?;
        self.ruler.map_or(Ok(()), Ruler::check)?;
        if let Some(figures) = &self.figures {
            figures.check()?;
        }
        check_count("golden", self.golden.len())?;
        for (index, sample) in self.golden.iter().enumerate() {
            sample.check(&format!("golden[{index}]"))?;
        }
        Ok(())
    }
}

impl Finder {
    /// What the network must take and give.
    pub fn interface(&self) -> Interface {
        let side = self.input.side as usize;
        let positions = (self.input.side / self.input.stride) as usize;
        let map = |field, name: &str, planes| WantedOutput {
            field,
            name: name.to_owned(),
            shape: vec![Some(1), Some(planes), Some(positions), Some(positions)],
        };
        Interface {
            input_field: "finder.input",
            input_shape: [1, TileInput::PLANES, side, side],
            outputs: vec![
                map("finder.outputs.centres", &self.outputs.centres, 2),
                map("finder.outputs.diameter", &self.outputs.diameter, 1),
            ],
        }
    }

    fn check<'a>(&'a self, seen: &mut HashSet<&'a Path>) -> Result<(), FieldError> {
        let TileInput {
            um_per_pixel,
            side,
            margin,
            stride,
        } = self.input;
        check_between("finder.input.um_per_pixel", um_per_pixel, SCALES)?;
        check_between("finder.input.side", side, TILE_SIDES)?;
        check_between("finder.input.margin", margin, 0..=(side - 1) / 2)?;
        check_between("finder.input.stride", stride, 1..=side)?;
        for (field, length) in [("side", side), ("margin", margin)] {
            if !length.is_multiple_of(stride) {
                return Err(FieldError::invalid(
                    format!("finder.input.{field}"),
                    format!("must be a multiple of finder.input.stride, {stride}, it is {length}"),
                ));
            }
        }
        let Thresholds {
            leukocytes,
            red_cells,
        } = self.thresholds;
        for (field, threshold) in [("leukocytes", leukocytes), ("red_cells", red_cells)] {
            if !(threshold > 0.0 && threshold < 1.0) {
                return Err(FieldError::invalid(
                    format!("finder.thresholds.{field}"),
                    format!("must be strictly between 0 and 1, it is {threshold}"),
                ));
            }
        }
        check_outputs(&[
            ("finder.outputs.centres", Some(&self.outputs.centres)),
            ("finder.outputs.diameter", Some(&self.outputs.diameter)),
        ])?;
        self.files.check("finder.files", seen)?;
        check_count("finder.golden", self.golden.len())?;
        for (index, sample) in self.golden.iter().enumerate() {
            check_image(
                &format!("finder.golden[{index}]"),
                &sample.image,
                sample.um_per_pixel,
            )?;
        }
        Ok(())
    }
}

impl CellNetwork {
    /// What the network must take and give.
    pub fn interface(&self) -> Interface {
        let (batch, side) = (self.input.batch as usize, self.input.side as usize);
        let features = self.novelty.as_ref().map(Novelty::features);
        let output = |field, name: &String, shape: &[Option<usize>]| WantedOutput {
            field,
            name: name.clone(),
            shape: std::iter::once(&Some(batch))
                .chain(shape)
                .copied()
                .collect(),
        };
        let CellOutputs {
            probability,
            features: features_name,
            evidence,
        } = &self.outputs;
        let mut outputs = vec![output(
            "cell.outputs.probability",
            probability,
            &[Some(self.classes.len())],
        )];
        outputs.extend(
            features_name
                .iter()
                .map(|name| output("cell.outputs.features", name, &[features])),
        );
        outputs.extend(
            evidence
                .iter()
                .map(|name| output("cell.outputs.evidence", name, &[Some(1), None, None])),
        );
        Interface {
            input_field: "cell.input",
            input_shape: [batch, 1, side, side],
            outputs,
        }
    }

    fn check<'a>(&'a self, seen: &mut HashSet<&'a Path>) -> Result<(), FieldError> {
        check_between("cell.temperature", self.temperature, TEMPERATURES)?;
        let CropInput {
            um_per_pixel,
            side,
            batch,
        } = self.input;
        check_between("cell.input.um_per_pixel", um_per_pixel, SCALES)?;
        check_between("cell.input.side", side, CROP_SIDES)?;
        check_between("cell.input.batch", batch, 1..=MAX_BATCH)?;
        self.check_classes()?;
        check_outputs(&[
            ("cell.outputs.probability", Some(&self.outputs.probability)),
            ("cell.outputs.features", self.outputs.features.as_ref()),
            ("cell.outputs.evidence", self.outputs.evidence.as_ref()),
        ])?;
        if let Some(novelty) = &self.novelty {
            if self.outputs.features.is_none() {
                return Err(FieldError::new(
                    "cell.outputs.features",
                    "is missing, cell.novelty needs it",
                    "name the network's output of features, or remove cell.novelty",
                ));
            }
            novelty.check("cell.novelty", self.classes.len())?;
        }
        self.files.check("cell.files", seen)?;
        check_count("cell.golden", self.golden.len())?;
        for (index, sample) in self.golden.iter().enumerate() {
            sample.check(&format!("cell.golden[{index}]"), self.classes.len())?;
        }
        Ok(())
    }

    fn check_classes(&self) -> Result<(), FieldError> {
        const FIELD: &str = "cell.classes";
        let count = self.classes.len();
        if !CLASSES.contains(&count) {
            let (min, max) = CLASSES.into_inner();
            return Err(FieldError::invalid(
                FIELD,
                format!("must be {min} to {max} classes, they are {count}"),
            ));
        }
        let mut names = HashSet::new();
        for (index, class) in self.classes.iter().enumerate() {
            check_line(&format!("{FIELD}[{index}].name"), &class.name)?;
            if !names.insert(&class.name) {
                return Err(FieldError::invalid(
                    format!("{FIELD}[{index}].name"),
                    format!(
                        "must differ from the other classes, `{}` is used twice",
                        class.name
                    ),
                ));
            }
            if class.blast && !class.leukocyte {
                return Err(FieldError::invalid(
                    format!("{FIELD}[{index}].leukocyte"),
                    format!("must be true, because `{}` is a blast", class.name),
                ));
            }
        }
        let mut leukocytes = self.classes.iter().filter(|class| class.leukocyte);
        let first = leukocytes.next().map(|class| class.blast);
        if first.is_none_or(|first| leukocytes.all(|class| class.blast == first)) {
            return Err(FieldError::invalid(
                FIELD,
                "must have at least one class of blasts and one of other leukocytes",
            ));
        }
        Ok(())
    }
}

impl Ruler {
    fn check(self) -> Result<(), FieldError> {
        check_between("ruler.red_cell_um", self.red_cell_um, 5.0..=10.0)?;
        check_between("ruler.min_cells", self.min_cells, 1..=MAX_RULER_CELLS)?;
        if !(self.max_spread > 0.0 && self.max_spread <= 1.0) {
            return Err(FieldError::invalid(
                "ruler.max_spread",
                format!("must be above 0 and at most 1, it is {}", self.max_spread),
            ));
        }
        Ok(())
    }
}

impl FiguresRule {
    fn check(&self) -> Result<(), FieldError> {
        let count = self.weights.len();
        if !(1..=MAX_FIGURES).contains(&count) {
            return Err(FieldError::invalid(
                "figures.weights",
                format!("must be 1 to {MAX_FIGURES} weights, they are {count}"),
            ));
        }
        check_finite("figures.intercept", self.intercept)?;
        for (name, weight) in &self.weights {
            check_line("figures.weights", name)?;
            check_finite(&format!("figures.weights.{name}"), *weight)?;
        }
        Ok(())
    }
}

impl CellGolden {
    fn check(&self, sample: &str, classes: usize) -> Result<(), FieldError> {
        check_image(sample, &self.image, self.um_per_pixel)?;
        check_probabilities(sample, &self.probabilities, classes)?;
        let sum: f32 = self.probabilities.iter().sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(FieldError::invalid(
                format!("{sample}.probabilities"),
                format!("must sum to 1, they sum to {sum}"),
            ));
        }
        check_tolerance(format!("{sample}.tolerance"), self.tolerance)
    }
}

impl ChainGolden {
    fn check(&self, sample: &str) -> Result<(), FieldError> {
        check_image(sample, &self.image, self.um_per_pixel)?;
        check_between(format!("{sample}.blasts"), self.blasts, 0..=self.cells)?;
        check_probabilities(sample, &self.probabilities, self.cells as usize)?;
        if !self.probabilities.is_sorted_by(|a, b| a >= b) {
            return Err(FieldError::invalid(
                format!("{sample}.probabilities"),
                "must be in descending order",
            ));
        }
        check_tolerance(format!("{sample}.tolerance"), self.tolerance)
    }
}

fn check_image(sample: &str, image: &FileEntry, um_per_pixel: f32) -> Result<(), FieldError> {
    image.check(&format!("{sample}.image"))?;
    check_between(format!("{sample}.um_per_pixel"), um_per_pixel, SCALES)
}

fn check_probabilities(
    sample: &str,
    probabilities: &[f32],
    wanted: usize,
) -> Result<(), FieldError> {
    let field = format!("{sample}.probabilities");
    if probabilities.len() != wanted {
        return Err(FieldError::invalid(
            field,
            format!("must be {wanted} numbers, they are {}", probabilities.len()),
        ));
    }
    for probability in probabilities {
        check_between(field.as_str(), *probability, 0.0..=1.0)?;
    }
    Ok(())
}

/// Requires names of outputs that differ from each other.
fn check_outputs(outputs: &[(&str, Option<&String>)]) -> Result<(), FieldError> {
    let mut seen = HashSet::new();
    for (field, name) in outputs {
        let Some(name) = name else { continue };
        check_line(field, name)?;
        if !seen.insert(name) {
            return Err(FieldError::invalid(
                *field,
                format!("must differ from the other outputs, `{name}` is used twice"),
            ));
        }
    }
    Ok(())
}

fn check_finite(field: &str, value: f32) -> Result<(), FieldError> {
    if value.is_finite() {
        return Ok(());
    }
    Err(FieldError::invalid(
        field,
        format!("must be a number, it is {value}"),
    ))
}
