//! JPEG (ITU-T T.81), strictly: decoders commonly render what a cut file lacks as grey.

use std::borrow::Cow;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{DAMAGED, Limits, check_size, refuse, refuse_cmyk};
use crate::ArtifactError;

/// Progressive files have about ten scans; each costs time whatever its size.
const MAX_SCANS: usize = 32;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DHT: u8 = 0xC4;
const TEM: u8 = 0x01;

/// A segment that makes a decoder use the Huffman tables of ITU-T T.81 annex K.3, which USB cameras
/// leave out of their Motion JPEG frames (USB Video Class 1.5, Motion-JPEG payload).
const MOTION_JPEG_SEGMENT: &[u8] = b"\xFF\xE0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ArtifactError> {
    let damaged = |error: DecodeErrors| refuse(format!("{error:?}"), DAMAGED);

    let layout = Layout::of(bytes).ok_or_else(|| {
        refuse(
            "the JPEG ends before its end-of-image marker",
            "the file is cut short: copy it again or take the picture again",
        )
    })?;
    let bytes = if layout.huffman_tables {
        Cow::Borrowed(&bytes[..layout.end])
    } else {
        let (start, rest) = bytes[..layout.end].split_at(2);
        Cow::Owned([start, MOTION_JPEG_SEGMENT, rest].concat())
    };

    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(u16::MAX.into())
        .set_max_height(u16::MAX.into())
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    check_size(width as u64, height as u64, limits)?;
    if matches!(
        decoder.input_colorspace(),
        Some(ColorSpace::CMYK | ColorSpace::YCCK)
    ) {
        return Err(refuse_cmyk());
    }

    let mut pixels = vec![0; width * height * 3];
    decoder.decode_into(&mut pixels).map_err(damaged)?;
    let image = RgbImage::from_raw(width as u32, height as u32, pixels)
        .ok_or_else(|| refuse("the decoder gave too few pixels", DAMAGED))?;

    let orientation = decoder
        .exif()
        .and_then(|exif| Orientation::from_exif_chunk(exif))
        .unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// Where a JPEG ends, and what it brings along.
struct Layout {
    /// Position after the end-of-image marker; cameras pad their frames behind it.
    end: usize,
    /// Whether it has Huffman tables of its own.
    huffman_tables: bool,
}

impl Layout {
    /// Walks the markers; `None` if the bytes end before the image does. Segments are skipped by
    /// their length, so that the end-of-image marker of an EXIF thumbnail does not count.
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut huffman_tables = false;
        let mut at = bytes.starts_with(&[0xFF, SOI]).then_some(2)?;
        loop {
            // What stands before a marker is entropy-coded data, where 0xFF is followed by 0
            // (stuffing), a restart marker, or 0xFF (fill).
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)? + 1;
            match *bytes.get(at)? {
                0xFF => {}
                0 | TEM | 0xD0..=SOI => at += 1,
                EOI => {
                    return Some(Self {
                        end: at + 1,
                        huffman_tables,
                    });
                }
                marker => {
                    // An end-of-image marker is due after the first scan, but not before it.
                    huffman_tables |= marker == DHT;
                    let length = bytes.get(at + 1..at + 3)?;
                    at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                    if marker == SOS && at >= bytes.len() {
                        return None;
                    }
                }
            }
        }
    }
}
