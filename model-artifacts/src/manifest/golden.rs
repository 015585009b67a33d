//! The checks that golden samples of all kinds share.

use crate::validation::FieldError;

/// Largest number of golden samples of a network. Each one is run whenever the model is loaded.
const MAX_GOLDEN: usize = 64;
/// Largest tolerance of a golden sample; a wider one would accept a wrong network.
const MAX_TOLERANCE: f32 = 0.05;

/// Requires golden samples, and not too many.
pub(super) fn check_count(field: &str, count: usize) -> Result<(), FieldError> {
    if (1..=MAX_GOLDEN).contains(&count) {
        return Ok(());
    }
    Err(FieldError::new(
        field,
        format!("must have 1 to {MAX_GOLDEN} samples, it has {count}"),
        "export the model again with golden samples, which verify it",
    ))
}

/// Requires a tolerance that tells networks apart.
pub(super) fn check_tolerance(field: String, tolerance: f32) -> Result<(), FieldError> {
    if tolerance > 0.0 && tolerance <= MAX_TOLERANCE {
        return Ok(());
    }
    Err(FieldError::invalid(
        field,
        format!("must be above 0 and at most {MAX_TOLERANCE}, it is {tolerance}"),
    ))
}
