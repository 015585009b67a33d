//! What a recorded image file says of itself, for programs that know no records: EXIF (CIPA DC-008), beside the coded pixels.

use std::io::{self, Cursor};

use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::analysis::picture_scale::PictureScale;
use crate::records::camera_entry::CameraEntry;

/// Version of EXIF: the first with [`Tag::OffsetTimeOriginal`].
const EXIF_VERSION: &[u8] = b"0231";
/// Most bytes: a segment of a JPEG file holds 64 KiB.
const MAX_BYTES: usize = 60 << 10;
/// Unit of the resolution: centimetres.
const CENTIMETRE: u16 = 3;
/// The segment of a JPEG file that has EXIF data, and what it begins with.
const APP1: [u8; 2] = [0xff, 0xe1];
const EXIF: &[u8] = b"Exif\0\0";
/// The first segment of most JPEG files (JFIF).
const APP0: [u8; 2] = [0xff, 0xe0];

/// What is told of a picture that the appliance's camera took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ImageMetadata<'a> {
    /// The id of its record.
    pub(crate) record: Uuid,
    /// `None` if the clock was wrong.
    pub(crate) captured_at: Option<Timestamp>,
    pub(crate) camera: &'a CameraEntry,
    pub(crate) scale: Option<PictureScale>,
}

/// What has no tag of its own, as the record has it.
#[derive(Serialize)]
struct Description<'a> {
    record: Uuid,
    scale: Option<PictureScale>,
    camera: &'a CameraEntry,
}

impl ImageMetadata<'_> {
    /// As EXIF data.
    ///
    /// # Errors
    /// If they are too long.
    pub(crate) fn exif(&self) -> io::Result<Vec<u8>> {
        let description = Description {
            record: self.record,
            scale: self.scale,
            camera: self.camera,
        };
        let software = concat!("smearscope ", env!("CARGO_PKG_VERSION"));
        let mut fields = vec![
            text(
                Tag::ImageDescription,
                &ascii_json(&serde_json::to_string(&description)?),
            ),
            text(Tag::Software, software),
            field(Tag::ExifVersion, Value::Undefined(EXIF_VERSION.into(), 0)),
        ];
        if let Some(captured_at) = self.captured_at {
            let taken = captured_at.strftime("%Y:%m:%d %H:%M:%S");
            fields.push(text(Tag::DateTimeOriginal, &taken.to_string()));
            fields.push(text(Tag::OffsetTimeOriginal, "+00:00"));
        }
        fields.extend(self.camera.name.as_deref().map(|name| {
            let ascii = name.replace(|letter: char| !matches!(letter, ' '..='~'), "?");
            text(Tag::Model, &ascii)
        }));
        fields.extend(
            self.camera
                .exposure_us
                .map(|us| rational(Tag::ExposureTime, us, 1_000_000)),
        );
        if let Some(PictureScale { um_per_pixel, .. }) = self.scale {
            // Single precision has no more digits.
            let tenths_per_cm = 1e5 / f64::from(um_per_pixel);
            let across = [Tag::XResolution, Tag::YResolution];
            fields.extend(across.map(|tag| rational(tag, tenths_per_cm, 10)));
            fields.push(field(Tag::ResolutionUnit, Value::Short(vec![CENTIMETRE])));
        }
        let mut writer = Writer::new();
        for field in &fields {
            writer.push_field(field);
        }
        let mut out = Cursor::new(Vec::new());
        writer.write(&mut out, false).map_err(io::Error::other)?;
        let exif = out.into_inner();
        if exif.len() > MAX_BYTES {
            return Err(io::Error::other(format!(
                "{} bytes are too many",
                exif.len()
            )));
        }
        Ok(exif)
    }
}

/// A JPEG file with EXIF data; the coded pixels stay as they are. `None` if it is no JPEG file or has such data already.
pub(super) fn jpeg_with(jpeg: &[u8], exif: &[u8]) -> Option<Vec<u8>> {
    // Of the length field and what follows it.
    let length = u16::try_from(2 + EXIF.len() + exif.len()).ok()?;
    let at = place(jpeg)?;
    let (before, after) = jpeg.split_at(at);
    let parts = [before, &APP1, &length.to_be_bytes(), EXIF, exif, after];
    Some(parts.concat())
}

/// Where EXIF data belong in a JPEG file: first, but after the segment of JFIF.
fn place(jpeg: &[u8]) -> Option<usize> {
    let mut rest = jpeg.strip_prefix(&[0xff, 0xd8])?;
    let mut place = 2;
    while let Some((marker, segment)) = segment(rest) {
        if marker == APP1 && segment[2..].starts_with(EXIF) {
            return None;
        }
        let end = marker.len() + segment.len();
        if marker == APP0 && rest.len() + 2 == jpeg.len() {
            place += end;
        }
        rest = &rest[end..];
    }
    Some(place)
}

