//! A ribbon camera whose program stands in for `rpicam-vid`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::imageops::{FilterType, crop_imm, resize};
use image::{Rgb, RgbImage};
use rustix::process::Signal;
use serde_json::Value;
use smearscope_artifacts::testing::venv;

use crate::support::fake_rpicam::{FakeRpicam, Plan};
use crate::support::http::*;
use crate::support::pictures::assert_shows;
use crate::support::*;

/// An appliance whose only part is the camera, with more settings.
struct Bench(Served);

impl Bench {
    fn start(fake: &FakeRpicam, more: &str) -> Self {
        let spawn = |command: &mut Command| command.envs(fake.settings()).spawn();
        let mut served = Served::start_by(spawn, "", more);
        let line = served.logged("listening on ");
        served.url = line.rsplit_once(' ').unwrap().1.to_owned();
        Self(served.ready())
    }

    fn capture(&self) -> Value {
        let answer = self.0.post("/v1/captures");
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.0.signal(Signal::TERM);
    }
}

fn plan(frame: &Path) -> Plan<'static> {
    Plan {
        frames: vec![frame.to_owned()],
        other: demo_fields()[1].clone(),
        // As fast as a camera, so that a preview does not use up the processor.
        pause_ms: 10,
        ..Plan::default()
    }
}

/// The field with every sample multiplied by a factor.
fn dimmed(field: &Path, factor: f32, folder: &Path) -> PathBuf {
    let mut image = image::open(field).unwrap().to_rgb8();
    for sample in image.iter_mut() {
        *sample = (f32::from(*sample) * factor) as u8;
    }
    let path = folder.join("dimmed.jpg");
    image.save(&path).unwrap();
    path
}

#[test]
fn a_field_of_a_ribbon_camera_gets_the_verdict_of_its_file() {
    let field = &demo_fields()[0];
    let fake = FakeRpicam::new(&plan(field));
    let bench = Bench::start(&fake, "");
    let captured = bench.capture();
    assert_eq!(captured["source"], "imx477 (ribbon camera 0)");
    let file = fs::read(field).unwrap();
    let classified = bench.0.send("POST", "/v1/classify", &[], &file).json();
    for fact in ["verdict", "probability"] {
        assert!(!captured[fact].is_null(), "{captured}");
        assert_eq!(captured[fact], classified[fact], "{fact}");
    }
}

/// What Pillow reads in the EXIF data of a picture: its tags, and the text of `ImageDescription` as JSON.
const READ_EXIF: &str = "
import json, sys
from PIL import Image, ExifTags
exif = Image.open(sys.argv[1]).getexif()
tags = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
said = {ExifTags.TAGS[tag]: value if isinstance(value, (int, str)) else str(value) for tag, value in tags.items() if tag in ExifTags.TAGS}
said['ImageDescription'] = json.loads(said['ImageDescription'])
print(json.dumps(said))
";

