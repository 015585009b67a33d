//! Where a cell lies and how large it is.

/// A cell that the finder found. Whether its numbers count pixels of the finder's input, of the field's image or
/// micrometres is said by what gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellSite {
    /// Distance of the centre from the left edge of the field.
    pub x: f32,
    /// Distance of the centre from the upper edge.
    pub y: f32,
    /// Diameter of a circle of the cell's area, above 0.
    pub diameter: f32,
    /// How sure the finder is, 0 to 1.
    pub score: f32,
}

impl CellSite {
    /// The same cell in other units, of which one of the present units has `factor`.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        Self {
            x: self.x * factor,
            y: self.y * factor,
            diameter: self.diameter * factor,
            score: self.score,
        }
    }

    /// Whether the centre lies between the left and upper edge and `width` and `height`.
    pub fn is_centred_in(&self, width: f32, height: f32) -> bool {
        (0.0..=width).contains(&self.x) && (0.0..=height).contains(&self.y)
    }

    /// Whether the cell lies wholly between the left and upper edge and `width` and `height`.
    pub fn is_inside(self, width: f32, height: f32) -> bool {
        let radius = self.diameter / 2.0;
        let within = |centre: f32, side: f32| centre >= radius && centre <= side - radius;
        within(self.x, width) && within(self.y, height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_at_the_frame_is_not_inside() {
        let site = |x, y| CellSite {
            x,
            y,
            diameter: 10.0,
            score: 1.0,
        };
        assert!(site(5.0, 25.0).is_inside(100.0, 30.0));
        assert!(!site(4.9, 20.0).is_inside(100.0, 30.0));
        assert!(!site(50.0, 25.1).is_inside(100.0, 30.0));
        assert!(site(50.0, 50.2).scaled(0.5).is_inside(100.0, 30.2));
        assert!(site(0.0, 30.0).is_centred_in(100.0, 30.0));
        assert!(!site(100.1, 10.0).is_centred_in(100.0, 30.0));
    }
}
