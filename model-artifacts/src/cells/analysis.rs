//! From the picture of a field to its cells.

use image::{RgbImage, imageops};

use super::cell_site::CellSite;
use super::crop::{CellCrop, Cropper};
use super::figures::CellFigures;
use super::networks::{CellNetworks, CellOutput, FoundCells};
use super::ruler::{Look, MeasuredScale, ScaleUnknown};
use super::scale_search;
use crate::error::ArtifactError;
use crate::image::background::Background;
use crate::image::density::DensityField;
use crate::judgement::count::CellCount;
use crate::judgement::evidence::EvidenceMap;
use crate::judgement::novelty::Novelty;
use crate::manifest::cells::{CellNetwork, CellsModel, FiguresRule, Ruler};

/// Coarsest scale at which cells can be told apart, µm per pixel: a nucleus is some 20 pixels wide.
pub const COARSEST_UM_PER_PIXEL: f32 = 0.4;
/// Pixels of the finder's input in which the scale is searched; they hold some hundred red cells.
const SEARCHED_PIXELS: f32 = 250e3;
/// Largest field, in pixels of the finder's input: 2 mm in each direction at 0.5 µm.
const MAX_FINDER_PIXELS: f32 = 16e6;
/// Most leukocytes of a field that are looked at, the surest first; a field of view holds some tens.
const MAX_LEUKOCYTES: usize = 1000;
/// Where the network and the rule of measured figures disagree by so much, a cell is unclear: one finds a blast with at
/// least this probability, and the other one with at most the rest.
const DISAGREEMENT: f32 = 0.9;

/// The cells of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldCells {
    /// Width and height of the image.
    pub size: [u32; 2],
    /// Scale of the field, or why it has none; then no cell was looked for.
    pub scale: Result<Scale, NoScale>,
    /// The red cells, the surest first.
    pub red_cells: Vec<CellSite>,
    /// What the finder took for leukocytes, the surest first.
    pub cells: Vec<Cell>,
}

impl FieldCells {
    /// The leukocytes that count, and the blasts among them. Unclear cells and artefacts do not count.
    pub fn count(&self) -> CellCount {
        count(&self.cells)
    }
}

/// The leukocytes among cells that count, and the blasts among them.
pub(super) fn count<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> CellCount {
    let mut count = CellCount::default();
    for cell in cells {
        count.cells += u32::from(cell.call.counts());
        count.blasts += u32::from(cell.call == CellCall::Blast);
    }
    count
}

/// The scale of a field and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// It was given with the image, µm per pixel.
    Given(f32),
    /// Its red cells were the ruler.
    Measured(MeasuredScale),
}

impl Scale {
    /// Size of a pixel, µm.
    pub fn um_per_pixel(self) -> f32 {
        match self {
            Self::Given(um_per_pixel) => um_per_pixel,
            Self::Measured(scale) => scale.um_per_pixel,
        }
    }
}

/// Why a field has no scale at which cells can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoScale {
    /// None was given, and the red cells give none.
    #[error("scale unknown: {0}")]
    Unknown(#[from] ScaleUnknown),
    /// None was given, and the model measures none.
    #[error("scale unknown: none was given, and the model cannot measure it by red cells")]
    NoRuler,
    /// A pixel is too large.
    #[error(
        "a pixel is {um_per_pixel:.2} µm, cells can be told apart up to {COARSEST_UM_PER_PIXEL} µm"
    )]
    TooCoarse {
        /// Size of a pixel, µm.
        um_per_pixel: f32,
    },
    /// The given scale is no number above 0, or makes the field larger than a slide.
    #[error("a pixel of {um_per_pixel} µm cannot be the scale of a field of this size")]
    Impossible {
        /// Size of a pixel, µm.
        um_per_pixel: f32,
    },
}

/// A cell of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Where it lies, in pixels of the field's image.
    pub site: CellSite,
    /// Diameter, µm.
    pub diameter_um: f32,
    /// Calibrated probability of each class of the model; they sum to 1.
    pub probabilities: Vec<f32>,
    /// The class of the largest probability.
    pub class: usize,
    /// What it counts as.
    pub call: CellCall,
    /// What can be measured at it; `None` if nothing there looks like a nucleus.
    pub figures: Option<CellFigures>,
    /// Where the network sees its class, within the crop; `None` if it does not say.
    pub evidence: Option<EvidenceMap>,
}

