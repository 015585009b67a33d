//! From the picture of a field to its cells.

use std::time::{Duration, Instant};

use image::{RgbImage, imageops};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::cell_site::CellSite;
use super::crop::{CellCrop, Cropper};
use super::figures::CellFigures;
use super::networks::{CellNetworks, CellOutput, FoundCells};
use super::red_cell_edge;
use super::ruler::{Look, MeasuredScale, ScaleUnknown};
use super::scale_check;
use super::scale_search;
use crate::error::ArtifactError;
use crate::image::background::Background;
use crate::image::contract::ResizeFilter;
use crate::image::density::DensityField;
use crate::image::resample::resized;
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
/// Largest diameter of a cell, µm; more is no cell.
const LARGEST_UM: f32 = 60.0;
/// Most red cells whose edges are measured, the surest; more do not change their median.
const MAX_MEASURED: usize = 200;
/// Smallest share of the red cells that have a clear edge; with fewer, they are no red cells.
const LEAST_EDGES: f32 = 0.3;
/// Most leukocytes of a field that are looked at, the surest first; a field of view holds some tens.
const MAX_LEUKOCYTES: usize = 1000;
/// Looks at a field at the scale that the one before measured, until both agree.
const LAST_LOOKS: usize = 4;
/// About how many cells are prepared at once.
const PREPARED_AT_ONCE: u32 = 64;
/// Fewest cells that a core prepares at a time.
const LEAST_CELLS: usize = 3;
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
    /// How long the search for cells and scale took. The rest of an analysis looks at the cells.
    pub search: Duration,
}

impl FieldCells {
    /// Expresses the cells of a reduced image in pixels of the whole one, which has this size and stated scale.
    pub(super) fn enlarge(&mut self, size: [u32; 2], by: f32, um_per_pixel: Option<f32>) {
        self.size = size;
        for site in &mut self.red_cells {
            *site = site.scaled(by);
        }
        for cell in &mut self.cells {
            cell.site = cell.site.scaled(by);
        }
        self.scale = match (self.scale, um_per_pixel) {
            (Ok(Scale::Given(_)), Some(um_per_pixel)) => Ok(Scale::Given(um_per_pixel)),
            (Err(NoScale::TooCoarse { .. }), Some(um_per_pixel)) => {
                Err(NoScale::TooCoarse { um_per_pixel })
            }
            (Err(NoScale::Contradicted { red_cell_um, .. }), Some(um_per_pixel)) => {
                Err(NoScale::Contradicted {
                    um_per_pixel,
                    red_cell_um,
                })
            }
            (Err(NoScale::Impossible { .. }), Some(um_per_pixel)) => {
                Err(NoScale::Impossible { um_per_pixel })
            }
            (scale, _) => scale,
        };
    }

    /// The leukocytes that count, the blasts among them, and those that are unclear. Artefacts do not count.
    pub fn count(&self) -> CellCount {
        count(&self.cells)
    }
}

/// The leukocytes among cells that count, the blasts among them, and those that are unclear.
pub(super) fn count<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> CellCount {
    let mut count = CellCount::default();
    for cell in cells {
        count.cells += u32::from(cell.call.counts());
        count.blasts += u32::from(cell.call == CellCall::Blast);
        count.unclear += u32::from(cell.call.is_unclear());
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
    /// The red cells contradict the given scale.
    #[error(
        "at {um_per_pixel} µm per pixel, red cells would be {red_cell_um:.1} µm wide; they are 7.2 µm: the scale is that of another \
         objective or camera mode"
    )]
    Contradicted {
        /// Size of a pixel, µm.
        um_per_pixel: f32,
        /// Diameter of red cells if it were right, µm.
        red_cell_um: f32,
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

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blast => "blast",
            Self::OtherLeukocyte => "other_leukocyte",
            Self::Artefact => "artefact",
            Self::Novel => "novel",
            Self::Contradictory => "contradictory",
        }
    }

    /// Whether the cell is a leukocyte of which nothing can be said.
    pub fn is_unclear(self) -> bool {
        matches!(self, Self::Novel | Self::Contradictory)
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
    let began = Instant::now();
    let background = Background::fit(image);
    let field = Field::new(image, &background, model);
    let (scale, found) = match um_per_pixel {
        Some(um_per_pixel) if um_per_pixel > COARSEST_UM_PER_PIXEL => (
            Err(NoScale::TooCoarse { um_per_pixel }),
            FoundCells::default(),
        ),
        Some(um_per_pixel) => match field.find_at_stated(networks, um_per_pixel)? {
            Ok(found) => (Ok(Scale::Given(um_per_pixel)), found),
            Err(error) => (Err(error), FoundCells::default()),
        },
        None => match field.measure(networks)? {
            Ok((scale, found)) => (Ok(Scale::Measured(scale)), found),
            Err(error) => (Err(error), FoundCells::default()),
        },
    };
    let scale = scale.and_then(|scale| refuse_coarse(scale.um_per_pixel()).map(|()| scale));
    let search = began.elapsed();
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
        search,
    })
}

