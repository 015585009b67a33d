//! Finds the images in a stream of JPEGs that follow each other without a container.

use super::program::Splitter;

/// A longer image is damaged: more than a sensor of 64 megapixels gives at the highest quality.
const MAX_BYTES: usize = 64 << 20;

/// Second bytes of markers (ITU-T T.81, table B.1).
const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const RESTART: std::ops::RangeInclusive<u8> = 0xd0..=0xd7;
const TEMPORARY: u8 = 0x01;

/// A complete JPEG: from its start-of-image to its end-of-image marker, with whole segments in between. Whether its
/// samples can be decoded is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Jpeg {
    pub(super) bytes: Vec<u8>,
    /// Width and height in pixels, as the frame header says.
    pub(super) size: (u32, u32),
}

/// Cuts a stream into images. What is incomplete or damaged is left out, and the search goes on at the next
/// start-of-image marker.
#[derive(Debug, Default)]
pub(super) struct JpegSplitter {
    /// The bytes of the current image, from its start-of-image marker on.
    buffer: Vec<u8>,
    /// What the byte at `position` belongs to.
    place: Place,
    /// Index in `buffer` of the first byte that was not read yet.
    position: usize,
    size: Option<(u32, u32)>,
    has_scan: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before an image.
    #[default]
    Outside,
    /// At a marker.
    Marker,
    /// In the entropy-coded data of a scan.
    Scan,
}

impl Splitter for JpegSplitter {
    type Item = Jpeg;

    fn push(&mut self, bytes: &[u8], found: &mut Vec<Jpeg>) {
        self.buffer.extend_from_slice(bytes);
        while self.advance(found) {}
        if self.buffer.len() > MAX_BYTES {
            self.skip_to_next_image(self.buffer.len());
        }
    }
}

impl JpegSplitter {
    /// Reads the next part of the stream; false if the buffer does not hold all of it yet.
    fn advance(&mut self, found: &mut Vec<Jpeg>) -> bool {
        match self.place {
            Place::Outside => self.find_start(),
            Place::Marker => self.read_marker(found),
            Place::Scan => self.skip_scan(),
        }
    }

    fn find_start(&mut self) -> bool {
        let start = self
            .buffer
            .windows(2)
            .position(|pair| pair == [0xff, START_OF_IMAGE]);
        let Some(start) = start else {
            // The marker may be cut in two.
            let kept = usize::from(self.buffer.last() == Some(&0xff));
            self.buffer.drain(..self.buffer.len() - kept);
            return false;
        };
        self.buffer.drain(..start);
        self.position = 2;
        self.size = None;
        self.has_scan = false;
        self.place = Place::Marker;
        true
    }

    fn read_marker(&mut self, found: &mut Vec<Jpeg>) -> bool {
        let rest = &self.buffer[self.position..];
        // Any number of 0xFF may come before the second byte of a marker.
        let Some(fill) = rest.iter().position(|byte| *byte != 0xff) else {
            // Of many, the last one is enough.
            self.position = self.position.max(self.buffer.len().saturating_sub(1));
            return false;
        };
        if fill == 0 {
            self.skip_to_next_image(self.position);
            return true;
        }
        let (marker, segment) = (rest[fill], self.position + fill + 1);
        match marker {
            START_OF_IMAGE => self.skip_to_next_image(segment - 2),
            END_OF_IMAGE => {
                let rest = self.buffer.split_off(segment);
                let bytes = std::mem::replace(&mut self.buffer, rest);
                self.place = Place::Outside;
                if let (true, Some(size)) = (self.has_scan, self.size) {
                    found.push(Jpeg { bytes, size });
                }
            }
            TEMPORARY => self.position = segment,
            marker if RESTART.contains(&marker) => self.position = segment,
            _ => return self.read_segment(marker, segment),
        }
        true
    }

    /// Reads a segment, which begins at `start` with its length.
    fn read_segment(&mut self, marker: u8, start: usize) -> bool {
        let Some([high, low]) = self.buffer.get(start..start + 2) else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length < 2 {
            self.skip_to_next_image(start);
            return true;
        }
        let Some(segment) = self.buffer.get(start..start + length) else {
            return false;
        };
        let is_valid = if is_frame_header(marker) {
            let is_first = self.size.is_none();
            if let Some([_, _, _, y1, y0, x1, x0]) = segment.first_chunk() {
                let number = |high, low| u32::from(u16::from_be_bytes([high, low]));
                self.size = Some((number(*x1, *x0), number(*y1, *y0)));
            }
            is_first
        } else if marker == START_OF_SCAN {
            self.has_scan = true;
            self.place = Place::Scan;
            // Section B.2.3: one to four components.
            matches!(segment.get(2), Some(count @ 1..=4) if length == 6 + 2 * usize::from(*count))
        } else {
            true
        };
        if is_valid {
            self.position = start + length;
        } else {
            self.skip_to_next_image(start);
        }
        true
    }

