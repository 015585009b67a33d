//! A loaded model that counts cells.

use image::RgbImage;

use super::analysis::{Cell, FieldCells, look_at_field, look_at_places};
use super::cell_site::CellSite;
use super::networks::CellNetworks;
use crate::error::ArtifactError;
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
