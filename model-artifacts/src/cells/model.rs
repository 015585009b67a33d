//! A loaded model that counts cells.

use image::RgbImage;

use super::analysis::{Cell, FieldCells, NoScale, look_at_field, look_at_places, measure_scale};
use super::cell_site::CellSite;
use super::networks::CellNetworks;
use super::ruler::MeasuredScale;
use crate::error::ArtifactError;
use crate::image::decode::{self, Limits, Picture};
use crate::loaded_model::LoadedModel;

/// A verified model on an engine, ready to find the cells of fields and to look at each.
pub type CellCounter = LoadedModel<CellNetworks>;

impl CellCounter {
    /// Finds the cells of a field and looks at each. `um_per_pixel` is the scale of the image; without it, the red
    /// cells of the field are the ruler.
    ///
    /// If the engine fails, the next configured engine that passes the golden samples replaces it permanently and
    /// starts over; [`CellCounter::engine`] returns the one that did.
    ///
    /// # Errors
    /// - [`ArtifactError::Image`] if the image has no pixels.
    /// - [`ArtifactError::Inference`] if the engine fails and no other can replace it.
    pub fn analyse(
        &mut self,
        image: &RgbImage,
        um_per_pixel: Option<f32>,
    ) -> Result<FieldCells, ArtifactError> {
        refuse_empty(image)?;
        let model = &self.manifest.model;
        self.failover
            .run(|networks| look_at_field(networks, model, image, um_per_pixel))
    }

    /// Decodes an image file for [`CellCounter::analyse_picture`]: a JPEG whose scale is given is
    /// [reduced](crate::CropInput::reduction).
    ///
    /// # Errors
    /// Those of [`decode::decode`].
    pub fn decode(
        &self,
        bytes: &[u8],
        limits: &Limits,
        um_per_pixel: Option<f32>,
    ) -> Result<Picture, ArtifactError> {
        let input = self.manifest.model.cell.input;
        decode::decode_reduced(bytes, limits, |width, height| {
            input.reduction(um_per_pixel, width, height)
        })
    }

    /// Like [`CellCounter::analyse`], for an image that may be reduced. Scale and cells are those of the image before its
    /// reduction.
    ///
    /// # Errors
    /// Those of [`CellCounter::analyse`].
    pub fn analyse_picture(
        &mut self,
        picture: &Picture,
        um_per_pixel: Option<f32>,
    ) -> Result<FieldCells, ArtifactError> {
        let by = picture.reduction() as f32;
        let mut field = self.analyse(&picture.image, um_per_pixel.map(|um| um * by))?;
        field.enlarge(picture.original_size.into(), by, um_per_pixel);
        Ok(field)
    }

    /// Measures the scale of a field by its red cells, as [`CellCounter::analyse`] does without a scale, and looks at none of
    /// its leukocytes. Says why if they give none.
    ///
    /// # Errors
    /// Those of [`CellCounter::analyse`].
    pub fn measure_scale(
        &mut self,
        image: &RgbImage,
    ) -> Result<Result<MeasuredScale, NoScale>, ArtifactError> {
        refuse_empty(image)?;
        let model = &self.manifest.model;
        self.failover
            .run(|networks| measure_scale(networks, model, image))
    }

    /// Looks at cells whose places in an image are known, in pixels, as [`CellCounter::analyse`] does at those that it
    /// finds. `um_per_pixel` is the scale of the image. Gives a cell for each site, in their order; `None` for a place
    /// outside the image, and for all if the image is too coarse to tell cells apart, or much too fine.
    ///
    /// # Errors
    /// Those of [`CellCounter::analyse`].
    pub fn look_at(
        &mut self,
        image: &RgbImage,
        um_per_pixel: f32,
        sites: &[CellSite],
    ) -> Result<Vec<Option<Cell>>, ArtifactError> {
        refuse_empty(image)?;
        let model = &self.manifest.model;
        self.failover
            .run(|networks| look_at_places(networks, model, image, um_per_pixel, sites))
    }
}

fn refuse_empty(image: &RgbImage) -> Result<(), ArtifactError> {
    if image.is_empty() {
        return Err(ArtifactError::Image {
            problem: "it has no pixels".into(),
            remedy: "take the picture again".into(),
        });
    }
    Ok(())
}
