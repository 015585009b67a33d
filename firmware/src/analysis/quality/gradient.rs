//! Gradients of the luma.

use std::ops::Range;

use crate::analysis::quality::luma::Luma32;

/// Squared gradient magnitudes in part of a row. Pixels at the edge of the picture have none.
pub(super) fn squared_gradients(
    luma: &Luma32,
    y: usize,
    columns: Range<usize>,
) -> impl Iterator<Item = f32> + '_ {
    gradients(luma, y, columns).map(|[across, down]| across * across + down * down)
}

/// Gradients in part of a row, across and down, from central differences. Pixels at the edge of the picture have none.
pub(super) fn gradients(
    luma: &Luma32,
    y: usize,
    columns: Range<usize>,
) -> impl Iterator<Item = [f32; 2]> + '_ {
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    let columns = columns.start.max(1)..columns.end.min(width.saturating_sub(1));
    let is_edge = y == 0 || y + 1 >= height || columns.is_empty();
    let [left, right, above, below] = if is_edge {
        [&[][..]; 4]
    } else {
        let at = y * width + columns.start;
        [at - 1, at + 1, at - width, at + width].map(|at| &luma.as_raw()[at..][..columns.len()])
    };
    let across = right.iter().zip(left);
    let down = below.iter().zip(above);
    across.zip(down).map(|((right, left), (below, above))| {
        // Each difference spans two pixels.
        [right - left, below - above].map(|difference| difference / 2.0)
    })
}

#[cfg(test)]
mod tests {
    use image::Luma;

    use super::*;
    use crate::analysis::quality::tiles;

    #[test]
    fn every_pixel_except_at_the_edge_has_a_gradient() {
        for (width, height) in [(61, 47), (2, 200), (5, 3), (3, 3), (3, 2), (1, 1)] {
            let luma = Luma32::from_fn(width, height, |x, y| {
                Luma([((x * 7 + y * y * 13) % 97) as f32 / 97.0])
            });
            let found: Vec<u32> = tiles::runs(width as usize, height as usize)
                .flat_map(|(_, y, columns)| squared_gradients(&luma, y, columns))
                .map(f32::to_bits)
                .collect();
            let at = |x: u32, y: u32| luma.get_pixel(x, y)[0];
            let mut expected = Vec::new();
            for y in 1..height - 1 {
                for x in 1..width.saturating_sub(1) {
                    let (across, down) = (at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1));
                    let [across, down] = [across, down].map(|difference| difference / 2.0);
                    expected.push((across * across + down * down).to_bits());
                }
            }
            assert_eq!(found, expected, "{width} x {height}");
        }
    }
}
