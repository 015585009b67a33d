//! Compares JPEGs that are reduced during decoding with full decodes, in a microscope camera's size.

use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use smearscope_artifacts::decode::{Limits, decode, decode_for, read};
use smearscope_artifacts::testing::{jpegs_in, micrographs};
use smearscope_artifacts::{
    EngineChoice, InputContract, Model, ModelFiles, Preprocessor, ResizeFilter,
};
use turbojpeg::{Image, PixelFormat, Subsamp};

use crate::common::{CRATE, engine};

const SIZE: (u32, u32) = (2592, 1944);

fn demo() -> PathBuf {
    Path::new(CRATE).join("smear-demo")
}

fn contract() -> InputContract {
    let files = ModelFiles::open(&demo()).unwrap().into_field().unwrap();
    files.manifest().model.input.clone()
}

fn jpeg(image: &RgbImage, subsamp: Subsamp) -> Vec<u8> {
    let mut compressor = turbojpeg::Compressor::new().unwrap();
    compressor.set_quality(92).unwrap();
    compressor.set_subsamp(subsamp).unwrap();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let image = Image {
        pixels: image.as_raw().as_slice(),
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    compressor.compress_to_vec(image).unwrap()
}

fn picture(path: &Path) -> RgbImage {
    read(path, &Limits::default()).unwrap()
}

/// Shipped fields and real micrographs in a camera's size, and micrographs side by side, which have
/// detail down to the pixel.
fn pictures() -> Vec<(String, RgbImage)> {
    let fields = Path::new(CRATE).join("../hardware/fields");
    let mut paths = jpegs_in(&fields);
    let micrographs = micrographs();
    paths.extend(micrographs.iter().step_by(5).cloned());
    let enlarged = paths.iter().map(|path| {
        let large = imageops::resize(&picture(path), SIZE.0, SIZE.1, FilterType::CatmullRom);
        (path.display().to_string(), large)
    });
    let mut pictures: Vec<_> = enlarged.collect();
    if !micrographs.is_empty() {
        let mut mosaic = RgbImage::new(2560, 1920);
        for (number, path) in (0..16).zip(micrographs.iter().cycle()) {
            let (x, y) = (number % 4 * 640, number / 4 * 480);
            imageops::replace(&mut mosaic, &picture(path), x, y);
        }
        pictures.push(("mosaic".into(), mosaic));
    }
    pictures
}

/// Largest and mean difference of the samples of two images.
fn compare(one: &RgbImage, other: &RgbImage) -> (u8, f64) {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.iter().zip(other.iter());
    let differences: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: u64 = differences.iter().map(|d| u64::from(*d)).sum();
    let largest = differences.iter().copied().max().unwrap();
    (largest, sum as f64 / differences.len() as f64)
}

/// Means of two by two pixels.
fn halved(image: &RgbImage) -> RgbImage {
    RgbImage::from_fn(image.width() / 2, image.height() / 2, |x, y| {
        let corners = [(0, 0), (1, 0), (0, 1), (1, 1)];
        let four = corners.map(|(right, down)| image.get_pixel(2 * x + right, 2 * y + down).0);
        Rgb([0, 1, 2].map(|c| {
            let sum: u16 = four.iter().map(|pixel| u16::from(pixel[c])).sum();
            ((sum + 2) / 4) as u8
        }))
    })
}

#[test]
fn a_reduced_picture_is_the_mean_of_the_whole_one() {
    for (name, image) in pictures() {
        for subsamp in [Subsamp::None, Subsamp::Sub2x2] {
            let bytes = jpeg(&image, subsamp);
            let whole = decode(&bytes, &Limits::default()).unwrap();
            let reduced = decode_for(Some(&contract()), &bytes, &Limits::default()).unwrap();
            assert_eq!(reduced.original_size, whole.dimensions());
            let (largest, mean) = compare(&reduced.image, &halved(&whole));
            println!("{name} {subsamp:?}: largest difference {largest} levels, mean {mean:.4}");
            // Rounding and clipping come before the mean in one and after it in the other; found: 4. Chroma that
            // has half the pixels is smoothed in the whole picture and taken as it is in the reduced one; found: 15.
            let bound = if subsamp == Subsamp::None { 5 } else { 20 };
            assert!(largest <= bound, "{name}: {largest}");
            assert!(mean < 0.6, "{name}: {mean}");
        }
    }
}

#[test]
fn network_input_and_probability_hardly_change() {
    let mut model = Model::load(&demo(), &engine(EngineChoice::Embedded)).unwrap();
    let contract = model.manifest().model.input.clone();
    let plain = InputContract {
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        ..contract.clone()
    };
    let mut preprocessor = Preprocessor::new(plain).unwrap();
    for (name, image) in pictures() {
        let bytes = jpeg(&image, Subsamp::Sub2x2);
        let whole = decode(&bytes, &Limits::default()).unwrap();
        let reduced = decode_for(Some(&contract), &bytes, &Limits::default()).unwrap();
        let expected = preprocessor.prepare(&whole).unwrap().data.clone();
        let found = &preprocessor.prepare(&reduced.image).unwrap().data;
        let levels = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        let largest = levels.clone().fold(0.0_f32, f32::max);
        let mean = levels.sum::<f32>() / expected.len() as f32;
        let [a, b] = [&whole, &reduced.image].map(|image| model.infer(image).unwrap().probability);
        println!(
            "{name}: input differs by at most {largest} levels, {mean:.4} in the mean; probability {a:.5} and {b:.5}"
        );
        // Found: 2 and 0.096 levels, 0.0021. Golden samples may differ by 0.01.
        assert!(largest <= 3.0, "{name}: {largest}");
        assert!(mean < 0.15, "{name}: {mean}");
        assert!((a - b).abs() < 0.005, "{name}: {a} and {b}");
    }
}

/// A picture of this size with a speck in its upper left corner.
fn plain(width: u32, height: u32) -> RgbImage {
    let mut image = RgbImage::from_pixel(width, height, Rgb([190, 170, 200]));
    imageops::replace(&mut image, &RgbImage::new(400, 200), 0, 0);
    image
}

#[test]
fn the_contract_determines_the_factor() {
    let area = contract();
    let taken = |contract: &InputContract, width, height| {
        let bytes = jpeg(&plain(width, height), Subsamp::Sub2x2);
        let picture = decode_for(Some(contract), &bytes, &Limits::default()).unwrap();
        assert_eq!(picture.original_size, (width, height));
        assert!(
            picture
                .original_size
                .0
                .is_multiple_of(picture.image.width())
        );
        picture.original_size.0 / picture.image.width()
    };
    assert_eq!(taken(&area, 640, 480), 1);
    assert_eq!(taken(&area, 2046, 1536), 1, "less than 1024 would be left");
    assert_eq!(taken(&area, 2048, 1536), 2);
    assert_eq!(taken(&area, 4096, 3072), 4);
    assert_eq!(taken(&area, 2592, 1943), 1, "not whole");
    assert_eq!(
        taken(&area, 4096, 1200),
        2,
        "less than 2 × 160 would be left"
    );
    let large = InputContract {
        width: 600,
        ..area.clone()
    };
    assert_eq!(taken(&large, 2592, 1944), 1);
    assert_eq!(taken(&large, 3264, 2448), 2);
    let bilinear = InputContract {
        resize: ResizeFilter::Bilinear,
        ..area
    };
    assert_eq!(
        taken(&bilinear, 2592, 1944),
        1,
        "two neighbours of all pixels"
    );
}

#[test]
fn reduced_pictures_are_rotated_and_truncated_ones_refused() {
    let bytes = jpeg(&plain(2592, 1944), Subsamp::Sub2x2);
    let reduced = |bytes: &[u8]| decode_for(Some(&contract()), bytes, &Limits::default());
    let upright = reduced(&bytes).unwrap();
    let orientation =
        b"\xFF\xE1\0\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = reduced(&[&bytes[..2], orientation, &bytes[2..]].concat()).unwrap();
    assert_eq!(turned.original_size, (1944, 2592));
    assert_eq!(turned.image, imageops::rotate90(&upright.image));
    for share in 1..20 {
        let cut = &bytes[..bytes.len() * share / 20];
        assert!(reduced(cut).is_err(), "{share}");
        assert!(
            reduced(&[cut, &[0xFF, 0xD9]].concat()).is_err(),
            "{share}, closed"
        );
    }
}
