//! Detection of images that share a part, as neighbouring fields of a slide do if the stage moves by less
//! than a field.
//!
//! An image is reduced to 64 pixels along its longer side, and its details are correlated with those of
//! another one at every shift. The best shift is verified on copies of twice that size, where only the same
//! cells still agree: between crops of real fields (BCCD, Chula RBC-12, PBC) that share 20 to 60 %, with noise
//! and other brightness and compression, the correlation is 0.77 or more, except where the shared part is
//! empty, and mostly above 0.9; between unrelated ones it is at most 0.51. Drawn single cells out of focus
//! reach 0.74.

use image::{Rgb, RgbImage};
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::details::details;
use super::fourier::{self, Plane};

/// Longer side of a small copy: half a plane, so that shifts do not wrap around.
const SIDE: usize = fourier::SIDE / 2;
/// Smallest correlation of small copies whose best shift is verified.
const MIN_CORRELATION: f32 = 0.6;
/// Smallest correlation, in copies of twice the size, of images that share a part.
const MIN_VERIFIED: f32 = 0.78;
/// Largest error of a shift in copies of twice the size.
const MAX_ERROR: isize = 2;
/// Smallest part of an image that is compared.
const MIN_SHARE: f32 = 0.18;
/// Smallest part of an image's details in the part that is compared, relative to the part's size: an empty
/// corner resembles any other.
const MIN_DETAIL: f32 = 0.3;
/// Pairs that are compared: some half a minute on two cores. Of more images than this allows, each is compared with
/// those before it in the order of paths, in which neighbours follow each other.
const MAX_PAIRS: usize = 200_000;

/// Small copies of an image, for finding shared parts.
#[derive(Debug)]
pub(crate) struct Thumbnail {
    /// Size of the image itself.
    size: (u32, u32),
    /// Whether much of it is black, as where a cell is cut out or the field is round. Edges on black resemble each
    /// other.
    is_cut_out: bool,
    small: Details,
    /// Twice as wide and as high.
    large: Details,
}

/// The details of a copy of an image, row by row.
#[derive(Debug)]
struct Details {
    width: usize,
    height: usize,
    values: Vec<f32>,
    /// Sums of the squares of all values above and to the left of each corner of a pixel.
    squares: Vec<f32>,
}

/// Two images that share a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Overlap {
    /// Indices of the images.
    pub(crate) images: (usize, usize),
    /// The shared part of each image, 0 to 1.
    pub(crate) share: f32,
}

impl Thumbnail {
    pub(crate) fn of(image: &RgbImage) -> Self {
        let longer = f64::from(image.width().max(image.height()));
        let side = |length: u32| ((f64::from(length) * SIDE as f64 / longer).round() as u32).max(1);
        let (width, height) = (side(image.width()), side(image.height()));
        Self {
            size: image.dimensions(),
            is_cut_out: is_cut_out(image),
            small: Details::of(image, width, height),
            large: Details::of(image, 2 * width, 2 * height),
        }
    }

    /// The part that is shared with another image of the same size, if any. `products` are those of
    /// [`Plane::correlation`] of the small copies.
    fn shared_part(&self, other: &Self, products: &[f32]) -> Option<f32> {
        let (dx, dy) = self.small.best_shift(&other.small, products)?;
        let errors = || -MAX_ERROR..=MAX_ERROR;
        errors()
            .flat_map(|x| errors().map(move |y| (2 * dx + x, 2 * dy + y)))
            .filter_map(|(dx, dy)| Some((self.large.correlation(&other.large, dx, dy)?, dx, dy)))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|best| best.0 >= MIN_VERIFIED)
            .map(|(_, dx, dy)| self.large.share(dx, dy))
    }
}

/// Whether more than a tenth of the pixels are black.
fn is_cut_out(image: &RgbImage) -> bool {
    const BLACK: u8 = 16;
    // Some thousand pixels are enough.
    let some = || image.pixels().step_by(61);
    let is_black = |pixel: &&Rgb<u8>| pixel.0.iter().all(|sample| *sample < BLACK);
    some().filter(is_black).count() * 10 > some().count()
}

