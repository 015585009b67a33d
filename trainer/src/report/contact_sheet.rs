//! Contact sheets of a dataset, group by group.

use std::path::Path;

use super::image_grid;
use super::sheet_pages::{self, Shown};
use crate::dataset::{Groups, ImageInfo};
use crate::error::TrainError;

/// Largest number of images on a page, some fifty rows.
const PAGE: usize = 600;

/// Draws all images, with red frames for positive and green frames for negative ones; captions are the
/// number of the group and the file name. The second page of `NAME.png` is `NAME-2.png`.
///
/// # Errors
/// [`TrainError::Output`] if a page cannot be written.
pub(crate) fn draw_contact_sheet(
    path: &Path,
    images: &[ImageInfo],
    groups: &Groups,
) -> Result<(), TrainError> {
    draw_pages(path, images, groups, PAGE)
}

fn draw_pages(
    path: &Path,
    images: &[ImageInfo],
    groups: &Groups,
    per_page: usize,
) -> Result<(), TrainError> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by_key(|&index| groups.of[index]);
    let shown: Vec<Shown> = order
        .into_iter()
        .map(|index| {
            let file = &images[index].file;
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            Shown {
                path: &file.path,
                frame: if file.positive {
                    image_grid::POSITIVE
                } else {
                    image_grid::NEGATIVE
                },
                caption: format!("{} {name}", groups.of[index] + 1),
                marks: Vec::new(),
            }
        })
        .collect();
    let legend = "red: positive, green: negative; number: group";
    sheet_pages::draw_pages(path, &image_grid::SMALL, per_page, legend, &shown)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::RgbImage;

    use super::*;
    use crate::dataset::{Layout, Source, read_images};

    #[test]
    fn every_image_is_on_a_page() {
        let folder = tempfile::tempdir().unwrap();
        for (class, count) in [("negative", 3_u8), ("positive", 4)] {
            let class = folder.path().join("data").join(class);
            fs::create_dir_all(&class).unwrap();
            for number in 0..count {
                RgbImage::from_pixel(16, 12, image::Rgb([200, 10 * number, 200]))
                    .save(class.join(format!("{number}.png")))
                    .unwrap();
            }
        }
        let source = Source {
            layout: Layout::Folder,
            root: folder.path().join("data"),
            positive: vec!["positive".into()],
            negative: Vec::new(),
            skip_unusable: false,
            limit: None,
        };
        let (images, _) = read_images(source.list().unwrap().files, None, |_, _| ());
        let images: Vec<ImageInfo> = images.into_iter().map(|(image, ())| image).collect();
        let groups = Groups::form(&source.root, source.layout, &images).unwrap();
        draw_pages(&folder.path().join("sheet.png"), &images, &groups, 3).unwrap();
        // Pixels of the frames of one image: 128 × 96 within 3 pixels.
        let frame = 134 * 102 - 128 * 96;
        for (name, frames) in [("sheet.png", 3), ("sheet-2.png", 3), ("sheet-3.png", 1)] {
            let page = image::open(folder.path().join(name)).unwrap().to_rgb8();
            let is_frame = |pixel: &&image::Rgb<u8>| {
                [image_grid::POSITIVE, image_grid::NEGATIVE].contains(pixel)
            };
            assert_eq!(page.pixels().filter(is_frame).count(), frames * frame);
        }
        assert!(!folder.path().join("sheet-4.png").exists());
    }
}
