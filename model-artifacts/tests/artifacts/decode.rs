//! Decoding of valid, damaged and hostile image files.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ExtendedColorType, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use smearscope_artifacts::decode::{Limits, decode, read};

/// A picture with enough detail that its JPEG has a scan of some kilobytes.
fn picture() -> RgbImage {
    RgbImage::from_fn(120, 90, |x, y| {
        let mix = (x / 3 * 7 + y / 5 * 13).wrapping_mul(2_654_435_761);
        Rgb([(x * 2) as u8, (y * 2) as u8, (mix >> 24) as u8])
    })
}

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg() -> Vec<u8> {
    encode(picture(), ImageFormat::Jpeg)
}

fn accept(bytes: &[u8]) -> RgbImage {
    decode(bytes, &Limits::default()).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    match decode(bytes, &Limits::default()) {
        Ok(image) => panic!("accepted, {:?}", image.dimensions()),
        Err(error) => error.to_string(),
    }
}

const LOSSLESS: [ImageFormat; 3] = [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff];

#[test]
fn complete_images_are_decoded_exactly() {
    for format in LOSSLESS {
        assert_eq!(accept(&encode(picture(), format)), picture(), "{format:?}");
    }
    let decoded = accept(&jpeg());
    assert_eq!(decoded.dimensions(), (120, 90));
    let difference: u64 = decoded
        .iter()
        .zip(picture().iter())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    assert!(difference / (120 * 90 * 3) < 12, "{difference}");
}

#[test]
fn names_do_not_matter_and_files_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.txt");
    std::fs::write(&path, encode(picture(), ImageFormat::Png)).unwrap();
    assert_eq!(read(&path, &Limits::default()).unwrap(), picture());
}

#[test]
fn truncated_jpegs_are_refused() {
    let whole = jpeg();
    for length in 1..whole.len() {
        refusal(&whole[..length]);
    }
    let message = refusal(&whole[..whole.len() / 2]);
    assert!(
        message.contains("before its end-of-image marker"),
        "{message}"
    );
    assert!(message.contains("truncated"), "{message}");
}

#[test]
fn a_truncated_scan_before_an_end_marker_is_refused() {
    // What a camera delivers when packets are lost.
    let whole = jpeg();
    let scan = whole
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap()
        + 14;
    for length in scan..whole.len() - 2 {
        let mut bytes = whole[..length].to_vec();
        bytes.extend([0xFF, 0xD9]);
        assert!(
            decode(&bytes, &Limits::default()).is_err(),
            "accepted with {length} of {} bytes",
            whole.len()
        );
    }
}

#[test]
fn padding_after_the_end_of_a_jpeg_is_ignored() {
    let mut bytes = jpeg();
    let picture = accept(&bytes);
    bytes.resize(bytes.len() + 4096, 0);
    assert_eq!(accept(&bytes), picture);
    bytes.extend(jpeg());
    assert_eq!(accept(&bytes), picture);
}

#[test]
fn padding_before_the_end_of_a_jpeg_is_ignored_and_hides_no_gap() {
    // Common USB cameras do that.
    let whole = jpeg();
    let scan = &whole[..whole.len() - 2];
    for padding in [1, 2, 15, 300] {
        let bytes = [scan, &vec![0; padding], &[0xFF, 0xD9]].concat();
        assert_eq!(accept(&bytes), accept(&whole), "{padding}");
        let gap = [&scan[..scan.len() - 40], &vec![0; padding], &[0xFF, 0xD9]].concat();
        assert!(
            padding > 40 || decode(&gap, &Limits::default()).is_err(),
            "{padding}"
        );
    }
}

#[test]
fn motion_jpeg_frames_without_huffman_tables_are_decoded() {
    let mut bytes = jpeg();
    let expected = accept(&bytes);
    while let Some(at) = bytes.windows(2).position(|pair| pair == [0xFF, 0xC4]) {
        let length = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        bytes.drain(at..at + 2 + length);
    }
    // The encoder uses the standard's own tables, which is what such a frame relies on.
    assert_eq!(accept(&bytes), expected);
}

