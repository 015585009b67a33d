//! Pages of small copies of images, perhaps with the cells that are marked in them.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use log::info;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};

use super::image_grid::GridFormat;
use crate::error::TrainError;

/// An image on a page.
pub(super) struct Shown<'a> {
    pub(super) path: &'a Path,
    pub(super) frame: Rgb<u8>,
    pub(super) caption: String,
    pub(super) marks: Vec<Mark>,
}

/// A mark in an image, in pixels of its file.
pub(super) struct Mark {
    pub(super) centre: [f32; 2],
    /// Width and height of a box; without them a cross is drawn.
    pub(super) extent: Option<[f32; 2]>,
    pub(super) colour: Rgb<u8>,
}

/// Draws images onto pages of at most `per_page`. The second page of `NAME.png` is `NAME-2.png`. A file that
/// cannot be read leaves its cell empty.
///
/// # Errors
/// [`TrainError::Output`] if a page cannot be written.
pub(super) fn draw_pages(
    path: &Path,
    format: &'static GridFormat,
    per_page: usize,
    legend: &str,
    shown: &[Shown<'_>],
) -> Result<(), TrainError> {
    let count = shown.len();
    let pages = count.div_ceil(per_page);
    for (page, shown) in shown.chunks(per_page).enumerate() {
        let first = page * per_page + 1;
        let title = format!(
            "images {first} to {} of {count}, page {} of {pages}; {legend}",
            first + shown.len() - 1,
            page + 1
        );
        let path = page_path(path, page + 1);
        draw_page(&path, format, &title, shown)?;
        info!("{}: page {} of {pages}", path.display(), page + 1);
    }
    Ok(())
}

/// The file of a page, counted from 1.
fn page_path(path: &Path, page: usize) -> PathBuf {
    if page == 1 {
        return path.into();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{page}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn draw_page(
    path: &Path,
    format: &'static GridFormat,
    title: &str,
    shown: &[Shown<'_>],
) -> Result<(), TrainError> {
    let pictures: Vec<Option<RgbImage>> = shown
        .par_iter()
        .map(|shown| {
            let image = decode::read(shown.path, &Limits::default()).ok()?;
            let mut small = format.shrink(&image);
            let scale = small.width() as f32 / image.width() as f32;
            for mark in &shown.marks {
                mark.draw(&mut small, scale);
            }
            Some(small)
        })
        .collect();
    let mut grid = format.grid(title, shown.len());
    for (shown, picture) in shown.iter().zip(&pictures) {
        grid.add(picture.as_ref(), shown.frame, &shown.caption);
    }
    grid.save(path)
}

impl Mark {
    /// Draws the mark into a copy of this scale.
    fn draw(&self, image: &mut RgbImage, scale: f32) {
        /// Half the width of a cross.
        const CROSS: i64 = 2;

        let [x, y] = self.centre.map(|value| (value * scale) as i64);
        let mut line = |from: [i64; 2], to: [i64; 2]| {
            for x in from[0]..=to[0] {
                for y in from[1]..=to[1] {
                    let place = u32::try_from(x).ok().zip(u32::try_from(y).ok());
                    if let Some(pixel) = place.and_then(|(x, y)| image.get_pixel_mut_checked(x, y))
                    {
                        *pixel = self.colour;
                    }
                }
            }
        };
        let Some(extent) = self.extent else {
            line([x - CROSS, y], [x + CROSS, y]);
            line([x, y - CROSS], [x, y + CROSS]);
            return;
        };
        let [left, top] = [0, 1].map(|axis| self.centre[axis] - extent[axis] / 2.0);
        let [right, bottom] =
            [left + extent[0], top + extent[1]].map(|value| (value * scale) as i64 - 1);
        let [left, top] = [left, top].map(|value| (value * scale) as i64);
        line([left, top], [right, top]);
        line([left, bottom], [right, bottom]);
        line([left, top], [left, bottom]);
        line([right, top], [right, bottom]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_drawn_in_the_scale_of_the_copy() {
        let (white, red) = (Rgb([255; 3]), Rgb([200, 30, 30]));
        let mut image = RgbImage::from_pixel(40, 30, white);
        let mark = |extent| Mark {
            centre: [40.0, 20.0],
            extent,
            colour: red,
        };
        mark(Some([20.0, 16.0])).draw(&mut image, 0.5);
        let red_pixels: Vec<(u32, u32)> = image
            .enumerate_pixels()
            .filter(|(.., pixel)| **pixel == red)
            .map(|(x, y, _)| (x, y))
            .collect();
        // The outline of 10 × 8 pixels from (15, 6).
        assert_eq!(red_pixels.len(), 2 * 10 + 2 * 6);
        assert_eq!(
            (red_pixels[0], red_pixels[red_pixels.len() - 1]),
            ((15, 6), (24, 13))
        );
        mark(None).draw(&mut image, 0.5);
        assert_eq!(*image.get_pixel(20, 10), red);
        // Nothing is drawn outside.
        mark(Some([400.0, 400.0])).draw(&mut image, 0.5);
    }
}
