//! Chooses the mode of a camera.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::config::{CameraConfig, PixelFormat};
use crate::error::HardwareError;

/// Name of a pixel format: four characters.
pub(super) type FourCc = [u8; 4];
/// Compressed as JPEG.
pub(super) const MJPEG: FourCc = *b"MJPG";
/// Raw, two bytes per pixel: luma, and in turn blue and red chroma.
pub(super) const YUYV: FourCc = *b"YUYV";

/// A way in which a camera delivers pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) format: FourCc,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) interval: Interval,
}

/// Seconds from frame to frame, as a fraction. Not every rate is a whole number: 7.5 per second are 2/15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
}

impl Interval {
    /// Not known: the driver does not list it.
    pub(super) const UNKNOWN: Self = Self {
        numerator: 0,
        denominator: 0,
    };

    /// Frames in 1,000 seconds; 0 if not known.
    fn millihertz(self) -> u64 {
        let frames = u64::from(self.denominator) * 1000;
        frames.checked_div(self.numerator.into()).unwrap_or(0)
    }
}

impl Mode {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let format = name(self.format);
        write!(f, "{format} {}x{}", self.width, self.height)?;
        match self.interval.millihertz() {
            0 => Ok(()),
            rate => write!(f, " at {} fps", rate as f64 / 1000.0),
        }
    }
}

/// A pixel format as messages name it.
pub(super) fn name(format: FourCc) -> String {
    match format {
        MJPEG => "MJPEG".into(),
        other => other.escape_ascii().to_string(),
    }
}

/// Sizes that are tried if a camera offers a range of them.
const COMMON_SIZES: [(u32, u32); 11] = [
    (3840, 2160),
    (3264, 2448),
    (2592, 1944),
    (2048, 1536),
    (1920, 1080),
    (1600, 1200),
    (1280, 960),
    (1280, 720),
    (1024, 768),
    (800, 600),
    (640, 480),
];

/// A range of sizes: the least, the greatest, and the steps between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct SizeRange {
    pub(super) min: (u32, u32),
    pub(super) max: (u32, u32),
    pub(super) step: (u32, u32),
}

impl SizeRange {
    /// The greatest size of the range, the configured one, and common ones, as far as they are in it.
    pub(super) fn sizes(&self, config: &CameraConfig) -> Vec<(u32, u32)> {
        let fits = |min: u32, max: u32, step: u32, size: u32| {
            (min..=max).contains(&size) && (size - min) % step.max(1) == 0
        };
        let or = |wanted: u32, other: u32| if wanted == 0 { other } else { wanted };
        let configured = (or(config.width, self.max.0), or(config.height, self.max.1));
        [configured, self.max]
            .into_iter()
            .chain(COMMON_SIZES)
            .filter(|(width, height)| {
                fits(self.min.0, self.max.0, self.step.0, *width)
                    && fits(self.min.1, self.max.1, self.step.1, *height)
            })
            .collect()
    }
}

/// The `offered` modes that `config` allows, best first: most pixels, then highest frame rate, then MJPEG,
/// which needs less of the bus.
///
/// # Errors
/// [`HardwareError::Unsupported`] with the offered modes, if none is allowed.
pub(super) fn ranked(offered: &[Mode], config: &CameraConfig) -> Result<Vec<Mode>, HardwareError> {
    let is_size = |wanted: u32, size: u32| wanted == 0 || wanted == size;
    let mut modes: Vec<Mode> = offered
        .iter()
        .filter(|mode| match config.format {
            PixelFormat::Auto => matches!(mode.format, MJPEG | YUYV),
            PixelFormat::Mjpeg => mode.format == MJPEG,
            PixelFormat::Yuyv => mode.format == YUYV,
        })
        .filter(|mode| is_size(config.width, mode.width) && is_size(config.height, mode.height))
        .filter(|mode| mode.pixels() <= u64::from(config.max_megapixels) * 1_000_000)
        .copied()
        .collect();
    modes.sort_by_key(|mode| {
        let rate = mode.interval.millihertz();
        Reverse((mode.pixels(), rate, mode.format == MJPEG))
    });
    modes.dedup();
    if modes.is_empty() {
        return Err(unsupported(offered, config));
    }
    Ok(modes)
}

