//! The ribbon cameras and their modes, as `rpicam-vid --list-cameras` lists them.

use super::program::Splitter;
use crate::config::CameraConfig;

/// Width and height in pixels.
pub(super) type Size = (u32, u32);

/// Far more than a list of cameras.
const MAX_BYTES: usize = 64 << 10;

/// A camera and its modes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sensor {
    /// Its number for `--camera`.
    pub(super) number: u32,
    /// Name of the sensor, such as `imx477`.
    pub(super) name: String,
    /// Sizes of the frames that it can deliver; at least one.
    modes: Vec<Size>,
}

/// Collects the list of cameras.
#[derive(Default)]
pub(super) struct SensorList(Vec<u8>);

impl Splitter for SensorList {
    type Item = Vec<Sensor>;

    fn push(&mut self, bytes: &[u8], _: &mut Vec<Self::Item>) {
        let room = MAX_BYTES - self.0.len();
        self.0.extend(&bytes[..bytes.len().min(room)]);
    }

    /// Whatever else the program writes is no list: it failed.
    fn finish(self) -> Option<Self::Item> {
        let text = String::from_utf8_lossy(&self.0);
        let is_list = ["Available cameras", "No cameras available"]
            .iter()
            .any(|title| text.contains(title));
        is_list.then(|| sensors(&text))
    }
}

impl Sensor {
    /// The mode with the most pixels: the whole sensor.
    pub(super) fn full_mode(&self) -> Size {
        self.largest(|_| true).unwrap_or_default()
    }

    /// The mode that combines 2×2 pixels, which is faster; the full mode if there is none.
    pub(super) fn binned_mode(&self) -> Size {
        let half = self.full_mode().0 / 2;
        let binned = self.largest(|(width, _)| width <= half);
        binned.unwrap_or_else(|| self.full_mode())
    }

    fn largest(&self, is_allowed: impl Fn(Size) -> bool) -> Option<Size> {
        let allowed = self.modes.iter().copied().filter(|size| is_allowed(*size));
        allowed.max_by_key(|size| pixels(*size))
    }

    /// Size of the preview: that of the binned mode in the shape of the pictures.
    pub(super) fn preview(&self, config: &CameraConfig) -> Size {
        let (width, height) = self.picture(config);
        let (across, down) = self.binned_mode();
        let width_of = |rows| scaled(width, rows, height);
        let height_of = |columns| scaled(height, columns, width);
        if u64::from(width) * u64::from(down) > u64::from(height) * u64::from(across) {
            (even(across), height_of(across))
        } else {
            (width_of(down), even(down))
        }
    }

    /// Size of the picture that is made of a frame of the full mode: the configured one, or the largest of the same shape
    /// that has no more than `camera.max_megapixels`.
    pub(super) fn picture(&self, config: &CameraConfig) -> Size {
        let full = self.full_mode();
        match (config.width, config.height) {
            (0, 0) => shrunk(full, config.max_pixels()),
            (0, height) => (scaled(full.0, height, full.1), even(height)),
            (width, 0) => (even(width), scaled(full.1, width, full.0)),
            (width, height) => (even(width), even(height)),
        }
    }
}

fn pixels((width, height): Size) -> u64 {
    u64::from(width) * u64::from(height)
}

/// `size`, or one of the same shape with at most `max_pixels`.
fn shrunk(size: Size, max_pixels: u64) -> Size {
    let scale = (max_pixels as f64 / pixels(size) as f64).sqrt().min(1.0);
    let shorter = |length: u32| even((f64::from(length) * scale) as u32);
    (shorter(size.0), shorter(size.1))
}

/// The length, or the next smaller one that libcamera accepts: even, and not zero.
fn even(length: u32) -> u32 {
    (length / 2 * 2).max(2)
}

/// `length × by / of`, even.
fn scaled(length: u32, by: u32, of: u32) -> u32 {
    let length = u64::from(length) * u64::from(by) / u64::from(of.max(1));
    even(u32::try_from(length).unwrap_or(u32::MAX))
}

/// Reads the list of cameras. Its form differs between versions of the program:
///
/// ```text
/// 0 : imx477 [4056x3040 12-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx477@1a)
///     Modes: 'SRGGB10_CSI2P' : 1332x990 [120.05 fps - (696, 528)/2664x1980 crop]
///            'SRGGB12_CSI2P' : 2028x1080 2028x1520 (40.00 fps), 4056x3040
/// ```
fn sensors(list: &str) -> Vec<Sensor> {
    let mut sensors: Vec<Sensor> = Vec::new();
    for line in list.lines() {
        if let Some(sensor) = header(line) {
            sensors.push(sensor);
        } else if let Some(sensor) = sensors.last_mut() {
            let plain = without_brackets(line);
            let modes = plain.split([' ', ',']).filter_map(size);
            sensor.modes.extend(modes);
        }
    }
    for sensor in &mut sensors {
        // The size of the sensor itself is no mode, unless nothing else is known.
        if sensor.modes.len() > 1 {
            sensor.modes.remove(0);
        }
    }
    sensors
}

/// The first line of a camera, with its number, its name and the size of the sensor.
fn header(line: &str) -> Option<Sensor> {
    let (number, rest) = line.trim().split_once(" : ")?;
    let (name, rest) = rest.split_once(" [")?;
    let whole = rest.split([' ', ']']).next().and_then(size)?;
    Some(Sensor {
        number: number.parse().ok()?,
        name: name.to_owned(),
        modes: vec![whole],
    })
}

