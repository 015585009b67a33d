//! Decoding of valid, damaged and hostile image files.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ExtendedColorType, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use smearscope_artifacts::decode::{Limits, decode, read};
use tiff::encoder::colortype::{Gray8, RGB8};
use tiff::encoder::{TiffEncoder, TiffKind, colortype::ColorType};
use tiff::tags::Tag;

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
    for residue in [&[0xFF; 64][..], b"\n", &[7; 15]] {
        assert_eq!(accept(&[&jpeg(), residue].concat()), picture);
    }
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
        assert!(decode(&gap, &Limits::default()).is_err(), "{padding}");
    }
    // Zeros, then fill bytes.
    let filled = [scan, &[0, 0, 0xFF, 0xFF, 0xFF, 0xD9]].concat();
    assert_eq!(accept(&filled), accept(&whole));
}

/// Header and restart intervals of a JPEG that has an interval for each row of blocks.
fn restarting() -> (Vec<u8>, Vec<Vec<u8>>) {
    const ROWS: u32 = 11;
    let position = |bytes: &[u8], marker: u8| {
        let mut pairs = bytes.windows(2);
        pairs.position(|pair| pair == [0xFF, marker]).unwrap()
    };
    let mut header = Vec::new();
    let intervals = (0..ROWS).map(|row| {
        let strip = image::imageops::crop_imm(&picture(), 0, row * 8, 120, 8).to_image();
        let bytes = encode(strip, ImageFormat::Jpeg);
        let scan = position(&bytes, 0xDA);
        let data = scan + 2 + usize::from(u16::from_be_bytes([bytes[scan + 2], bytes[scan + 3]]));
        header = bytes[..data].to_vec();
        let frame = position(&header, 0xC0);
        header[frame + 5..frame + 7].copy_from_slice(&(ROWS as u16 * 8).to_be_bytes());
        // The restart interval: 15 blocks.
        header.splice(scan..scan, [0xFF, 0xDD, 0, 4, 0, 15]);
        bytes[data..bytes.len() - 2].to_vec()
    });
    let intervals = intervals.collect();
    (header, intervals)
}

/// Joins them, with `padding` after each interval.
fn join(header: &[u8], intervals: &[Vec<u8>], padding: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for (index, interval) in intervals.iter().enumerate() {
        bytes.extend(interval);
        bytes.extend(padding(index));
        let is_last = index + 1 == intervals.len();
        bytes.extend([
            0xFF,
            if is_last {
                0xD9
            } else {
                0xD0 + index as u8 % 8
            },
        ]);
    }
    bytes
}

#[test]
fn zeros_before_restart_markers_are_ignored() {
    // Common USB cameras leave some in every frame.
    let (mut header, intervals) = restarting();
    let whole = accept(&join(&header, &intervals, |_| Vec::new()));
    assert_eq!(whole.dimensions(), (120, 88));
    let pad = |index: usize| vec![0; index * 7 % 10];
    let long = |index: usize| vec![0; 40 + index];
    assert_eq!(accept(&join(&header, &intervals, pad)), whole);
    assert_eq!(accept(&join(&header, &intervals, long)), whole);
    // Such cameras often leave out the standard's tables.
    while let Some(at) = header.windows(2).position(|pair| pair == [0xFF, 0xC4]) {
        let length = usize::from(u16::from_be_bytes([header[at + 2], header[at + 3]]));
        header.drain(at..at + 2 + length);
    }
    assert_eq!(accept(&join(&header, &intervals, long)), whole);
}