#[test]
fn a_recorded_picture_says_how_it_was_taken_and_has_the_pixels_of_the_camera() {
    let folder = tempfile::tempdir().unwrap();
    let tuning = folder.path().join("imx477.json");
    fs::write(&tuning, "{\"algorithms\": [{\"rpi.alsc\": {}}]}").unwrap();
    let field = &demo_fields()[0];
    let (width, height) = image::image_dimensions(field).unwrap();
    let fake = FakeRpicam::new(&plan(field));
    let settings = format!(
        "[rpicam]\ntuning_file = {tuning:?}\n\
         [camera]\num_per_pixel = 0.15\nwidth = {width}\nheight = {height}\n"
    );
    let bench = Bench::start(&fake, &settings);
    let captured = bench.capture();
    assert_eq!(captured["scale"]["um_per_pixel"], 0.15);
    let id = captured["record"].as_str().unwrap();
    let record = bench.0.get(&format!("/v1/fields/{id}")).json();
    let lens = format!("rpi.alsc of {}", tuning.display());
    assert_eq!(record["camera"]["lens_correction"], lens);

    // 10 µm, the longest length of at most a fifth of the width, in the lower left corner.
    let overlay = bench.0.get(&format!("/v1/fields/{id}/overlay")).body;
    let overlay = image::load_from_memory(&overlay).unwrap().to_rgb8();
    let bar = overlay.rows().nth(overlay.height() as usize - 10).unwrap();
    let black = bar.take(100).filter(|pixel| pixel.0 == [0; 3]).count();
    assert_eq!((width, black), (640, 67));

    let recorded = bench.0.get(&format!("/v1/fields/{id}/image")).body;
    let file = fs::read(field).unwrap();
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap();
    assert_eq!(pixels(&recorded), pixels(&file));
    assert_eq!(recorded.len() - file.len(), exif_segment(&recorded).len());
    let Some(python) = venv("python") else {
        return;
    };
    let path = folder.path().join("recorded.jpg");
    fs::write(&path, &recorded).unwrap();
    let read = Command::new(python)
        .args(["-c", READ_EXIF])
        .arg(path)
        .output()
        .unwrap();
    let said: Value =
        serde_json::from_slice(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"));
    assert_eq!(said["Model"], "imx477");
    assert_eq!(said["ExposureTime"], "0.009994");
    assert_eq!(said["ResolutionUnit"], 3);
    assert_eq!(said["XResolution"], "66666.7");
    assert_eq!(said["OffsetTimeOriginal"], "+00:00");
    let taken = said["DateTimeOriginal"].as_str().unwrap();
    let captured_at = record["captured_at"].as_str().unwrap();
    assert_eq!(
        taken.replace([':', ' '], "-"),
        captured_at[..19].replace([':', 'T'], "-")
    );
    let description = &said["ImageDescription"];
    assert_eq!(description["record"], id);
    for fact in ["camera", "scale"] {
        assert_eq!(description[fact], record[fact], "{fact}");
    }
}

/// The first segment of a JPEG file with EXIF data, from its marker on.
fn exif_segment(jpeg: &[u8]) -> &[u8] {
    let start = jpeg
        .windows(10)
        .position(|bytes| &bytes[4..] == b"Exif\0\0");
    let segment = &jpeg[start.expect("EXIF data")..];
    let length = usize::from(u16::from_be_bytes([segment[2], segment[3]]));
    &segment[..2 + length]
}

#[test]
fn exposure_and_white_balance_settle_once_until_the_light_changes() {
    let folder = tempfile::tempdir().unwrap();
    let field = &demo_fields()[0];
    let fake = FakeRpicam::new(&plan(field));
    let bench = Bench::start(&fake, "");
    let kinds = |commands: &[String]| -> Vec<bool> {
        commands
            .iter()
            .map(|line| line.contains("--metadata"))
            .collect()
    };
    bench.capture();
    bench.capture();
    let commands = fake.commands();
    assert_eq!(kinds(&commands), [true, false, false], "{commands:?}");
    let settled = "--shutter 9994 --gain 1.500000 --awbgains 2.000000,1.600000";
    assert!(commands[1].contains(settled), "{}", commands[1]);
    assert!(!commands[0].contains("--shutter"), "{}", commands[0]);

    fake.follow(&plan(&dimmed(field, 0.5, folder.path())));
    bench.capture();
    let commands = fake.commands();
    assert_eq!(
        kinds(&commands[3..]),
        [false, true, false],
        "the picture is taken again after the exposure has settled: {commands:?}"
    );
    let same_colours = "--awbgains 2.000000,1.600000";
    assert!(commands[4].contains(same_colours), "{}", commands[4]);
    assert!(!commands[4].contains("--shutter"), "{}", commands[4]);
    bench.capture();
    assert_eq!(fake.commands().len(), 7);
}

#[test]
fn what_the_program_says_is_told_and_the_next_press_works() {
    let fake = FakeRpicam::new(&Plan {
        faults: &["die"],
        ..plan(&demo_fields()[0])
    });
    let bench = Bench::start(&fake, "");
    let failed = bench.0.post("/v1/captures");
    let problem = failed.problem(503);
    for part in ["ribbon cable", "no cameras available", "exit status: 1"] {
        assert!(problem.contains(part), "{problem}");
    }
    assert_eq!(fake.commands().len(), 2, "it was started once more");
    fake.follow(&plan(&demo_fields()[0]));
    bench.capture();
}

#[test]
fn a_program_that_cannot_list_its_cameras_tells_why() {
    let fake = FakeRpicam::new(&Plan {
        list_fails: true,
        ..plan(&demo_fields()[0])
    });
    let bench = Bench::start(&fake, "");
    let problem = bench.0.post("/v1/captures").problem(503);
    assert!(problem.contains("cannot open /dev/media0"), "{problem}");
}

#[test]
fn the_light_is_measured_only_with_a_fixed_white_balance_which_must_stay() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.jpg");
    RgbImage::from_pixel(640, 480, Rgb([225, 200, 170]))
        .save(&empty)
        .unwrap();
    let fake = FakeRpicam::new(&plan(&empty));
    let state = folder.path().join("state");
    let state = format!("state = {state:?}\n");
    let measure = |bench: &Bench| bench.0.post("/v1/calibration/light");
    let problem = measure(&Bench::start(&fake, &state)).problem(422);
    let remedy = "set rpicam.red_gain = 2.000 and rpicam.blue_gain = 1.600";
    assert!(problem.contains(remedy), "{problem}");

    let gains = |red: f32| format!("{state}[rpicam]\nred_gain = {red:?}\nblue_gain = 1.6\n");
    let fixed = Bench::start(&fake, &gains(2.0));
    let measured = measure(&fixed);
    assert_eq!(measured.status, 201, "{measured:?}");
    fixed.capture();
    drop(fixed);

    let other = Bench::start(&fake, &gains(2.5));
    let problem = other.0.post("/v1/captures").problem(503);
    for part in ["red × 2.000", "red × 2.500", "measure the light again"] {
        assert!(problem.contains(part), "{problem}");
    }
}

