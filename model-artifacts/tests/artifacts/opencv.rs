//! Preprocessing and decoding against OpenCV, on real micrographs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use image::RgbImage;
use serde_json::{Value, json};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::testing::{jpegs_in, micrographs, venv};
use smearscope_artifacts::{
    ChannelOrder, Colour, InputContract, Layout, Preprocessor, ResizeFilter,
};

fn run(python: &Path, jobs: &[Value]) {
    let mut child = Command::new(python)
        .arg(Path::new(crate::common::CRATE).join("tests/opencv_reference.py"))
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let jobs = serde_json::to_vec(jobs).unwrap();
    child.stdin.take().unwrap().write_all(&jobs).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Largest and mean difference.
fn compare(pairs: impl Iterator<Item = f64>) -> (f64, f64) {
    let (largest, sum, count) = pairs
        .fold((0.0_f64, 0.0, 0), |(largest, sum, count), difference| {
            (largest.max(difference), sum + difference, count + 1)
        });
    (largest, sum / f64::from(count))
}

fn contracts() -> Vec<InputContract> {
    let plain = InputContract {
        width: 100,
        height: 100,
        channels: ChannelOrder::Rgb,
        layout: Layout::Nchw,
        resize: ResizeFilter::Area,
        colour: Colour::Rgb,
        scale: 1.0 / 255.0,
        mean: [0.0; 3],
        std: [1.0; 3],
    };
    let imagenet = InputContract {
        channels: ChannelOrder::Bgr,
        layout: Layout::Nhwc,
        mean: [0.406, 0.456, 0.485],
        std: [0.225, 0.224, 0.229],
        ..plain.clone()
    };
    let mut contracts = Vec::new();
    for resize in [ResizeFilter::Area, ResizeFilter::Bilinear] {
        // Shrunk by whole and broken factors, unevenly, not at all, and enlarged.
        for (width, height) in [
            (100, 100),
            (160, 120),
            (224, 224),
            (61, 47),
            (640, 480),
            (800, 700),
        ] {
            for contract in [&plain, &imagenet] {
                contracts.push(InputContract {
                    width,
                    height,
                    resize,
                    ..contract.clone()
                });
            }
        }
    }
    contracts
}

#[test]
fn the_input_tensor_is_opencvs_within_one_level() {
    let (paths, Some(python)) = (micrographs(), venv("python")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let image = |index: usize| folder.path().join(format!("{index}.png"));
    let tensor =
        |index: usize, contract: usize| folder.path().join(format!("{index}-{contract}.f32"));
    let contracts = contracts();
    let images: Vec<RgbImage> = paths
        .iter()
        .step_by(4)
        .map(|path| decode::read(path, &Limits::default()).unwrap())
        .collect();
    let mut jobs = Vec::new();
    for (index, pixels) in images.iter().enumerate() {
        pixels.save(image(index)).unwrap();
        for (number, contract) in contracts.iter().enumerate() {
            jobs.push(json!({
                "do": "prepare",
                "image": image(index),
                "contract": contract,
                "out": tensor(index, number),
            }));
        }
    }
    run(&python, &jobs);

    for (number, contract) in contracts.iter().enumerate() {
        let mut preprocessor = Preprocessor::new(contract.clone()).unwrap();
        let mut differences = Vec::new();
        for (index, pixels) in images.iter().enumerate() {
            let bytes = std::fs::read(tensor(index, number)).unwrap();
            let prepared = preprocessor.prepare(pixels).unwrap();
            assert_eq!(bytes.len(), prepared.data.len() * 4);
            assert_eq!(prepared.shape, contract.shape());
            for (at, (value, expected)) in
                prepared.data.iter().zip(bytes.chunks_exact(4)).enumerate()
            {
                let expected = f32::from_le_bytes(expected.try_into().unwrap());
                let channel = match contract.layout {
                    Layout::Nchw => at / (prepared.data.len() / 3),
                    Layout::Nhwc => at % 3,
                };
                // In levels of 8-bit samples, whatever the normalisation.
                let level = f64::from(contract.scale / contract.std[channel]);
                differences.push(f64::from((value - expected).abs()) / level);
            }
        }
        if differences.is_empty() {
            return;
        }
        let (largest, mean) = compare(differences.into_iter());
        println!(
            "{:?} {}×{} {:?}: largest difference {largest:.4} levels, mean {mean:.5}",
            contract.resize, contract.width, contract.height, contract.layout
        );
        // OpenCV rounds halves to even or works with 11-bit weights, where this crate has f32: a
        // sample may fall on the other side of a half, never further.
        assert!(largest < 1.001, "{contract:?}: {largest}");
        assert!(mean < 0.15, "{contract:?}: {mean}");
    }
}

#[test]
fn densities_are_numpys() {
    let Some(python) = venv("python") else {
        return;
    };
    let plain = InputContract {
        width: 160,
        height: 120,
        scale: 1.0,
        mean: [0.2; 3],
        std: [0.3; 3],
        colour: Colour::Density,
        ..contracts().remove(0)
    };
    let contracts = [
        InputContract {
            channels: ChannelOrder::Bgr,
            layout: Layout::Nhwc,
            ..plain.clone()
        },
        InputContract {
            colour: Colour::Grey,
            ..plain.clone()
        },
        plain,
    ];
    let folder = tempfile::tempdir().unwrap();
    let fields = jpegs_in(&Path::new(crate::common::CRATE).join("../hardware/fields"));
    let mut cases = Vec::new();
    for (number, path) in fields.iter().step_by(2).enumerate() {
        // Of the network's size already: resizing may differ by a level, which is much in dark places.
        let pixels = decode::read(path, &Limits::default()).unwrap();
        let pixels = image::imageops::thumbnail(&pixels, 160, 120);
        let image = folder.path().join(format!("{number}.png"));
        pixels.save(&image).unwrap();
        for (contract, variant) in contracts.iter().zip(0..) {
            let out = folder.path().join(format!("{number}-{variant}.f32"));
            let job = json!({"do": "prepare", "image": image, "contract": contract, "out": out});
            cases.push((pixels.clone(), contract, out, job));
        }
    }
    let jobs: Vec<Value> = cases.iter().map(|(.., job)| job.clone()).collect();
    run(&python, &jobs);
    assert_eq!(cases.len(), 9);
    for (pixels, contract, out, _) in cases {
        let mut preprocessor = Preprocessor::new(contract.clone()).unwrap();
        let found = &preprocessor.prepare(&pixels).unwrap().data;
        let expected = std::fs::read(&out).unwrap();
        let (expected, _) = expected.as_chunks::<4>();
        assert_eq!(expected.len(), found.len());
        let pairs = found.iter().zip(expected);
        let differences =
            pairs.map(|(found, expected)| f64::from((found - f32::from_le_bytes(*expected)).abs()));
        let (largest, _) = compare(differences);
        println!("{:?}: largest difference {largest:.2e}", contract.colour);
        // The surface is kept in single precision, 1e-7 of three powers of ten for each of six terms; the
        // strength of at least 0.1 and the deviation of 0.3 magnify that 33 times.
        assert!(largest < 1e-4, "{contract:?}: {largest}");
    }
}

/// A folder with a micrograph in every kind of JPEG, and beside each what OpenCV reads from it.
fn encodings() -> Option<tempfile::TempDir> {
    let (paths, python) = (micrographs(), venv("python")?);
    let path = paths.first()?;
    let folder = tempfile::tempdir().unwrap();
    run(
        &python,
        &[json!({ "do": "encode", "image": path, "folder": folder.path() })],
    );
    Some(folder)
}

#[test]
fn jpegs_of_every_kind_are_decoded_as_opencv_does() {
    let Some(folder) = encodings() else { return };
    let mut count = 0;
    for file in folder.path().read_dir().unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "jpg") {
            continue;
        }
        let ours = decode::read(&path, &Limits::default()).unwrap();
        let theirs = decode::read(&path.with_extension("png"), &Limits::default()).unwrap();
        assert_eq!(ours.dimensions(), theirs.dimensions());
        let (largest, mean) = compare(
            ours.iter()
                .zip(theirs.iter())
                .map(|(a, b)| f64::from(a.abs_diff(*b))),
        );
        println!(
            "{}: largest difference {largest} levels, mean {mean:.4}",
            path.display()
        );
        // T.81 leaves the inverse transform and the chroma interpolation to the decoder; both have the same.
        assert!(largest <= 0.0, "{}: {largest}", path.display());

        let whole = std::fs::read(&path).unwrap();
        for cut in [whole.len() / 3, whole.len() / 2, whole.len() - 700] {
            let cut_short = &whole[..cut];
            assert!(decode::decode(cut_short, &Limits::default()).is_err());
            let closed = [cut_short, &[0xFF, 0xD9]].concat();
            let progressive = path.ends_with("progressive.jpg");
            assert!(
                progressive || decode::decode(&closed, &Limits::default()).is_err(),
                "{} cut at {cut}",
                path.display()
            );
        }
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn a_missing_packet_is_noticed() {
    let Some(folder) = encodings() else { return };
    for name in ["restart.jpg", "422.jpg"] {
        let whole = std::fs::read(folder.path().join(name)).unwrap();
        for start in (whole.len() / 4..whole.len() - 2048).step_by(1499) {
            let lost = [&whole[..start], &whole[start + 1024..]].concat();
            assert!(
                decode::decode(&lost, &Limits::default()).is_err(),
                "{name}: 1024 bytes at {start} of {} are not missed",
                whole.len()
            );
        }
    }
}