/// The marker of an application segment at the beginning of `bytes`, and the segment from its length on.
fn segment(bytes: &[u8]) -> Option<([u8; 2], &[u8])> {
    let (marker, rest) = bytes.split_first_chunk::<2>()?;
    if marker[0] != 0xff || !(0xe0..=0xef).contains(&marker[1]) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
    (length >= 2).then_some(())?;
    Some((*marker, rest.get(..length)?))
}

fn field(tag: Tag, value: Value) -> Field {
    Field {
        tag,
        ifd_num: In::PRIMARY,
        value,
    }
}

fn text(tag: Tag, text: &str) -> Field {
    field(tag, Value::Ascii(vec![text.into()]))
}

/// A number as a fraction of this denominator; `number` counts its parts.
fn rational(tag: Tag, number: f64, denom: u32) -> Field {
    let num = number.round() as u32;
    field(tag, Value::Rational(vec![Rational { num, denom }]))
}

/// JSON in which all that is not ASCII, which only text can have, is escaped: EXIF has no other letters.
fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            let mut units = [0; 2];
            let units = letter.encode_utf16(&mut units).iter();
            ascii.extend(units.map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};
    use smearscope_hardware::CaptureSettings;

    use super::*;
    use crate::analysis::picture_scale::PictureScale;

    fn camera() -> CameraEntry {
        let settings = CaptureSettings {
            camera: Some("Kamera µ (usb-1)".into()),
            exposure_us: Some(9994.4),
            gain: Some(1.5),
            lens_correction: Some("rpi.alsc of /etc/imx477.json".into()),
            ..CaptureSettings::default()
        };
        CameraEntry::new(&settings, None, None).unwrap()
    }

    fn exif_of(camera: &CameraEntry, scale: Option<PictureScale>) -> io::Result<Vec<u8>> {
        let metadata = ImageMetadata {
            record: Uuid::from_u128(7),
            captured_at: Some("2026-11-30T12:05:09.5Z".parse().unwrap()),
            camera,
            scale,
        };
        metadata.exif()
    }

    fn jpeg() -> Vec<u8> {
        let image = RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8, y as u8, 90]));
        let mut jpeg = Cursor::new(Vec::new());
        image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        jpeg.into_inner()
    }

    #[test]
    fn a_jpeg_tells_how_it_was_taken_and_has_the_same_pixels() {
        let camera = camera();
        let exif = exif_of(&camera, Some(PictureScale::stated(0.15))).unwrap();
        let plain = jpeg();
        let without_jfif = [&plain[..2], &plain[20..]].concat();
        for jpeg in [plain, without_jfif] {
            let told = jpeg_with(&jpeg, &exif).unwrap();
            let pixels = |bytes| image::load_from_memory(bytes).unwrap();
            assert_eq!(pixels(&told), pixels(&jpeg));
            let read = exif::Reader::new()
                .read_from_container(&mut Cursor::new(&told))
                .unwrap();
            let said = |tag| {
                let field = read.get_field(tag, In::PRIMARY).unwrap();
                field.display_value().with_unit(&read).to_string()
            };
            assert_eq!(said(Tag::DateTimeOriginal), "2026-11-30 12:05:09");
            assert_eq!(said(Tag::OffsetTimeOriginal), "\"+00:00\"");
            assert_eq!(said(Tag::ExposureTime), "1/100.06003602161297 s");
            assert_eq!(said(Tag::Model), "\"Kamera ? (usb-1)\"");
            assert_eq!(said(Tag::XResolution), "66666.7 pixels per cm");
            let Value::Ascii(parts) = &read
                .get_field(Tag::ImageDescription, In::PRIMARY)
                .unwrap()
                .value
            else {
                panic!("a text");
            };
            let description: serde_json::Value = serde_json::from_slice(&parts[0]).unwrap();
            assert_eq!(description["record"], Uuid::from_u128(7).to_string());
            assert_eq!(description["scale"]["source"], "stated");
            assert_eq!(
                description["camera"],
                serde_json::to_value(&camera).unwrap()
            );
            assert!(parts[0].is_ascii());
            assert_eq!(jpeg_with(&told, &exif), None, "it has EXIF data");
        }
    }

    #[test]
    fn what_is_no_whole_jpeg_stays_as_it_is_and_nothing_grows_without_bounds() {
        let exif = exif_of(&camera(), None).unwrap();
        for bytes in [&b""[..], b"\xff", b"\x89PNG\r\n\x1a\n", b"\xd8\xff\xff\xe0"] {
            assert_eq!(jpeg_with(bytes, &exif), None, "{bytes:?}");
        }
        // A segment that is cut off, or has an impossible length.
        for bytes in [
            &b"\xff\xd8\xff\xe0\x00"[..],
            b"\xff\xd8\xff\xe0\0\x01",
            b"\xff\xd8\xff\xe1\xff\xff",
        ] {
            let told = jpeg_with(bytes, &exif).unwrap();
            assert_eq!(told.len(), bytes.len() + 4 + EXIF.len() + exif.len());
            assert!(told.ends_with(&bytes[2..]));
        }
        let mut long = camera();
        long.mode = Some("x".repeat(MAX_BYTES));
        assert!(exif_of(&long, None).is_err());
    }
}