#[test]
fn a_preview_ends_where_a_picture_is_taken() {
    let field = &demo_fields()[0];
    let fake = FakeRpicam::new(&plan(field));
    let bench = Bench::start(&fake, "");
    let snapshot = bench.0.get("/v1/camera/snapshot");
    assert_eq!(snapshot.status, 200, "{snapshot:?}");
    let seen = image::load_from_memory(&snapshot.body).unwrap();
    let image = image::open(field).unwrap();
    assert_eq!(
        (seen.width(), seen.height()),
        (image.width(), image.height())
    );
    bench.capture();
    let commands = fake.commands();
    let qualities: Vec<_> = commands
        .iter()
        .map(|line| line.split("--quality ").nth(1))
        .collect();
    assert_eq!(qualities, [Some("80"), None, Some("95")], "{commands:?}");
}

#[test]
fn a_region_is_one_of_the_picture_that_a_press_takes() {
    let folder = tempfile::tempdir().unwrap();
    let field = image::open(&demo_fields()[0]).unwrap().to_rgb8();
    let binned = folder.path().join("binned.jpg");
    resize(&field, 320, 240, FilterType::Triangle)
        .save(&binned)
        .unwrap();
    let fake = FakeRpicam::new(&Plan {
        binned: Some(binned),
        ..plan(&demo_fields()[0])
    });
    let bench = Bench::start(&fake, "");
    let snapshot = |region: &str| {
        let snapshot = bench.0.get(&format!("/v1/camera/snapshot{region}"));
        assert_eq!(snapshot.status, 200, "{snapshot:?}");
        assert_eq!(snapshot.header("smearscope-size"), "[640,480]");
        snapshot.body
    };
    let whole = image::load_from_memory(&snapshot("")).unwrap();
    assert_eq!((whole.width(), whole.height()), (320, 240), "the fast mode");
    let region = snapshot("?region=330,250,300,200");
    assert_shows(&region, &crop_imm(&field, 330, 250, 300, 200).to_image());
    let outside = bench.0.get("/v1/camera/snapshot?region=600,0,41,40");
    let problem = outside.problem(400);
    assert!(problem.contains("640x480 pixels"), "{problem}");

    let commands = fake.commands();
    let fast = "--width 320 --height 240 --quality 80";
    assert!(commands[0].contains("--mode 320:240"), "{commands:?}");
    assert!(commands[0].ends_with(fast), "{commands:?}");
    let full = "--width 640 --height 480 --quality 95";
    assert!(commands[1].contains("--mode 640:480"), "{commands:?}");
    assert!(commands[1].ends_with(full), "{commands:?}");
}

#[test]
fn no_region_is_shown_of_a_picture_that_has_another_size_than_a_capture() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.jpg");
    RgbImage::new(320, 240).save(&other).unwrap();
    let fake = FakeRpicam::new(&Plan {
        other,
        faults: &["other-size"],
        ..plan(&demo_fields()[0])
    });
    let bench = Bench::start(&fake, "");
    let problem = bench
        .0
        .get("/v1/camera/snapshot?region=0,0,40,40")
        .problem(503);
    for size in ["640x480 pixels", "320x240"] {
        assert!(problem.contains(size), "{problem}");
    }
}
