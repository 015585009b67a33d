//! The driver for USB microscope cameras (UVC), through V4L2.

mod colours;
mod controls;
mod modes;
mod settling;
mod v4l_device;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nokhwa::utils::{CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType};

use crate::board::permissions;
use crate::camera::frame::{CaptureSettings, Frame, Pixels};
use crate::camera::luma;
use crate::camera::preview::{Preview, PreviewMode};
use crate::config::CameraConfig;
use crate::error::HardwareError;
use crate::ports::Camera;
use colours::Colours;
use modes::{Encoding, Mode};
use settling::{Exposure, ExposureMonitor};
use v4l_device::V4lDevice;

/// Formats that [`Stream::pixels`] decodes.
const FORMATS: [FrameFormat; 2] = [FrameFormat::MJPEG, FrameFormat::YUYV];
/// Frames to drop at the start of a stream: cameras may damage the first one.
const UNRELIABLE_FRAMES: u32 = 1;
/// Number of buffers that nokhwa's V4L2 backend gives to the driver.
const BUFFERS: usize = 4;
/// A frame that arrives faster than this was already waiting in a buffer.
const BUFFERED_WITHIN: Duration = Duration::from_millis(1);

/// A USB camera. It is opened for each picture, so it may be unplugged in between.
pub(crate) struct UsbCamera {
    config: CameraConfig,
    device: PathBuf,
    /// The open stream of a preview.
    stream: Option<Stream>,
}

/// An open camera.
struct Stream {
    camera: nokhwa::Camera,
    /// The same camera, for its controls.
    device: V4lDevice,
    mode: Mode,
    colours: Colours,
}

impl UsbCamera {
    /// A camera that may still be missing.
    pub(crate) fn new(config: CameraConfig) -> Self {
        Self {
            device: config.device.path(),
            config,
            stream: None,
        }
    }

