//! Chooses the mode of a camera.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use nokhwa::utils::{CameraFormat, FrameFormat};

use crate::config::{CameraConfig, PixelFormat};
use crate::error::HardwareError;

/// The `offered` modes that `config` allows, best first: most pixels, then highest frame rate, then MJPEG,
/// which needs less of the bus.
///
/// # Errors
/// [`HardwareError::Unsupported`] with the offered modes, if none is allowed.
pub(super) fn ranked(
    offered: &[CameraFormat],
    config: &CameraConfig,
) -> Result<Vec<CameraFormat>, HardwareError> {
    let is_size = |wanted: u32, size: u32| wanted == 0 || wanted == size;
    let pixels = |mode: &CameraFormat| u64::from(mode.width()) * u64::from(mode.height());
    let mut modes: Vec<CameraFormat> = offered
        .iter()
        .filter(|mode| match config.format {
            PixelFormat::Auto => matches!(mode.format(), FrameFormat::MJPEG | FrameFormat::YUYV),
            PixelFormat::Mjpeg => mode.format() == FrameFormat::MJPEG,
            PixelFormat::Yuyv => mode.format() == FrameFormat::YUYV,
        })
        .filter(|mode| is_size(config.width, mode.width()) && is_size(config.height, mode.height()))
        .filter(|mode| pixels(mode) <= config.max_pixels())
        .copied()
        .collect();
    modes.sort_by_key(|mode| {
        let is_jpeg = mode.format() == FrameFormat::MJPEG;
        Reverse((pixels(mode), mode.frame_rate(), is_jpeg))
    });
    modes.dedup();
    if modes.is_empty() {
        return Err(unsupported(offered, config));
    }
    Ok(modes)
}

fn unsupported(offered: &[CameraFormat], config: &CameraConfig) -> HardwareError {
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
    let mut sizes: BTreeMap<FrameFormat, Vec<(u32, u32)>> = BTreeMap::new();
    for mode in offered {
        let sizes = sizes.entry(mode.format()).or_default();
        if !sizes.contains(&(mode.width(), mode.height())) {
            sizes.push((mode.width(), mode.height()));
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

    fn mode((width, height): (u32, u32), format: FrameFormat, rate: u32) -> CameraFormat {
        CameraFormat::new_from(width, height, format, rate)
    }

    const FULL: (u32, u32) = (2592, 1944);
    const HD: (u32, u32) = (1280, 720);

    fn microscope() -> Vec<CameraFormat> {
        vec![
            mode(HD, FrameFormat::YUYV, 10),
            mode(FULL, FrameFormat::YUYV, 2),
            mode(FULL, FrameFormat::NV12, 60),
            mode(HD, FrameFormat::MJPEG, 30),
            mode(FULL, FrameFormat::MJPEG, 15),
            mode(FULL, FrameFormat::MJPEG, 5),
            mode(FULL, FrameFormat::MJPEG, 15),
        ]
    }

    fn best(config: &CameraConfig) -> CameraFormat {
        ranked(&microscope(), config).unwrap()[0]
    }

    #[test]
    fn the_largest_and_fastest_mode_is_best() {
        let config = CameraConfig::default();
        let modes = ranked(&microscope(), &config).unwrap();
        let expected = [
            mode(FULL, FrameFormat::MJPEG, 15),
            mode(FULL, FrameFormat::MJPEG, 5),
            mode(FULL, FrameFormat::YUYV, 2),
            mode(HD, FrameFormat::MJPEG, 30),
            mode(HD, FrameFormat::YUYV, 10),
        ];
        assert_eq!(modes, expected);
    }

    #[test]
    fn mjpeg_is_preferred_only_if_all_else_is_equal() {
        let config = CameraConfig::default();
        let raw = mode(HD, FrameFormat::YUYV, 30);
        let jpeg = |rate| mode(HD, FrameFormat::MJPEG, rate);
        assert_eq!(ranked(&[raw, jpeg(30)], &config).unwrap()[0], jpeg(30));
        assert_eq!(ranked(&[raw, jpeg(29)], &config).unwrap()[0], raw);
    }

    #[test]
    fn the_limit_and_the_configured_mode_are_kept() {
        let small = CameraConfig {
            max_megapixels: 2,
            ..CameraConfig::default()
        };
        assert_eq!(best(&small), mode(HD, FrameFormat::MJPEG, 30));
        let raw = CameraConfig {
            format: PixelFormat::Yuyv,
            ..CameraConfig::default()
        };
        assert_eq!(best(&raw), mode(FULL, FrameFormat::YUYV, 2));
        let sized = CameraConfig {
            height: 720,
            ..CameraConfig::default()
        };
        assert_eq!(best(&sized), mode(HD, FrameFormat::MJPEG, 30));
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
        let offers = "MJPEG 2592x1944 1280x720; YUYV 2592x1944 1280x720; NV12 2592x1944";
        assert!(error.contains(offers), "{error}");
        assert!(ranked(&[], &config).is_err());
        let only = [mode(HD, FrameFormat::RAWRGB, 30)];
        assert!(ranked(&only, &CameraConfig::default()).is_err());
    }
}
