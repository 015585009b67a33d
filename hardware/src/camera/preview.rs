//! A picture for focusing.

use crate::camera::frame::Pixels;

/// How a preview is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewMode {
    /// As fast as the camera can: the picture may be smaller than that of a capture.
    Fast,
    /// In the size of a capture.
    Full,
}

/// What the camera sees now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The picture.
    pub pixels: Pixels,
    /// Width and height of a capture in pixels; `None` if this picture was taken as a capture is, and has its size.
    pub captured_size: Option<(u32, u32)>,
}

/// A preview in the size of a capture.
impl From<Pixels> for Preview {
    fn from(pixels: Pixels) -> Self {
        Self {
            pixels,
            captured_size: None,
        }
    }
}
