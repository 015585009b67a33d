//! A frame as the camera delivered it.

use std::time::Instant;

/// The pixels of a [`Frame`], unchanged from the driver where possible. Decoding is left to the analysis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// A complete encoded image: JPEG from an MJPEG camera, any supported format from a folder.
    Encoded(Vec<u8>),
    /// Interleaved 8-bit RGB, `3 × width × height` bytes, top row first.
    Rgb8 {
        /// Pixels per row.
        width: u32,
        /// Number of rows.
        height: u32,
        /// The samples.
        data: Vec<u8>,
    },
}

/// A picture with its time and origin.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The picture.
    pub pixels: Pixels,
    /// Time of the exposure, as far as the driver tells. A frame older than the press that requested it is
    /// stale and must not be analysed.
    pub captured_at: Instant,
    /// The previous picture of the stream, if there is one. A difference between the two reveals motion.
    pub earlier: Option<Pixels>,
    /// Device or file name, for the records.
    pub source: String,
    /// Size of a pixel of the whole picture in the plane of the specimen, µm; `None` if it is not known.
    pub um_per_pixel: Option<f32>,
    /// How it was taken.
    pub settings: CaptureSettings,
}

/// How a frame was taken, as far as the driver tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaptureSettings {
    /// The camera as its driver names it: name and bus of a USB camera, sensor of a ribbon camera.
    pub camera: Option<String>,
    /// Mode of the camera, such as `MJPEG 2592x1944, 1/15 s`.
    pub mode: Option<String>,
    /// How raw samples were read, such as `BT.601, limited range`.
    pub colours: Option<String>,
    /// Exposure time, µs.
    pub exposure_us: Option<f64>,
    /// Gain: a factor of a ribbon camera, a number of its own of a USB camera.
    pub gain: Option<f64>,
    /// Gains of red and blue relative to green.
    pub colour_gains: Option<[f64; 2]>,
    /// Correction of the shading of the lens by the camera itself, such as `rpi.alsc of /etc/imx477.json`.
    pub lens_correction: Option<String>,
    /// White balance, K.
    pub white_balance_k: Option<u32>,
    /// Whether the white balance is the same for all pictures; `None` if the camera has none that could be set.
    pub has_fixed_white_balance: Option<bool>,
}