/// An EXIF segment with an orientation and a thumbnail that is a whole JPEG.
fn exif(orientation: u16) -> Vec<u8> {
    let thumbnail = encode(RgbImage::new(8, 8), ImageFormat::Jpeg);
    let mut tiff = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    tiff.extend(orientation.to_be_bytes());
    tiff.extend([0; 6]);
    tiff.extend(&thumbnail);
    let mut segment = vec![0xFF, 0xE1];
    segment.extend((tiff.len() as u16 + 8).to_be_bytes());
    segment.extend(b"Exif\0\0");
    segment.extend(tiff);
    segment
}

fn with_exif(jpeg: &[u8], orientation: u16) -> Vec<u8> {
    [&jpeg[..2], &exif(orientation), &jpeg[2..]].concat()
}

#[test]
fn the_end_of_a_thumbnail_is_not_the_end_of_the_image() {
    let whole = with_exif(&jpeg(), 1);
    assert_eq!(accept(&whole), accept(&jpeg()));
    for length in [
        whole.len() - 2,
        whole.len() - 500,
        whole.len() - jpeg().len() + 2,
    ] {
        refusal(&whole[..length]);
    }
}

#[test]
fn the_exif_orientation_is_applied() {
    let upright = accept(&jpeg());
    let turned = accept(&with_exif(&jpeg(), 6));
    assert_eq!(turned, image::imageops::rotate90(&upright));
    let mirrored = accept(&with_exif(&jpeg(), 2));
    assert_eq!(mirrored, image::imageops::flip_horizontal(&upright));
    assert_eq!(accept(&with_exif(&jpeg(), 99)), upright);
}

#[test]
fn truncated_lossless_files_are_refused() {
    for format in LOSSLESS {
        let whole = encode(picture(), format);
        for length in (1..whole.len() - 200).step_by(97) {
            refusal(&whole[..length]);
        }
    }
}

#[test]
fn other_contents_are_refused() {
    assert!(refusal(b"").contains("the file is empty"));
    assert!(refusal(b"not an image").contains("not in a known image format"));
    assert!(refusal(&[0; 4096]).contains("not in a known image format"));
    let message = refusal(b"GIF89a\x01\0\x01\0\0\0\0;");
    assert!(message.contains("Gif files are not supported"), "{message}");
    assert!(message.contains("JPEG, PNG, BMP or TIFF"), "{message}");
    refusal(b"\xFF\xD8\xFF\xD9");
    refusal(b"\xFF\xD8\xFF");
    refusal(b"BM");
}

/// Headers that claim 60,000 × 60,000 pixels, ten gigabytes of RGB.
fn bombs() -> [(&'static str, Vec<u8>); 4] {
    let side = 60_000_u16;
    let mut jpeg = jpeg();
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&side.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&side.to_be_bytes());

    let mut png = encode(picture(), ImageFormat::Png);
    png[16..20].copy_from_slice(&u32::from(side).to_be_bytes());
    png[20..24].copy_from_slice(&u32::from(side).to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());

    let mut bmp = encode(picture(), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&u32::from(side).to_le_bytes());
    bmp[22..26].copy_from_slice(&u32::from(side).to_le_bytes());

    let mut tiff = encode(picture(), ImageFormat::Tiff);
    let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    let count = usize::from(tiff[directory]);
    for entry in tiff[directory + 2..].chunks_exact_mut(12).take(count) {
        // ImageWidth, ImageLength, RowsPerStrip.
        if matches!(u16::from_le_bytes([entry[0], entry[1]]), 256 | 257 | 278) {
            entry[8..10].copy_from_slice(&side.to_le_bytes());
        }
    }
    [("jpeg", jpeg), ("png", png), ("bmp", bmp), ("tiff", tiff)]
}

/// CRC-32 of ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn dimension_bombs_are_refused_by_their_headers() {
    for (name, bytes) in bombs() {
        let message = refusal(&bytes);
        assert!(
            message.contains("60000 × 60000 pixels, 32000000 pixels are allowed"),
            "{name}: {message}"
        );
    }
    let limits = Limits {
        max_pixels: 120 * 90 - 1,
        ..Limits::default()
    };
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        let error = decode(&encode(picture(), format), &limits).unwrap_err();
        assert!(error.to_string().contains("120 × 90"), "{error}");
    }
}

