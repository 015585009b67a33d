//! The driver for USB microscope cameras (UVC), through V4L2.

mod controls;
mod device;
mod modes;
mod settling;
mod yuyv;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::board::faults::Faults;
use crate::camera::frame::{Frame, Pixels};
use crate::config::CameraConfig;
use crate::error::HardwareError;
use crate::ports::Camera;
use device::{BUFFERS, OpenCamera, RawFrame};
use modes::{MJPEG, YUYV};
use settling::{Exposure, ExposureMonitor};

/// Frames to drop at the start of a stream: cameras may damage the first one.
const UNRELIABLE_FRAMES: u32 = 1;
/// A frame that arrives faster than this was already waiting in a buffer.
const BUFFERED_WITHIN: Duration = Duration::from_millis(1);

/// A USB camera. It is opened for each picture, so it may be unplugged in between.
pub(crate) struct UsbCamera {
    config: CameraConfig,
    device: PathBuf,
    /// The open stream of a preview.
    stream: Option<OpenCamera>,
}

impl UsbCamera {
    /// A camera that may still be missing. `faults` gets a probe that checks for it.
    pub(crate) fn new(config: CameraConfig, faults: &Faults) -> Self {
        let device = config.device.path();
        faults.add_probe("camera", {
            let device = device.clone();
            move || device_file(&device).map(drop)
        });
        Self {
            config,
            device,
            stream: None,
        }
    }

    /// Opens the camera with the configured settings, starts a stream and drops its first `frames`.
    fn stream(&self, frames: u32) -> Result<OpenCamera, HardwareError> {
        let mut camera = OpenCamera::open(&device_file(&self.device)?, &self.config)?;
        camera.restart(frames)?;
        Ok(camera)
    }

    /// Drops frames until the exposure has settled.
    fn settle(&self, camera: &mut OpenCamera) -> Result<(), HardwareError> {
        let mut monitor = ExposureMonitor::new(self.config.settle_frames);
        loop {
            // A damaged frame counts as a dark one.
            let luma = mean_luma(&camera.next_frame()?).unwrap_or(0.0);
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

    fn take(&mut self) -> Result<Frame, HardwareError> {
        self.stream = None;
        let mut camera = self.stream(self.config.warm_up_frames)?;
        if self.config.settle_frames > 0 {
            self.settle(&mut camera)?;
        }
        // The buffers of the old stream hold frames from before.
        camera.restart(UNRELIABLE_FRAMES)?;
        let earlier = pixels(&camera.next_frame()?)?;
        let captured_at = Instant::now();
        Ok(Frame {
            pixels: pixels(&camera.next_frame()?)?,
            captured_at,
            earlier: Some(earlier),
            source: self.device.display().to_string(),
        })
    }

    fn glance(&mut self) -> Result<Pixels, HardwareError> {
        // Put back below, but only if the camera answers.
        let mut camera = match self.stream.take() {
            Some(camera) => camera,
            None => self.stream(UNRELIABLE_FRAMES)?,
        };
        // The buffers may still hold frames from the time of the last preview.
        for _ in 0..BUFFERS {
            let requested = Instant::now();
            camera.next_frame()?;
            if requested.elapsed() >= BUFFERED_WITHIN {
                break;
            }
        }
        let preview = pixels(&camera.next_frame()?);
        self.stream = Some(camera);
        preview
    }

    /// Does `work`, in which v4l 0.14 panics if the driver answers with a number that it has no name for.
    fn guarded<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, HardwareError>,
    ) -> Result<T, HardwareError> {
        catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|_| {
            Err(HardwareError::Lost {
                part: "camera",
                remedy: format!(
                    "its driver gave an answer that this program does not understand; unplug it and plug it in, or use \
                     another camera ({})",
                    self.device.display()
                ),
                source: None,
            })
        })
    }
}

impl Camera for UsbCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        self.guarded(Self::take)
    }

    fn preview(&mut self) -> Result<Pixels, HardwareError> {
        self.guarded(Self::glance)
    }

    fn stop_preview(&mut self) {
        self.stream = None;
    }

    fn describe(&self) -> String {
        format!("USB camera {}", self.device.display())
    }
}

