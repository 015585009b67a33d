//! A folder with a program that stands in for `rpicam-vid`, and what it is to do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::programs::built;

/// What the program does; see `src/bin/fake_rpicam_vid.rs`.
pub(crate) struct Plan<'a> {
    /// The JPEG files that it plays, all of the same size.
    pub(crate) frames: Vec<PathBuf>,
    /// A JPEG file of another size.
    pub(crate) other: PathBuf,
    /// A JPEG file of at most half the width, which it plays in a mode of that size.
    pub(crate) binned: Option<PathBuf>,
    /// The fault of each run, in turn.
    pub(crate) faults: &'a [&'a str],
    /// Whether each frame says in a comment when it was made.
    pub(crate) stamp: bool,
    /// Whether it fails to list the cameras.
    pub(crate) list_fails: bool,
    /// Pause after each frame.
    pub(crate) pause_ms: u32,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            frames: Vec::new(),
            other: PathBuf::new(),
            binned: None,
            faults: &[],
            stamp: false,
            list_fails: false,
            pause_ms: 0,
        }
    }
}

/// A program that stands in for `rpicam-vid`.
pub(crate) struct FakeRpicam(TempDir);

impl FakeRpicam {
    pub(crate) fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(built("fake_rpicam_vid"), folder.path().join("rpicam-vid")).unwrap();
        let fake = Self(folder);
        fake.follow(plan);
        fake
    }

    /// Follows another plan from the next run on.
    pub(crate) fn follow(&self, plan: &Plan) {
        let size = |path: &PathBuf| image::image_dimensions(path).unwrap();
        let (width, height) = size(&plan.frames[0]);
        let (mut binned_mode, mut binned_plan) = (String::new(), String::new());
        if let Some(binned) = &plan.binned {
            let (width, height) = size(binned);
            binned_mode = format!("{width}x{height} [40.00 fps] ");
            binned_plan = format!("binned = {binned:?}\nbinned_mode = \"{width}:{height}\"\n");
        }
        let cameras = format!(
            "Available cameras\\n-----------------\\n\
             0 : imx477 [{width}x{height} 12-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx477@1a)\\n    \
             Modes: 'SRGGB12_CSI2P' : {binned_mode}{width}x{height} [10.00 fps - (0, 0)/{width}x{height} crop]"
        );
        let Plan {
            frames,
            other,
            binned: _,
            faults,
            stamp,
            list_fails,
            pause_ms,
        } = plan;
        let text = format!(
            "cameras = \"{cameras}\"\nframes = {frames:?}\nother = {other:?}\nfaults = {faults:?}\n\
             stamp = {stamp}\nlist_fails = {list_fails}\npause_ms = {pause_ms}\nexposure_us = 9994\n{binned_plan}"
        );
        // A run that reads it meanwhile gets the old plan or the new one.
        let new = self.0.path().join("new.toml");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.0.path().join("plan.toml")).unwrap();
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.0.path().join("rpicam-vid")
    }

    /// The command lines so far, without that of the list.
    pub(crate) fn commands(&self) -> Vec<String> {
        let lines = fs::read_to_string(self.0.path().join("commands")).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }

    /// The settings of an appliance whose only part is this camera, as environment variables.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SMEARSCOPE__BOARD", "linux".into()),
            ("SMEARSCOPE__DISPLAY", "none".into()),
            ("SMEARSCOPE__LEDS", "none".into()),
            ("SMEARSCOPE__BUTTON", "none".into()),
            ("SMEARSCOPE__CAMERA__KIND", "rpicam".into()),
            ("SMEARSCOPE__RPICAM__PROGRAM", self.path_text()),
        ]
    }

    fn path_text(&self) -> String {
        let program: &Path = &self.program();
        program.to_str().unwrap().to_owned()
    }
}
