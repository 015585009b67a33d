//! Masks: which pixels of the small colour picture belong to something, such as a stained object.

use std::ops::Range;

use image::GrayImage;

use crate::analysis::quality::colour::{Colour, Colours};

/// A picture of yes and no.
pub(super) struct Mask {
    width: usize,
    pixels: Vec<bool>,
}

impl Mask {
    /// The pixels that match.
    pub(super) fn of(colours: &Colours, matches: impl Fn(&Colour) -> bool) -> Self {
        Self {
            width: colours.width,
            pixels: colours.pixels.iter().map(matches).collect(),
        }
    }

    /// The pixels, of a picture of the size of `colours`, in which a larger picture of the same has a pixel that matches.
    pub(super) fn of_any(
        larger: &GrayImage,
        colours: &Colours,
        matches: impl Fn(u8) -> bool,
    ) -> Self {
        let (width, height) = (colours.width, colours.height());
        let mut pixels = vec![false; colours.pixels.len()];
        let size = (larger.width() as usize, larger.height() as usize);
        for (y, row) in larger.as_raw().chunks(size.0.max(1)).enumerate() {
            let first = y * height / size.1 * width;
            for (x, luma) in row.iter().enumerate() {
                if matches(*luma) {
                    pixels[first + x * width / size.0] = true;
                }
            }
        }
        Self { width, pixels }
    }

    /// These pixels except those of another mask of the same size.
    pub(super) fn without(mut self, other: &Self) -> Self {
        for (pixel, excluded) in self.pixels.iter_mut().zip(&other.pixels) {
            *pixel &= !excluded;
        }
        self
    }

    /// These pixels, row by row.
    pub(super) fn pixels(&self) -> &[bool] {
        &self.pixels
    }

    /// These pixels and all that lie at most `radius` rows and columns away.
    pub(super) fn grown(&self, radius: usize) -> Self {
        let wide: Vec<bool> = self
            .pixels
            .chunks(self.width.max(1))
            .flat_map(|row| {
                (0..row.len()).map(move |x| {
                    let near = x.saturating_sub(radius)..(x + radius + 1).min(row.len());
                    row[near].contains(&true)
                })
            })
            .collect();
        let pixels = (0..wide.len()).map(|at| {
            let (x, y) = (at % self.width, at / self.width);
            let near = y.saturating_sub(radius)..=y + radius;
            near.map_while(|y| wide.get(y * self.width + x))
                .any(|is_set| *is_set)
        });
        Self {
            width: self.width,
            pixels: pixels.collect(),
        }
    }

    /// The columns of row `y` that lie in this mask, in a larger picture of `size` (width, height) that shows the
    /// same, as runs within `columns`.
    pub(super) fn runs(
        &self,
        size: (usize, usize),
        y: usize,
        columns: Range<usize>,
    ) -> impl Iterator<Item = Range<usize>> + '_ {
        let height = self.pixels.len() / self.width.max(1);
        let row = self
            .pixels
            .chunks(self.width.max(1))
            .nth(y * height / size.1)
            .unwrap_or_default();
        let width = row.len();
        let mut at = 0;
        row.chunk_by(|one, other| one == other)
            .filter_map(move |run| {
                let first = at;
                at += run.len();
                let [start, end] = [first, at].map(|column| (column * size.0).div_ceil(width));
                let columns = start.max(columns.start)..end.min(columns.end);
                (run[0] && !columns.is_empty()).then_some(columns)
            })
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// A mask of the pixels drawn as `#`.
    fn mask(rows: &[&str]) -> Mask {
        let width = rows[0].len() as u32;
        let image = RgbImage::from_fn(width, rows.len() as u32, |x, y| {
            let is_set = rows[y as usize].as_bytes()[x as usize] == b'#';
            Rgb([if is_set { 0 } else { 200 }; 3])
        });
        Mask::of(&Colours::of(&image, 200.0), |colour| colour.luma < 0.5)
    }

    fn drawn(mask: &Mask) -> Vec<String> {
        let rows = mask.pixels.chunks(mask.width);
        rows.map(|row| row.iter().map(|set| if *set { '#' } else { '.' }).collect())
            .collect()
    }

    #[test]
    fn masks_grow_in_all_directions_up_to_the_edges() {
        let mask = mask(&["#.....", "......", "......", "....#."]);
        assert_eq!(
            drawn(&mask.grown(1)),
            ["##....", "##....", "...###", "...###"]
        );
        assert_eq!(
            drawn(&mask.grown(2)),
            ["###...", "######", "######", "..####"]
        );
        assert_eq!(drawn(&mask.grown(0)), drawn(&mask));
    }

    #[test]
    fn masks_find_small_things_in_larger_pictures_and_exclude_others() {
        let colours = Colours::of(&RgbImage::from_pixel(3, 2, Rgb([200; 3])), 200.0);
        let mut larger = GrayImage::from_pixel(14, 9, image::Luma([200]));
        larger.put_pixel(4, 0, image::Luma([9]));
        larger.put_pixel(13, 8, image::Luma([9]));
        let found = Mask::of_any(&larger, &colours, |luma| luma < 10);
        assert_eq!(drawn(&found), ["#..", "..#"]);
        let all = mask(&["###", "###"]);
        assert_eq!(drawn(&all.without(&found)), [".##", "##."]);
    }

    #[test]
    fn runs_cover_the_same_part_of_a_larger_picture() {
        let mask = mask(&["##..#", "....."]);
        let runs = |size, y, columns| mask.runs(size, y, columns).collect::<Vec<_>>();
        assert_eq!(runs((5, 2), 0, 0..5), [0..2, 4..5]);
        assert_eq!(runs((15, 6), 2, 0..15), [0..6, 12..15]);
        assert_eq!(runs((15, 6), 2, 5..13), [5..6, 12..13]);
        assert_eq!(runs((15, 6), 3, 0..15), []);
        // A pixel of the larger picture belongs to the one in which its left edge lies.
        assert_eq!(runs((12, 2), 0, 0..12), [0..5, 10..12]);
    }
}
