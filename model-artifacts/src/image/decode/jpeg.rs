//! JPEG (ITU-T T.81) through libjpeg-turbo. Decoders commonly render the missing part of a truncated
//! file in grey and warn; here every warning is an error.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Error, Image, PixelFormat};
use turbojpeg::{Result, ScalingFactor};

use super::limits::Limits;
use super::padding::without_padding;
use super::picture::Picture;
use super::refusal::{DAMAGED, SAVE_OTHERWISE, refuse, refuse_cmyk};
use crate::error::ArtifactError;

/// Largest number of scans. Progressive files have about ten, and each takes time whatever its size.
const MAX_SCANS: u32 = 32;

const SOF0: u8 = 0xC0;
const SOF2: u8 = 0xC2;
const SOF3: u8 = 0xC3;
const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const SOF15: u8 = 0xCF;
const DAC: u8 = 0xCC;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const APP1: u8 = 0xE1;
const TEM: u8 = 0x01;

/// Decodes a JPEG, with width and height reduced by the factor that `reduction` gives for them.
pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    reduction: impl FnOnce(u32, u32) -> u32,
) -> std::result::Result<Picture, ArtifactError> {
    let damaged = |error: Error| refuse(error.to_string(), DAMAGED);

    let file = File::first_of(bytes).map_err(|problem| refuse(problem, DAMAGED))?;
    if let Some(frame) = &file.frame {
        frame.check()?;
    }
    let mut decompressor = Decompressor::new().map_err(damaged)?;
    decompressor.set_scan_limit(MAX_SCANS).map_err(damaged)?;
    let header = decompressor.read_header(file.bytes).map_err(damaged)?;
    limits.check_pixels(header.width as u64, header.height as u64)?;
    if matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK) {
        return Err(refuse_cmyk());
    }
    if file.lacks_scan {
        return Err(refuse("a scan of the JPEG is missing", DAMAGED));
    }

    let by = reduction(header.width as u32, header.height as u32);
    let scale = ScalingFactor::new(1, by as usize);
    let image = match decompress(&mut decompressor, file.bytes, header, scale) {
        Err(error) => match Some(file.bytes)
            .filter(|_| is_extraneous(&error))
            .and_then(without_padding)
        {
            Some(bytes) => decompress(&mut decompressor, &bytes, header, scale),
            None => Err(error),
        },
        image => image,
    };
    let image = image
        .map_err(damaged)?
        .ok_or_else(|| refuse("the decoder returned too few pixels", DAMAGED))?;

    let orientation = file
        .exif
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from(image);
    image.apply_orientation(orientation);
    Ok(Picture {
        original_size: (image.width() * by, image.height() * by),
        image: image.into_rgb8(),
    })
}

fn decompress(
    decompressor: &mut Decompressor,
    bytes: &[u8],
    header: DecompressHeader,
    scale: ScalingFactor,
) -> Result<Option<RgbImage>> {
    let DecompressHeader { width, height, .. } = header.scaled(scale);
    let mut pixels = vec![0; width * height * 3];
    decompressor.set_scaling_factor(scale)?;
    decompressor.decompress(
        bytes,
        Image {
            pixels: pixels.as_mut_slice(),
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        },
    )?;
    Ok(RgbImage::from_raw(width as u32, height as u32, pixels))
}

/// Whether the decoder found bytes before a marker that it did not need.
fn is_extraneous(error: &Error) -> bool {
    matches!(error, Error::TurboJpegError(message) if message.contains("extraneous bytes before marker"))
}

/// How an image is coded.
struct Frame {
    /// The start-of-frame marker.
    marker: u8,
    /// Bits per sample.
    precision: u8,
}

impl Frame {
    /// Refuses intact images that the decoder does not support (T.81, table B.1).
    fn check(&self) -> std::result::Result<(), ArtifactError> {
        let coding = match self.marker {
            SOF0..=SOF2 if self.precision == 8 => return Ok(()),
            SOF0..=SOF2 => format!("{} bits per sample", self.precision),
            SOF3 => "lossless compression".into(),
            marker if marker < JPG => "hierarchical coding".into(),
            _ => "arithmetic coding".into(),
        };
        Err(refuse(
            format!("{coding} in a JPEG cannot be read"),
            SAVE_OTHERWISE,
        ))
    }
}

/// A complete JPEG.
struct File<'a> {
    /// From the start-of-image to the end-of-image marker.
    bytes: &'a [u8],
    /// How the image is coded; `None` if a damaged file does not say so.
    frame: Option<Frame>,
    /// Contents of the EXIF segment, if there is one.
    exif: Option<&'a [u8]>,
    /// Whether the scan of a component is missing, which the decoder would render in grey.
    lacks_scan: bool,
}

impl<'a> File<'a> {
    /// The first JPEG in `bytes`, which may contain several, or padding after the end-of-image marker.
    fn first_of(bytes: &'a [u8]) -> std::result::Result<Self, &'static str> {
        const CUT_SHORT: &str = "the JPEG ends before its end-of-image marker";
        let (mut frame, mut exif) = (None, None);
        // Components whose scan with the mean values (DC coefficients) was not found yet.
        let mut missing = Vec::new();
        let mut at = 2;
        loop {
            // The bytes before a marker are entropy-coded data, where 0xFF is followed by 0
            // (stuffing) or 0xFF (fill).
            let rest = bytes.get(at..).ok_or(CUT_SHORT)?;
            at += rest
                .iter()
                .position(|byte| *byte == 0xFF)
                .ok_or(CUT_SHORT)?
                + 1;
            match *bytes.get(at).ok_or(CUT_SHORT)? {
                0xFF => {}
                0 | TEM | SOI | RST0..=RST7 => at += 1,
                EOI => break,
                // Skipped by length, so that the end-of-image marker of a thumbnail inside does not count.
                segment => {
                    let length = bytes.get(at + 1..at + 3).ok_or(CUT_SHORT)?;
                    let end = at + 1 + usize::from(u16::from_be_bytes([length[0], length[1]]));
                    let data = bytes.get(at + 3..end).unwrap_or_default();
                    if let (SOF0..=SOF15, Some(precision)) = (segment, data.first())
                        && !matches!(segment, DHT | JPG | DAC)
                    {
                        frame = Some(Frame {
                            marker: segment,
                            precision: *precision,
                        });
                    }
                    match segment {
                        APP1 if exif.is_none() => exif = data.strip_prefix(b"Exif\0\0"),
                        // Precision, height, width, number of components, three bytes per component (T.81, B.2.2).
                        SOF0..=SOF2 => {
                            let components = data.get(6..).unwrap_or_default();
                            missing = components.chunks(3).map(|component| component[0]).collect();
                        }
                        // Number of components, two bytes per component, first coefficient (T.81, B.2.3).
                        SOS => {
                            let (count, rest) = data.split_first().unwrap_or((&0, &[]));
                            let (components, rest) = rest
                                .split_at_checked(usize::from(*count) * 2)
                                .unwrap_or_default();
                            if rest.first() == Some(&0) {
                                missing.retain(|id| components.chunks(2).all(|one| one[0] != *id));
                            }
                        }
                        _ => {}
                    }
                    at = end;
                }
            }
        }
        Ok(Self {
            bytes: &bytes[..=at],
            frame,
            exif,
            lacks_scan: !missing.is_empty(),
        })
    }
}
