//! Contact sheets of labelled cells, source by source and group by group.

use std::path::Path;

use image::Rgb;

use super::image_grid;
use super::sheet_pages::{self, Mark, Shown};
use crate::cell_kind::CellKind;
use crate::dataset::{CellCollection, ImageContent, LabelledCell};
use crate::error::TrainError;

/// Largest number of images on a page, 25 rows.
const PAGE: usize = 150;
const LEGEND: &str = "red: lymphoblasts, green: other leukocytes, blue: leukocytes of unknown kind, orange: red cells, \
                      grey: others; number: group";
const UNKNOWN: Rgb<u8> = Rgb([30, 60, 220]);
const RED_CELL: Rgb<u8> = Rgb([230, 140, 0]);

/// Draws all images, fields with the boxes or centres of their cells; captions are the number of the group and the
/// file name. The second page of `NAME.png` is `NAME-2.png`.
///
/// # Errors
/// [`TrainError::Output`] if a page cannot be written.
pub(crate) fn draw_cell_sheet(path: &Path, collection: &CellCollection) -> Result<(), TrainError> {
    let mut order: Vec<usize> = (0..collection.images.len()).collect();
    order.sort_by_key(|&index| {
        (
            collection.images[index].source,
            collection.images[index].group,
        )
    });
    let shown: Vec<Shown> = order
        .into_iter()
        .map(|index| {
            let image = &collection.images[index];
            let (frame, cells) = match &image.content {
                ImageContent::Field(cells) => (image_grid::PLAIN, &cells[..]),
                ImageContent::Cell(kind) => (colour(*kind), &[][..]),
            };
            let name = image.path.file_name().unwrap_or_default().to_string_lossy();
            Shown {
                path: &image.path,
                frame,
                caption: format!("{} {name}", image.group + 1),
                marks: cells.iter().map(mark).collect(),
            }
        })
        .collect();
    sheet_pages::draw_pages(path, &image_grid::LARGE, PAGE, LEGEND, &shown)
}

fn mark(cell: &LabelledCell) -> Mark {
    Mark {
        centre: cell.centre,
        extent: cell.extent,
        colour: colour(cell.kind),
    }
}

fn colour(kind: CellKind) -> Rgb<u8> {
    match kind {
        CellKind::Lymphoblast => image_grid::POSITIVE,
        CellKind::Leukocyte => UNKNOWN,
        CellKind::Erythrocyte => RED_CELL,
        kind if kind.is_leukocyte() => image_grid::NEGATIVE,
        _ => image_grid::PLAIN,
    }
}
