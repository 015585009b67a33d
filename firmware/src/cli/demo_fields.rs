//! The demo fields of the simulated bench, which are part of the program so that it works anywhere.

use std::time::Instant;

use smearscope_hardware::{
    Camera, CaptureSettings, Frame, HardwareError, Pixels, Preview, PreviewMode,
};

/// Includes demo fields by name.
macro_rules! demo_fields {
    ($($name:literal),+ $(,)?) => {
        [$((
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../hardware/fields/", $name)),
        )),+]
    };
}

/// Names and contents of the fields, 374 KiB, sorted by name.
const FIELDS: [(&str, &[u8]); 6] = demo_fields![
    "field01_1.jpg",
    "field02_1.jpg",
    "field03_0.jpg",
    "field04_0.jpg",
    "field05_1.jpg",
    "field06_0.jpg",
];

/// A camera that plays the demo fields in a loop.
#[derive(Debug, Default)]
pub(crate) struct DemoCamera {
    /// Index of the field that the next capture returns.
    next: usize,
}

impl Camera for DemoCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let (name, bytes) = FIELDS[self.next];
        self.next = (self.next + 1) % FIELDS.len();
        Ok(Frame {
            pixels: Pixels::Encoded(bytes.into()),
            captured_at: Instant::now(),
            earlier: None,
            source: name.into(),
            um_per_pixel: None,
            settings: CaptureSettings::default(),
        })
    }

    /// The field that the next capture returns.
    fn preview(&mut self, _: PreviewMode) -> Result<Preview, HardwareError> {
        let (_, bytes) = FIELDS[self.next];
        Ok(Pixels::Encoded(bytes.into()).into())
    }

    fn describe(&self) -> String {
        "demo fields of the program".into()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use smearscope_hardware::sim::FolderCamera;

    use super::*;

    #[test]
    fn they_play_like_those_of_the_source_tree() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hardware/fields");
        assert_eq!(folder.read_dir().unwrap().count(), FIELDS.len());
        let mut source = FolderCamera::open(folder, |_| true).unwrap();
        let mut demo = DemoCamera::default();
        // One more than there are, because the first follows the last.
        for _ in 0..=FIELDS.len() {
            let [demo, source]: [&mut dyn Camera; 2] = [&mut demo, &mut source];
            let mode = PreviewMode::Full;
            assert_eq!(demo.preview(mode).unwrap(), source.preview(mode).unwrap());
            let (demo, source) = (demo.capture().unwrap(), source.capture().unwrap());
            assert_eq!(demo.source, source.source);
            assert!(demo.pixels == source.pixels, "{}", demo.source);
        }
    }
}
