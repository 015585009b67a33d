//! Where a mark lies in its image.

/// A mark as a list has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Shape {
    /// Left, top, width and height in pixels.
    Box([f64; 4]),
    /// Column and row of the centre, width and height, as parts of the image's width and height.
    Relative([f64; 4]),
    /// Column and row of the centre in pixels.
    Centre([f64; 2]),
}

/// A mark within its image, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    pub(super) centre: [f32; 2],
    /// Width and height of the part within the image, if the size is known.
    pub(super) extent: Option<[f32; 2]>,
    /// Whether a part outside of the image was cut off.
    pub(super) is_clipped: bool,
}

/// A part outside of the image that is smaller than this, in pixels, is rounding.
const ROUNDING: f64 = 0.01;

impl Shape {
    /// The mark in an image of this width and height. What reaches beyond the image is cut off.
    ///
    /// # Errors
    /// A message with the values: a number is not finite, a width or height is not positive, the centre
    /// lies outside of the image, or less than half a pixel is left.
    pub(super) fn place(self, image: (u32, u32)) -> Result<Placed, String> {
        let [columns, rows] = [f64::from(image.0), f64::from(image.1)];
        let [x, y, width, height] = match self {
            Self::Centre([x, y]) => {
                let is_inside = (0.0..=columns).contains(&x) && (0.0..=rows).contains(&y);
                if !is_inside {
                    return Err(format!(
                        "the centre ({x}, {y}) is outside of the image, which has {columns} × {rows} pixels"
                    ));
                }
                return Ok(Placed {
                    centre: [x as f32, y as f32],
                    extent: None,
                    is_clipped: false,
                });
            }
            Self::Box(bounds) => bounds,
            Self::Relative([x, y, width, height]) => [
                (x - width / 2.0) * columns,
                (y - height / 2.0) * rows,
                width * columns,
                height * rows,
            ],
        };
        let shown = || format!("the box at ({x}, {y}) of {width} × {height} pixels");
        if ![x, y, width, height].iter().all(|value| value.is_finite()) {
            return Err(format!("{} is not finite", shown()));
        }
        if width <= 0.0 || height <= 0.0 {
            return Err(format!("{} has no area", shown()));
        }
        let centre = [x + width / 2.0, y + height / 2.0];
        if !((0.0..=columns).contains(&centre[0]) && (0.0..=rows).contains(&centre[1])) {
            return Err(format!(
                "{} has its centre outside of the image, which has {columns} × {rows} pixels",
                shown()
            ));
        }
        let (left, top) = (x.max(0.0), y.max(0.0));
        let (right, bottom) = ((x + width).min(columns), (y + height).min(rows));
        let extent = [right - left, bottom - top];
        if extent.iter().any(|side| *side < 0.5) {
            return Err(format!("{} is too small", shown()));
        }
        Ok(Placed {
            centre: [left.midpoint(right), top.midpoint(bottom)].map(|value| value as f32),
            extent: Some(extent.map(|side| side as f32)),
            is_clipped: width - extent[0] > ROUNDING || height - extent[1] > ROUNDING,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_placed_and_clipped() {
        let placed = |shape: Shape| shape.place((200, 100)).unwrap();
        let inside = Placed {
            centre: [30.0, 40.0],
            extent: Some([20.0, 40.0]),
            is_clipped: false,
        };
        assert_eq!(placed(Shape::Box([20.0, 20.0, 20.0, 40.0])), inside);
        assert_eq!(placed(Shape::Relative([0.15, 0.4, 0.1, 0.4])), inside);
        // 5 of 20 columns and 10 of 40 rows lie beyond the lower right corner.
        let clipped = Placed {
            centre: [192.5, 85.0],
            extent: Some([15.0, 30.0]),
            is_clipped: true,
        };
        assert_eq!(placed(Shape::Box([185.0, 70.0, 20.0, 40.0])), clipped);
        let point = placed(Shape::Centre([200.0, 0.0]));
        assert_eq!((point.centre, point.extent), ([200.0, 0.0], None));
    }

    #[test]
    fn impossible_marks_are_refused_with_their_values() {
        for (shape, word) in [
            (Shape::Box([f64::NAN, 0.0, 5.0, 5.0]), "NaN"),
            (Shape::Box([0.0, 0.0, f64::INFINITY, 5.0]), "not finite"),
            (Shape::Relative([0.5, 0.5, f64::MAX, 5.0]), "not finite"),
            (Shape::Box([0.0, 0.0, 0.0, 5.0]), "no area"),
            (Shape::Box([0.0, 0.0, 5.0, -5.0]), "5 × -5"),
            (Shape::Box([198.0, 0.0, 5.0, 5.0]), "centre outside"),
            (Shape::Box([5.0, 5.0, 0.4, 5.0]), "too small"),
            (Shape::Centre([-0.5, 3.0]), "(-0.5, 3)"),
            (Shape::Centre([f64::NAN, 3.0]), "outside of the image"),
        ] {
            let problem = shape.place((200, 100)).unwrap_err();
            assert!(problem.contains(word), "{shape:?}: {problem}");
        }
    }
}
