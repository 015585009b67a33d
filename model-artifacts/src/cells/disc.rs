//! Discs and rings around the middle of a square crop, as runs of pixels.

use std::ops::Range;

/// The columns of each row whose squared distance from the middle, in pixels, is `within`; the distances that are form a disc.
pub(super) fn runs(
    side: usize,
    within: impl Fn(f32) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let middle = (side as f32 - 1.0) / 2.0;
    let squared = move |at: usize| (at as f32 - middle).powi(2);
    (0..side).map(move |row| {
        let beside =
            (0..side.div_ceil(2)).take_while(|&column| !within(squared(column) + squared(row)));
        let beside = beside.count();
        beside..(side - beside).max(beside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_all_pixels_of_a_disc() {
        for side in [1, 2, 7, 10] {
            let middle = (side as f32 - 1.0) / 2.0;
            for radius in [0.0, 0.4, 1.0, 2.6, 3.5, 9.0_f32] {
                let within = |squared: f32| squared < radius * radius;
                for (row, run) in runs(side, within).enumerate() {
                    for column in 0..side {
                        let squared =
                            (column as f32 - middle).powi(2) + (row as f32 - middle).powi(2);
                        let at = format!("{column}, {row} of {side}, {radius}");
                        assert_eq!(run.contains(&column), within(squared), "{at}");
                    }
                }
            }
        }
    }
}
