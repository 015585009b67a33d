//! JPEG (ITU-T T.81), strictly: decoders commonly render what a cut file lacks as grey.

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

const SOF0: u8 = 0xC0;
const SOF1: u8 = 0xC1;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DHT: u8 = 0xC4;
const TEM: u8 = 0x01;

/// Sixty-four ones, each eight of them followed by the zero byte that makes them data.
const GUARD: [u8; 16] = [
    0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0,
];

/// A segment that makes a decoder use the Huffman tables of ITU-T T.81 annex K.3, which USB cameras
/// leave out of their Motion JPEG frames (USB Video Class 1.5, Motion-JPEG payload).
const MOTION_JPEG_SEGMENT: &[u8] = b"\xFF\xE0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ArtifactError> {
    let damaged = |error: DecodeErrors| refuse(format!("{error:?}"), DAMAGED);

    let bytes = guarded(bytes).map_err(|problem| refuse(problem, DAMAGED))?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(u16::MAX.into())
        .set_max_height(u16::MAX.into())
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes.as_slice()), options);
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

/// Copies one whole JPEG in a form that lets the decoder notice every gap in it.
///
/// Decoders read what a scan lacks as zeros, which are valid codes. So the end of each stretch of
/// entropy-coded data is followed by ones, which are none (T.81, C.2: no code is all ones): a decoder
/// that has all it needs never reads them, and one that has not stops there. Progressive files,
/// which no camera gives, are copied as they are.
fn guarded(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    const CUT_SHORT: &str = "the JPEG ends before its end-of-image marker";
    let mut copy = Vec::with_capacity(bytes.len() + 64);
    let mut copied = 0;
    let mut sequential = false;
    let mut huffman_tables = false;
    let mut next_restart = 0;
    let mut at = 2;
    loop {
        // What stands before a marker is entropy-coded data, where 0xFF is followed by 0
        // (stuffing) or 0xFF (fill).
        let rest = bytes.get(at..).ok_or(CUT_SHORT)?;
        at += rest
            .iter()
            .position(|byte| *byte == 0xFF)
            .ok_or(CUT_SHORT)?
            + 1;
        let marker = *bytes.get(at).ok_or(CUT_SHORT)?;
        if sequential && matches!(marker, RST0..=RST7 | EOI) {
            copy.extend_from_slice(&bytes[copied..at - 1]);
            copy.extend_from_slice(&GUARD);
            copied = at - 1;
        }
        match marker {
            0xFF => {}
            0 | TEM | SOI => at += 1,
            RST0..=RST7 => {
                if marker != RST0 + next_restart {
                    return Err("a part of the JPEG is missing between its restart markers");
                }
                next_restart = (next_restart + 1) % 8;
                at += 1;
            }
            EOI => break,
            // Skipped by their length, so that the end of a thumbnail in them does not count.
            segment => {
                match segment {
                    SOF0 | SOF1 => sequential = true,
                    DHT => huffman_tables = true,
                    SOS => next_restart = 0,
                    _ => {}
                }
                let length = bytes.get(at + 1..at + 3).ok_or(CUT_SHORT)?;
                at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
        }
    }
    // Cameras pad their frames behind the end-of-image marker.
    copy.extend_from_slice(&bytes[copied..=at]);
    if !huffman_tables {
        copy.splice(2..2, MOTION_JPEG_SEGMENT.iter().copied());
    }
    Ok(copy)
}
