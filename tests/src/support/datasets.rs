//! Stand-ins for data sets that must not be redistributed: the same names and EXIF, with meaningless and smaller pictures.

use std::fs;
use std::io::Cursor;
use std::ops::RangeInclusive;
use std::path::Path;

use exif::experimental::Writer;
use exif::{Field, In, Tag, Value};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{ImageEncoder, Rgb, RgbImage};

/// A picture of coloured patches, different for each seed.
pub(crate) fn picture(seed: u64, width: u32, height: u32) -> RgbImage {
    // Marsaglia 2003, "Xorshift RNGs".
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let patches = RgbImage::from_fn(24, 18, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [red, green, blue, ..] = state.to_le_bytes();
        Rgb([red, green, blue])
    });
    imageops::resize(&patches, width, height, FilterType::Nearest)
}

/// Saves a JPEG with the camera's model and the time of exposure in its EXIF.
fn save_jpeg(path: &Path, picture: &RgbImage, model: &str, time: &str) {
    let ascii = |tag, text: &str| Field {
        tag,
        ifd_num: In::PRIMARY,
        value: Value::Ascii(vec![text.as_bytes().to_vec()]),
    };
    let fields = [ascii(Tag::Model, model), ascii(Tag::DateTimeOriginal, time)];
    let mut writer = Writer::new();
    for field in &fields {
        writer.push_field(field);
    }
    let mut exif = Cursor::new(Vec::new());
    writer.write(&mut exif, false).expect("EXIF");
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 80);
    encoder.set_exif_metadata(exif.into_inner()).expect("EXIF");
    encoder.encode_image(picture).expect("JPEG");
    fs::write(path, jpeg).expect("written");
}

fn folder(path: &Path) {
    fs::create_dir_all(path).expect("folder");
}

/// One sitting at the microscope: numbers of its images, and whether they are positive.
struct Session(&'static [RangeInclusive<u32>], bool);

const OLYMPUS: [Session; 6] = [
    Session(&[1..=1], true),
    Session(&[2..=3], true),
    Session(&[4..=12], true),
    Session(&[13..=17], true),
    Session(&[18..=19], true),
    Session(&[20..=33], true),
];
const CANON: [Session; 7] = [
    Session(&[34..=37], false),
    Session(&[38..=42], false),
    Session(&[43..=47], false),
    Session(&[48..=63], true),
    Session(&[64..=77], false),
    Session(&[78..=93, 108..=108], false),
    Session(&[94..=107], false),
];

/// ALL-IDB1: 108 images by two cameras in 13 sessions, with centroids for the positive ones. They have a quarter of
/// their width and height.
pub(crate) fn all_idb1(root: &Path) {
    folder(&root.join("im"));
    folder(&root.join("xyc"));
    for (model, day, (width, height), sessions) in [
        ("C2040UZ", "2004:04:21", (428, 342), &OLYMPUS[..]),
        ("Canon PowerShot G5", "2005:09:06", (648, 486), &CANON[..]),
    ] {
        let mut minute = 9 * 60;
        for Session(numbers, positive) in sessions {
            for number in numbers.iter().cloned().flatten() {
                let stem = format!("Im{number:03}_{}", u8::from(*positive));
                let time = format!("{day} {:02}:{:02}:00", minute / 60, minute % 60);
                let path = root.join("im").join(&stem).with_extension("jpg");
                save_jpeg(&path, &picture(number.into(), width, height), model, &time);
                if *positive {
                    let path = root.join("xyc").join(&stem).with_extension("xyc");
                    fs::write(path, "100 200\n300\t400\n").expect("written");
                }
                // Only gaps of more than four minutes separate sessions.
                minute += if number % 7 == 0 { 4 } else { 1 };
            }
            minute += 5;
        }
    }
}

/// ALL-IDB2: 260 single cells, of which the first half is positive.
pub(crate) fn all_idb2(root: &Path) {
    folder(&root.join("img"));
    for number in 1..=260 {
        let name = format!("Im{number:03}_{}.tif", u8::from(number <= 130));
        let path = root.join("img").join(name);
        picture(number, 257, 257).save(path).expect("written");
    }
}

/// C-NMC: `cells` images of each of six patients and six healthy subjects.
pub(crate) fn c_nmc(root: &Path, cells: u64) {
    for class in ["all", "hem"] {
        folder(&root.join("fold_0").join(class));
    }
    for subject in 1..=6 {
        for cell in 1..=cells {
            for (class, prefix) in [("all", ""), ("hem", "H")] {
                let name = format!("UID_{prefix}{subject}_{cell}_1_{class}.bmp");
                let path = root.join("fold_0").join(class).join(name);
                let seed = subject * 1000 + cell * 2 + u64::from(class == "all");
                picture(seed, 450, 450).save(path).expect("written");
            }
        }
    }
}
