//! Crops around labelled cells, from which the cell network learns.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use image::{RgbImage, imageops};
use rand::{Rng, RngExt};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{
    Background, COARSEST_UM_PER_PIXEL, CellCrop, CellSite, CropInput, Cropper,
};

use super::density_jitter;
use super::surroundings::Surroundings;
use crate::cell_kind::CellKind;
use crate::dataset::{CellCollection, ImageContent, ImageOrigin, look_of_margin};
use crate::error::TrainError;

/// Largest distance between the middle of a crop and that of the cell, µm: so far does the finder err.
const OFF_CENTRE_UM: f32 = 0.8;
/// Largest factor between the true scale and the one of a crop: so far does the ruler err.
const ZOOM: f32 = 1.12;

/// A cell in an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LabelledCrop {
    path: PathBuf,
    /// Index of its image in the collection.
    pub(crate) image: usize,
    /// Index of its source.
    pub(crate) source: usize,
    /// Whether a program drew it.
    pub(crate) is_drawn: bool,
    pub(crate) kind: CellKind,
    um_per_pixel: f32,
    /// Column and row of its centre in pixels; `None` in the middle of an image of one cell.
    centre: Option<[f32; 2]>,
    /// In pixels; that of a usual cell where it was not measured.
    diameter: f32,
    is_measured: bool,
    /// The light of the empty places of its image, once one of its cells needed it.
    background: Arc<OnceLock<Background>>,
}

/// Most red cells and platelets of an image that are looked at: there are many more of them than leukocytes.
const MAX_OTHERS: usize = 3;
/// Diameter of a leukocyte of unknown size, µm.
const USUAL_UM: f32 = 12.0;

impl LabelledCrop {
    /// The cells of an image of a collection, by its index, but only some of its red cells and platelets; none if its
    /// scale is unknown, or too coarse for the appliance to look at cells.
    pub(crate) fn all(collection: &CellCollection, image: usize) -> Vec<Self> {
        let labelled = &collection.images[image];
        let is_fine = |scale: &f32| *scale <= COARSEST_UM_PER_PIXEL;
        let Some(um_per_pixel) = labelled.um_per_pixel.filter(is_fine) else {
            return Vec::new();
        };
        let background = Arc::default();
        let of = |kind, centre, extent: Option<[f32; 2]>| Self {
            path: labelled.path.clone(),
            image,
            source: labelled.source,
            is_drawn: collection.sources[labelled.source].origin == ImageOrigin::Drawn,
            kind,
            um_per_pixel,
            centre,
            is_measured: extent.is_some(),
            diameter: extent.map_or(USUAL_UM / um_per_pixel, |[width, height]| {
                (width * height).sqrt()
            }),
            background: Arc::clone(&background),
        };
        match &labelled.content {
            ImageContent::Field(cells) => {
                let is_other = |kind| matches!(kind, CellKind::Erythrocyte | CellKind::Platelet);
                let others = cells.iter().filter(|cell| is_other(cell.kind));
                let step = others.clone().count().div_ceil(MAX_OTHERS).max(1);
                let leukocytes = cells.iter().filter(|cell| !is_other(cell.kind));
                leukocytes
                    .chain(others.step_by(step))
                    .map(|cell| of(cell.kind, Some(cell.centre), cell.extent))
                    .collect()
            }
            ImageContent::Cell(kind) => vec![of(*kind, None, None)],
        }
    }

    /// The crop as the appliance cuts it out. `None` if it has too few pixels.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the image cannot be read any more.
    pub(crate) fn cut(&self, input: CropInput) -> Result<Option<CellCrop>, TrainError> {
        self.cut_at(input, [0.0; 2], 1.0)
    }

    /// Such a crop of another stain, turned or mirrored, and as far off in place and scale as the finder errs. Half of
    /// the drawn cells get the surroundings of a real field.
    ///
    /// # Errors
    /// Those of [`LabelledCrop::cut`].
    pub(crate) fn varied(
        &self,
        input: CropInput,
        surroundings: Surroundings,
        rng: &mut impl Rng,
    ) -> Result<Option<CellCrop>, TrainError> {
        let zoom = rng.random_range(-ZOOM.ln()..ZOOM.ln()).exp();
        let angle = rng.random_range(0.0..std::f32::consts::TAU);
        let distance = OFF_CENTRE_UM * rng.random_range(0.0..1.0_f32).sqrt() / self.um_per_pixel;
        let shift = [distance * angle.cos(), distance * angle.sin()];
        let turn = Turn {
            is_flipped: [rng.random_bool(0.5), rng.random_bool(0.5)],
            is_transposed: rng.random_bool(0.5),
        };
        let Some(mut crop) = self.cut_at(input, shift, zoom)? else {
            return Ok(None);
        };
        if self.is_drawn && rng.random_bool(0.5) {
            surroundings.replace(&mut crop, input, rng)?;
        }
        for plane in [&mut crop.red, &mut crop.green] {
            *plane = turn.apply(plane, crop.side);
        }
        density_jitter::vary([&mut crop.red, &mut crop.green], crop.side, rng);
        Ok(Some(crop))
    }

