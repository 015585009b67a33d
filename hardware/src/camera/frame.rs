//! One picture as the camera delivered it.

use std::time::Instant;

/// The pixels of a [`Frame`], as near to what the sensor's driver gave as possible: decoding
/// belongs to whoever analyses the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// A whole encoded image file (JPEG from an MJPEG camera; any supported format from a folder).
    Encoded(Vec<u8>),
    /// Interleaved 8-bit RGB, `3 × width × height` bytes, rows from the top.
    Rgb8 {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
        /// The samples.
        data: Vec<u8>,
    },
}

/// One picture and the moment at which it was asked for.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The picture.
    pub pixels: Pixels,
    /// When the exposure was over, as far as the driver tells: a frame older than the press that
    /// asked for it is stale and must not be analysed.
    pub captured_at: Instant,
    /// The picture that the camera took just before, where it took one: what moved between the two
    /// was not held still.
    pub earlier: Option<Pixels>,
    /// Where it came from, for records: a device or a file name.
    pub source: String,
}
