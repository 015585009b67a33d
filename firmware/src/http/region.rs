//! A region of the camera's picture, as a request names it.

use std::fmt::{self, Display};

use axum::http::StatusCode;
use image::{GenericImageView, RgbImage};
use serde::Deserialize;

use crate::http::problem::Problem;

/// Longest text that an error repeats, in characters.
const MAX_TEXT: usize = 40;

/// A rectangle in pixels of a whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Region {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

impl Region {
    /// Checks that the region lies in a picture of this size. It is not moved or cut to fit: the client would take what it
    /// gets for another place of the slide.
    ///
    /// # Errors
    /// 400 with the size of the picture.
    pub(crate) fn check(self, (width, height): (u32, u32)) -> Result<(), Problem> {
        let fits = |start: u32, length: u32, limit| {
            start.checked_add(length).is_some_and(|end| end <= limit)
        };
        if fits(self.x, self.width, width) && fits(self.y, self.height, height) {
            return Ok(());
        }
        let detail = format!(
            "the region {self} lies outside the picture of {width}x{height} pixels; choose one with X + WIDTH up to {width} \
             and Y + HEIGHT up to {height}"
        );
        Err(Problem::new(StatusCode::BAD_REQUEST, detail))
    }

    /// The pixels of the region in a picture that it lies in.
    pub(crate) fn of(self, image: &RgbImage) -> RgbImage {
        let view = image.view(self.x, self.y, self.width, self.height);
        view.to_image()
    }
}

impl TryFrom<String> for Region {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let numbers: Option<Vec<u32>> = text.split(',').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some([x, y, width, height]) if *width > 0 && *height > 0 => Ok(Self {
                x: *x,
                y: *y,
                width: *width,
                height: *height,
            }),
            _ => {
                let text: String = text.chars().take(MAX_TEXT).collect();
                Err(format!(
                    "{text:?} is no region; name column and row of its corner, width and height in pixels, such as 0,0,800,600"
                ))
            }
        }
    }
}

impl Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            x,
            y,
            width,
            height,
        } = self;
        write!(f, "{x},{y},{width},{height}")
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn region(text: &str) -> Result<Region, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn four_numbers_are_a_region() {
        assert_eq!(region("3,0,800,600").unwrap().to_string(), "3,0,800,600");
        for text in [
            "",
            "0,0,800",
            "0,0,800,600,1",
            "-1,0,800,600",
            "0,0,0,600",
            "0,0,800,0",
            "0,0,4294967296,1",
            "0.5,0,1,1",
            "0, 0,1,1",
        ] {
            let error = region(text).unwrap_err();
            assert!(error.contains("such as 0,0,800,600"), "{error}");
        }
        assert!(region(&"9".repeat(1 << 16)).unwrap_err().len() < 200);
    }

    #[test]
    fn a_region_lies_in_the_picture_or_is_refused() {
        let size = (640, 480);
        for text in ["0,0,640,480", "639,479,1,1"] {
            assert!(region(text).unwrap().check(size).is_ok(), "{text}");
        }
        for text in [
            "0,0,641,480",
            "1,0,640,480",
            "0,480,1,1",
            "4294967295,0,4294967295,1",
        ] {
            let problem = region(text).unwrap().check(size).unwrap_err();
            let (status, _, detail) = problem.into_parts();
            assert_eq!(status, StatusCode::BAD_REQUEST);
            for part in [text, "640x480 pixels"] {
                assert!(detail.contains(part), "{detail}");
            }
        }
    }

    #[test]
    fn its_pixels_are_those_of_the_picture() {
        let image = RgbImage::from_fn(5, 4, |x, y| Rgb([x as u8, y as u8, 0]));
        let cut = region("2,1,3,2").unwrap().of(&image);
        assert_eq!(cut.dimensions(), (3, 2));
        for (x, y, pixel) in cut.enumerate_pixels() {
            assert_eq!(pixel, image.get_pixel(x + 2, y + 1));
        }
    }
}
