//! Camera and capture time of an image, from its EXIF data.

use std::io::Cursor;

use exif::{In, Tag, Value};
use jiff::civil::DateTime;

/// How an image was captured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Capture {
    /// The camera's model.
    pub(crate) camera: Option<String>,
    /// Local time of capture.
    pub(crate) taken_at: Option<DateTime>,
}

impl Capture {
    /// Reads the EXIF data of a JPEG, PNG or TIFF; missing or damaged values are `None`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let Ok(exif) = exif::Reader::new().read_from_container(&mut Cursor::new(bytes)) else {
            return Self::default();
        };
        let text = |tag| {
            let Value::Ascii(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
                return None;
            };
            let text = String::from_utf8_lossy(parts.first()?);
            let text = text.trim().trim_end_matches('\0');
            (!text.is_empty()).then(|| text.to_owned())
        };
        let time = |tag| {
            let time = exif::DateTime::from_ascii(text(tag)?.as_bytes()).ok()?;
            DateTime::new(
                time.year.try_into().ok()?,
                time.month.try_into().ok()?,
                time.day.try_into().ok()?,
                time.hour.try_into().ok()?,
                time.minute.try_into().ok()?,
                time.second.try_into().ok()?,
                0,
            )
            .ok()
        };
        Self {
            camera: text(Tag::Model).or_else(|| text(Tag::Make)),
            taken_at: time(Tag::DateTimeOriginal).or_else(|| time(Tag::DateTime)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIFF of two text fields, written by hand from the TIFF 6.0 and EXIF 2.3 specifications.
    fn exif(model: &[u8], time: &[u8]) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0\x02\0".to_vec();
        let mut at = 8 + 2 + 2 * 12 + 4;
        for (tag, text) in [(0x0110_u16, model), (0x0132, time)] {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(2_u16.to_le_bytes());
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend((at as u32).to_le_bytes());
            at += text.len();
        }
        bytes.extend([0; 4]);
        bytes.extend(model);
        bytes.extend(time);
        bytes
    }

    #[test]
    fn camera_and_time_are_read() {
        let capture = Capture::of(&exif(b"C2040UZ\0", b"2004:04:21 10:11:12\0"));
        assert_eq!(capture.camera.as_deref(), Some("C2040UZ"));
        let expected = jiff::civil::date(2004, 4, 21).at(10, 11, 12, 0);
        assert_eq!(capture.taken_at, Some(expected));
    }

    #[test]
    fn damaged_or_missing_exif_gives_nothing() {
        assert_eq!(Capture::of(b""), Capture::default());
        assert_eq!(Capture::of(b"\xff\xd8\xff\xd9"), Capture::default());
        let capture = Capture::of(&exif(b"    \0", b"2004:14:41 10:11:12\0"));
        assert_eq!(capture, Capture::default());
        let whole = exif(b"C2040UZ\0", b"2004:04:21 10:11:12\0");
        for length in 0..whole.len() {
            Capture::of(&whole[..length]);
        }
    }
}
