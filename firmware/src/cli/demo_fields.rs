//! The demo fields of the simulated bench, which are part of the program so that it works anywhere.

use std::fs;
use std::io;

use smearscope_hardware::{Camera, Frame, HardwareError, Pixels};
use tempfile::TempDir;

/// Includes demo fields by name.
macro_rules! demo_fields {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hardware/fields/", $name)),
        )),+]
    };
}

/// Names and contents of the fields, 374 KiB.
const FIELDS: [(&str, &[u8]); 6] = demo_fields![
    "field01_1.jpg",
    "field02_1.jpg",
    "field03_0.jpg",
    "field04_0.jpg",
    "field05_1.jpg",
    "field06_0.jpg",
];

/// Writes the fields into a temporary folder.
///
/// # Errors
/// [`HardwareError::Open`] if they cannot be written.
pub(crate) fn unpack() -> Result<TempDir, HardwareError> {
    let write = || -> io::Result<TempDir> {
        let folder = tempfile::tempdir()?;
        for (name, bytes) in FIELDS {
            fs::write(folder.path().join(name), bytes)?;
        }
        Ok(folder)
    };
    write().map_err(|source| HardwareError::Open {
        part: "camera",
        at: "temporary folder for the demo fields".into(),
        remedy: "make room, or name a folder of images with --fields".into(),
        source: Some(source.into()),
    })
}

/// A camera that plays the demo fields, and removes their folder when it is dropped.
pub(crate) struct DemoCamera {
    pub(crate) camera: Box<dyn Camera>,
    pub(crate) _folder: TempDir,
}

impl Camera for DemoCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        self.camera.capture()
    }

    fn preview(&mut self) -> Result<Pixels, HardwareError> {
        self.camera.preview()
    }

    fn stop_preview(&mut self) {
        self.camera.stop_preview();
    }

    fn describe(&self) -> String {
        "demo fields of the program".into()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn they_are_those_of_the_source_tree() {
        let folder = unpack().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hardware/fields");
        assert_eq!(source.read_dir().unwrap().count(), FIELDS.len());
        for (name, _) in FIELDS {
            let read = |folder: &Path| fs::read(folder.join(name)).unwrap();
            assert_eq!(read(folder.path()), read(&source), "{name}");
        }
    }
}