    fn skip_scan(&mut self) -> bool {
        let rest = &self.buffer[self.position..];
        let Some(offset) = rest.iter().position(|byte| *byte == 0xff) else {
            self.position = self.buffer.len();
            return false;
        };
        self.position += offset;
        match self.buffer.get(self.position + 1) {
            None => return false,
            // A data byte of 0xFF, or a restart.
            Some(0x00) => self.position += 2,
            Some(next) if RESTART.contains(next) => self.position += 2,
            Some(_) => self.place = Place::Marker,
        }
        true
    }

    /// Leaves out the image at hand, which is damaged, and looks for the next one from `from` on.
    fn skip_to_next_image(&mut self, from: usize) {
        self.buffer.drain(..from);
        self.place = Place::Outside;
    }
}

/// Whether a marker is that of a frame header, SOF0 to SOF15, which excludes DHT, JPG and DAC.
fn is_frame_header(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &[u8] = include_bytes!("../../../fields/field01_1.jpg");
    const OTHER: &[u8] = include_bytes!("../../../fields/field04_0.jpg");

    /// The images in a stream that arrives in pieces of `piece` bytes.
    fn images(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let (mut splitter, mut found) = (JpegSplitter::default(), Vec::new());
        for bytes in stream.chunks(piece) {
            splitter.push(bytes, &mut found);
        }
        found.into_iter().map(|jpeg| jpeg.bytes).collect()
    }

    /// A JPEG of 8×4 pixels whose segment APP1 holds `inner`, and whose scan holds `data`.
    fn jpeg(inner: &[u8], data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(inner.len() + 2).unwrap().to_be_bytes();
        [
            &[0xff, 0xd8, 0xff, 0xe1][..],
            &length,
            inner,
            &[0xff, 0xc0, 0, 11, 8, 0, 4, 0, 8, 1, 1, 0x11, 0],
            &[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0],
            data,
            &[0xff, 0xd9],
        ]
        .concat()
    }

    #[test]
    fn images_are_cut_at_their_markers_however_they_arrive() {
        let stream = [FIELD, OTHER, FIELD].concat();
        for piece in [1, 7, 4096, stream.len()] {
            assert_eq!(images(&stream, piece), [FIELD, OTHER, FIELD], "{piece}");
        }
    }

    #[test]
    fn the_size_is_that_of_the_frame_header() {
        let (mut splitter, mut found) = (JpegSplitter::default(), Vec::new());
        splitter.push(FIELD, &mut found);
        let image = image::load_from_memory(FIELD).unwrap();
        assert_eq!(found[0].size, (image.width(), image.height()));
        splitter.push(&jpeg(b"", b"data"), &mut found);
        assert_eq!(found[1].size, (8, 4));
    }

    #[test]
    fn a_thumbnail_ends_no_image() {
        let whole = jpeg(&jpeg(b"", b"thumbnail"), &[1, 0xff, 0, 0xff, 0xd3, 2]);
        assert_eq!(images(&[&whole[..], &whole].concat(), 3), [&*whole, &whole]);
    }

    #[test]
    fn fill_bytes_and_bytes_between_images_are_skipped() {
        let mut filled = jpeg(b"x", b"data");
        filled.splice(2..2, [0xff; 5]);
        let stream = [b"padding\xff", &filled[..], &[0xff; 9], &filled, b"\0\0"].concat();
        assert_eq!(images(&stream, 2), [&*filled, &filled]);
    }

    #[test]
    fn of_a_damaged_image_no_samples_are_kept() {
        let whole = jpeg(b"inner", b"data");
        // Cut within a segment, what follows is taken for its rest: 64 KiB at most.
        let following = [[FIELD; 5].concat(), OTHER.to_vec()].concat();
        for end in 0..whole.len() {
            let stream = [&whole[..end], &following].concat();
            let found = images(&stream, 4096);
            let is_whole = |image: &Vec<u8>| {
                // A segment that lacks two bytes ends with the next start-of-image marker.
                image.ends_with(&FIELD[2..]) || image.ends_with(&OTHER[2..])
            };
            assert!(found.iter().all(is_whole), "cut at {end}");
            assert_eq!(found.last().unwrap(), OTHER, "cut at {end}");
        }
        let scan_only = [0xff, 0xd8, 0xff, 0xd9];
        assert!(images(&scan_only, 4).is_empty(), "an image without a scan");
        let no_length = [0xff, 0xd8, 0xff, 0xe0, 0, 1, 7, 7];
        assert_eq!(images(&[&no_length, FIELD].concat(), 4), [FIELD]);
    }

    #[test]
    fn an_endless_image_does_not_fill_the_memory() {
        let mut splitter = JpegSplitter::default();
        let mut found = Vec::new();
        splitter.push(&jpeg(b"", b"")[..27], &mut found);
        for _ in 0..70 {
            splitter.push(&vec![0; 1 << 20], &mut found);
        }
        assert!(splitter.buffer.len() <= MAX_BYTES);
        splitter.push(FIELD, &mut found);
        assert_eq!(found.len(), 1);
    }
}
