//! JSON about a picture: its quality figures.

use serde::Serialize;
use utoipa::ToSchema;

/// A quality figure of a picture.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Figure {
    /// The measured value; null if it is not a number.
    #[schema(required)]
    value: Option<f32>,
    /// Smallest acceptable value.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f32>,
    /// Largest acceptable value.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f32>,
    /// Whether the value is acceptable.
    passed: bool,
    /// What is wrong if it is not acceptable. Records of earlier versions lack it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}
