//! A USB microscope camera (UVC) through V4L2.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nokhwa::NokhwaError;
use nokhwa::utils::{
    CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, buf_yuyv422_to_rgb,
};

use crate::{Camera, Frame, HardwareError, Pixels};

/// What [`pixels`] understands.
const FORMATS: [FrameFormat; 3] = [FrameFormat::MJPEG, FrameFormat::YUYV, FrameFormat::RAWRGB];
/// Frames in which exposure and white balance settle.
const SETTLING_FRAMES: usize = 8;
/// Cameras may damage the first frame of a stream.
const DOUBTFUL_FRAMES: usize = 1;

/// A USB camera. It is opened for each picture, so it may be unplugged and plugged in.
pub(super) struct UsbCamera {
    device: PathBuf,
}

impl UsbCamera {
    /// Looks whether the device is there.
    pub(super) fn open(device: PathBuf) -> Result<Self, HardwareError> {
        index_of(&device)?;
        Ok(Self { device })
    }

    fn lost(&self, error: NokhwaError) -> HardwareError {
        HardwareError::Lost {
            part: "camera",
            remedy: format!(
                "check its USB cable, that no other program uses it and that the user is in the \
                 group video ({})",
                self.device.display()
            ),
            source: Some(error.into()),
        }
    }
}

impl Camera for UsbCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let index = CameraIndex::Index(index_of(&self.device)?);
        let largest = RequestedFormatType::AbsoluteHighestResolution;
        let wanted = RequestedFormat::with_formats(largest, &FORMATS);
        let mut camera = nokhwa::Camera::new(index, wanted).map_err(|error| self.lost(error))?;
        // nokhwa hands out whole buffers and does not tell how much of one the frame fills: in a
        // used buffer, the rest of an older frame would complete a truncated one. The kernel clears
        // new buffers, so the frame comes from a new stream that has not used any twice.
        restart(&mut camera, SETTLING_FRAMES).map_err(|error| self.lost(error))?;
        restart(&mut camera, DOUBTFUL_FRAMES).map_err(|error| self.lost(error))?;
        let captured_at = Instant::now();
        let format = camera.camera_format();
        let buffer = camera.frame_raw().map_err(|error| self.lost(error))?;
        Ok(Frame {
            pixels: pixels(format.format(), format.width(), format.height(), &buffer)?,
            captured_at,
            source: self.device.display().to_string(),
        })
    }

    fn describe(&self) -> String {
        format!("USB camera {}", self.device.display())
    }
}

/// Starts a new stream and drops its first frames.
fn restart(camera: &mut nokhwa::Camera, frames: usize) -> Result<(), NokhwaError> {
    camera.stop_stream()?;
    camera.open_stream()?;
    for _ in 0..frames {
        camera.frame_raw()?;
    }
    Ok(())
}

/// The N of `/dev/videoN`, also behind a link such as those in `/dev/v4l/by-id`.
fn index_of(device: &Path) -> Result<u32, HardwareError> {
    let unusable = |remedy: &str, source: Option<std::io::Error>| HardwareError::Open {
        part: "camera",
        at: device.display().to_string(),
        remedy: remedy.into(),
        source: source.map(Into::into),
    };
    let resolved = device.canonicalize().map_err(|error| {
        unusable(
            "plug it in, or name another of /dev/v4l/by-id in the configuration",
            Some(error),
        )
    })?;
    resolved
        .to_str()
        .and_then(|path| path.strip_prefix("/dev/video"))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| unusable("name /dev/videoN or a link to one", None))
}

/// Passes JPEG on as it is and turns the camera's raw formats into RGB.
fn pixels(
    format: FrameFormat,
    width: u32,
    height: u32,
    bytes: &[u8],
) -> Result<Pixels, HardwareError> {
    let samples = width as usize * height as usize * 3;
    let damaged = |reason: String| HardwareError::DamagedFrame { reason };
    match format {
        FrameFormat::MJPEG => {
            let jpeg = whole_jpeg(bytes)
                .ok_or_else(|| damaged("it does not begin and end as a JPEG".into()))?;
            Ok(Pixels::Encoded(jpeg.to_vec()))
        }
        FrameFormat::YUYV => {
            let mut data = vec![0; samples];
            buf_yuyv422_to_rgb(bytes, &mut data, false)
                .map_err(|error| damaged(error.to_string()))?;
            Ok(Pixels::Rgb8 {
                width,
                height,
                data,
            })
        }
        FrameFormat::RAWRGB if bytes.len() == samples => Ok(Pixels::Rgb8 {
            width,
            height,
            data: bytes.to_vec(),
        }),
        other => Err(damaged(format!(
            "{} bytes of {other} for {width}x{height} pixels",
            bytes.len()
        ))),
    }
}

/// The JPEG from its start-of-image to its end-of-image marker, without the zeros that fill the
/// buffer.
fn whole_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.iter().rposition(|byte| *byte != 0)?;
    let jpeg = &bytes[..=last];
    (jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])).then_some(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mjpeg_is_passed_on_whole_or_not_at_all() {
        let whole = [0xff, 0xd8, 1, 2, 0xff, 0xd9, 0, 0, 0];
        assert_eq!(
            pixels(FrameFormat::MJPEG, 2, 1, &whole).unwrap(),
            Pixels::Encoded(whole[..6].to_vec())
        );
        let residue = [0xff, 0xd8, 0xff, 0xd9, 0, 7];
        for cut in [&whole[..4], &[], &[0; 9], &whole[1..], &residue] {
            assert!(pixels(FrameFormat::MJPEG, 2, 1, cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn yuyv_becomes_rgb_by_bt_601() {
        // ITU-R BT.601, limited range: white, black, and 75 % red (colour bars of EBU Tech 3280).
        let frame = [235, 128, 16, 128, 65, 100, 65, 212];
        let Pixels::Rgb8 { data, .. } = pixels(FrameFormat::YUYV, 4, 1, &frame).unwrap() else {
            panic!("raw pixels");
        };
        let expected = [255, 255, 255, 0, 0, 0, 191, 0, 0, 191, 0, 0];
        for (sample, value) in data.iter().zip(expected) {
            assert!(sample.abs_diff(value) <= 1, "{data:?}");
        }
    }

    #[test]
    fn frames_of_the_wrong_size_are_damaged() {
        assert!(pixels(FrameFormat::YUYV, 4, 1, &[0; 7]).is_err());
        assert!(pixels(FrameFormat::YUYV, 4, 2, &[0; 8]).is_err());
        assert!(pixels(FrameFormat::RAWRGB, 2, 2, &[0; 11]).is_err());
    }

    #[test]
    fn a_camera_that_is_not_there_is_named() {
        let error = index_of(Path::new("/dev/v4l/by-id/absent")).unwrap_err();
        assert!(error.to_string().contains("/dev/v4l/by-id/absent"));
        assert!(index_of(Path::new("/dev/null")).is_err());
    }
}
