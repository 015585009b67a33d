//! Focus: whether the edges of cells are sharp.

use crate::analysis::quality::figure::{Problem, Quality};
use crate::analysis::quality::sharpness::Sharpness;

const MIN_FOCUS: f32 = 1.215;

/// Adds the figure `focus`: the sharpness of edges in any direction.
pub(super) fn measure(sharpness: &Sharpness, quality: &mut Quality) {
    quality.require_min("focus", sharpness.overall, MIN_FOCUS, Problem::OutOfFocus);
}