/// What a cell counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellCall {
    /// A leukocyte that is a blast.
    Blast,
    /// A leukocyte that is none.
    OtherLeukocyte,
    /// No leukocyte: it does not count.
    Artefact,
    /// It is like no cell that the network learned from: it does not count.
    Novel,
    /// Network and measured figures contradict each other: it does not count.
    Contradictory,
}

impl CellCall {
    /// Whether the cell is one of those that are counted.
    pub fn counts(self) -> bool {
        matches!(self, Self::Blast | Self::OtherLeukocyte)
    }
}

impl Cell {
    /// Calibrated probability that the cell is a blast, 0 to 1.
    pub fn blast_probability(&self, model: &CellsModel) -> f32 {
        sum_of_blasts(&self.probabilities, &model.cell)
    }
}

fn sum_of_blasts(probabilities: &[f32], model: &CellNetwork) -> f32 {
    let classes = probabilities.iter().zip(&model.classes);
    classes
        .filter(|(_, class)| class.blast)
        .map(|(probability, _)| probability)
        .sum()
}

/// Finds the cells of a field and looks at each.
///
/// # Errors
/// [`ArtifactError::Inference`] if the engine fails.
pub(super) fn look_at_field(
    networks: &mut CellNetworks,
    model: &CellsModel,
    image: &RgbImage,
    um_per_pixel: Option<f32>,
) -> Result<FieldCells, ArtifactError> {
    let background = Background::fit(image);
    let field = Field::new(image, &background, model);
    let (scale, found) = match um_per_pixel {
        Some(um_per_pixel) => match field.find(networks, um_per_pixel)? {
            Ok(found) => (Ok(Scale::Given(um_per_pixel)), found),
            Err(error) => (Err(error), FoundCells::default()),
        },
        None => match field.measure(networks)? {
            Ok((scale, found)) => (Ok(Scale::Measured(scale)), found),
            Err(error) => (Err(error), FoundCells::default()),
        },
    };
    let scale = scale.and_then(|scale| match scale.um_per_pixel() {
        um_per_pixel if um_per_pixel > COARSEST_UM_PER_PIXEL => {
            Err(NoScale::TooCoarse { um_per_pixel })
        }
        _ => Ok(scale),
    });
    let cells = match scale {
        Ok(scale) => {
            let surest = &found.leukocytes[..found.leukocytes.len().min(MAX_LEUKOCYTES)];
            let cells = field.judge_each(networks, surest, scale.um_per_pixel())?;
            cells.into_iter().flatten().collect()
        }
        Err(_) => Vec::new(),
    };
    Ok(FieldCells {
        size: image.dimensions().into(),
        scale,
        red_cells: found.red_cells,
        cells,
    })
}

/// Looks at cells whose places in an image are known, in pixels; `None` where there is no crop.
///
/// # Errors
/// [`ArtifactError::Inference`] if the engine fails.
pub(super) fn look_at_places(
    networks: &mut CellNetworks,
    model: &CellsModel,
    image: &RgbImage,
    um_per_pixel: f32,
    sites: &[CellSite],
) -> Result<Vec<Option<Cell>>, ArtifactError> {
    if um_per_pixel > COARSEST_UM_PER_PIXEL {
        return Ok(vec![None; sites.len()]);
    }
    let background = Background::fit(image);
    Field::new(image, &background, model).judge_each(networks, sites, um_per_pixel)
}

/// A field that is looked at.
pub(super) struct Field<'a> {
    image: &'a RgbImage,
    background: &'a Background,
    model: &'a CellsModel,
}

impl<'a> Field<'a> {
    pub(super) fn new(
        image: &'a RgbImage,
        background: &'a Background,
        model: &'a CellsModel,
    ) -> Self {
        Self {
            image,
            background,
            model,
        }
    }

