//! Golden samples of models that count cells: small pictures around labelled cells.

use image::RgbImage;
use image::imageops::{self, FilterType};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{COARSEST_UM_PER_PIXEL, CellSite};

use super::files::png;
use crate::dataset::{CellCollection, ImageContent, LabelledImage};
use crate::error::TrainError;

/// Finest scale of a golden sample, µm per pixel: finer pictures are reduced, so that models stay small.
const FINEST_UM: f32 = 0.2;
/// Side of the part of a field, µm.
const FIELD_UM: f32 = 48.0;

/// A small picture of known scale.
#[derive(Debug, Clone)]
pub(crate) struct GoldenPicture {
    /// Path inside the model folder.
    pub(crate) path: String,
    pub(crate) image: RgbImage,
    pub(crate) png: Vec<u8>,
    pub(crate) um_per_pixel: f32,
}

impl GoldenPicture {
    /// Where the appliance looks for the cell of a golden sample of the cell network.
    pub(crate) fn middle(&self) -> CellSite {
        let (width, height) = (self.image.width() as f32, self.image.height() as f32);
        CellSite {
            x: width / 2.0,
            y: height / 2.0,
            diameter: width.min(height) / 2.0,
            score: 1.0,
        }
    }

    /// The part of a field around one of its cells, or the whole picture of a single cell. `None` if its scale is
    /// unknown or too coarse, or the field has no cell.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if the image cannot be read any more, [`TrainError::Export`] if it cannot be encoded.
    pub(crate) fn of(labelled: &LabelledImage, path: String) -> Result<Option<Self>, TrainError> {
        let is_fine = |scale: &f32| *scale <= COARSEST_UM_PER_PIXEL;
        let Some(um_per_pixel) = labelled.um_per_pixel.filter(is_fine) else {
            return Ok(None);
        };
        let image = match &labelled.content {
            ImageContent::Cell(_) => read(labelled)?,
            ImageContent::Field(cells) => {
                let Some(cell) = cells.iter().find(|cell| cell.kind.is_leukocyte()) else {
                    return Ok(None);
                };
                around(&read(labelled)?, cell.centre, FIELD_UM / um_per_pixel)
            }
        };
        let factor = (um_per_pixel / FINEST_UM).min(1.0);
        let [width, height] = [image.width(), image.height()]
            .map(|side| ((side as f32 * factor).round() as u32).max(1));
        let scale = um_per_pixel * image.width() as f32 / width as f32;
        let image = if (width, height) == image.dimensions() {
            image
        } else {
            imageops::resize(&image, width, height, FilterType::Triangle)
        };
        let png = png(&image, &path)?;
        Ok(Some(Self {
            path,
            image,
            png,
            um_per_pixel: scale,
        }))
    }

    /// Up to so many pictures of images of a collection, named `golden/NAME-1.png` and so on, that fulfil a condition.
    ///
    /// # Errors
    /// Those of [`GoldenPicture::of`].
    pub(crate) fn choose(
        collection: &CellCollection,
        images: impl IntoIterator<Item = usize>,
        name: &str,
        most: usize,
        mut is_suitable: impl FnMut(&Self) -> bool,
    ) -> Result<Vec<Self>, TrainError> {
        let mut chosen = Vec::new();
        for image in images {
            if chosen.len() == most {
                break;
            }
            let path = format!("golden/{name}-{}.png", chosen.len() + 1);
            if let Some(picture) = Self::of(&collection.images[image], path)?
                && is_suitable(&picture)
            {
                chosen.push(picture);
            }
        }
        Ok(chosen)
    }
}

fn read(labelled: &LabelledImage) -> Result<RgbImage, TrainError> {
    Ok(decode::read(&labelled.path, &Limits::default())?)
}

/// A square of this side around a place, moved into the image where it lies beyond the frame.
fn around(image: &RgbImage, centre: [f32; 2], side: f32) -> RgbImage {
    let along = |centre: f32, length: u32| {
        let extent = (side.round() as u32).clamp(1, length);
        let start = (centre - extent as f32 / 2.0).round().max(0.0) as u32;
        (start.min(length - extent), extent)
    };
    let (x, width) = along(centre[0], image.width());
    let (y, height) = along(centre[1], image.height());
    imageops::crop_imm(image, x, y, width, height).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_within_the_image() {
        let image = RgbImage::from_fn(100, 60, |x, y| image::Rgb([x as u8, y as u8, 0]));
        let corner = |centre, side| {
            let part = around(&image, centre, side);
            (part.get_pixel(0, 0).0, part.dimensions())
        };
        assert_eq!(corner([50.0, 30.0], 20.0), ([40, 20, 0], (20, 20)));
        assert_eq!(corner([2.0, 59.0], 20.0), ([0, 40, 0], (20, 20)));
        assert_eq!(corner([99.0, 1.0], 80.0), ([20, 0, 0], (80, 60)));
    }
}
