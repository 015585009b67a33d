//! A contact sheet of a dataset, group by group.

use std::path::Path;

use image::RgbImage;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};

use super::image_grid;
use crate::dataset::{Groups, ImageInfo};
use crate::error::TrainError;

/// Largest number of images; of more, an even selection is drawn.
const MAX_TILES: usize = 400;

/// Draws the images with red frames for positive and green frames for negative ones; captions are the
/// number of the group and the file name.
///
/// # Errors
/// [`TrainError::Output`] if it cannot be written.
pub(crate) fn draw_contact_sheet(
    path: &Path,
    images: &[ImageInfo],
    groups: &Groups,
) -> Result<(), TrainError> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|&index| groups.of[index]);
    let shown = order.len().min(MAX_TILES);
    let chosen: Vec<usize> = (0..shown)
        .map(|tile| order[tile * order.len() / shown])
        .collect();
    let pictures: Vec<Option<RgbImage>> = chosen
        .par_iter()
        .map(|&index| {
            let image = decode::read(&images[index].file.path, &Limits::default()).ok()?;
            Some(image_grid::SMALL.shrink(&image))
        })
        .collect();
    let title = format!(
        "{shown} of {} images; red: positive, green: negative; number: group",
        images.len()
    );
    let mut grid = image_grid::SMALL.grid(&title, shown);
    for (&index, picture) in chosen.iter().zip(&pictures) {
        let file = &images[index].file;
        let colour = if file.positive {
            image_grid::POSITIVE
        } else {
            image_grid::NEGATIVE
        };
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let caption = format!("{} {name}", groups.of[index] + 1);
        // A file that was removed in the meantime leaves its cell empty.
        grid.add(picture.as_ref(), colour, &caption);
    }
    grid.save(path)
}