/// The parts of two copies that lie on each other after a shift: where they begin, and their extent, as
/// columns and rows.
struct Common {
    one: [usize; 2],
    other: [usize; 2],
    extent: [usize; 2],
}

impl Details {
    fn of(image: &RgbImage, width: u32, height: u32) -> Self {
        let values = details(image, width, height);
        let (width, height) = (width as usize, height as usize);
        let mut squares = vec![0.0; (width + 1) * (height + 1)];
        for (y, row) in values.chunks(width).enumerate() {
            let mut sum = 0.0;
            for (x, value) in row.iter().enumerate() {
                sum += value * value;
                squares[(y + 1) * (width + 1) + x + 1] = squares[y * (width + 1) + x + 1] + sum;
            }
        }
        Self {
            width,
            height,
            values,
            squares,
        }
    }

    /// The part of a copy that lies on another one after a shift.
    fn share(&self, dx: isize, dy: isize) -> f32 {
        let [width, height] = self.common(dx, dy).map_or([0; 2], |common| common.extent);
        (width * height) as f32 / (self.width * self.height) as f32
    }

    /// A pixel of this copy at (x + dx, y + dy) lies on that of the other one at (x, y).
    fn common(&self, dx: isize, dy: isize) -> Option<Common> {
        let extent = [
            self.width.checked_sub(dx.unsigned_abs())?,
            self.height.checked_sub(dy.unsigned_abs())?,
        ];
        Some(Common {
            one: [dx, dy].map(|shift| shift.max(0).unsigned_abs()),
            other: [dx, dy].map(|shift| shift.min(0).unsigned_abs()),
            extent,
        })
    }

    /// Sum of the squares in a part.
    fn energy(&self, from: [usize; 2], extent: [usize; 2]) -> f32 {
        let to = [from[0] + extent[0], from[1] + extent[1]];
        let at = |x: usize, y: usize| self.squares[y * (self.width + 1) + x];
        at(to[0], to[1]) - at(from[0], to[1]) - at(to[0], from[1]) + at(from[0], from[1])
    }

    /// The shift with the highest correlation, if that is high enough to be verified.
    fn best_shift(&self, other: &Self, products: &[f32]) -> Option<(isize, isize)> {
        let whole = [self.width, self.height];
        let energies = self.energy([0; 2], whole) * other.energy([0; 2], whole);
        let mut best = (MIN_CORRELATION, None);
        let [width, height] = whole.map(|side| side as isize);
        for dy in 1 - height..height {
            for dx in 1 - width..width {
                let share = self.share(dx, dy);
                let Some(common) = self.common(dx, dy).filter(|_| share >= MIN_SHARE) else {
                    continue;
                };
                let energy = self.energy(common.one, common.extent)
                    * other.energy(common.other, common.extent);
                let enough = MIN_DETAIL * share;
                if energy <= enough * enough * energies {
                    continue;
                }
                let wrap = |shift: isize| shift.rem_euclid(fourier::SIDE as isize) as usize;
                let at = wrap(dy) * fourier::SIDE + wrap(dx);
                let correlation = products[at] / energy.sqrt();
                if correlation > best.0 {
                    best = (correlation, Some((dx, dy)));
                }
            }
        }
        best.1
    }

    /// The correlation of the parts that lie on each other after a shift.
    fn correlation(&self, other: &Self, dx: isize, dy: isize) -> Option<f32> {
        let Common {
            one,
            other: of_other,
            extent: [width, height],
        } = self.common(dx, dy)?;
        let row =
            |details: &Self, from: [usize; 2], y: usize| (from[1] + y) * details.width + from[0];
        let mut product = 0.0;
        for y in 0..height {
            let ours = &self.values[row(self, one, y)..][..width];
            let theirs = &other.values[row(other, of_other, y)..][..width];
            product += ours.iter().zip(theirs).map(|(a, b)| a * b).sum::<f32>();
        }
        let energy = self.energy(one, [width, height]) * other.energy(of_other, [width, height]);
        (energy > 0.0).then(|| product / energy.sqrt())
    }
}

