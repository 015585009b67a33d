//! A set of pixels of a square crop, and its shape.

use std::ops::Range;

/// A set of pixels of a square image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    side: usize,
    pixels: Vec<bool>,
}

impl Mask {
    /// The pixels of a `side` × `side` image in these runs of indices for which `contains` holds.
    pub(super) fn within(
        side: usize,
        runs: impl Iterator<Item = Range<usize>>,
        contains: impl Fn(usize) -> bool,
    ) -> Self {
        let mut pixels = vec![false; side * side];
        for run in runs {
            for (at, pixel) in run.clone().zip(&mut pixels[run]) {
                *pixel = contains(at);
            }
        }
        Self { side, pixels }
    }

    /// The pixels of a `side` × `side` image that the parts list.
    pub(super) fn of<'a>(side: usize, parts: impl IntoIterator<Item = &'a Vec<usize>>) -> Self {
        let mut pixels = vec![false; side * side];
        for at in parts.into_iter().flatten() {
            pixels[*at] = true;
        }
        Self { side, pixels }
    }

    /// Indices of the pixels, row by row.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> {
        let pixels = self.pixels.iter().enumerate();
        pixels.filter_map(|(at, pixel)| pixel.then_some(at))
    }

    /// Whether the pixel with this index belongs to it.
    pub(super) fn contains(&self, at: usize) -> bool {
        self.pixels[at]
    }

    /// The pixels that belong to it with their four neighbours.
    pub(super) fn eroded(&self) -> Self {
        self.by_cross(|here, other| here & other)
    }

    /// The pixels that belong to it or have one of four neighbours that does.
    pub(super) fn dilated(&self) -> Self {
        self.by_cross(|here, other| here | other)
    }

    /// Joins each pixel with its four neighbours; those outside the image do not belong to the mask.
    fn by_cross(&self, join: impl Fn(bool, bool) -> bool) -> Self {
        let side = self.side;
        let outside = vec![false; side];
        let line = |row: usize| &self.pixels[row * side..][..side];
        let mut pixels = self.pixels.clone();
        for (row, joined) in pixels.chunks_exact_mut(side).enumerate() {
            let here = line(row);
            let above = if row > 0 { line(row - 1) } else { &outside };
            let below = if row + 1 < side {
                line(row + 1)
            } else {
                &outside
            };
            // Whole rows at a time, which the processor's vectors take.
            let mut join_all = |first: usize, others: &[bool]| {
                for (pixel, other) in joined[first..].iter_mut().zip(others) {
                    *pixel = join(*pixel, *other);
                }
            };
            join_all(0, above);
            join_all(0, below);
            join_all(0, &outside[..1]);
            join_all(1, &here[..side - 1]);
            join_all(0, &here[1..]);
            join_all(side - 1, &outside[..1]);
        }
        Self { side, pixels }
    }

    /// Its connected parts (eight neighbours) as the indices of their pixels, the largest first.
    pub(super) fn parts(&self) -> Vec<Vec<usize>> {
        let side = self.side;
        let around = |at: usize| at.saturating_sub(1)..(at + 2).min(side);
        let mut left = self.pixels.clone();
        let mut parts = Vec::new();
        for start in self.indices() {
            if !left[start] {
                continue;
            }
            left[start] = false;
            let mut part = vec![start];
            let mut next = 0;
            while let Some(&at) = part.get(next) {
                next += 1;
                let columns = around(at % side);
                for row in around(at / side) {
                    let first = row * side + columns.start;
                    let line = &mut left[first..row * side + columns.end];
                    for (at, is_left) in (first..).zip(line) {
                        if std::mem::take(is_left) {
                            part.push(at);
                        }
                    }
                }
            }
            parts.push(part);
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts
    }

    /// Length of its border in pixels, by Crofton's formula with lines in four directions (Legland et al. 2007,
    /// "Computation of Minkowski measures on 2D and 3D binary images").
    pub(super) fn perimeter(&self) -> f32 {
        let side = self.side;
        // With a frame of pixels that do not belong to it.
        let framed = side + 2;
        let mut pixels = vec![false; framed * framed];
        let lines = self.pixels.chunks_exact(side);
        for (framed, line) in pixels[framed..].chunks_exact_mut(framed).zip(lines) {
            framed[1..=side].copy_from_slice(line);
        }
        let crossings = |a: &[bool], b: &[bool]| -> u32 {
            a.iter().zip(b).map(|(a, b)| u32::from(a != b)).sum()
        };
        let (mut straight, mut diagonal) = (0, 0);
        let lines = pixels.chunks_exact(framed);
        for (here, below) in lines.clone().zip(lines.skip(1)) {
            straight += crossings(here, &here[1..]) + crossings(here, below);
            diagonal += crossings(here, &below[1..]) + crossings(&here[1..], below);
        }
        let crossings = straight as f32 + diagonal as f32 / std::f32::consts::SQRT_2;
        std::f32::consts::PI / 8.0 * crossings
    }

    /// Area of its convex hull in pixels, with pixels as squares (Andrew 1979, monotone chain).
    pub(super) fn hull_area(&self) -> f32 {
        let mut corners: Vec<(i64, i64)> = Vec::new();
        for row in 0..self.side {
            let line = &self.pixels[row * self.side..][..self.side];
            let belongs = |pixel: &bool| *pixel;
            let Some(first) = line.iter().position(belongs) else {
                continue;
            };
            let last = line.iter().rposition(belongs).unwrap_or(first);
            for y in [row, row + 1] {
                corners.push((first as i64, y as i64));
                corners.push((last as i64 + 1, y as i64));
            }
        }
        corners.sort_unstable();
        corners.dedup();
        let lower = chain(corners.iter().copied());
        let upper = chain(corners.iter().rev().copied());
        let hull: Vec<(i64, i64)> = lower.into_iter().chain(upper).collect();
        let following = hull.iter().cycle().skip(1);
        let doubled: i64 = hull
            .iter()
            .zip(following)
            .map(|(a, b)| a.0 * b.1 - b.0 * a.1)
            .sum();
        doubled.unsigned_abs() as f32 / 2.0
    }
}

