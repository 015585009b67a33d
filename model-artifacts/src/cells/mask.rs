//! A set of pixels of a square crop, and its shape.

/// A set of pixels of a square image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    side: usize,
    pixels: Vec<bool>,
}

impl Mask {
    /// The pixels of a `side` × `side` image for which `contains` holds, given column and row.
    pub(super) fn from_fn(side: usize, contains: impl Fn(usize, usize) -> bool) -> Self {
        let pixels = (0..side * side)
            .map(|at| contains(at % side, at / side))
            .collect();
        Self { side, pixels }
    }

    pub(super) fn area(&self) -> usize {
        self.pixels.iter().filter(|pixel| **pixel).count()
    }

    /// Indices of the pixels, row by row.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> {
        let pixels = self.pixels.iter().enumerate();
        pixels.filter_map(|(at, pixel)| pixel.then_some(at))
    }

    pub(super) fn contains(&self, column: usize, row: usize) -> bool {
        self.pixels[row * self.side + column]
    }

    /// Whether a pixel belongs to it; pixels outside the image do not.
    fn at(&self, column: isize, row: isize) -> bool {
        let within = |at: isize| (0..self.side as isize).contains(&at);
        within(column) && within(row) && self.contains(column as usize, row as usize)
    }

    /// The pixels that belong to it with their four neighbours.
    pub(super) fn eroded(&self) -> Self {
        self.by_cross(|cross| cross.into_iter().all(|pixel| pixel))
    }

    /// The pixels that belong to it or have one of four neighbours that does.
    pub(super) fn dilated(&self) -> Self {
        self.by_cross(|cross| cross.into_iter().any(|pixel| pixel))
    }

    /// The pixels for which `belongs` holds, given whether each itself and its four neighbours do now.
    fn by_cross(&self, belongs: impl Fn([bool; 5]) -> bool) -> Self {
        let side = self.side;
        let outside = vec![false; side];
        let line = |row: usize| &self.pixels[row * side..][..side];
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for row in 0..side {
            let here = line(row);
            let above = if row > 0 { line(row - 1) } else { &outside };
            let below = if row + 1 < side {
                line(row + 1)
            } else {
                &outside
            };
            for column in 0..side {
                let left = column > 0 && here[column - 1];
                let right = column + 1 < side && here[column + 1];
                pixels.push(belongs([
                    here[column],
                    left,
                    right,
                    above[column],
                    below[column],
                ]));
            }
        }
        Self { side, pixels }
    }

    /// Its connected parts (eight neighbours), the largest first.
    pub(super) fn parts(&self) -> Vec<Self> {
        let mut left = self.pixels.clone();
        let mut parts = Vec::new();
        for start in 0..left.len() {
            if !left[start] {
                continue;
            }
            let mut pixels = vec![false; left.len()];
            let mut stack = vec![start];
            left[start] = false;
            while let Some(at) = stack.pop() {
                pixels[at] = true;
                let (column, row) = ((at % self.side) as isize, (at / self.side) as isize);
                for y in row - 1..=row + 1 {
                    for x in column - 1..=column + 1 {
                        let within = |at: isize| (0..self.side as isize).contains(&at);
                        if !(within(x) && within(y)) {
                            continue;
                        }
                        let next = y as usize * self.side + x as usize;
                        if left[next] {
                            left[next] = false;
                            stack.push(next);
                        }
                    }
                }
            }
            parts.push(Self {
                side: self.side,
                pixels,
            });
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.area()));
        parts
    }

    /// All pixels of any of the parts.
    pub(super) fn union(side: usize, parts: &[Self]) -> Self {
        Self::from_fn(side, |column, row| {
            parts.iter().any(|part| part.contains(column, row))
        })
    }

    /// Length of its border in pixels, by Crofton's formula with lines in four directions (Legland et al. 2007,
    /// "Computation of Minkowski measures on 2D and 3D binary images").
    pub(super) fn perimeter(&self) -> f32 {
        let mut straight = 0_u32;
        let mut diagonal = 0_u32;
        let side = self.side as isize;
        for row in -1..=side {
            for column in -1..=side {
                let here = self.at(column, row);
                let crosses = |x, y| u32::from(here != self.at(column + x, row + y));
                straight += crosses(1, 0) + crosses(0, 1);
                diagonal += crosses(1, 1) + crosses(-1, 1);
            }
        }
        let crossings = straight as f32 + diagonal as f32 / std::f32::consts::SQRT_2;
        std::f32::consts::PI / 8.0 * crossings
    }

    /// Area of its convex hull in pixels, with pixels as squares (Andrew 1979, monotone chain).
    pub(super) fn hull_area(&self) -> f32 {
        let mut corners: Vec<(i64, i64)> = Vec::new();
        for row in 0..self.side {
            let mut columns = (0..self.side).filter(|column| self.contains(*column, row));
            let Some(first) = columns.next() else {
                continue;
            };
            let last = columns.next_back().unwrap_or(first);
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

    fn disc(radius: f32) -> Mask {
        Mask::from_fn(96, |x, y| (x as f32 - 47.5).hypot(y as f32 - 47.5) < radius)
    }

    #[test]
    fn a_disc_has_the_figures_of_a_circle() {
        let disc = disc(20.0);
        let area = std::f32::consts::PI * 400.0;
        assert!((disc.area() as f32 - area).abs() < 0.01 * area);
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
        let square = Mask::from_fn(10, |x, y| (2..6).contains(&x) && (3..7).contains(&y));
        assert!((square.hull_area() - 16.0).abs() < 1e-6);
        // Crofton's formula counts 16 straight and 2 · 14 diagonal crossings: π/8 (16 + 28/√2).
        let expected = std::f32::consts::PI / 8.0 * (16.0 + 28.0 / 2.0_f32.sqrt());
        assert!(
            (square.perimeter() - expected).abs() < 1e-4,
            "{}",
            square.perimeter()
        );
        assert_eq!(square.eroded().area(), 4);
        assert_eq!(square.dilated().area(), 32);
    }

    #[test]
    fn parts_are_separate_and_sorted_by_size() {
        let mask = Mask::from_fn(20, |x, y| {
            (x < 3 && y < 3) || (x == 3 && y == 3) || (x > 10 && y > 10)
        });
        let parts = mask.parts();
        let areas: Vec<usize> = parts.iter().map(Mask::area).collect();
        assert_eq!(areas, [81, 10]);
        assert_eq!(Mask::union(20, &parts), mask);
        assert!(Mask::from_fn(5, |_, _| false).parts().is_empty());
        assert!(Mask::from_fn(5, |_, _| false).hull_area().abs() < 1e-6);
    }
}