fn unsupported(offered: &[Mode], config: &CameraConfig) -> HardwareError {
    let size = |size: u32| match size {
        0 => "any".into(),
        size => size.to_string(),
    };
    let format = match config.format {
        PixelFormat::Auto => "MJPEG or YUYV",
        PixelFormat::Mjpeg => "MJPEG",
        PixelFormat::Yuyv => "YUYV",
    };
    // Frame rates are left out: they cannot be configured and would make the message too long.
    let mut sizes: BTreeMap<FourCc, Vec<(u32, u32)>> = BTreeMap::new();
    for mode in offered {
        let sizes = sizes.entry(mode.format).or_default();
        if !sizes.contains(&(mode.width, mode.height)) {
            sizes.push((mode.width, mode.height));
        }
    }
    let offers: Vec<String> = sizes
        .into_iter()
        .map(|(format, mut sizes)| {
            sizes.sort_unstable_by_key(|size| Reverse(*size));
            let sizes: Vec<_> = sizes.iter().map(|(w, h)| format!("{w}x{h}")).collect();
            format!("{} {}", name(format), sizes.join(" "))
        })
        .collect();
    HardwareError::Unsupported {
        part: "camera",
        wanted: format!(
            "{format}, width {}, height {}, at most {} megapixels",
            size(config.width),
            size(config.height),
            config.max_megapixels
        ),
        offers: if offers.is_empty() {
            "no modes; choose another camera.device".into()
        } else {
            offers.join("; ")
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode((width, height): (u32, u32), format: FourCc, rate: u32) -> Mode {
        Mode {
            format,
            width,
            height,
            interval: Interval {
                numerator: 1,
                denominator: rate,
            },
        }
    }

    const FULL: (u32, u32) = (2592, 1944);
    const HD: (u32, u32) = (1280, 720);

    fn microscope() -> Vec<Mode> {
        vec![
            mode(HD, YUYV, 10),
            mode(FULL, YUYV, 2),
            mode(FULL, *b"NV12", 60),
            mode(HD, MJPEG, 30),
            mode(FULL, MJPEG, 15),
            mode(FULL, MJPEG, 5),
            mode(FULL, MJPEG, 15),
        ]
    }

    fn best(config: &CameraConfig) -> Mode {
        ranked(&microscope(), config).unwrap()[0]
    }

    #[test]
    fn the_largest_and_fastest_mode_is_best() {
        let config = CameraConfig::default();
        let modes = ranked(&microscope(), &config).unwrap();
        let expected = [
            mode(FULL, MJPEG, 15),
            mode(FULL, MJPEG, 5),
            mode(FULL, YUYV, 2),
            mode(HD, MJPEG, 30),
            mode(HD, YUYV, 10),
        ];
        assert_eq!(modes, expected);
    }

    #[test]
    fn rates_that_are_not_whole_numbers_rank_like_any_other() {
        let rate = |numerator, denominator| Mode {
            interval: Interval {
                numerator,
                denominator,
            },
            ..mode(FULL, MJPEG, 1)
        };
        let unknown = Mode {
            interval: Interval::UNKNOWN,
            ..mode(FULL, MJPEG, 1)
        };
        let offered = [
            unknown,
            mode(FULL, MJPEG, 7),
            rate(2, 15),
            mode(HD, MJPEG, 30),
        ];
        let modes = ranked(&offered, &CameraConfig::default()).unwrap();
        let expected = [
            rate(2, 15),
            mode(FULL, MJPEG, 7),
            unknown,
            mode(HD, MJPEG, 30),
        ];
        assert_eq!(modes, expected);
        assert_eq!(modes[0].to_string(), "MJPEG 2592x1944 at 7.5 fps");
        assert_eq!(unknown.to_string(), "MJPEG 2592x1944");
    }

    #[test]
    fn a_range_of_sizes_offers_its_greatest_the_configured_and_common_ones() {
        let range = SizeRange {
            min: (32, 32),
            max: (1300, 1000),
            step: (4, 4),
        };
        let sizes = range.sizes(&CameraConfig::default());
        assert_eq!(sizes[..2], [(1300, 1000), (1300, 1000)]);
        assert!(sizes.contains(&(1280, 960)) && !sizes.contains(&(1600, 1200)));
        let configured = |width, height| CameraConfig {
            width,
            height,
            ..CameraConfig::default()
        };
        assert!(range.sizes(&configured(320, 200)).contains(&(320, 200)));
        assert!(!range.sizes(&configured(321, 200)).contains(&(321, 200)));
        assert!(!range.sizes(&configured(8, 8)).contains(&(8, 8)));
    }

    #[test]
    fn mjpeg_is_preferred_only_if_all_else_is_equal() {
        let config = CameraConfig::default();
        let raw = mode(HD, YUYV, 30);
        let jpeg = |rate| mode(HD, MJPEG, rate);
        assert_eq!(ranked(&[raw, jpeg(30)], &config).unwrap()[0], jpeg(30));
        assert_eq!(ranked(&[raw, jpeg(29)], &config).unwrap()[0], raw);
    }

    #[test]
    fn the_limit_and_the_configured_mode_are_kept() {
        let small = CameraConfig {
            max_megapixels: 2,
            ..CameraConfig::default()
        };
        assert_eq!(best(&small), mode(HD, MJPEG, 30));
        let raw = CameraConfig {
            format: PixelFormat::Yuyv,
            ..CameraConfig::default()
        };
        assert_eq!(best(&raw), mode(FULL, YUYV, 2));
        let sized = CameraConfig {
            height: 720,
            ..CameraConfig::default()
        };
        assert_eq!(best(&sized), mode(HD, MJPEG, 30));
    }

    #[test]
    fn the_error_of_an_unsupported_mode_lists_the_offered_ones() {
        let config = CameraConfig {
            format: PixelFormat::Mjpeg,
            width: 640,
            ..CameraConfig::default()
        };
        let error = ranked(&microscope(), &config).unwrap_err().to_string();
        assert!(error.contains("MJPEG, width 640, height any"), "{error}");
        for offers in [
            "MJPEG 2592x1944 1280x720",
            "YUYV 2592x1944 1280x720",
            "NV12 2592x1944",
        ] {
            assert!(error.contains(offers), "{error}");
        }
        assert!(ranked(&[], &config).is_err());
        let only = [mode(HD, *b"H264", 30)];
        let error = ranked(&only, &CameraConfig::default()).unwrap_err();
        assert!(error.to_string().contains("H264 1280x720"), "{error}");
    }
}