/// The device file `/dev/videoN`, also through a link such as those in `/dev/v4l/by-id`.
fn device_file(device: &Path) -> Result<PathBuf, HardwareError> {
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
    let number = resolved
        .to_str()
        .and_then(|path| path.strip_prefix("/dev/video"));
    if number.is_some_and(|number| number.parse::<u32>().is_ok()) {
        Ok(resolved)
    } else {
        Err(unusable(
            "set camera.device to /dev/videoN or a link to it",
            None,
        ))
    }
}

/// Keeps JPEG as it is and converts raw frames to RGB.
fn pixels(frame: &RawFrame<'_>) -> Result<Pixels, HardwareError> {
    let damaged = |reason: &str| HardwareError::DamagedFrame {
        reason: reason.into(),
    };
    if frame.is_damaged {
        return Err(damaged("its driver reports an error in the transfer"));
    }
    let (width, height) = (frame.mode.width, frame.mode.height);
    match frame.mode.format {
        MJPEG => {
            let jpeg = whole_jpeg(frame.bytes)
                .ok_or_else(|| damaged("it does not begin and end like a JPEG"))?;
            Ok(Pixels::Encoded(jpeg.to_vec()))
        }
        YUYV => {
            let rows: Vec<_> = raw_rows(frame).collect();
            // The kernel clears buffers, so a row of zeros was never written: black has a luma of 16 and a
            // chroma of 128 (ITU-R BT.601).
            let is_written = |row: &&[u8]| row.iter().any(|byte| *byte != 0);
            if rows.len() != height as usize || !rows.iter().all(is_written) {
                return Err(damaged("some rows are missing"));
            }
            Ok(Pixels::Rgb8 {
                width,
                height,
                data: yuyv::to_rgb(rows.into_iter()),
            })
        }
        _ => Err(damaged(&format!(
            "{} bytes in the unexpected mode {}",
            frame.bytes.len(),
            frame.mode
        ))),
    }
}

/// The complete rows of a raw frame, without padding.
fn raw_rows<'a>(frame: &RawFrame<'a>) -> impl Iterator<Item = &'a [u8]> {
    let row = frame.mode.width as usize * 2;
    let stride = (frame.stride as usize).max(row).max(1);
    let rows = frame.bytes.chunks(stride);
    rows.filter_map(move |bytes| bytes.get(..row))
        .take(frame.mode.height as usize)
}

/// The JPEG from its start-of-image to its end-of-image marker, without the zeros that pad the buffer;
/// `None` if a marker is missing.
fn whole_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.iter().rposition(|byte| *byte != 0)?;
    let jpeg = &bytes[..=last];
    (jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])).then_some(jpeg)
}

/// Mean luma of a frame, 0.0 to 255.0; `None` if it is damaged.
fn mean_luma(frame: &RawFrame<'_>) -> Option<f32> {
    let (sum, count) = if frame.mode.format == MJPEG {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
        let jpeg = ZCursor::new(whole_jpeg(frame.bytes)?);
        let decoded = JpegDecoder::new_with_options(jpeg, options).decode().ok()?;
        sum_of(decoded.iter())
    } else {
        // Every second byte is chroma.
        sum_of(raw_rows(frame).flat_map(|row| row.iter().step_by(2)))
    };
    (count > 0).then(|| sum as f32 / count as f32)
}