    /// Finds the cells at a scale, in pixels of the image.
    pub(super) fn find(
        &self,
        networks: &mut CellNetworks,
        um_per_pixel: f32,
    ) -> Result<Result<FoundCells, NoScale>, ArtifactError> {
        let factor = um_per_pixel / self.model.finder.input.um_per_pixel;
        let (width, height) = self.size();
        let pixels = [width * factor, height * factor];
        // Written so that NaN is refused, too.
        let is_possible =
            pixels.iter().all(|side| *side >= 1.0) && pixels[0] * pixels[1] <= MAX_FINDER_PIXELS;
        if !is_possible {
            return Ok(Err(NoScale::Impossible { um_per_pixel }));
        }
        let [columns, rows] = pixels.map(|side| side.round() as usize);
        let density = DensityField::of(self.image, self.background, columns, rows);
        let found = networks.find(&density)?;
        // The last position of a map may reach beyond the field.
        let back = |sites: Vec<CellSite>| -> Vec<CellSite> {
            sites
                .into_iter()
                .map(|site| site.scaled(1.0 / factor))
                .filter(|site| site.is_centred_in(width, height))
                .collect()
        };
        Ok(Ok(FoundCells {
            leukocytes: back(found.leukocytes),
            red_cells: back(found.red_cells),
        }))
    }

    /// Measures the scale by the field's red cells and finds its cells at that scale.
    fn measure(
        &self,
        networks: &mut CellNetworks,
    ) -> Result<Result<(MeasuredScale, FoundCells), NoScale>, ArtifactError> {
        let Some(ruler) = self.model.ruler else {
            return Ok(Err(NoScale::NoRuler));
        };
        let mut looks = [None; scale_search::TRIED.len()];
        for (look, tried) in looks.iter_mut().zip(scale_search::TRIED) {
            *look = self.look_for_red_cells(networks, ruler, tried)?;
        }
        let crossing = match scale_search::best(&looks, ruler.min_cells) {
            Ok(crossing) => crossing,
            Err(error) => return Ok(Err(error.into())),
        };
        let found = match self.find(networks, crossing.um_per_pixel)? {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let (width, height) = self.size();
        let scale = ruler.measure(&found.red_cells, width, height);
        let refined = scale.and_then(|scale| {
            let um_per_pixel = crossing.refined(scale.um_per_pixel);
            let um_per_pixel = um_per_pixel.ok_or(ScaleUnknown::Unsteady)?;
            Ok(MeasuredScale {
                um_per_pixel,
                ..scale
            })
        });
        Ok(refined
            .map(|scale| (scale, found))
            .map_err(NoScale::Unknown))
    }

    /// What the red cells in the middle of the field say of a scale.
    fn look_for_red_cells(
        &self,
        networks: &mut CellNetworks,
        ruler: Ruler,
        um_per_pixel: f32,
    ) -> Result<Option<Look>, ArtifactError> {
        let factor = um_per_pixel / self.model.finder.input.um_per_pixel;
        let (width, height) = self.image.dimensions();
        let pixels = width as f32 * height as f32 * factor.powi(2);
        let share = (SEARCHED_PIXELS / pixels).sqrt().min(1.0);
        let [columns, rows] =
            [width, height].map(|side| ((side as f32 * share) as u32).max(1).min(side));
        let part = imageops::crop_imm(
            self.image,
            (width - columns) / 2,
            (height - rows) / 2,
            columns,
            rows,
        )
        .to_image();
        let background = Background::fit(&part);
        let part = Field::new(&part, &background, self.model);
        let found = part.find(networks, um_per_pixel)?;
        let (width, height) = part.size();
        let look = |found: FoundCells| ruler.look(&found.red_cells, width, height);
        Ok(found.ok().and_then(look))
    }

    /// What the cells at these places are, in their order; `None` where there is no crop.
    fn judge_each(
        &self,
        networks: &mut CellNetworks,
        sites: &[CellSite],
        um_per_pixel: f32,
    ) -> Result<Vec<Option<Cell>>, ArtifactError> {
        self.look_at(networks, sites, um_per_pixel, |site, crop, output| {
            judge(
                self.model,
                *site,
                site.diameter * um_per_pixel,
                crop,
                output,
            )
        })
    }

    /// Cuts out the cells at these places, in pixels of the image, and gives what `result` makes of each crop and of
    /// what the cell network computes for it; `None` where there is no crop.
    pub(super) fn look_at<T>(
        &self,
        networks: &mut CellNetworks,
        sites: &[CellSite],
        um_per_pixel: f32,
        result: impl Fn(&CellSite, &CellCrop, CellOutput) -> T,
    ) -> Result<Vec<Option<T>>, ArtifactError> {
        let mut cropper = Cropper::new(self.model.cell.input);
        let mut results = Vec::with_capacity(sites.len());
        // A batch at a time, because crops need more memory than the field.
        for sites in sites.chunks(self.model.cell.input.batch as usize) {
            let crops: Vec<Option<CellCrop>> = sites
                .iter()
                .map(|site| cropper.cut(self.image, self.background, um_per_pixel, site))
                .collect();
            let present: Vec<&CellCrop> = crops.iter().flatten().collect();
            let mut outputs = networks.look_at(&present)?.into_iter();
            results.extend(sites.iter().zip(&crops).map(|(site, crop)| {
                let crop = crop.as_ref()?;
                Some(result(site, crop, outputs.next()?))
            }));
        }
        Ok(results)
    }

    fn size(&self) -> (f32, f32) {
        (self.image.width() as f32, self.image.height() as f32)
    }
}

/// What a cell is, by both networks' outputs and its measured figures.
fn judge(
    model: &CellsModel,
    site: CellSite,
    diameter_um: f32,
    crop: &CellCrop,
    output: CellOutput,
) -> Cell {
    let probabilities = calibrated(&output.probabilities, model.cell.temperature);
    let class = (0..probabilities.len())
        .max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))
        .unwrap_or_default();
    let figures = CellFigures::measure(crop, diameter_um);
    let by_figures = match (&model.figures, &figures) {
        (Some(rule), Some(figures)) => Some(blast_probability(rule, figures)),
        _ => None,
    };
    let call = call(
        &model.cell,
        class,
        &probabilities,
        &output.features,
        by_figures,
    );
    Cell {
        site,
        diameter_um,
        probabilities,
        class,
        call,
        figures,
        evidence: output.evidence,
    }
}

