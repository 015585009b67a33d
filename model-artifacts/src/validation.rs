//! The error of a manifest field, and the checks that several fields share.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::error::ArtifactError;

/// Remedy for a value that only an editor or a fresh copy of the model can change.
pub(crate) const CORRECT_IT: &str = "correct it, or install the model again";

/// Longest name or label, and longest text, in bytes.
const MAX_LINE: usize = 64;
const MAX_TEXT: usize = 4096;

/// What is wrong with one field of a manifest, before the file's path is known.
#[derive(Debug)]
pub(crate) struct FieldError {
    field: String,
    problem: String,
    remedy: String,
}

impl FieldError {
    /// `field` is the dotted name of the field, `problem` completes "the field …".
    pub(crate) fn new(
        field: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// An invalid value that the manifest's author has to correct.
    pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::new(field, problem, CORRECT_IT)
    }

    /// The error with the path of the manifest.
    pub(crate) fn at(self, path: &Path) -> ArtifactError {
        ArtifactError::Manifest {
            path: path.into(),
            field: self.field,
            problem: self.problem,
            remedy: self.remedy,
        }
    }
}

/// Requires a single line of at most [`MAX_LINE`] bytes that is not blank.
pub(crate) fn check_line(field: &str, line: &str) -> Result<(), FieldError> {
    check_printable(field, line, MAX_LINE)?;
    if line.contains('\n') {
        return Err(FieldError::invalid(field, "must be a single line"));
    }
    Ok(())
}

/// Requires one or more lines of at most [`MAX_TEXT`] bytes that are not blank.
pub(crate) fn check_text(field: &str, text: &str) -> Result<(), FieldError> {
    check_printable(field, text, MAX_TEXT)
}

/// Control characters are refused because the text is printed on terminals, which obey them.
fn check_printable(field: &str, text: &str, max_bytes: usize) -> Result<(), FieldError> {
    if text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(FieldError::invalid(
            field,
            "must not contain control characters",
        ));
    }
    if text.trim().is_empty() {
        return Err(FieldError::new(field, "must not be empty", "fill it in"));
    }
    if text.len() > max_bytes {
        return Err(FieldError::new(
            field,
            format!(
                "must be at most {max_bytes} bytes long, it has {}",
                text.len()
            ),
            "shorten it",
        ));
    }
    Ok(())
}

/// Requires a value within a closed range; NaN is outside of every range.
pub(crate) fn check_between<T: Copy + PartialOrd + std::fmt::Display>(
    field: impl Into<String>,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), FieldError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (min, max) = range.into_inner();
    Err(FieldError::invalid(
        field,
        format!("must be between {min} and {max}, it is {value}"),
    ))
}

/// Requires a finite number above 0.
pub(crate) fn check_positive(field: &str, value: f32) -> Result<(), FieldError> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(FieldError::invalid(
        field,
        format!("must be a finite number above 0, it is {value}"),
    ))
}
