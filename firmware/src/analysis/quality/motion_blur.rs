//! Motion blur: whether the field moved during the exposure.
//!
//! The outlines of cells are closed curves, so a field at rest has edges that are equally sharp in all directions,
//! whatever the shape of the cells. Motion softens the edges across it, and leaves those along it sharp.

use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::sharpness::Sharpness;

const MAX_MOTION_BLUR: f32 = 0.55;

/// Excess of the sharpness over 1 that noise alone gives; less in both directions tells nothing of motion.
const MIN_EXCESS: f32 = 0.02;

/// Adds the figure `motion_blur`: the largest loss of sharpness in a direction compared to the perpendicular one, 0 for
/// none, 1 if edges are sharp in one direction only.
pub(super) fn measure(sharpness: &Sharpness, quality: &mut Quality) {
    let excess = sharpness.along.map(|sharpness| (sharpness - 1.0).max(0.0));
    let (one, other) = excess.split_at(excess.len() / 2);
    let losses = one.iter().zip(other).map(|(one, other)| {
        let sharper = one.max(*other);
        (sharper - one.min(*other)) / sharper.max(MIN_EXCESS)
    });
    let loss = losses.fold(0.0, f32::max);
    quality.require_max("motion_blur", loss, MAX_MOTION_BLUR, Problem::Moved);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn motion_blur(along: [f32; 4]) -> f32 {
        let mut quality = Quality::default();
        let overall = along.into_iter().fold(1.0, f32::max);
        measure(&Sharpness { overall, along }, &mut quality);
        quality.figures()[0].value
    }

    #[test]
    fn perpendicular_directions_are_compared() {
        for (along, expected) in [
            ([1.5; 4], 0.0),
            ([1.5, 1.25, 1.5, 1.25], 0.0),
            ([1.5, 1.5, 1.25, 1.5], 0.5),
            ([1.5, 1.125, 1.5, 1.5], 0.75),
            ([0.9, 1.5, 1.5, 1.5], 1.0),
        ] {
            let found = motion_blur(along);
            assert!((found - expected).abs() < 1e-6, "{along:?}: {found}");
        }
    }

    #[test]
    fn fields_without_sharp_edges_have_no_motion_blur() {
        assert!(motion_blur([1.0; 4]) < 1e-6);
        let noise = motion_blur([1.005, 1.0, 1.0, 1.0]);
        assert!((noise - 0.25).abs() < 1e-3, "{noise}");
    }
}
