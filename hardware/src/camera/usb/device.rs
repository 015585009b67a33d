//! A V4L2 device: its modes, its streams, and what its errors mean.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use v4l::buffer::{Flags, Type};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

use super::controls;
use super::modes::{self, Interval, Mode, SizeRange};
use crate::board::permissions;
use crate::config::CameraConfig;
use crate::error::HardwareError;

/// Number of buffers that the driver fills in turn.
pub(super) const BUFFERS: u32 = 4;

/// A camera in its mode, with a stream of frames.
pub(super) struct OpenCamera {
    device: Device,
    path: PathBuf,
    mode: Mode,
    /// Bytes from row to row of a raw frame.
    stride: u32,
    stream: Option<Stream<'static>>,
}

/// A frame in a buffer of the driver.
pub(super) struct RawFrame<'a> {
    pub(super) mode: Mode,
    pub(super) stride: u32,
    pub(super) bytes: &'a [u8],
    /// The driver says that the frame is damaged.
    pub(super) is_damaged: bool,
}

impl OpenCamera {
    /// Opens the device at `path` in the best mode that it accepts, with the configured controls. What another program
    /// has set does not matter.
    pub(super) fn open(path: &Path, config: &CameraConfig) -> Result<Self, HardwareError> {
        let device = Device::with_path(path).map_err(|error| failed(path, error))?;
        let offered = offered(&device, config).map_err(|error| failed(path, error))?;
        let mut rejections = Vec::new();
        for mode in modes::ranked(&offered, config)? {
            match set_mode(&device, mode) {
                Ok(stride) => {
                    log::debug!("camera in mode {mode}");
                    controls::apply(&device, config)?;
                    return Ok(Self {
                        device,
                        path: path.into(),
                        mode,
                        stride,
                        stream: None,
                    });
                }
                // Any other mode would fail in the same way.
                Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                    return Err(failed(path, error));
                }
                Err(error) => rejections.push(format!("{mode} ({error})")),
            }
        }
        rejections.dedup();
        Err(HardwareError::Refused {
            part: "camera",
            request: format!("every mode that it lists: {}", rejections.join(", ")),
            remedy: "set camera.format, camera.width and camera.height to a mode that works in another program"
                .into(),
            source: None,
        })
    }

    /// Starts a new stream and drops its first frames.
    pub(super) fn restart(&mut self, dropped: u32) -> Result<(), HardwareError> {
        let ended = self.end_stream();
        ended.map_err(|error| failed(&self.path, error))?;
        let stream = Stream::with_buffers(&self.device, Type::VideoCapture, BUFFERS);
        self.stream = Some(stream.map_err(|error| failed(&self.path, error))?);
        for _ in 0..dropped {
            self.next_frame()?;
        }
        Ok(())
    }

    fn end_stream(&mut self) -> io::Result<()> {
        let Some(mut stream) = self.stream.take() else {
            return Ok(());
        };
        let stopped = stream.stop();
        // To drop a stream that cannot be stopped panics, unless its device is gone.
        let is_gone = |error: &io::Error| error.raw_os_error() == Some(Errno::NODEV.raw_os_error());
        if stopped.as_ref().is_err_and(|error| !is_gone(error)) {
            std::mem::forget(stream);
        }
        stopped
    }

    /// Waits for the next frame.
    pub(super) fn next_frame(&mut self) -> Result<RawFrame<'_>, HardwareError> {
        let path = &self.path;
        let Some(stream) = &mut self.stream else {
            return Err(failed(path, io::ErrorKind::NotConnected.into()));
        };
        let (buffer, metadata) = stream.next().map_err(|error| failed(path, error))?;
        let length = buffer.len().min(metadata.bytesused as usize);
        Ok(RawFrame {
            mode: self.mode,
            stride: self.stride,
            bytes: &buffer[..length],
            is_damaged: metadata.flags.contains(Flags::ERROR),
        })
    }
}

