//! The smear as it lies on the slide: optical density, painted in micrometres.
//!
//! Stains absorb by the Beer–Lambert law, so the optical densities of overlapping objects add up.

use std::ops::AddAssign;

use super::outline::Point;

/// Optical density (decadic absorbance) in red, green and blue.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Density(pub(crate) [f32; 3]);

impl Density {
    pub(crate) fn times(self, amount: f32) -> Self {
        Self(self.0.map(|channel| channel * amount))
    }

    pub(crate) fn blend(self, other: Self, share: f32) -> Self {
        let mut sum = self.times(1.0 - share);
        sum += other.times(share);
        sum
    }
}

impl AddAssign for Density {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

/// One pixel of the smear.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Spot {
    pub(crate) density: Density,
    /// Stained haemoglobin painted so far, 1 for one erythrocyte.
    pub(crate) haemoglobin: f32,
    /// Share of the pixel that a leukocyte fills, 0 to 1: leukocytes push erythrocytes aside.
    pub(crate) filled: f32,
}

/// A rectangular part of the slide, in square pixels: what is painted, or what is recorded about it.
pub(crate) struct Canvas<T = Spot> {
    width: usize,
    height: usize,
    /// Width of a pixel in µm.
    pixel: f32,
    /// Upper left corner.
    origin: Point,
    spots: Vec<T>,
}

impl<T: Clone + Default> Canvas<T> {
    /// A canvas whose upper left corner is the origin of the slide.
    pub(crate) fn new(width: usize, height: usize, pixels_per_um: f32) -> Self {
        Self::at(Point { x: 0.0, y: 0.0 }, width, height, pixels_per_um)
    }

    /// A canvas whose upper left corner is at a point of the slide.
    pub(crate) fn at(origin: Point, width: usize, height: usize, pixels_per_um: f32) -> Self {
        Self {
            width,
            height,
            pixel: pixels_per_um.recip(),
            origin,
            spots: vec![T::default(); width * height],
        }
    }

    /// Width of a pixel in µm.
    pub(crate) fn pixel(&self) -> f32 {
        self.pixel
    }

    /// Width and height in µm.
    pub(crate) fn extent(&self) -> [f32; 2] {
        [self.width, self.height].map(|side| side as f32 * self.pixel)
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The position of a point in pixels.
    pub(crate) fn position(&self, at: Point) -> [f32; 2] {
        [at.x - self.origin.x, at.y - self.origin.y].map(|distance| distance / self.pixel)
    }

    /// All pixels, row by row from the top.
    pub(crate) fn spots(&self) -> &[T] {
        &self.spots
    }

    /// Visits every pixel within a square of `reach` µm around a point, with its position in µm.
    pub(crate) fn each_near(
        &mut self,
        centre: Point,
        reach: f32,
        mut visit: impl FnMut(Point, &mut T),
    ) {
        let range = |middle: f32, side: usize| {
            let bound = |at: f32| (at / self.pixel).clamp(0.0, side as f32) as usize;
            bound(middle - reach)..bound(middle + reach + self.pixel)
        };
        let Point { x: left, y: top } = self.origin;
        let columns = range(centre.x - left, self.width);
        for row in range(centre.y - top, self.height) {
            let y = top + (row as f32 + 0.5) * self.pixel;
            let line = &mut self.spots[row * self.width..][columns.clone()];
            for (column, spot) in columns.clone().zip(line) {
                let x = left + (column as f32 + 0.5) * self.pixel;
                visit(Point { x, y }, spot);
            }
        }
    }
}