#[test]
fn padding_before_restart_markers_hides_no_gap() {
    let (header, intervals) = restarting();
    let zeros = |_| vec![0; 60];
    for index in 0..intervals.len() {
        let mut cut = intervals.clone();
        let length = cut[index].len();
        cut[index].truncate(length - 40);
        refusal(&join(&header, &cut, zeros));
        refusal(&join(&header, &cut, |_| Vec::new()));
        let mut lost = intervals.clone();
        lost.remove(index);
        refusal(&join(&header, &lost, zeros));
        refusal(&join(&header, &lost, |_| Vec::new()));
        let residue = |at| {
            if at == index {
                vec![0x5A; 60]
            } else {
                vec![0; 3]
            }
        };
        refusal(&join(&header, &intervals, residue));
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
    let message = refusal(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    assert!(
        message.contains("HEIC files are not supported"),
        "{message}"
    );
    assert!(message.contains("Most Compatible"), "{message}");
    for (bytes, name) in [
        (&b"\0\0\0\x1Cftypavif\0\0\0\0"[..], "Avif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xFF\x0A\0\0", "JPEG XL"),
        (&[&[0; 128][..], b"DICM"].concat(), "DICOM"),
    ] {
        let message = refusal(bytes);
        assert!(
            message.contains(&format!("{name} files are not supported")),
            "{message}"
        );
        assert!(!message.contains("damaged"), "{message}");
    }
}

/// A variant of a JPEG, by a change to the start-of-frame segment, which is given from its marker on.
fn jpeg_variant(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = jpeg();
    let mut pairs = bytes.windows(2);
    let frame = pairs.position(|pair| pair == [0xFF, 0xC0]).unwrap();
    change(&mut bytes[frame + 1..]);
    bytes
}

#[test]
fn intact_files_of_an_unsupported_variant_are_not_called_damaged() {
    let tiff = |tag: u16, value: u16| {
        let mut bytes = encode(picture(), ImageFormat::Tiff);
        set_tags(&mut bytes, &[tag], value);
        bytes
    };
    for (bytes, named) in [
        (jpeg_variant(|frame| frame[3] = 12), "12 bits per sample"),
        (
            jpeg_variant(|frame| frame[0] = 0xC3),
            "lossless compression",
        ),
        (jpeg_variant(|frame| frame[0] = 0xC5), "hierarchical coding"),
        (jpeg_variant(|frame| frame[0] = 0xC9), "arithmetic coding"),
        // PhotometricInterpretation: a palette, YCbCr; Compression: Zstandard.
        (tiff(262, 3), "a colour palette"),
        (tiff(262, 6), "YCbCr colours"),
        (tiff(259, 50000), "ZSTD"),
    ] {
        let message = refusal(&bytes);
        assert!(message.contains(named), "{message}");
        assert!(
            message.contains("save it with 8 bits per channel"),
            "{message}"
        );
        assert!(!message.contains("damaged"), "{message}");
    }
}

/// Adds a page to a TIFF, with a value of `NewSubfileType`.
fn add_page<C: ColorType<Inner = u8>, K: TiffKind>(
    tiff: &mut TiffEncoder<&mut Cursor<Vec<u8>>, K>,
    kind: u32,
    size: (u32, u32),
    samples: &[u8],
) {
    let mut page = tiff.new_image::<C>(size.0, size.1).unwrap();
    page.encoder().write_tag(Tag::NewSubfileType, kind).unwrap();
    page.write_data(samples).unwrap();
}

const SIZE: (u32, u32) = (120, 90);

#[test]
fn of_a_tiff_with_a_thumbnail_the_full_page_is_decoded() {
    let thumbnail = image::imageops::thumbnail(&picture(), 40, 30);
    let mut first = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new(&mut first).unwrap();
    add_page::<RGB8, _>(&mut tiff, 1, (40, 30), &thumbnail);
    add_page::<RGB8, _>(&mut tiff, 0, SIZE, &picture());
    assert_eq!(accept(first.get_ref()), picture());

    let mut last = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new_big(&mut last).unwrap();
    add_page::<RGB8, _>(&mut tiff, 1, (40, 30), &thumbnail);
    add_page::<RGB8, _>(&mut tiff, 0, SIZE, &picture());
    add_page::<Gray8, _>(&mut tiff, 4, SIZE, &[0; 120 * 90]);
    assert_eq!(accept(last.get_ref()), picture());
}

#[test]
fn a_smaller_version_without_its_original_is_the_image_unless_there_are_several() {
    let thumbnail = [255; 40 * 30 * 3];
    let mut alone = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new(&mut alone).unwrap();
    add_page::<Gray8, _>(&mut tiff, 4, SIZE, &[0; 120 * 90]);
    add_page::<RGB8, _>(&mut tiff, 1, SIZE, &picture());
    assert_eq!(accept(alone.get_ref()), picture());

    let mut several = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new(&mut several).unwrap();
    add_page::<RGB8, _>(&mut tiff, 1, (40, 30), &thumbnail);
    add_page::<RGB8, _>(&mut tiff, 1, SIZE, &picture());
    let error = refusal(several.get_ref());
    assert!(
        error.contains("it has 2 pages (40 × 30, 120 × 90)"),
        "{error}"
    );
}

#[test]
fn pages_in_a_circle_are_refused() {
    let mut bytes = encode(picture(), ImageFormat::Tiff);
    let first = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let entries = usize::from(u16::from_le_bytes(
        bytes[first..first + 2].try_into().unwrap(),
    ));
    let next = first + 2 + 12 * entries;
    bytes[next..next + 4].copy_from_slice(&(first as u32).to_le_bytes());
    let error = refusal(&bytes);
    assert!(error.contains("cycle"), "{error}");
}

#[test]
fn a_tiff_of_several_images_is_refused_with_its_pages() {
    let mut fields = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new(&mut fields).unwrap();
    add_page::<RGB8, _>(&mut tiff, 0, SIZE, &picture());
    add_page::<RGB8, _>(&mut tiff, 2, (8, 8), &[255; 8 * 8 * 3]);
    let message = refusal(fields.get_ref());
    assert!(
        message.contains("it has 2 pages (120 × 90, 8 × 8); save each page"),
        "{message}"
    );

    let mut channels = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new(&mut channels).unwrap();
    for channel in 0..3 {
        let samples: Vec<u8> = picture().pixels().map(|pixel| pixel.0[channel]).collect();
        add_page::<Gray8, _>(&mut tiff, 0, SIZE, &samples);
    }
    let message = refusal(channels.get_ref());
    assert!(message.contains("3 pages of one channel each"), "{message}");
    assert!(message.contains("save it as one RGB image"), "{message}");
}

#[test]
fn big_tiff_is_decoded() {
    let mut bytes = Cursor::new(Vec::new());
    let mut tiff = TiffEncoder::new_big(&mut bytes).unwrap();
    tiff.write_image::<RGB8>(120, 90, &picture()).unwrap();
    assert_eq!(accept(bytes.get_ref()), picture());
}

#[test]
fn samples_on_the_scale_of_a_smaller_camera_are_refused_with_their_range() {
    let deep = DynamicImage::from(picture()).into_rgb16();
    for (bits, largest) in [(10, 1023), (12, 4095), (14, 16383)] {
        let mut scaled = deep.clone();
        for sample in scaled.iter_mut() {
            *sample >>= 16 - bits;
        }
        scaled.put_pixel(0, 0, Rgb([largest; 3]));
        let grey = DynamicImage::from(scaled.clone()).into_luma16();
        for format in [ImageFormat::Png, ImageFormat::Tiff] {
            for image in [DynamicImage::from(scaled.clone()), grey.clone().into()] {
                let message = refusal(&encode(image, format));
                assert!(
                    message.contains(&format!("{largest} of 65535")),
                    "{message}"
                );
            }
        }
    }
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
    // ImageWidth, ImageLength, RowsPerStrip.
    set_tags(&mut tiff, &[256, 257, 278], side);
    [("jpeg", jpeg), ("png", png), ("bmp", bmp), ("tiff", tiff)]
}

/// Sets the values of a little-endian TIFF's tags.
fn set_tags(tiff: &mut [u8], tags: &[u16], value: u16) {
    let directory = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
    let count = usize::from(tiff[directory]);
    for entry in tiff[directory + 2..].chunks_exact_mut(12).take(count) {
        if tags.contains(&u16::from_le_bytes([entry[0], entry[1]])) {
            entry[8..10].copy_from_slice(&value.to_le_bytes());
        }
    }
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