/// Measures the scale of a field by its red cells.
///
/// # Errors
/// [`ArtifactError::Inference`] if the engine fails.
pub(super) fn measure_scale(
    networks: &mut CellNetworks,
    model: &CellsModel,
    image: &RgbImage,
) -> Result<Result<MeasuredScale, NoScale>, ArtifactError> {
    let background = Background::fit(image);
    let measured = Field::new(image, &background, model).measure(networks)?;
    Ok(measured.and_then(|(scale, _)| refuse_coarse(scale.um_per_pixel).map(|()| scale)))
}

/// Refuses a scale at which cells cannot be told apart.
fn refuse_coarse(um_per_pixel: f32) -> Result<(), NoScale> {
    if um_per_pixel > COARSEST_UM_PER_PIXEL {
        return Err(NoScale::TooCoarse { um_per_pixel });
    }
    Ok(())
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
        let seen = self.see(networks, um_per_pixel)?;
        Ok(seen.map(|seen| seen.in_image(self.size())))
    }

    /// Finds the cells at a stated scale, unless the red cells contradict it.
    fn find_at_stated(
        &self,
        networks: &mut CellNetworks,
        um_per_pixel: f32,
    ) -> Result<Result<FoundCells, NoScale>, ArtifactError> {
        let [columns, rows] = match self.size_for_finder(um_per_pixel) {
            Ok(size) => size,
            Err(error) => return Ok(Err(error)),
        };
        // Also for the look at half the scale, which is a quarter of the work.
        let reduced = resized(
            self.image,
            ResizeFilter::Area,
            [columns as u32, rows as u32],
        );
        let (pixels, _) = reduced.as_raw().as_chunks();
        let density = DensityField::of_pixels(pixels, self.background, columns, rows);
        let found = self.seen(networks, density, um_per_pixel)?;
        let found = found.in_image(self.size());
        // A field that is too small for it has few red cells.
        let at_half = Field::new(&reduced, self.background, self.model)
            .find(networks, self.model.finder.input.um_per_pixel / 2.0)?;
        let factor = self.pixels_of_finder(um_per_pixel);
        let at_half: Vec<CellSite> = at_half
            .unwrap_or_default()
            .red_cells
            .into_iter()
            .map(|cell| cell.scaled(1.0 / factor))
            .collect();
        let size = <[f32; 2]>::from(self.size());
        let doubt = scale_check::contradiction(um_per_pixel, &found.red_cells, &at_half, size);
        Ok(match doubt {
            Some(red_cell_um) => Err(NoScale::Contradicted {
                um_per_pixel,
                red_cell_um,
            }),
            None => Ok(found),
        })
    }

    /// Runs the finder on the field at a scale.
    fn see(
        &self,
        networks: &mut CellNetworks,
        um_per_pixel: f32,
    ) -> Result<Result<SeenField, NoScale>, ArtifactError> {
        let [columns, rows] = match self.size_for_finder(um_per_pixel) {
            Ok(size) => size,
            Err(error) => return Ok(Err(error)),
        };
        let density = DensityField::of(self.image, self.background, columns, rows);
        self.seen(networks, density, um_per_pixel).map(Ok)
    }

    /// Pixels of the finder's input for each of the image, at a scale.
    fn pixels_of_finder(&self, um_per_pixel: f32) -> f32 {
        um_per_pixel / self.model.finder.input.um_per_pixel
    }

    /// Width and height of the field at the finder's scale, in pixels.
    fn size_for_finder(&self, um_per_pixel: f32) -> Result<[usize; 2], NoScale> {
        let (width, height) = self.size();
        let pixels = [width, height].map(|side| side * self.pixels_of_finder(um_per_pixel));
        // Written so that NaN is refused, too.
        let is_possible =
            pixels.iter().all(|side| *side >= 1.0) && pixels[0] * pixels[1] <= MAX_FINDER_PIXELS;
        if is_possible {
            Ok(pixels.map(|side| side.round() as usize))
        } else {
            Err(NoScale::Impossible { um_per_pixel })
        }
    }

    /// What the finder sees in the field's density at its scale.
    fn seen(
        &self,
        networks: &mut CellNetworks,
        density: DensityField,
        um_per_pixel: f32,
    ) -> Result<SeenField, ArtifactError> {
        let mut found = networks.find(&density)?;
        let largest = LARGEST_UM / self.model.finder.input.um_per_pixel;
        for sites in [&mut found.leukocytes, &mut found.red_cells] {
            sites.retain(|site| site.diameter <= largest);
        }
        Ok(SeenField {
            density,
            found,
            factor: self.pixels_of_finder(um_per_pixel),
        })
    }

    /// Measures the scale by the field's red cells, and gives what was found at about that scale.
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
        let um_per_pixel = match scale_search::best(&looks, ruler.min_cells) {
            Ok(um_per_pixel) => um_per_pixel,
            Err(error) => return Ok(Err(error.into())),
        };
        let (width, height) = self.size();
        let mut looked = um_per_pixel;
        for _ in 0..LAST_LOOKS {
            let seen = match self.see(networks, looked)? {
                Ok(seen) => seen,
                Err(error) => return Ok(Err(error)),
            };
            let scale = match ruler.measure(&seen.edges_in_image(), width, height) {
                Ok(scale) => scale,
                Err(error) => return Ok(Err(error.into())),
            };
            if scale_search::agree(scale.um_per_pixel, looked) {
                return Ok(Ok((scale, seen.in_image(self.size()))));
            }
            looked = scale.um_per_pixel;
        }
        Ok(Err(ScaleUnknown::Unsteady.into()))
    }

    /// What the red cells in the middle of the field say of a scale.
    fn look_for_red_cells(
        &self,
        networks: &mut CellNetworks,
        ruler: Ruler,
        um_per_pixel: f32,
    ) -> Result<Option<Look>, ArtifactError> {
        let factor = self.pixels_of_finder(um_per_pixel);
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
        let seen = part.see(networks, um_per_pixel)?;
        let (width, height) = part.size();
        let look =
            |seen: SeenField| ruler.look(&seen.in_image(part.size()).red_cells, width, height);
        Ok(seen.ok().and_then(look))
    }

    /// What the cells at these places are, in their order; `None` where there is no crop.
    fn judge_each(
        &self,
        networks: &mut CellNetworks,
        sites: &[CellSite],
        um_per_pixel: f32,
    ) -> Result<Vec<Option<Cell>>, ArtifactError> {
        self.look_at(networks, sites, um_per_pixel, |cell, output| {
            judge(self.model, &cell, output)
        })
    }

    /// Cuts out the cells at these places, in pixels of the image, and gives what `result` makes of each crop and of
    /// what the cell network computes for it; `None` where there is no crop.
    pub(super) fn look_at<T>(
        &self,
        networks: &mut CellNetworks,
        sites: &[CellSite],
        um_per_pixel: f32,
        result: impl Fn(PreparedCell, CellOutput) -> T,
    ) -> Result<Vec<Option<T>>, ArtifactError> {
        let mut results = Vec::with_capacity(sites.len());
        // Some at a time, because all of them may need more memory than the field.
        let batch = self.model.cell.input.batch;
        let at_once = PREPARED_AT_ONCE.next_multiple_of(batch) as usize;
        for sites in sites.chunks(at_once) {
            let prepared = self.prepare(sites, um_per_pixel);
            let inputs = prepared.iter().flatten().map(|cell| cell.input.as_slice());
            let mut outputs = networks.look_at(&inputs.collect::<Vec<_>>())?.into_iter();
            results.extend(
                prepared
                    .into_iter()
                    .map(|cell| Some(result(cell?, outputs.next()?))),
            );
        }
        Ok(results)
    }

    /// Prepares cells on several cores, in their order; `None` where there is no crop.
    fn prepare(&self, sites: &[CellSite], um_per_pixel: f32) -> Vec<Option<PreparedCell>> {
        let cropper = || Cropper::new(self.model.cell.input);
        let prepare = |cropper: &mut Cropper, site: &CellSite| {
            let crop = cropper.cut(self.image, self.background, um_per_pixel, site)?;
            Some(PreparedCell::new(*site, um_per_pixel, &crop))
        };
        let sites = sites.par_iter().with_min_len(LEAST_CELLS);
        sites.map_init(cropper, prepare).collect()
    }

    fn size(&self) -> (f32, f32) {
        (self.image.width() as f32, self.image.height() as f32)
    }
}