    fn lost(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> HardwareError {
        HardwareError::Lost {
            part: "camera",
            remedy: permissions::refused_by_policy(&self.device).unwrap_or_else(|| {
                format!(
                    "check its USB cable and that no other program uses it, or {} ({})",
                    permissions::CAMERA.remedy(),
                    self.device.display()
                )
            }),
            source: Some(error.into()),
        }
    }

    /// Opens the camera with the configured settings, in the best mode that it accepts.
    fn open(&self) -> Result<Stream, HardwareError> {
        let index = CameraIndex::Index(index_of(&self.device)?);
        let open_device = || V4lDevice::open(&self.device).map_err(|error| self.lost(error));
        let device = open_device()?;
        let offered = device.modes().map_err(|error| self.lost(error))?;
        let ranked = modes::ranked(&offered, &self.config)?;
        // nokhwa opens the camera in a mode that it knows, and streams in the one that is set afterwards.
        let known =
            (ranked.iter().chain(&offered)).find_map(|mode| Some((mode, mode.known_to_nokhwa()?)));
        let request = match known {
            Some((mode, format)) => {
                device.set_mode(mode).map_err(|error| self.lost(error))?;
                RequestedFormatType::Exact(format)
            }
            None => RequestedFormatType::None,
        };
        // Its handle would keep others from streaming.
        drop(device);
        let request = RequestedFormat::with_formats(request, &FORMATS);
        let camera = nokhwa::Camera::new(index, request).map_err(|error| self.lost(error))?;
        let device = open_device()?;
        controls::apply(&device, &self.config, |error| self.lost(error))?;
        let mut refusal = None;
        // Drivers list frame rates that they do not accept as listed.
        for mode in ranked {
            match device.set_mode(&mode) {
                Ok(()) => {
                    let colours = device.colours().map_err(|error| self.lost(error))?;
                    log::debug!("camera in mode {mode}");
                    // The handle that set the mode would keep nokhwa's from streaming.
                    drop(device);
                    return Ok(Stream {
                        camera,
                        device: open_device()?,
                        mode,
                        colours,
                    });
                }
                Err(error) => refusal = Some(error),
            }
        }
        Err(self.lost(refusal.unwrap_or_else(|| std::io::Error::other("no mode"))))
    }

    /// Opens the camera, starts a stream and drops its first `frames`.
    ///
    /// nokhwa returns whole buffers without the length of the frame in them: in a reused buffer, the rest of an
    /// older frame would complete a truncated one. The kernel clears new buffers, so a frame for analysis comes
    /// from a new stream that has not reused any.
    fn stream(&self, frames: u32) -> Result<Stream, HardwareError> {
        let mut stream = self.open()?;
        self.restart(&mut stream, frames)?;
        Ok(stream)
    }

    /// Drops frames until the exposure has settled.
    fn settle(&self, stream: &mut Stream) -> Result<(), HardwareError> {
        let mut monitor = ExposureMonitor::new(self.config.settle_frames);
        loop {
            let encoding = stream.mode.encoding;
            let buffer = stream
                .camera
                .frame_raw()
                .map_err(|error| self.lost(error))?;
            // A damaged frame counts as a dark one.
            let luma = mean_luma(encoding, &buffer).unwrap_or(0.0);
            match monitor.frame(luma) {
                Exposure::Changing => {}
                Exposure::Settled => return Ok(()),
                Exposure::TimedOut => {
                    return Err(HardwareError::ExposureNotSettled {
                        frames: self.config.settle_frames,
                    });
                }
            }
        }
    }

    /// Starts a new stream and drops its first frames.
    fn restart(&self, stream: &mut Stream, frames: u32) -> Result<(), HardwareError> {
        let mut start = || {
            stream.camera.stop_stream()?;
            stream.camera.open_stream()?;
            for _ in 0..frames {
                stream.camera.frame_raw()?;
            }
            Ok(())
        };
        start().map_err(|error: nokhwa::NokhwaError| self.lost(error))
    }

    /// The next frame.
    fn take(&self, stream: &mut Stream) -> Result<Pixels, HardwareError> {
        let Stream {
            camera,
            mode,
            colours,
            ..
        } = stream;
        let buffer = camera.frame_raw().map_err(|error| self.lost(error))?;
        pixels(mode, *colours, &buffer)
    }
}

impl Camera for UsbCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        self.stop_preview();
        let mut stream = self.stream(self.config.warm_up_frames)?;
        if self.config.settle_frames > 0 {
            self.settle(&mut stream)?;
        }
        self.restart(&mut stream, UNRELIABLE_FRAMES)?;
        let earlier = self.take(&mut stream)?;
        let captured_at = Instant::now();
        let pixels = self.take(&mut stream)?;
        Ok(Frame {
            pixels,
            captured_at,
            earlier: Some(earlier),
            source: self.device.display().to_string(),
            um_per_pixel: None,
            settings: CaptureSettings {
                camera: stream.device.name().ok(),
                mode: Some(stream.mode.to_string()),
                colours: (stream.mode.encoding == Encoding::YUYV)
                    .then(|| stream.colours.to_string()),
                ..controls::settings(&stream.device)
            },
        })
    }

    /// In the mode of a capture.
    fn preview(&mut self, _: PreviewMode) -> Result<Preview, HardwareError> {
        // Put back below, but only if the camera answers.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.stream(UNRELIABLE_FRAMES)?,
        };
        // The buffers may still hold frames from the time of the last preview.
        for _ in 0..BUFFERS {
            let requested = Instant::now();
            let frame = stream.camera.frame_raw();
            frame.map_err(|error| self.lost(error))?;
            if requested.elapsed() >= BUFFERED_WITHIN {
                break;
            }
        }
        let preview = self.take(&mut stream);
        if !matches!(preview, Err(HardwareError::Lost { .. })) {
            self.stream = Some(stream);
        }
        preview.map(Preview::from)
    }

    fn stop_preview(&mut self) {
        self.stream = None;
    }

    fn describe(&self) -> String {
        format!("USB camera {}", self.device.display())
    }
}

