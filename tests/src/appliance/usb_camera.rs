//! USB cameras with properties that trip programs, as `tests/fake-camera` simulates them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::*;

/// Builds the simulated camera; `None` if there is no compiler.
fn fake_camera(folder: &Path) -> Option<PathBuf> {
    let library = folder.join("fake_camera.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(root().join("tests/fake-camera/fake_camera.c"))
        .arg("-ldl")
        .status();
    match compiled {
        Ok(status) => {
            assert!(status.success());
            Some(library)
        }
        Err(error) => {
            smearscope_artifacts::testing::skip(format!("cc: {error}"));
            None
        }
    }
}

/// The self-test's check of the camera.
fn camera_check(folder: &Path, library: &Path, more: &[&str]) -> Value {
    let config = folder.join("config.toml");
    let text = "board = \"linux\"\nbutton = \"none\"\nleds = \"none\"\ndisplay = \"none\"\n\
        [timing]\ninterval_s = 60\nslide_fields = 3\n[camera]\ndevice = \"/dev/video99\"\n[model]\nengine = \"embedded\"\n";
    std::fs::write(&config, text).unwrap();
    let output = smearscope(["selftest", "--json", "--config"])
        .arg(&config)
        .env("LD_PRELOAD", library)
        .env("FAKE_CAMERA_FRAME", &demo_fields()[0])
        .envs(more.iter().map(|name| (name, "1")))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let camera = checks.iter().find(|check| check["part"] == "camera");
    camera.unwrap().clone()
}

#[test]
fn unknown_controls_odd_frame_rates_and_the_format_of_another_program_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = fake_camera(folder.path()) else {
        return;
    };
    let check = camera_check(folder.path(), &library, &[]);
    assert_eq!(check["passed"], true, "{check}");
    assert_eq!(
        check["detail"],
        "USB camera /dev/video99, took /dev/video99"
    );
}

#[test]
fn a_camera_that_refuses_its_own_mode_is_not_blamed_on_the_cable() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = fake_camera(folder.path()) else {
        return;
    };
    let check = camera_check(folder.path(), &library, &["FAKE_CAMERA_KEEPS_FORMAT"]);
    assert_eq!(check["passed"], false, "{check}");
    assert_eq!(
        check["detail"],
        "the camera refused every mode that it lists: MJPEG 640x480 at 7.5 fps (it chose H264 640x480); set \
         camera.format, camera.width and camera.height to a mode that works in another program"
    );
}
