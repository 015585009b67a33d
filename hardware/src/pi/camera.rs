//! A USB microscope camera (UVC) through V4L2.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nokhwa::pixel_format::RgbFormat;
use nokhwa::utils::{
    CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, buf_yuyv422_to_rgb,
};
use nokhwa::{Buffer, NokhwaError};

use crate::{Camera, Frame, HardwareError, Pixels};

/// Frames in the driver's queue were exposed before the press, and the first ones of a stream while
/// exposure and white balance still settle.
const FRAMES_BEFORE_THE_ONE: usize = 8;

/// A camera that is opened for its first picture, and again after every failure, so that it may be
/// unplugged and plugged in.
pub(super) struct UsbCamera {
    device: PathBuf,
    stream: Option<nokhwa::Camera>,
}

impl UsbCamera {
    /// Looks whether the device is there.
    pub(super) fn open(device: PathBuf) -> Result<Self, HardwareError> {
        index_of(&device)?;
        Ok(Self {
            device,
            stream: None,
        })
    }

    fn lost(&self, error: NokhwaError) -> HardwareError {
        HardwareError::Lost {
            part: "camera",
            remedy: format!("check its USB cable ({})", self.device.display()),
            source: Some(error.into()),
        }
    }

    /// A frame whose exposure began after the call, and the moment at which it was asked for.
    fn fresh_frame(&mut self) -> Result<(Buffer, Instant), HardwareError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => start(index_of(&self.device)?).map_err(|error| self.lost(error))?,
        };
        for _ in 0..FRAMES_BEFORE_THE_ONE {
            stream.frame().map_err(|error| self.lost(error))?;
        }
        let asked = Instant::now();
        let frame = stream.frame().map_err(|error| self.lost(error))?;
        self.stream = Some(stream);
        Ok((frame, asked))
    }
}

impl Camera for UsbCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let (buffer, captured_at) = self.fresh_frame()?;
        let resolution = buffer.resolution();
        Ok(Frame {
            pixels: pixels(
                buffer.source_frame_format(),
                resolution.width(),
                resolution.height(),
                buffer.buffer(),
            )?,
            captured_at,
            source: self.device.display().to_string(),
        })
    }

    fn describe(&self) -> String {
        format!("USB camera {}", self.device.display())
    }
}

fn start(index: u32) -> Result<nokhwa::Camera, NokhwaError> {
    let largest = RequestedFormat::new::<RgbFormat>(RequestedFormatType::AbsoluteHighestResolution);
    let mut stream = nokhwa::Camera::new(CameraIndex::Index(index), largest)?;
    stream.open_stream()?;
    Ok(stream)
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
            if !is_whole_jpeg(bytes) {
                return Err(damaged(format!(
                    "{} bytes that do not begin and end as a JPEG",
                    bytes.len()
                )));
            }
            Ok(Pixels::Encoded(bytes.to_vec()))
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

/// Whether start-of-image and end-of-image markers are there; cameras pad their buffers with zeros.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    bytes.starts_with(&[0xff, 0xd8]) && bytes[..end].ends_with(&[0xff, 0xd9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mjpeg_is_passed_on_whole_or_not_at_all() {
        let whole = [0xff, 0xd8, 1, 2, 0xff, 0xd9, 0, 0, 0];
        assert_eq!(
            pixels(FrameFormat::MJPEG, 2, 1, &whole).unwrap(),
            Pixels::Encoded(whole.to_vec())
        );
        for cut in [&whole[..4], &[], &[0; 9], &whole[1..]] {
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