/// Checks that the camera is there, without opening it.
///
/// # Errors
/// [`HardwareError::Open`] if it is not.
pub(crate) fn probe(config: &CameraConfig) -> Result<(), HardwareError> {
    index_of(&config.device.path()).map(drop)
}

/// N of `/dev/videoN`, also through a link such as those in `/dev/v4l/by-id`.
fn index_of(device: &Path) -> Result<u32, HardwareError> {
    let unusable = |remedy: &str, source: Option<std::io::Error>| HardwareError::Open {
        part: "camera",
        at: device.display().to_string(),
        remedy: remedy.into(),
        source: source.map(Into::into),
    };
    let resolved = device.canonicalize().map_err(|error| {
        unusable(
            "plug it in, or set camera.device to a link in /dev/v4l/by-id",
            Some(error),
        )
    })?;
    resolved
        .to_str()
        .and_then(|path| path.strip_prefix("/dev/video"))
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| unusable("set camera.device to /dev/videoN or a link to it", None))
}

/// Keeps JPEG as it is and converts raw frames to RGB.
fn pixels(mode: &Mode, colours: Colours, bytes: &[u8]) -> Result<Pixels, HardwareError> {
    let Mode { width, height, .. } = *mode;
    let damaged = |reason: String| HardwareError::DamagedFrame { reason };
    match mode.encoding {
        Encoding::MJPEG => {
            let jpeg = jpeg_in(bytes)
                .ok_or_else(|| damaged("it does not begin and end like a JPEG".into()))?;
            Ok(Pixels::Encoded(jpeg.to_vec()))
        }
        Encoding::YUYV => {
            let row = width as usize * 2;
            // An odd row would share a chroma sample with the next one.
            if !row.is_multiple_of(4) || bytes.len() != row * height as usize {
                return Err(damaged(format!(
                    "{} bytes for {width}x{height} pixels",
                    bytes.len()
                )));
            }
            // The kernel clears buffers, so a row of zeros was never written: black has a luma of 16 and a
            // chroma of 128 (ITU-R BT.601).
            if bytes
                .chunks(row.max(1))
                .any(|row| row.iter().all(|byte| *byte == 0))
            {
                return Err(damaged("some rows are missing".into()));
            }
            Ok(Pixels::Rgb8 {
                width,
                height,
                data: colours.rgb(bytes),
            })
        }
        other => Err(damaged(format!("unexpected format {other}"))),
    }
}

/// The bytes from the start-of-image marker to the last end-of-image marker, without what pads the buffer; `None` if a
/// marker is missing. Cameras pad with zeros, with 0xFF, or with the rest of an earlier frame. Whether the JPEG is
/// complete is decided where it is decoded, as for any other file.
fn jpeg_in(bytes: &[u8]) -> Option<&[u8]> {
    let (markers, _) = bytes.split_at_checked(2)?;
    let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9])?;
    (markers == [0xff, 0xd8]).then(|| &bytes[..end + 2])
}