fn sum_of<'a>(lumas: impl Iterator<Item = &'a u8>) -> (u64, u64) {
    lumas.fold((0, 0), |(sum, count), luma| {
        (sum + u64::from(*luma), count + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::modes::{FourCc, Interval, Mode};
    use super::*;
    use crate::config::CameraDevice;

    fn frame(format: FourCc, width: u32, height: u32, bytes: &[u8]) -> RawFrame<'_> {
        RawFrame {
            mode: Mode {
                format,
                width,
                height,
                interval: Interval::UNKNOWN,
            },
            stride: if format == YUYV { width * 2 } else { 0 },
            bytes,
            is_damaged: false,
        }
    }

    fn taken(
        format: FourCc,
        width: u32,
        height: u32,
        bytes: &[u8],
    ) -> Result<Pixels, HardwareError> {
        pixels(&frame(format, width, height, bytes))
    }

    #[test]
    fn a_panic_of_the_driver_is_an_error_that_says_so() {
        let mut camera = UsbCamera::new(CameraConfig::default(), &Faults::default());
        let error = camera.guarded::<()>(|_| panic!("unknown")).unwrap_err();
        assert!(error.to_string().contains("does not understand"), "{error}");
    }

    #[test]
    fn rows_with_padding_are_cut_and_errors_of_the_transfer_refused() {
        let padded = [235, 128, 16, 128, 9, 9, 16, 128, 235, 128, 9, 9];
        let mut raw = frame(YUYV, 2, 2, &padded);
        raw.stride = 6;
        let Pixels::Rgb8 { data, .. } = pixels(&raw).unwrap() else {
            panic!("raw pixels");
        };
        assert_eq!(data, [255, 255, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255]);
        assert_eq!(mean_luma(&raw), Some(125.5));
        raw.is_damaged = true;
        assert!(pixels(&raw).is_err());
    }

    #[test]
    fn only_complete_mjpeg_frames_are_accepted() {
        let whole = [0xff, 0xd8, 1, 2, 0xff, 0xd9, 0, 0, 0];
        assert_eq!(
            taken(MJPEG, 2, 1, &whole).unwrap(),
            Pixels::Encoded(whole[..6].to_vec())
        );
        let residue = [0xff, 0xd8, 0xff, 0xd9, 0, 7];
        for cut in [&whole[..4], &[], &[0; 9], &whole[1..], &residue] {
            assert!(taken(MJPEG, 2, 1, cut).is_err(), "{cut:?}");
        }
    }

    #[test]
    fn yuyv_becomes_rgb_by_bt_601() {
        // ITU-R BT.601, limited range: white, black, and 75 % red (colour bars of EBU Tech 3280).
        let frame = [235, 128, 16, 128, 65, 100, 65, 212];
        let Pixels::Rgb8 { data, .. } = taken(YUYV, 4, 1, &frame).unwrap() else {
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
        assert!(taken(YUYV, 2, 2, &whole).is_ok());
        let cut = [row, [0; 4]].concat();
        assert!(taken(YUYV, 2, 2, &cut).is_err());
    }

    #[test]
    fn frames_of_the_wrong_size_are_damaged() {
        assert!(taken(YUYV, 4, 1, &[0; 7]).is_err());
        assert!(taken(YUYV, 4, 2, &[0; 8]).is_err());
        assert!(taken(*b"NV12", 2, 2, &[0; 6]).is_err(), "not negotiated");
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
        let luma = f64::from(mean_luma(&frame(MJPEG, 1, 1, jpeg)).unwrap());
        assert!((luma - expected).abs() < 0.5, "{luma}, expected {expected}");
        assert_eq!(mean_luma(&frame(MJPEG, 1, 1, &jpeg[..99])), None);
        assert_eq!(mean_luma(&frame(YUYV, 2, 1, &[10, 0, 30, 255])), Some(20.0));
        assert_eq!(mean_luma(&frame(YUYV, 2, 1, &[])), None);
    }

    #[test]
    fn a_missing_camera_is_a_fault_before_the_first_press() {
        let faults = Faults::default();
        let config = CameraConfig {
            device: CameraDevice::Path("/dev/v4l/by-id/absent".into()),
            ..CameraConfig::default()
        };
        let mut camera = UsbCamera::new(config, &faults);
        let fault = faults.check().pop().unwrap();
        assert!(fault.contains("camera at /dev/v4l/by-id/absent"), "{fault}");
        assert!(matches!(camera.capture(), Err(HardwareError::Open { .. })));
    }

    #[test]
    fn the_error_of_a_missing_camera_names_its_device() {
        let error = device_file(Path::new("/dev/v4l/by-id/absent")).unwrap_err();
        assert!(error.to_string().contains("/dev/v4l/by-id/absent"));
        assert!(device_file(Path::new("/dev/null")).is_err());
    }
}