/// What the finder sees of a field at a scale.
struct SeenField {
    density: DensityField,
    /// In pixels of the density.
    found: FoundCells,
    /// Pixels of the density for each of the image.
    factor: f32,
}

impl SeenField {
    /// The surest red cells with a clear edge, with the diameters that it has, in pixels of the image; none if few have one.
    fn edges_in_image(&self) -> Vec<CellSite> {
        let red_cells = &self.found.red_cells;
        let surest = &red_cells[..red_cells.len().min(MAX_MEASURED)];
        let measured = red_cell_edge::measured(&self.density, surest);
        if (measured.len() as f32) < LEAST_EDGES * surest.len() as f32 {
            return Vec::new();
        }
        measured
            .into_iter()
            .map(|cell| cell.scaled(1.0 / self.factor))
            .collect()
    }

    /// The cells in pixels of the image, which has this width and height.
    fn in_image(self, (width, height): (f32, f32)) -> FoundCells {
        // The last position of a map may reach beyond the field.
        let back = |sites: Vec<CellSite>| -> Vec<CellSite> {
            sites
                .into_iter()
                .map(|site| site.scaled(1.0 / self.factor))
                .filter(|site| site.is_centred_in(width, height))
                .collect()
        };
        FoundCells {
            leukocytes: back(self.found.leukocytes),
            red_cells: back(self.found.red_cells),
        }
    }
}

/// A cell that the cell network can look at.
pub(super) struct PreparedCell {
    /// In pixels of the field.
    site: CellSite,
    diameter_um: f32,
    /// What the cell network sees.
    input: Vec<f32>,
    figures: Option<CellFigures>,
}

impl PreparedCell {
    fn new(site: CellSite, um_per_pixel: f32, crop: &CellCrop) -> Self {
        let diameter_um = site.diameter * um_per_pixel;
        Self {
            site,
            diameter_um,
            input: crop.network_input(),
            figures: CellFigures::measure(crop, diameter_um),
        }
    }
}

/// What a cell is, by both networks' outputs and its measured figures.
fn judge(model: &CellsModel, prepared: &PreparedCell, output: CellOutput) -> Cell {
    let PreparedCell {
        site,
        diameter_um,
        figures,
        ..
    } = *prepared;
    let probabilities = calibrated(&output.probabilities, model.cell.temperature);
    let class = (0..probabilities.len())
        .max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))
        .unwrap_or_default();
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