/// Mean luma of a frame, 0.0 to 255.0; `None` if it is damaged.
fn mean_luma(encoding: Encoding, bytes: &[u8]) -> Option<f32> {
    if encoding == Encoding::MJPEG {
        luma::of_jpeg(jpeg_in(bytes)?)
    } else {
        // Every second byte is chroma.
        luma::mean(bytes.iter().step_by(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modes::Interval;

    fn pixels(
        encoding: Encoding,
        width: u32,
        height: u32,
        bytes: &[u8],
    ) -> Result<Pixels, HardwareError> {
        let mode = Mode {
            width,
            height,
            encoding,
            interval: Interval {
                numerator: 1,
                denominator: 30,
            },
        };
        super::pixels(&mode, Colours::default(), bytes)
    }

    #[test]
    fn mjpeg_frames_end_at_their_last_marker() {
        let whole = [0xff, 0xd8, 1, 2, 0xff, 0xd9, 0, 0, 0];
        assert_eq!(
            pixels(Encoding::MJPEG, 2, 1, &whole).unwrap(),
            Pixels::Encoded(whole[..6].to_vec())
        );
        for padding in [&[0xff; 64][..], b"\n", &[7, 0, 7, 0]] {
            assert_eq!(
                pixels(Encoding::MJPEG, 2, 1, &[&whole[..6], padding].concat()).unwrap(),
                Pixels::Encoded(whole[..6].to_vec())
            );
        }
        for cut in [&whole[..4], &[], &[0; 9], &whole[1..]] {
            assert!(pixels(Encoding::MJPEG, 2, 1, cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn yuyv_becomes_rgb_by_bt_601() {
        // ITU-R BT.601, limited range: white, black, and 75 % red (colour bars of EBU Tech 3280).
        let frame = [235, 128, 16, 128, 65, 100, 65, 212];
        let Pixels::Rgb8 { data, .. } = pixels(Encoding::YUYV, 4, 1, &frame).unwrap() else {
            panic!("raw pixels");
        };
        let expected = [255, 255, 255, 0, 0, 0, 191, 0, 0, 191, 0, 0];
        for (sample, value) in data.iter().zip(expected) {
            assert!(sample.abs_diff(value) <= 1, "{data:?}");
        }
    }

    #[test]
    fn a_frame_without_its_last_rows_is_damaged() {
        let row = [235, 128, 16, 128];
        let whole = [row, row].concat();
        assert!(pixels(Encoding::YUYV, 2, 2, &whole).is_ok());
        let cut = [row, [0; 4]].concat();
        assert!(pixels(Encoding::YUYV, 2, 2, &cut).is_err());
    }

    #[test]
    fn frames_of_the_wrong_size_are_damaged() {
        assert!(pixels(Encoding::YUYV, 4, 1, &[0; 7]).is_err());
        assert!(pixels(Encoding::YUYV, 4, 2, &[0; 8]).is_err());
        assert!(
            pixels(Encoding(*b"NV12"), 2, 2, &[0; 6]).is_err(),
            "not negotiated"
        );
    }

    #[test]
    fn the_mean_luma_of_jpeg_and_raw_frames() {
        let jpeg = include_bytes!("../../../fields/field01_1.jpg");
        let image = image::load_from_memory(jpeg).unwrap().to_rgb8();
        // JFIF: luma by ITU-R BT.601, full range.
        let lumas = image.pixels().map(|pixel| {
            let [red, green, blue] = pixel.0.map(f64::from);
            0.299 * red + 0.587 * green + 0.114 * blue
        });
        let expected = lumas.sum::<f64>() / f64::from(image.width() * image.height());
        let luma = f64::from(mean_luma(Encoding::MJPEG, jpeg).unwrap());
        assert!((luma - expected).abs() < 0.5, "{luma}, expected {expected}");
        assert_eq!(mean_luma(Encoding::MJPEG, &jpeg[..99]), None);
        let padded = [&jpeg[..], &[0xff; 64]].concat();
        assert_eq!(
            mean_luma(Encoding::MJPEG, &padded),
            mean_luma(Encoding::MJPEG, jpeg)
        );
        assert_eq!(mean_luma(Encoding::YUYV, &[10, 0, 30, 255]), Some(20.0));
        assert_eq!(mean_luma(Encoding::YUYV, &[]), None);
    }

    #[test]
    fn the_error_of_a_missing_camera_names_its_device() {
        let error = index_of(Path::new("/dev/v4l/by-id/absent")).unwrap_err();
        assert!(error.to_string().contains("/dev/v4l/by-id/absent"));
        assert!(index_of(Path::new("/dev/null")).is_err());
    }
}
