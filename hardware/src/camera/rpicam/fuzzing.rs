//! Entry points to private functions, for `scripts/fuzz`.

use super::mjpeg::JpegSplitter;
use super::program::Splitter;
use super::sensor::SensorList;
use super::settling::MetadataSplitter;

/// Cuts a stream into images, in pieces of `piece` bytes.
///
/// # Panics
/// If an image depends on the pieces, or does not begin and end like a JPEG.
pub fn images(stream: &[u8], piece: usize) {
    let found = |piece| {
        let (mut splitter, mut found) = (JpegSplitter::default(), Vec::new());
        for bytes in stream.chunks(piece) {
            splitter.push(bytes, &mut found);
        }
        found
    };
    let images = found(stream.len().max(1));
    assert_eq!(found(piece.max(1)), images, "in pieces of {piece} bytes");
    for jpeg in images {
        assert!(jpeg.bytes.starts_with(&[0xff, 0xd8]));
        assert!(jpeg.bytes.ends_with(&[0xff, 0xd9]));
    }
}

/// Reads a list of cameras and the metadata of frames.
pub fn texts(text: &[u8]) {
    let mut list = SensorList::default();
    list.push(text, &mut Vec::new());
    for sensor in list.finish().into_iter().flatten() {
        sensor.full_mode();
        sensor.binned_mode();
    }
    MetadataSplitter::default().push(text, &mut Vec::new());
}
