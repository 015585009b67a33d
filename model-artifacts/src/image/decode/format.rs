//! The format of an image file, by its first bytes.

use image::ImageFormat;

use super::refusal::refuse;
use crate::error::ArtifactError;

/// Remedy for any other format.
const SAVE_AS: &str = "save it as JPEG, PNG, BMP or TIFF";
/// Remedy for the format of an iPhone's photographs.
const SET_UP_PHONE: &str =
    "save it as JPEG; on an iPhone, choose Settings, Camera, Formats, Most Compatible";

/// Brands of the containers (ISO/IEC 23008-12) that hold HEIC.
const HEIC_BRANDS: [&[u8]; 10] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
];

/// Formats that are named when they are refused, by their first bytes. The crate `image` knows others.
const UNSUPPORTED: [(&[u8], &str); 6] = [
    (b"\0\0\0\x0CjP  ", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"\0\0\0\x0CJXL ", "JPEG XL"),
    (b"\xFF\x0A", "JPEG XL"),
    (b"%PDF", "PDF"),
    (b"ZISRAWFILE", "CZI"),
];

/// Position of a DICOM file's signature.
const DICOM_SIGNATURE: std::ops::Range<usize> = 128..132;

/// The format of an image that can be decoded.
///
/// # Errors
/// [`ArtifactError::Image`] with the name of another format, if it is known.
pub(super) fn recognise(bytes: &[u8]) -> Result<ImageFormat, ArtifactError> {
    // BigTIFF: version 43 instead of 42. The decoder of TIFF reads both.
    if bytes.starts_with(b"II\x2B\0") || bytes.starts_with(b"MM\0\x2B") {
        return Ok(ImageFormat::Tiff);
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Bmp | ImageFormat::Tiff),
        ) => Ok(format),
        Ok(other) => Err(unsupported(&format!("{other:?}"), SAVE_AS)),
        Err(_) if is_heic(bytes) => Err(unsupported("HEIC", SET_UP_PHONE)),
        Err(_) => Err(match known_name(bytes) {
            Some(name) => unsupported(name, SAVE_AS),
            None => refuse(
                "the contents are not in a known image format",
                "use a JPEG, PNG, BMP or TIFF",
            ),
        }),
    }
}

fn unsupported(name: &str, remedy: &str) -> ArtifactError {
    refuse(format!("{name} files are not supported"), remedy)
}

fn is_heic(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"ftyp")
        && bytes
            .get(8..12)
            .is_some_and(|brand| HEIC_BRANDS.contains(&brand))
}

fn known_name(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(DICOM_SIGNATURE) == Some(b"DICM") {
        return Some("DICOM");
    }
    UNSUPPORTED
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature))
        .map(|(_, name)| *name)
}
