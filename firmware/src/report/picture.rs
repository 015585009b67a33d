//! JSON about a picture: a place in it, and its quality figures.

use serde::Serialize;
use utoipa::ToSchema;

/// A place in a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Spot {
    /// Share of the width, from the left.
    pub(crate) x: f32,
    /// Share of the height, from the top.
    pub(crate) y: f32,
}

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
}
