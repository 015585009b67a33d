//! Chooses the mode of a camera.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use nokhwa::utils::{CameraFormat, FrameFormat};

use crate::config::{CameraConfig, PixelFormat};
use crate::error::HardwareError;

/// A mode of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) encoding: Encoding,
    pub(super) interval: Interval,
}

/// How a camera encodes its pixels: the four characters of V4L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Encoding(pub(super) [u8; 4]);

impl Encoding {
    pub(super) const MJPEG: Self = Self(*b"MJPG");
    pub(super) const YUYV: Self = Self(*b"YUYV");
}

impl Display for Encoding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if *self == Self::MJPEG {
            f.write_str("MJPEG")
        } else {
            write!(f, "{}", self.0.escape_ascii())
        }
    }
}

/// Time from a frame to the next, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
}

impl Interval {
    /// Whether both are the same time: a driver may return 2/60 for 1/30.
    pub(super) fn is_as_long_as(self, other: Self) -> bool {
        self.cmp_rate(other) == Ordering::Equal
    }

    /// Order of frame rates, the lowest first.
    fn cmp_rate(self, other: Self) -> Ordering {
        let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
        product(self.denominator, other.numerator).cmp(&product(other.denominator, self.numerator))
    }
}

impl Display for Interval {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} s", self.numerator, self.denominator)
    }
}

impl Mode {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The mode as nokhwa names it; `None` if nokhwa does not know such modes.
    pub(super) fn known_to_nokhwa(&self) -> Option<CameraFormat> {
        let format = match self.encoding {
            Encoding::MJPEG => FrameFormat::MJPEG,
            Encoding::YUYV => FrameFormat::YUYV,
            _ => return None,
        };
        let Interval {
            numerator: 1,
            denominator: rate,
        } = self.interval
        else {
            return None;
        };
        Some(CameraFormat::new_from(
            self.width,
            self.height,
            format,
            rate,
        ))
    }
}

impl Display for Mode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            width,
            height,
            encoding,
            interval,
        } = self;
        write!(f, "{encoding} {width}x{height}, {interval}")
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
            PixelFormat::Auto => [Encoding::MJPEG, Encoding::YUYV].contains(&mode.encoding),
            PixelFormat::Mjpeg => mode.encoding == Encoding::MJPEG,
            PixelFormat::Yuyv => mode.encoding == Encoding::YUYV,
        })
        .filter(|mode| is_size(config.width, mode.width) && is_size(config.height, mode.height))
        .filter(|mode| mode.pixels() <= config.max_pixels())
        .copied()
        .collect();
    modes.sort_by(|a, b| {
        let is_jpeg = |mode: &Mode| mode.encoding == Encoding::MJPEG;
        (b.pixels().cmp(&a.pixels()))
            .then_with(|| b.interval.cmp_rate(a.interval))
            .then_with(|| is_jpeg(b).cmp(&is_jpeg(a)))
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
    let mut sizes: BTreeMap<Encoding, Vec<(u32, u32)>> = BTreeMap::new();
    for mode in offered {
        let sizes = sizes.entry(mode.encoding).or_default();
        if !sizes.contains(&(mode.width, mode.height)) {
            sizes.push((mode.width, mode.height));
        }
    }
    let offers: Vec<String> = sizes
        .into_iter()
        .map(|(format, mut sizes)| {
            sizes.sort_unstable_by_key(|size| Reverse(*size));
            let sizes: Vec<_> = sizes.iter().map(|(w, h)| format!("{w}x{h}")).collect();
            format!("{format} {}", sizes.join(" "))
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

    const NV12: Encoding = Encoding(*b"NV12");

    fn mode((width, height): (u32, u32), encoding: Encoding, rate: u32) -> Mode {
        Mode {
            width,
            height,
            encoding,
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
            mode(HD, Encoding::YUYV, 10),
            mode(FULL, Encoding::YUYV, 2),
            mode(FULL, NV12, 60),
            mode(HD, Encoding::MJPEG, 30),
            mode(FULL, Encoding::MJPEG, 15),
            mode(FULL, Encoding::MJPEG, 5),
            mode(FULL, Encoding::MJPEG, 15),
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
            mode(FULL, Encoding::MJPEG, 15),
            mode(FULL, Encoding::MJPEG, 5),
            mode(FULL, Encoding::YUYV, 2),
            mode(HD, Encoding::MJPEG, 30),
            mode(HD, Encoding::YUYV, 10),
        ];
        assert_eq!(modes, expected);
    }

    #[test]
    fn mjpeg_is_preferred_only_if_all_else_is_equal() {
        let config = CameraConfig::default();
        let raw = mode(HD, Encoding::YUYV, 30);
        let jpeg = |rate| mode(HD, Encoding::MJPEG, rate);
        assert_eq!(ranked(&[raw, jpeg(30)], &config).unwrap()[0], jpeg(30));
        assert_eq!(ranked(&[raw, jpeg(29)], &config).unwrap()[0], raw);
    }

    #[test]
    fn a_frame_interval_need_not_be_a_whole_fraction_of_a_second() {
        let slow = Mode {
            interval: Interval {
                numerator: 2,
                denominator: 15,
            },
            ..mode(FULL, Encoding::YUYV, 1)
        };
        let offered = [
            mode(FULL, Encoding::YUYV, 7),
            slow,
            mode(FULL, Encoding::YUYV, 8),
        ];
        let modes = ranked(&offered, &CameraConfig::default()).unwrap();
        assert_eq!(
            modes,
            [offered[2], slow, offered[0]],
            "8, 7.5 and 7 a second"
        );
        assert_eq!(slow.to_string(), "YUYV 2592x1944, 2/15 s");
        assert_eq!(slow.known_to_nokhwa(), None);
        let format = CameraFormat::new_from(2592, 1944, FrameFormat::YUYV, 7);
        assert_eq!(offered[0].known_to_nokhwa(), Some(format));
    }

    #[test]
    fn the_limit_and_the_configured_mode_are_kept() {
        let small = CameraConfig {
            max_megapixels: 2,
            ..CameraConfig::default()
        };
        assert_eq!(best(&small), mode(HD, Encoding::MJPEG, 30));
        let raw = CameraConfig {
            format: PixelFormat::Yuyv,
            ..CameraConfig::default()
        };
        assert_eq!(best(&raw), mode(FULL, Encoding::YUYV, 2));
        let sized = CameraConfig {
            height: 720,
            ..CameraConfig::default()
        };
        assert_eq!(best(&sized), mode(HD, Encoding::MJPEG, 30));
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
        let offers = "MJPEG 2592x1944 1280x720; NV12 2592x1944; YUYV 2592x1944 1280x720";
        assert!(error.contains(offers), "{error}");
        assert!(ranked(&[], &config).is_err());
        let only = [mode(HD, Encoding(*b"RGB3"), 30)];
        assert!(ranked(&only, &CameraConfig::default()).is_err());
    }
}