/// Finds the pairs that share a part, among images of the same size.
pub(crate) fn find_overlaps(thumbnails: &[Thumbnail]) -> Vec<Overlap> {
    let window = compared_neighbours(thumbnails.len());
    let blocks = (0..thumbnails.len()).step_by(window.max(1));
    let found = blocks.map(|start| {
        let first = start.saturating_sub(window);
        let end = (start + window).min(thumbnails.len());
        let spectra: Vec<Plane> = thumbnails[first..end]
            .par_iter()
            .map(|thumbnail| Plane::spectrum(&thumbnail.small.values, thumbnail.small.width))
            .collect();
        let of_block: Vec<Overlap> = (start..end)
            .into_par_iter()
            .flat_map_iter(|later| {
                let spectra = &spectra;
                (later.saturating_sub(window)..later).filter_map(move |earlier| {
                    let (one, other) = (&thumbnails[earlier], &thumbnails[later]);
                    if one.size != other.size || one.is_cut_out || other.is_cut_out {
                        return None;
                    }
                    let products = spectra[earlier - first].correlation(&spectra[later - first]);
                    let share = one.shared_part(other, &products)?;
                    Some(Overlap {
                        images: (earlier, later),
                        share,
                    })
                })
            })
            .collect();
        of_block
    });
    found.flatten().collect()
}

/// How many images before it each one is compared with.
pub(crate) fn compared_neighbours(images: usize) -> usize {
    if images * images.saturating_sub(1) / 2 <= MAX_PAIRS {
        images
    } else {
        (MAX_PAIRS / images).max(1)
    }
}

#[cfg(test)]
mod tests {
    use image::imageops;

    use super::*;
    use crate::synth::example_field;

    /// Two parts of a field that share this part of their width and height, the second one darker.
    fn neighbours(field: &RgbImage, width: f64, height: f64) -> [Thumbnail; 2] {
        let (w, h) = (field.width() / 2, field.height() / 2);
        let shift = |side: u32, shared: f64| (f64::from(side) * (1.0 - shared)) as u32;
        let (x, y) = (shift(w, width), shift(h, height));
        let first = imageops::crop_imm(field, 0, y, w, h).to_image();
        let mut second = imageops::crop_imm(field, x, 0, w, h).to_image();
        for sample in second.iter_mut() {
            *sample = (f32::from(*sample) * 0.9) as u8;
        }
        [first, second].map(|part| Thumbnail::of(&part))
    }

    #[test]
    fn neighbours_are_found_with_their_share() {
        let shares = [(0.5, 0.45), (0.6, 0.5), (1.0, 0.3), (0.7, 0.85)];
        let (mut found, mut all) = (0, 0);
        // Without the cells that are cut out on black.
        for number in [1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 15] {
            let field = example_field(number, 640, 480);
            for (width, height) in shares {
                all += 1;
                let pair = neighbours(&field, width, height);
                for Overlap { images, share } in find_overlaps(&pair) {
                    assert_eq!(images, (0, 1));
                    let expected = (width * height) as f32;
                    assert!(
                        (share - expected).abs() < 0.05,
                        "{number}: {share} {expected}"
                    );
                    found += 1;
                }
            }
        }
        assert!(found * 10 >= all * 9, "{found} of {all}");
    }

    #[test]
    fn unrelated_fields_share_nothing() {
        let thumbnails: Vec<Thumbnail> = (0..24)
            .map(|number| Thumbnail::of(&example_field(number, 320, 240)))
            .collect();
        assert_eq!(find_overlaps(&thumbnails), []);
        let flat = || Thumbnail::of(&RgbImage::from_pixel(64, 48, Rgb([200; 3])));
        assert_eq!(find_overlaps(&[flat(), flat()]), []);
    }

    #[test]
    fn many_images_are_compared_with_their_neighbours_only() {
        assert_eq!(compared_neighbours(0), 0);
        assert_eq!(compared_neighbours(600), 600);
        assert_eq!(compared_neighbours(1000), 200);
        assert_eq!(compared_neighbours(1_000_000), 1);
    }
}
