//! All images of a dataset on one picture, group by group.

use std::path::Path;

use image::RgbImage;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};

use crate::dataset::{Groups, Surveyed};
use crate::error::TrainError;
use crate::report::image_grid;

/// More images are thinned out evenly.
const MOST_TILES: usize = 400;

/// Draws the sheet: red frames are positive, green ones negative; below each the number of its group
/// and its file name.
///
/// # Errors
/// [`TrainError::Output`] if it cannot be written.
pub(crate) fn draw(path: &Path, images: &[Surveyed], groups: &Groups) -> Result<(), TrainError> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|&index| groups.of[index]);
    let shown = order.len().min(MOST_TILES);
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
    let mut sheet = image_grid::SMALL.sheet(&title, shown);
    for (&index, picture) in chosen.iter().zip(&pictures) {
        let file = &images[index].file;
        let colour = if file.positive {
            image_grid::POSITIVE
        } else {
            image_grid::NEGATIVE
        };
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let caption = format!("{} {name}", groups.of[index] + 1);
        // A file that has gone since it was surveyed leaves its place empty.
        sheet.add(picture.as_ref(), colour, &caption);
    }
    sheet.save(path)
}