#[test]
fn large_files_are_refused() {
    let bytes = jpeg();
    let limits = Limits {
        max_bytes: bytes.len() as u64 - 1,
        ..Limits::default()
    };
    assert!(decode(&bytes, &limits).is_err());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &bytes).unwrap();
    let message = read(file.path(), &limits).unwrap_err().to_string();
    assert!(message.contains("use a smaller file"), "{message}");
    assert!(
        message.contains(&file.path().display().to_string()),
        "{message}"
    );
}

#[test]
fn special_files_are_refused_without_blocking() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.jpg");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [
        pipe.as_path(),
        folder.path(),
        Path::new("/dev/zero"),
        Path::new("/nonexistent.jpg"),
    ] {
        let message = read(path, &Limits::default()).unwrap_err().to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
    }
}

#[test]
fn grey_and_deep_images_become_rgb() {
    let grey = DynamicImage::from(picture()).into_luma8();
    let decoded = accept(&encode(grey.clone(), ImageFormat::Png));
    for (pixel, grey) in decoded.pixels().zip(grey.pixels()) {
        assert_eq!(pixel.0, [grey.0[0]; 3]);
    }
    let decoded = accept(&encode(grey, ImageFormat::Jpeg));
    assert!(
        decoded
            .pixels()
            .all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2])
    );

    let deep = DynamicImage::from(picture()).into_rgb16();
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        assert_eq!(accept(&encode(deep.clone(), format)), picture());
    }
}

#[test]
fn transparency_is_refused_and_an_opaque_alpha_dropped() {
    let mut image: RgbaImage = DynamicImage::from(picture()).into_rgba8();
    for format in LOSSLESS {
        assert_eq!(accept(&encode(image.clone(), format)), picture());
    }
    image.put_pixel(3, 4, Rgba([9, 9, 9, 254]));
    let message = refusal(&encode(image, ImageFormat::Png));
    assert!(message.contains("transparent"), "{message}");
}

#[test]
fn samples_without_a_defined_white_are_refused() {
    let float = DynamicImage::from(picture()).into_rgb32f();
    let message = refusal(&encode(float, ImageFormat::Tiff));
    assert!(message.contains("floating-point"), "{message}");

    let mut cmyk = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut cmyk)
        .encode(&[128; 16 * 16 * 3], 16, 16, ExtendedColorType::Rgb8)
        .unwrap();
    // A frame of four components, as printers' JPEGs have it.
    let frame = cmyk
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    cmyk.splice(frame + 3..frame + 10, [20, 8, 0, 16, 0, 16, 4]);
    cmyk.splice(frame + 19..frame + 19, [4, 0x11, 0]);
    let message = refusal(&cmyk);
    assert!(message.contains("CMYK"), "{message}");
}

#[test]
fn a_missing_colour_scan_is_noticed() {
    let mut grey = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut grey)
        .encode_image(&DynamicImage::from(picture()).into_luma8())
        .unwrap();
    let find = |marker: u8| {
        let mut pairs = grey.windows(2);
        pairs.position(|pair| pair == [0xFF, marker]).unwrap()
    };
    let (frame, start) = (find(0xC0), find(0xDA));
    // The same for three components, each of which has a scan of its own (ITU-T T.81, B.2.2 and B.2.3).
    let mut head = grey[..start].to_vec();
    head.splice(
        frame + 9..frame + 13,
        [3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0],
    );
    head[frame + 3] = 17;
    let scan = |component: u8| {
        let mut scan = grey[start..grey.len() - 2].to_vec();
        scan[5] = component;
        scan
    };
    let file = |components: &[u8]| {
        let scans = components.iter().flat_map(|component| scan(*component));
        let scans: Vec<u8> = scans.collect();
        [&head, scans.as_slice(), &[0xFF, 0xD9]].concat()
    };
    assert!(decode(&file(&[1, 2, 3]), &Limits::default()).is_ok());
    for lossy in [[1, 2].as_slice(), &[2, 3], &[1, 3]] {
        let message = refusal(&file(lossy));
        assert!(
            message.contains("a scan of the JPEG is missing"),
            "{lossy:?}: {message}"
        );
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let small = image::imageops::thumbnail(&picture(), 40, 30);
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
    ] {
        let whole = encode(small.clone(), format);
        for _ in 0..2000 {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            // Either answer will do: not every change is one that can be noticed.
            let _ = decode(&bytes, &Limits::default());
        }
    }
}