    /// What the picture looks like along the sides of the crop, where the cell is not; see [`look_of_margin`]. `None` if the
    /// crop reaches beyond the image, so that its sides may be anywhere.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the image cannot be read any more.
    pub(crate) fn margin(&self, input: CropInput) -> Result<Option<Vec<f32>>, TrainError> {
        let limits = Limits::default();
        let bytes = decode::read_bytes(&self.path, &limits)?;
        let image = decode::decode(&bytes, &limits)?;
        let side = input.side as f32 * input.um_per_pixel / self.um_per_pixel;
        let start = self.centre_in(&image).map(|at| at - side / 2.0);
        let is_within = start
            .iter()
            .zip([image.width(), image.height()])
            .all(|(&start, length)| start >= 0.0 && start + side <= length as f32);
        let [x, y] = start.map(|at| at.round() as u32);
        let side = side as u32;
        Ok((is_within && side > 0).then(|| {
            let crop = imageops::crop_imm(&image, x, y, side, side).to_image();
            look_of_margin(&crop, &bytes)
        }))
    }

    fn centre_in(&self, image: &RgbImage) -> [f32; 2] {
        self.centre
            .unwrap_or_else(|| [image.width(), image.height()].map(|side| side as f32 / 2.0))
    }

    /// The diameter, µm; `None` if nobody measured it.
    pub(crate) fn diameter_um(&self) -> Option<f32> {
        self.is_measured
            .then_some(self.diameter * self.um_per_pixel)
    }

    fn cut_at(
        &self,
        input: CropInput,
        shift: [f32; 2],
        zoom: f32,
    ) -> Result<Option<CellCrop>, TrainError> {
        let image = decode::read(&self.path, &Limits::default())?;
        let [x, y] = self.centre_in(&image);
        // Where the image shows half of the cell, a shift must not leave it.
        let site = CellSite {
            x: (x + shift[0]).clamp(0.0, image.width() as f32),
            y: (y + shift[1]).clamp(0.0, image.height() as f32),
            diameter: self.diameter,
            score: 1.0,
        };
        let background = self.background.get_or_init(|| Background::fit(&image));
        Ok(Cropper::new(input).cut(&image, background, self.um_per_pixel * zoom, &site))
    }
}

/// One of the eight ways to turn and mirror a square.
#[derive(Debug, Clone, Copy)]
struct Turn {
    is_flipped: [bool; 2],
    is_transposed: bool,
}

impl Turn {
    fn apply(self, plane: &[f32], side: usize) -> Vec<f32> {
        let along = |is_flipped: bool, at: usize| if is_flipped { side - 1 - at } else { at };
        (0..side * side)
            .map(|at| {
                let (x, y) = (at % side, at / side);
                let (x, y) = if self.is_transposed { (y, x) } else { (x, y) };
                plane[along(self.is_flipped[1], y) * side + along(self.is_flipped[0], x)]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use image::Rgb;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const INPUT: CropInput = CropInput {
        um_per_pixel: 0.25,
        side: 96,
        batch: 1,
    };

    #[test]
    fn a_square_has_eight_turns() {
        let plane: Vec<f32> = [1.0, 2.0, 3.0, 4.0].to_vec();
        let turns: BTreeSet<String> = (0..8)
            .map(|bits| {
                let turn = Turn {
                    is_flipped: [bits & 1 != 0, bits & 2 != 0],
                    is_transposed: bits & 4 != 0,
                };
                format!("{:?}", turn.apply(&plane, 2))
            })
            .collect();
        assert_eq!(turns.len(), 8);
        assert!(turns.contains("[3.0, 1.0, 4.0, 2.0]"), "{turns:?}");
    }

    #[test]
    fn the_cell_stays_in_the_middle_of_a_varied_crop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("field.png");
        RgbImage::from_fn(400, 400, |x, y| {
            let distance = (x as f32 + 0.5 - 180.0).hypot(y as f32 + 0.5 - 210.0);
            Rgb(if distance < 40.0 {
                [60, 40, 120]
            } else {
                [220; 3]
            })
        })
        .save(&path)
        .unwrap();
        let cell = LabelledCrop {
            path,
            image: 0,
            source: 0,
            is_drawn: true,
            kind: CellKind::Lymphocyte,
            um_per_pixel: 0.1,
            centre: Some([180.0, 210.0]),
            diameter: 80.0,
            is_measured: true,
            background: Arc::default(),
        };
        assert!((cell.diameter_um().unwrap() - 8.0).abs() < 1e-5);
        assert!(cell.margin(INPUT).unwrap().is_some());
        let at_the_frame = LabelledCrop {
            centre: Some([100.0, 210.0]),
            ..cell.clone()
        };
        assert_eq!(at_the_frame.margin(INPUT).unwrap(), None);
        let plain = cell.cut(INPUT).unwrap().unwrap();
        let dense = |crop: &CellCrop| -> Vec<usize> {
            (0..96 * 96).filter(|&at| crop.red[at] > 0.2).collect()
        };
        // A disc of 8 µm in pixels of 0.25 µm.
        let area = std::f32::consts::PI * 16.0 * 16.0;
        assert!((dense(&plain).len() as f32 / area - 1.0).abs() < 0.03);
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let crop = cell
                .varied(INPUT, Surroundings(&[]), &mut rng)
                .unwrap()
                .unwrap();
            let dense = dense(&crop);
            let share = dense.len() as f32 / area;
            assert!((0.75..1.33).contains(&share), "{seed}: {share}");
            let mean = |of: fn(usize) -> usize| {
                dense.iter().map(|&at| of(at) as f32 + 0.5).sum::<f32>() / dense.len() as f32
            };
            let off = (mean(|at| at % 96) - 48.0).hypot(mean(|at| at / 96) - 48.0);
            // 0.8 µm, and half a pixel of the field and of the crop.
            assert!(off < 4.3, "{seed}: {off}");
        }
    }
}
