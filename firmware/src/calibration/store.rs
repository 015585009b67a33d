//! The calibrations of a state folder, in one file with a checksum.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smearscope_artifacts::sha256;

use crate::calibration::error::CalibrationError;
use crate::calibration::{Calibration, Setup};
use crate::system::files;

/// The file in a state folder.
const FILE: &str = "calibration.json";
/// Larger than any such file.
const MAX_BYTES: u64 = 1 << 20;
/// Version of its form.
const VERSION: u32 = 1;

/// The calibrations of a state folder, at most one of each camera with each objective.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calibrations(Vec<Calibration>);

/// The file. The checksum is that of the text of `calibrations`.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    version: u32,
    sha256: String,
    calibrations: T,
}

impl Calibrations {
    /// Reads those of a state folder; none if it has no file of them.
    ///
    /// # Errors
    /// [`CalibrationError::File`] and [`CalibrationError::Damaged`].
    pub fn read(state: &Path) -> Result<Self, CalibrationError> {
        let path = path(state);
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => {
                return Err(CalibrationError::File {
                    path,
                    action: "read",
                    source,
                });
            }
        };
        parse(&text).map_err(|problem| CalibrationError::Damaged { path, problem })
    }

    /// Replaces the file of a state folder, in one step.
    ///
    /// # Errors
    /// [`CalibrationError::File`].
    pub fn write(&self, state: &Path) -> Result<(), CalibrationError> {
        let path = path(state);
        let write = || {
            let calibrations = RawValue::from_string(serde_json::to_string(&self.0)?)?;
            let stored = Stored {
                version: VERSION,
                sha256: sha256(calibrations.get().as_bytes()),
                calibrations: &calibrations,
            };
            files::create_private_folder(state)?;
            files::replace(&path, &serde_json::to_vec(&stored)?, files::PRIVATE)
        };
        write().map_err(|source| CalibrationError::File {
            path: path.clone(),
            action: "written",
            source,
        })
    }

    /// The calibration of a camera with an objective.
    pub fn of(&self, setup: &Setup) -> Option<&Calibration> {
        self.0.iter().find(|known| known.setup == *setup)
    }

    /// All of them, in the order in which they were made.
    pub fn all(&self) -> &[Calibration] {
        &self.0
    }

    /// Adds a calibration, or puts it in the place of an earlier one of the same camera and objective.
    pub fn put(&mut self, calibration: Calibration) {
        self.remove(&calibration.setup);
        self.0.push(calibration);
    }

    /// Removes the calibration of a camera with an objective; returns whether there was one.
    pub fn remove(&mut self, setup: &Setup) -> bool {
        let before = self.0.len();
        self.0.retain(|known| known.setup != *setup);
        self.0.len() < before
    }
}

fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

fn read(path: &Path) -> io::Result<String> {
    if path.metadata()?.len() > MAX_BYTES {
        return Err(io::Error::other("it is too large"));
    }
    fs::read_to_string(path)
}

fn parse(text: &str) -> Result<Calibrations, String> {
    let stored: Stored<Box<RawValue>> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    if stored.version != VERSION {
        return Err(format!("it has form {} of a later version", stored.version));
    }
    let calibrations = stored.calibrations.get();
    if sha256(calibrations.as_bytes()) != stored.sha256 {
        return Err("its checksum is wrong".into());
    }
    let calibrations = serde_json::from_str(calibrations).map_err(|error| error.to_string())?;
    Ok(Calibrations(calibrations))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};
    use smearscope_artifacts::FlatField;

    use super::*;
    use crate::calibration::{LightCalibration, ScaleCalibration, ScaleMethod, WhiteBalance};

    fn setup(objective: &str) -> Setup {
        Setup {
            camera: "USB camera /dev/video0".into(),
            objective: objective.into(),
        }
    }

    fn calibration(objective: &str) -> Calibration {
        let empty = RgbImage::from_pixel(64, 48, Rgb([220, 200, 180]));
        Calibration {
            light: Some(LightCalibration {
                made_at: "2026-11-30T12:00:00Z".into(),
                flat_field: FlatField::of(&empty).unwrap(),
                white_balance: WhiteBalance::default(),
            }),
            scale: Some(ScaleCalibration {
                made_at: "2026-11-30T12:00:00Z".into(),
                um_per_pixel: 0.15,
                method: ScaleMethod::StageMicrometer,
                red_cells: None,
                spread: None,
            }),
            ..Calibration::new(setup(objective), (64, 48), None)
        }
    }

    #[test]
    fn calibrations_are_kept_by_camera_and_objective() {
        let state = tempfile::tempdir().unwrap();
        let state = &state.path().join("new");
        let mut calibrations = Calibrations::read(state).unwrap();
        assert_eq!(calibrations, Calibrations::default());
        calibrations.put(calibration("40x"));
        calibrations.put(calibration("100x"));
        let mut other = calibration("40x");
        other.light = None;
        calibrations.put(other.clone());
        calibrations.write(state).unwrap();
        let mut read = Calibrations::read(state).unwrap();
        assert_eq!(read, calibrations);
        assert_eq!(read.of(&setup("40x")), Some(&other));
        assert_eq!(read.of(&setup("100x")), Some(&calibration("100x")));
        assert_eq!(read.of(&setup("10x")), None);
        assert!(read.remove(&setup("40x")) && !read.remove(&setup("40x")));
        assert_eq!(read.all().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let mut calibrations = Calibrations::default();
        calibrations.put(calibration("40x"));
        calibrations.write(state.path()).unwrap();
        let file = path(state.path());
        let text = fs::read_to_string(&file).unwrap();
        for (from, to, part) in [
            ("0.15", "0.25", "checksum"),
            ("\"version\":1", "\"version\":2", "version"),
            ("}]}", "}]", "EOF"),
        ] {
            assert!(text.contains(from), "{text}");
            fs::write(&file, text.replacen(from, to, 1)).unwrap();
            let error = Calibrations::read(state.path()).unwrap_err().to_string();
            assert!(
                error.contains(part) && error.contains("calibrate again"),
                "{error}"
            );
        }
    }
}