/// The text without what is in brackets: the frame rates and crops of modes.
fn without_brackets(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = text.chars().filter(|character| {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => {
                depth = depth.saturating_sub(1);
                return false;
            }
            _ => {}
        }
        depth == 0
    });
    outside.collect()
}

fn size(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    let size = (width.parse().ok()?, height.parse().ok()?);
    (pixels(size) > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rpicam-apps 1.5 prints it for an HQ camera and a Module 3.
    const NEW: &str = "Available cameras
-----------------
0 : imx477 [4056x3040 12-bit RGGB] (/base/soc/i2c0mux/i2c@1/imx477@1a)
    Modes: 'SRGGB10_CSI2P' : 1332x990 [120.05 fps - (696, 528)/2664x1980 crop]
           'SRGGB12_CSI2P' : 2028x1080 [50.03 fps - (0, 440)/4056x2160 crop]
                             2028x1520 [40.01 fps - (0, 0)/4056x3040 crop]
                             4056x3040 [10.00 fps - (0, 0)/4056x3040 crop]

1 : imx708 [4608x2592 10-bit RGGB] (/base/soc/i2c0mux/i2c@0/imx708@1a)
    Modes: 'SRGGB10_CSI2P' : 1536x864 [120.13 fps - (768, 432)/3072x1728 crop]
                             2304x1296 [56.03 fps - (0, 0)/4608x2592 crop]
                             4608x2592 [14.35 fps - (0, 0)/4608x2592 crop]
";
    /// As libcamera-apps of 2022 printed it for a Module 2.
    const OLD: &str = "Available cameras
-----------------
0 : imx219 [3280x2464] (/base/soc/i2c0mux/i2c@1/imx219@10)
    Modes: 'SRGGB10_CSI2P' : 640x480 (206.65 fps), 1640x1232 (41.85 fps), 1920x1080 (47.57 fps), 3280x2464 (21.19 fps)
";

    #[test]
    fn the_lists_of_old_and_new_versions_are_read() {
        let [hq, module_3] = &sensors(NEW)[..] else {
            panic!("two cameras");
        };
        assert_eq!((hq.number, &*hq.name), (0, "imx477"));
        assert_eq!((module_3.number, &*module_3.name), (1, "imx708"));
        assert_eq!(hq.full_mode(), (4056, 3040));
        assert_eq!(hq.binned_mode(), (2028, 1520));
        assert_eq!(module_3.binned_mode(), (2304, 1296));
        let [module_2] = &sensors(OLD)[..] else {
            panic!("one camera");
        };
        assert_eq!(module_2.full_mode(), (3280, 2464));
        assert_eq!(module_2.binned_mode(), (1640, 1232));
        assert_eq!(sensors("No cameras available!\n"), []);
        assert_eq!(sensors("0 : x [ax1] y\n1 : y [0x0]\n9x9"), []);
    }

    #[test]
    fn the_picture_shows_the_whole_sensor_within_the_limit() {
        let hq = &sensors(NEW)[0];
        let module_2 = &sensors(OLD)[0];
        let config = CameraConfig::default();
        assert_eq!(config.max_megapixels, 8);
        // A camera sold with 8 megapixels has 8.08.
        assert_eq!(module_2.picture(&config), (3280, 2464));
        assert_eq!(hq.picture(&config), (3366, 2524));
        let all = CameraConfig {
            max_megapixels: 12,
            ..CameraConfig::default()
        };
        assert_eq!(hq.picture(&all), (4056, 3040));
        let sized = |width, height| CameraConfig {
            width,
            height,
            ..CameraConfig::default()
        };
        assert_eq!(hq.picture(&sized(1920, 1080)), (1920, 1080));
        assert_eq!(hq.picture(&sized(2028, 0)), (2028, 1520));
        assert_eq!(hq.picture(&sized(0, 760)), (1014, 760));
        assert_eq!(hq.picture(&sized(641, 3)), (640, 2));
        assert_eq!(hq.preview(&config), (2026, 1520));
        assert_eq!(hq.preview(&sized(1920, 1080)), (2028, 1140));
        assert_eq!(hq.preview(&sized(1080, 1920)), (854, 1520));
    }

    #[test]
    fn a_sensor_without_a_list_of_modes_has_its_own_size() {
        let sensor = &sensors("0 : ov5647 [2592x1944] (/base)\n")[0];
        assert_eq!(sensor.full_mode(), (2592, 1944));
        assert_eq!(sensor.binned_mode(), (2592, 1944));
    }

    #[test]
    fn what_is_no_list_is_a_failure() {
        let finished = |text: &[u8]| {
            let mut list = SensorList::default();
            list.push(text, &mut Vec::new());
            list.finish()
        };
        assert_eq!(finished(b""), None);
        assert_eq!(finished(b"error while loading shared libraries"), None);
        assert_eq!(finished(b"No cameras available!\n"), Some(Vec::new()));
        assert_eq!(
            finished(OLD.as_bytes()).map(|sensors| sensors.len()),
            Some(1)
        );
    }

    #[test]
    fn an_endless_list_does_not_fill_the_memory() {
        let (mut list, mut found) = (SensorList::default(), Vec::new());
        for _ in 0..100 {
            list.push(&[b'x'; 4096], &mut found);
        }
        assert_eq!(list.0.len(), MAX_BYTES);
    }
}
