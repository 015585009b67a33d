//! The quantisation tables of a JPEG, which tell program and quality that wrote it.

/// Positions in zigzag order of the entries that are kept, from the lowest frequency to the highest.
const KEPT: [usize; 8] = [0, 1, 2, 4, 9, 20, 35, 63];
/// Number of entries of a table.
const ENTRIES: usize = 64;
/// Tables that are kept: number 0 is of light and number 1 of colour, by convention.
const TABLES: usize = 2;

const START_OF_IMAGE: [u8; 2] = [0xFF, 0xD8];
const QUANTISATION_TABLES: u8 = 0xDB;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Some entries of the first two tables; zeros where there is no table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct JpegTables([[u16; KEPT.len()]; TABLES]);

impl JpegTables {
    /// Reads the segments before the first scan (ITU-R T.81, annex B). What is damaged ends the reading.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut tables = Self::default();
        let mut rest = bytes.strip_prefix(&START_OF_IMAGE).unwrap_or_default();
        while let Some((marker, segment, next)) = segment(rest) {
            if marker == QUANTISATION_TABLES {
                tables.read(segment);
            }
            rest = next;
        }
        tables
    }

    /// Its entries as features.
    pub(crate) fn entries(&self) -> impl Iterator<Item = f32> {
        self.0.as_flattened().iter().map(|entry| f32::from(*entry))
    }

    /// Reads the tables of a segment.
    fn read(&mut self, mut segment: &[u8]) {
        while let Some((&about, rest)) = segment.split_first() {
            let (is_wide, number) = (about >> 4 != 0, usize::from(about & 15));
            let bytes = if is_wide { 2 * ENTRIES } else { ENTRIES };
            let Some((table, next)) = rest.split_at_checked(bytes) else {
                return;
            };
            if let Some(kept) = self.0.get_mut(number) {
                *kept = KEPT.map(|at| {
                    if is_wide {
                        u16::from_be_bytes([table[2 * at], table[2 * at + 1]])
                    } else {
                        table[at].into()
                    }
                });
            }
            segment = next;
        }
    }
}

/// The marker of the segment at the start of the bytes, the segment's contents, and what follows it; `None` where
/// compressed data begins, or where there is no whole segment.
fn segment(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    // Any number of fill bytes may precede a marker.
    let bytes = bytes.strip_prefix(&[0xFF])?;
    let fill = bytes.iter().take_while(|byte| **byte == 0xFF).count();
    let (&marker, bytes) = bytes[fill..].split_first()?;
    if matches!(marker, START_OF_SCAN | END_OF_IMAGE) {
        return None;
    }
    let (length, _) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (segment, next) = bytes.split_at_checked(length)?;
    // The length counts its own two bytes.
    Some((marker, segment.get(2..)?, next))
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, RgbImage};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 50)
            .encode(&RgbImage::new(16, 16), 16, 16, ExtendedColorType::Rgb8)
            .unwrap();
        bytes
    }

    #[test]
    fn quality_50_has_the_tables_of_the_standard() {
        // T.81, tables K.1 and K.2, at the kept places of the zigzag order.
        let light = [16, 11, 12, 12, 14, 24, 72, 99];
        let colour = [17, 18, 18, 21, 47, 99, 99, 99];
        assert_eq!(JpegTables::of(&jpeg()), JpegTables([light, colour]));
    }

    #[test]
    fn wide_and_several_tables_of_one_segment_are_read() {
        let mut segment = vec![0x10];
        segment.extend((0..64_u16).flat_map(|entry| (1000 + entry).to_be_bytes()));
        segment.push(0x01);
        segment.extend(1..=64);
        // A table with a number that is not kept.
        segment.push(0x03);
        segment.extend([7; 64]);
        let mut bytes = b"\xFF\xD8\xFF\xE0\x00\x04ab\xFF\xFF\xFF\xDB".to_vec();
        bytes.extend((segment.len() as u16 + 2).to_be_bytes());
        bytes.extend(segment);
        let expected = [
            KEPT.map(|at| 1000 + at as u16),
            KEPT.map(|at| 1 + at as u16),
        ];
        assert_eq!(JpegTables::of(&bytes), JpegTables(expected));
    }

    #[test]
    fn other_files_and_damaged_ones_give_zeros_or_what_was_read() {
        let whole = JpegTables::of(&jpeg());
        for bytes in [
            b"".as_slice(),
            b"\x89PNG",
            b"\xFF\xD8",
            b"\xFF\xD8\xFF\xDB\x00\x01",
            b"\xFF\xD8\xFF\xDB\x00\x02",
            b"\xFF\xD8\xFF\xDB\xFF\xFF\x00",
            b"\xFF\xD8\xFF\xDB\x00\x04\x00\x01",
        ] {
            assert_eq!(JpegTables::of(bytes), JpegTables::default(), "{bytes:?}");
        }
        let jpeg = jpeg();
        let empty = [0; KEPT.len()];
        for length in 0..jpeg.len() {
            let cut = JpegTables::of(&jpeg[..length]);
            for (table, whole) in cut.0.iter().zip(whole.0) {
                assert!(*table == empty || *table == whole, "{length}: {table:?}");
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..500 {
            let mut bytes = jpeg.clone();
            for _ in 0..10 {
                let at = rng.random_range(2..bytes.len());
                bytes[at] = rng.random();
            }
            JpegTables::of(&bytes);
        }
    }
}
