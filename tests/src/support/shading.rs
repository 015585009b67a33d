//! Fields in uneven, warm light.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

/// Samples of the empty places of the fields, and of an empty field.
const EMPTY: [f32; 3] = [236.0, 231.0, 235.0];

/// The light of a lamp that is off centre behind a lens that darkens the rim, in warm colours: factors of red, green and
/// blue.
fn light(x: u32, y: u32, (width, height): (u32, u32)) -> [f32; 3] {
    let along = |at: u32, of: u32| 2.0 * at as f32 / of as f32 - 1.0;
    let (x, y) = (along(x, width) - 0.15, along(y, height));
    let rim = 1.0 / (1.0 + 0.16 * (x * x + y * y)).powi(2);
    [1.0, 0.86, 0.68].map(|colour| colour * rim)
}

/// The picture in that light.
fn shaded(image: &RgbImage) -> RgbImage {
    let size = image.dimensions();
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let light = light(x, y, size);
        let pixel = image.get_pixel(x, y).0;
        Rgb(std::array::from_fn(|channel| {
            (f32::from(pixel[channel]) * light[channel]).round() as u8
        }))
    })
}

/// A folder with the field in that light, as a PNG, and the empty field beside it.
pub(crate) fn bench(field: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    let fields = folder.join("fields");
    std::fs::create_dir(&fields).unwrap();
    let even = image::open(field).unwrap().to_rgb8();
    shaded(&even).save(fields.join("shaded.png")).unwrap();
    let (width, height) = even.dimensions();
    let empty = RgbImage::from_pixel(width, height, Rgb(EMPTY.map(|sample| sample as u8)));
    let path = folder.join("empty.png");
    shaded(&empty).save(&path).unwrap();
    (fields, path)
}
