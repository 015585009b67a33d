//! Affine transforms of images.

use image::{ImageBuffer, Pixel};

/// Maps the position of a pixel in the result to its position in the source, in pixels from the centre
/// of the first one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    /// Column in the source, as factors of the result's column, row and 1.
    pub(super) column: [f32; 3],
    /// Row in the source.
    pub(super) row: [f32; 3],
}

/// The pixels outside of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Border<P> {
    Colour(P),
    /// The image mirrored at its edges.
    Mirror,
}

impl Affine {
    /// Moves to the right and down.
    pub(super) fn translation(right: f32, down: f32) -> Self {
        Self {
            column: [1.0, 0.0, -right],
            row: [0.0, 1.0, -down],
        }
    }

    /// Turns counter-clockwise about a point and scales; OpenCV's `getRotationMatrix2D`, inverted.
    pub(super) fn rotation(centre: (f32, f32), degrees: f32, scale: f32) -> Self {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        let (sine, cosine) = (sine / scale, cosine / scale);
        let (x, y) = centre;
        Self {
            column: [cosine, -sine, x - cosine * x + sine * y],
            row: [sine, cosine, y - sine * x - cosine * y],
        }
    }

    /// Slants columns to the left by `radians`; the first row does not move.
    pub(super) fn shear(radians: f32) -> Self {
        Self {
            column: [1.0, radians.tan(), 0.0],
            row: [0.0, 1.0, 0.0],
        }
    }

    /// This transform followed by a translation.
    pub(super) fn then_translated(mut self, right: f32, down: f32) -> Self {
        for line in [&mut self.column, &mut self.row] {
            line[2] -= line[0] * right + line[1] * down;
        }
        self
    }

    /// Transforms an image within a frame of the same size, with bilinear interpolation.
    pub(super) fn apply<P: Pixel<Subpixel = u8>>(
        &self,
        image: &ImageBuffer<P, Vec<u8>>,
        border: Border<P>,
    ) -> ImageBuffer<P, Vec<u8>> {
        let (width, height) = (i64::from(image.width()), i64::from(image.height()));
        let outside = |x: i64, y: i64| match border {
            Border::Colour(colour) if !(0..width).contains(&x) || !(0..height).contains(&y) => {
                colour
            }
            _ => *image.get_pixel(mirrored(x, width), mirrored(y, height)),
        };
        ImageBuffer::from_fn(image.width(), image.height(), |x, y| {
            let place = |line: [f32; 3]| line[0] * x as f32 + line[1] * y as f32 + line[2];
            let (column, row) = (place(self.column), place(self.row));
            let (left, top) = (column.floor(), row.floor());
            let (right_share, low_share) = (column - left, row - top);
            let (left, top) = (left as i64, top as i64);
            let corners = [(0, 0), (1, 0), (0, 1), (1, 1)];
            let corners = if (0..width - 1).contains(&left) && (0..height - 1).contains(&top) {
                // The common case needs no border.
                corners.map(|(x, y)| *image.get_pixel(left as u32 + x, top as u32 + y))
            } else {
                corners.map(|(x, y)| outside(left + i64::from(x), top + i64::from(y)))
            };
            let shares = [
                (1.0 - right_share) * (1.0 - low_share),
                right_share * (1.0 - low_share),
                (1.0 - right_share) * low_share,
                right_share * low_share,
            ];
            let mut pixel = corners[0];
            for (channel, sample) in pixel.channels_mut().iter_mut().enumerate() {
                let parts = corners.iter().zip(shares);
                let sum: f32 = parts
                    .map(|(corner, share)| f32::from(corner.channels()[channel]) * share)
                    .sum();
                *sample = sum.round() as u8;
            }
            pixel
        })
    }
}

/// Mirrors a position into `0..length`, repeating the edge pixels.
pub(super) fn mirrored(place: i64, length: i64) -> u32 {
    let place = place.rem_euclid(2 * length);
    place.min(2 * length - 1 - place) as u32
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    #[test]
    fn mirrors_repeat_the_edge() {
        let places: Vec<u32> = (-4..8).map(|place| mirrored(place, 3)).collect();
        assert_eq!(places, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    }

    #[test]
    fn whole_pixels_move_exactly() {
        let image = RgbImage::from_fn(4, 3, |x, y| Rgb([(10 * x) as u8, (20 * y) as u8, 7]));
        let border = Rgb([1, 2, 3]);
        let moved = Affine::translation(1.0, 2.0).apply(&image, Border::Colour(border));
        assert_eq!(moved.get_pixel(3, 2), image.get_pixel(2, 0));
        assert_eq!(*moved.get_pixel(0, 2), border);
        let turned = Affine::rotation((1.5, 1.0), 180.0, 1.0).apply(&image, Border::Mirror);
        assert_eq!(turned, image::imageops::rotate180(&image));
    }

    #[test]
    fn a_translation_after_a_rotation_moves_the_result() {
        let image = crate::synth::example_field(1, 80, 60);
        let rotation = Affine::rotation((40.0, 30.0), 30.0, 0.9);
        let once = rotation.apply(&image, Border::Mirror);
        let both = rotation
            .then_translated(7.0, 5.0)
            .apply(&image, Border::Mirror);
        assert_eq!(once.get_pixel(20, 20), both.get_pixel(27, 25));
    }
}