fn call(
    model: &CellNetwork,
    class: usize,
    probabilities: &[f32],
    features: &[f32],
    by_figures: Option<f32>,
) -> CellCall {
    let Some(named) = model.classes.get(class) else {
        return CellCall::Novel;
    };
    if !named.leukocyte {
        return CellCall::Artefact;
    }
    let is_known = |novelty: &Novelty| novelty.is_known(class, features);
    if !model.novelty.as_ref().is_none_or(is_known) {
        return CellCall::Novel;
    }
    let by_network = sum_of_blasts(probabilities, model);
    let contradict =
        |first: f32, second: f32| first >= DISAGREEMENT && second <= 1.0 - DISAGREEMENT;
    if by_figures.is_some_and(|by| contradict(by, by_network) || contradict(by_network, by)) {
        return CellCall::Contradictory;
    }
    if named.blast {
        CellCall::Blast
    } else {
        CellCall::OtherLeukocyte
    }
}

/// The probabilities after their logits are divided by the temperature.
fn calibrated(probabilities: &[f32], temperature: f32) -> Vec<f32> {
    let powers: Vec<f32> = probabilities
        .iter()
        .map(|probability| probability.clamp(0.0, 1.0).powf(1.0 / temperature))
        .collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The probability of a blast by the measured figures alone.
fn blast_probability(rule: &FiguresRule, figures: &CellFigures) -> f32 {
    let names = CellFigures::NAMES.iter().zip(figures.values());
    let weighted = names.map(|(name, value)| rule.weights.get(*name).unwrap_or(&0.0) * value);
    let log_odds = rule.intercept + weighted.sum::<f32>();
    1.0 / (1.0 + (-log_odds).exp())
}
