//! A picture of some cells of each source, with their kinds and what they are called.

use std::path::Path;

use image::{RgbImage, imageops};
use smearscope_artifacts::CellSite;
use smearscope_artifacts::decode::{self, Limits};

use super::super::image_grid::{self, SMALL};
use super::looks::{Looked, LookedCell};
use crate::dataset::CellCollection;
use crate::error::TrainError;

/// Most cells of a source, two rows.
const CELLS: usize = 24;
/// Side of the part of the image around a cell, µm.
const SIDE_UM: f32 = 24.0;
const LEGEND: &str = "red frames: lymphoblasts, green: other leukocytes, grey: others; kind > call, probability of a blast";

/// Draws the cells, spread evenly over the kinds and images of each source.
///
/// # Errors
/// [`TrainError::Artifact`] if an image can no longer be read, [`TrainError::Output`] if the file cannot be written.
pub(super) fn draw(
    path: &Path,
    collection: &CellCollection,
    looked: &[Looked],
) -> Result<(), TrainError> {
    let mut sheet = SMALL.grid(LEGEND, 0);
    for (number, source) in collection.sources.iter().enumerate() {
        let mut cells: Vec<(&Looked, &LookedCell)> = looked
            .iter()
            .filter(|looked| collection.images[looked.image].source == number)
            .flat_map(|looked| looked.cells.iter().map(move |cell| (looked, cell)))
            .collect();
        if cells.is_empty() {
            continue;
        }
        cells.sort_by_key(|(looked, cell)| (cell.called.kind, looked.image));
        let shown = cells.len().min(CELLS);
        let title = format!(
            "{}: {shown} of {} cells",
            source.name.display(),
            cells.len()
        );
        let mut grid = SMALL.grid(&title, shown);
        for place in 0..shown {
            let (looked, LookedCell { site, called }) = cells[place * cells.len() / shown];
            let image = decode::read(&collection.images[looked.image].path, &Limits::default())?;
            let part = SMALL.shrink(&around(&image, site, looked.um_per_pixel));
            let frame = match called.kind {
                _ if called.is_blast() => image_grid::POSITIVE,
                kind if kind.is_leukocyte() => image_grid::NEGATIVE,
                _ => image_grid::PLAIN,
            };
            let caption = format!(
                "{} > {} {:.2}",
                called.kind,
                called.called(),
                called.blast_probability
            );
            grid.add(Some(&part), frame, &caption);
        }
        sheet.append(&grid);
    }
    sheet.save(path)
}

/// The part of an image around a cell, as far as it lies within.
fn around(image: &RgbImage, site: &CellSite, um_per_pixel: f32) -> RgbImage {
    let extent = SIDE_UM / um_per_pixel;
    let range = |centre: f32, length: u32| {
        let low = (centre - extent / 2.0).clamp(0.0, length as f32 - 1.0) as u32;
        let high = (centre + extent / 2.0).clamp(0.0, length as f32) as u32;
        (low, (high.saturating_sub(low)).max(1))
    };
    let (left, width) = range(site.x, image.width());
    let (top, height) = range(site.y, image.height());
    imageops::crop_imm(image, left, top, width, height).to_image()
}
