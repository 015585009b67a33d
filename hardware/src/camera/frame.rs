//! A frame as the camera delivered it.

use std::time::Instant;

/// The pixels of a [`Frame`], unchanged from the driver where possible. Decoding is left to the analysis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// A complete encoded image: JPEG from an MJPEG camera, any supported format from a folder.
    Encoded(Vec<u8>),
    /// Interleaved 8-bit RGB, `3 × width × height` bytes, top row first.
    Rgb8 {
        /// Pixels per row, at least 1.
        width: u32,
        /// Number of rows, at least 1.
        height: u32,
        /// Red, green and blue of each pixel in turn, without padding between rows.
        data: Vec<u8>,
    },
}

/// A picture with its time and origin.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The picture, which may still be an encoded image: decode it before use.
    pub pixels: Pixels,
    /// Time of the exposure, as far as the driver tells. A frame older than the press that requested it is
    /// stale and must not be analysed.
    pub captured_at: Instant,
    /// The previous picture of the stream, if there is one. A difference between the two reveals motion.
    pub earlier: Option<Pixels>,
    /// Device or file name, for the records.
    pub source: String,
}
