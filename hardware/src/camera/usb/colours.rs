//! How YUYV samples become red, green and blue.
//!
//! The numbers and defaults are those of the kernel's documentation of `v4l2_colorspace`, `v4l2_ycbcr_encoding` and
//! `v4l2_quantization`.

use std::fmt::{self, Display, Formatter};

/// Weights of red and blue in the luma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matrix {
    /// ITU-R BT.601.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020.
    Bt2020,
    /// SMPTE 240M.
    Smpte240,
}

/// How the samples of a device are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    matrix: Matrix,
    /// Whether luma goes from 0 to 255; else from 16 to 235.
    is_full_range: bool,
}

impl Default for Colours {
    fn default() -> Self {
        Self {
            matrix: Matrix::Bt601,
            is_full_range: false,
        }
    }
}

impl Colours {
    /// What the device reports.
    pub(super) fn of(colorspace: u32, encoding: u32, quantization: u32) -> Self {
        let matrix = match (encoding, colorspace) {
            // The default encoding is that of the colour space: 709 of REC709 and DCI-P3.
            (2 | 4, _) | (0, 3 | 12) => Matrix::Bt709,
            (6 | 7, _) | (0, 10) => Matrix::Bt2020,
            (8, _) | (0, 2) => Matrix::Smpte240,
            _ => Matrix::Bt601,
        };
        Self {
            matrix,
            // By default only that of JPEG.
            is_full_range: quantization == 1 || (quantization == 0 && colorspace == 7),
        }
    }

    /// Converts YUYV samples, four bytes for two pixels, to interleaved red, green and blue.
    pub(super) fn rgb(self, yuyv: &[u8]) -> Vec<u8> {
        let (red, blue) = match self.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
            Matrix::Smpte240 => (0.212, 0.087),
        };
        let green = 1.0 - red - blue;
        let (luma_zero, luma_scale, chroma_scale) = if self.is_full_range {
            (0, 1.0, 1.0)
        } else {
            (16, 255.0 / 219.0, 255.0 / 224.0)
        };
        // In units of 2⁻¹⁶.
        let fixed = |factor: f64| (factor * 65_536.0).round() as i32;
        let luma = fixed(luma_scale);
        let red_of_v = fixed(2.0 * (1.0 - red) * chroma_scale);
        let blue_of_u = fixed(2.0 * (1.0 - blue) * chroma_scale);
        let green_of_u = fixed(2.0 * (1.0 - blue) * blue / green * chroma_scale);
        let green_of_v = fixed(2.0 * (1.0 - red) * red / green * chroma_scale);
        let mut rgb = Vec::with_capacity(yuyv.len() / 2 * 3);
        for &[y0, u, y1, v] in yuyv.as_chunks().0 {
            let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
            for y in [y0, y1] {
                let y = (i32::from(y) - luma_zero) * luma + (1 << 15);
                rgb.extend(
                    [
                        y + red_of_v * v,
                        y - green_of_u * u - green_of_v * v,
                        y + blue_of_u * u,
                    ]
                    .map(|sample| (sample >> 16).clamp(0, 255) as u8),
                );
            }
        }
        rgb
    }
}

impl Display for Colours {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let matrix = match self.matrix {
            Matrix::Bt601 => "BT.601",
            Matrix::Bt709 => "BT.709",
            Matrix::Bt2020 => "BT.2020",
            Matrix::Smpte240 => "SMPTE 240M",
        };
        let range = if self.is_full_range {
            "full"
        } else {
            "limited"
        };
        write!(f, "{matrix}, {range} range")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V4L2's numbers.
    const REC709: u32 = 3;
    const JPEG: u32 = 7;
    const SRGB: u32 = 8;
    const BT2020: u32 = 10;
    const ENCODING_601: u32 = 1;
    const ENCODING_709: u32 = 2;
    const FULL: u32 = 1;
    const LIMITED: u32 = 2;

    #[test]
    fn what_a_device_leaves_open_follows_from_its_colour_space() {
        for ((colorspace, encoding, quantization), expected) in [
            ((0, 0, 0), "BT.601, limited range"),
            ((SRGB, 0, 0), "BT.601, limited range"),
            ((JPEG, 0, 0), "BT.601, full range"),
            ((REC709, 0, 0), "BT.709, limited range"),
            ((BT2020, 0, 0), "BT.2020, limited range"),
            ((REC709, ENCODING_601, FULL), "BT.601, full range"),
            ((SRGB, ENCODING_709, LIMITED), "BT.709, limited range"),
            ((JPEG, 0, LIMITED), "BT.601, limited range"),
            ((99, 99, 99), "BT.601, limited range"),
        ] {
            let colours = Colours::of(colorspace, encoding, quantization);
            assert_eq!(colours.to_string(), expected);
        }
    }

    #[test]
    fn colours_follow_the_matrix_and_the_range() {
        let near = |colours: Colours, yuyv: [u8; 4], expected: [u8; 6]| {
            let rgb = colours.rgb(&yuyv);
            assert_eq!(rgb.len(), 6);
            for (sample, value) in rgb.iter().zip(expected) {
                // The samples of the standards are rounded.
                assert!(sample.abs_diff(value) <= 2, "{colours}: {rgb:?}");
            }
        };
        // White and black, and 75 % red of the colour bars of EBU Tech 3280 (BT.601) and SMPTE RP 219 (BT.709).
        let limited = Colours::default();
        near(limited, [235, 128, 16, 128], [255, 255, 255, 0, 0, 0]);
        near(limited, [65, 100, 65, 212], [191, 0, 0, 191, 0, 0]);
        let hd = Colours::of(REC709, 0, 0);
        near(hd, [51, 109, 51, 212], [191, 0, 0, 191, 0, 0]);
        // JFIF 1.02: pure red, and grey levels as they are.
        let full = Colours::of(JPEG, 0, 0);
        near(full, [76, 85, 76, 255], [254, 0, 0, 254, 0, 0]);
        assert_eq!(full.rgb(&[0, 128, 255, 128]), [0, 0, 0, 255, 255, 255]);
    }
}