/// Half of a convex hull through sorted points, without its last point.
fn chain(points: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut hull: Vec<(i64, i64)> = Vec::new();
    for point in points {
        while let [.., before, last] = hull[..] {
            let turn = (last.0 - before.0) * (point.1 - before.1)
                - (last.1 - before.1) * (point.0 - before.0);
            if turn > 0 {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull.pop();
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pixels for which `contains` holds, given column and row.
    fn mask(side: usize, contains: impl Fn(usize, usize) -> bool) -> Mask {
        let all = std::iter::once(0..side * side);
        Mask::within(side, all, |at| contains(at % side, at / side))
    }

    fn disc(radius: f32) -> Mask {
        mask(96, |x, y| (x as f32 - 47.5).hypot(y as f32 - 47.5) < radius)
    }

    #[test]
    fn a_disc_has_the_figures_of_a_circle() {
        let disc = disc(20.0);
        let area = std::f32::consts::PI * 400.0;
        assert!((disc.indices().count() as f32 - area).abs() < 0.01 * area);
        let length = std::f32::consts::TAU * 20.0;
        assert!(
            (disc.perimeter() - length).abs() < 0.02 * length,
            "{}",
            disc.perimeter()
        );
        let hull = disc.hull_area();
        // Pixels are squares, whose corners lie outside the circle.
        assert!((hull - area).abs() < 0.06 * area, "{hull} {area}");
    }

    #[test]
    fn a_square_is_its_own_hull() {
        let square = mask(10, |x, y| (2..6).contains(&x) && (3..7).contains(&y));
        assert!((square.hull_area() - 16.0).abs() < 1e-6);
        // Crofton's formula counts 16 straight and 2 · 14 diagonal crossings: π/8 (16 + 28/√2).
        let expected = std::f32::consts::PI / 8.0 * (16.0 + 28.0 / 2.0_f32.sqrt());
        assert!(
            (square.perimeter() - expected).abs() < 1e-4,
            "{}",
            square.perimeter()
        );
        assert_eq!(square.eroded().indices().count(), 4);
        assert_eq!(square.dilated().indices().count(), 32);
    }

    #[test]
    fn parts_are_separate_and_sorted_by_size() {
        let parted = mask(20, |x, y| {
            (x < 3 && y < 3) || (x == 3 && y == 3) || (x > 10 && y > 10)
        });
        let parts = parted.parts();
        let areas: Vec<usize> = parts.iter().map(Vec::len).collect();
        assert_eq!(areas, [81, 10]);
        assert_eq!(Mask::of(20, &parts), parted);
        assert!(mask(5, |_, _| false).parts().is_empty());
        assert!(mask(5, |_, _| false).hull_area().abs() < 1e-6);
    }
}
