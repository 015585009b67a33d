//! The evidence map: which positions of an image speak for the positive class.

use serde::Serialize;

/// The exact contribution of each spatial position to the logit margin, for networks with a linear
/// head: the sum over all positions plus the difference of the head's biases is the margin.
#[derive(Debug, Clone, PartialEq)]
pub struct EvidenceMap {
    /// Number of columns: positions of the network's last feature map from left to right.
    pub width: usize,
    /// Number of rows, top row first.
    pub height: usize,
    /// `width × height` values, row by row from the top; positive values are evidence for the positive
    /// class.
    pub values: Vec<f32>,
}

/// A position in an image, relative to its size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema), schema(as = Spot))]
pub struct ImagePosition {
    /// Share of the width, from 0 (left) to 1 (right).
    pub x: f32,
    /// Share of the height, from 0 (top) to 1 (bottom).
    pub y: f32,
}

impl EvidenceMap {
    /// The centre of the position with the largest positive value; `None` if no value is positive.
    pub fn strongest(&self) -> Option<ImagePosition> {
        let (index, _) = self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some(ImagePosition {
            x: ((index % self.width) as f32 + 0.5) / self.width as f32,
            y: ((index / self.width) as f32 + 0.5) / self.height as f32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_position_is_the_largest_positive_value() {
        let map = EvidenceMap {
            width: 4,
            height: 2,
            values: vec![0.1, -9.0, 0.0, 0.2, 0.3, 0.0, 2.0, f32::NEG_INFINITY],
        };
        assert_eq!(map.strongest(), Some(ImagePosition { x: 0.625, y: 0.75 }));
        let negative = EvidenceMap {
            values: vec![-1.0; 8],
            ..map
        };
        assert_eq!(negative.strongest(), None);
    }
}