impl Drop for OpenCamera {
    fn drop(&mut self) {
        // The next request reports what is wrong with the camera.
        let _ = self.end_stream();
    }
}

/// The modes of the device.
fn offered(device: &Device, config: &CameraConfig) -> io::Result<Vec<Mode>> {
    let mut modes = Vec::new();
    for format in device.enum_formats()? {
        // A driver that cannot list sizes or rates may still deliver the others.
        for size in device.enum_framesizes(format.fourcc).unwrap_or_default() {
            let sizes = match size.size {
                FrameSizeEnum::Discrete(size) => vec![(size.width, size.height)],
                FrameSizeEnum::Stepwise(range) => SizeRange {
                    min: (range.min_width, range.min_height),
                    max: (range.max_width, range.max_height),
                    step: (range.step_width, range.step_height),
                }
                .sizes(config),
            };
            for (width, height) in sizes {
                let intervals = intervals(device, format.fourcc, width, height);
                modes.extend(intervals.into_iter().map(|interval| Mode {
                    format: format.fourcc.repr,
                    width,
                    height,
                    interval,
                }));
            }
        }
    }
    Ok(modes)
}

/// The intervals at which frames of a size are delivered: of a range the shortest. At least one.
fn intervals(device: &Device, format: FourCC, width: u32, height: u32) -> Vec<Interval> {
    let listed = device.enum_frameintervals(format, width, height);
    let intervals: Vec<_> = listed
        .unwrap_or_default()
        .into_iter()
        .map(|listed| match listed.interval {
            FrameIntervalEnum::Discrete(interval) => interval,
            FrameIntervalEnum::Stepwise(range) => range.min,
        })
        .map(|interval| Interval {
            numerator: interval.numerator,
            denominator: interval.denominator,
        })
        .collect();
    if intervals.is_empty() {
        vec![Interval::UNKNOWN]
    } else {
        intervals
    }
}

/// Sets the mode and returns the bytes from row to row.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if the driver chooses another format or size instead, as V4L2 has it.
fn set_mode(device: &Device, mode: Mode) -> io::Result<u32> {
    let wanted = FourCC::new(&mode.format);
    let set = device.set_format(&Format::new(mode.width, mode.height, wanted))?;
    if (set.fourcc, set.width, set.height) != (wanted, mode.width, mode.height) {
        let chosen = modes::name(set.fourcc.repr);
        let message = format!("it chose {chosen} {}x{}", set.width, set.height);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if mode.interval != Interval::UNKNOWN {
        let Interval {
            numerator,
            denominator,
        } = mode.interval;
        let interval = Fraction::new(numerator, denominator);
        // A camera at another rate than the one that it lists takes pictures all the same.
        if let Err(error) = device.set_params(&Parameters::new(interval)) {
            log::debug!("the camera keeps its frame rate: {error}");
        }
    }
    Ok(set.stride)
}

/// What a failed request to the device at `path` means.
fn failed(path: &Path, error: io::Error) -> HardwareError {
    let path = path.display();
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("{} ({path})", permissions::CAMERA.remedy()),
        io::ErrorKind::ResourceBusy => format!("close the other program that uses {path}"),
        _ => format!("check its USB cable ({path})"),
    };
    HardwareError::Lost {
        part: "camera",
        remedy,
        source: Some(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_fits_the_cause() {
        let remedy = |errno| {
            let error = io::Error::from_raw_os_error(errno);
            failed(Path::new("/dev/video0"), error).to_string()
        };
        // EACCES, EBUSY, ENODEV and EIO of Linux.
        for (errno, text) in [
            (13, "add the user to the group video"),
            (16, "close the other program that uses /dev/video0"),
            (19, "check its USB cable (/dev/video0)"),
            (5, "check its USB cable (/dev/video0)"),
        ] {
            let remedy = remedy(errno);
            assert!(remedy.contains(text), "{errno}: {remedy}");
        }
    }
}
