//! What nokhwa cannot do with a V4L2 device: controls one by one, frame intervals such as 2/15 s, and the colour space.
//!
//! nokhwa lists all controls, and panics at a type that `v4l` does not know, such as the region of interest of newer kernels.
//! It leaves out modes whose frame interval is not 1/n seconds, and cannot open a camera that is in such a mode. So the mode is set
//! here, on a second handle: until frames are streamed, V4L2 lets any handle do so, and the mode stays when that handle is closed.

use std::io;
use std::path::Path;

use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Format, FourCC, Fraction};

use super::colours::Colours;
use super::controls::{ControlDevice, ControlRange};
use super::modes::{Encoding, Interval, Mode};

/// A V4L2 device.
pub(super) struct V4lDevice(v4l::Device);

impl V4lDevice {
    /// # Errors
    /// Those of the operating system.
    pub(super) fn open(device: &Path) -> io::Result<Self> {
        v4l::Device::with_path(device).map(Self)
    }

    /// Name and bus of the camera, such as `HD USB Camera (usb-0000:01:00.0-1.2)`.
    ///
    /// # Errors
    /// Those of the driver.
    pub(super) fn name(&self) -> io::Result<String> {
        let capabilities = self.0.query_caps()?;
        Ok(format!("{} ({})", capabilities.card, capabilities.bus))
    }

    /// The modes that the camera offers.
    ///
    /// # Errors
    /// Those of the driver.
    pub(super) fn modes(&self) -> io::Result<Vec<Mode>> {
        let mut modes = Vec::new();
        let formats: Vec<FourCC> = self.0.enum_formats()?.iter().map(|f| f.fourcc).collect();
        for fourcc in formats {
            for size in self.0.enum_framesizes(fourcc).unwrap_or_default() {
                let (width, height) = match size.size {
                    FrameSizeEnum::Discrete(size) => (size.width, size.height),
                    FrameSizeEnum::Stepwise(size) => (size.max_width, size.max_height),
                };
                let intervals = self.0.enum_frameintervals(fourcc, width, height);
                for interval in intervals.unwrap_or_default() {
                    let Fraction {
                        numerator,
                        denominator,
                    } = match interval.interval {
                        FrameIntervalEnum::Discrete(interval) => interval,
                        FrameIntervalEnum::Stepwise(intervals) => intervals.min,
                    };
                    modes.push(Mode {
                        width,
                        height,
                        encoding: Encoding(fourcc.repr),
                        interval: Interval {
                            numerator,
                            denominator,
                        },
                    });
                }
            }
        }
        Ok(modes)
    }

    /// Sets a mode.
    ///
    /// # Errors
    /// Those of the driver, also if it chose another mode.
    pub(super) fn set_mode(&self, mode: &Mode) -> io::Result<()> {
        let wanted = Format::new(mode.width, mode.height, FourCC::new(&mode.encoding.0));
        let is_set = |format: &Format| {
            (format.width, format.height, format.fourcc)
                == (wanted.width, wanted.height, wanted.fourcc)
        };
        // What is set already may not be set again while another program looks on.
        if !is_set(&self.0.format()?) && !is_set(&self.0.set_format(&wanted)?) {
            return Err(io::Error::other("it chose another size or format"));
        }
        let interval = |parameters: &Parameters| Interval {
            numerator: parameters.interval.numerator,
            denominator: parameters.interval.denominator,
        };
        if !interval(&self.0.params()?).is_as_long_as(mode.interval) {
            let Interval {
                numerator,
                denominator,
            } = mode.interval;
            let wanted = Parameters::new(Fraction::new(numerator, denominator));
            let chosen = interval(&self.0.set_params(&wanted)?);
            if !chosen.is_as_long_as(mode.interval) {
                return Err(io::Error::other(format!("it chose the interval {chosen}")));
            }
        }
        Ok(())
    }

    /// How the samples of raw frames are to be read.
    ///
    /// # Errors
    /// Those of the driver.
    pub(super) fn colours(&self) -> io::Result<Colours> {
        let format = ffi::format(&self.0)?;
        Ok(Colours::of(
            format.colorspace,
            format.ycbcr_encoding,
            format.quantization,
        ))
    }
}

impl ControlDevice for V4lDevice {
    fn range(&self, control: u32) -> Option<ControlRange> {
        ffi::query_control(&self.0, control).ok()
    }

    fn set(&self, control: u32, value: i32) -> io::Result<()> {
        ffi::set_control(&self.0, control, value)
    }

    fn value(&self, control: u32) -> io::Result<i32> {
        ffi::control(&self.0, control)
    }
}

/// The system calls that `v4l` lacks, with its structures.
#[allow(unsafe_code)]
mod ffi {
    use std::{io, mem};

    use v4l::v4l_sys::{
        v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE, v4l2_control, v4l2_format, v4l2_queryctrl,
    };
    use v4l::v4l2::{self, vidioc};

    use super::ControlRange;

    /// The colour part of a `v4l2_pix_format`.
    pub(super) struct PixelFormat {
        pub(super) colorspace: u32,
        pub(super) ycbcr_encoding: u32,
        pub(super) quantization: u32,
    }

    pub(super) fn query_control(device: &v4l::Device, id: u32) -> io::Result<ControlRange> {
        // SAFETY: the structure is made of numbers, for which zero is valid.
        let mut query = v4l2_queryctrl {
            id,
            ..unsafe { mem::zeroed() }
        };
        call(device, vidioc::VIDIOC_QUERYCTRL, &mut query)?;
        Ok(ControlRange {
            min: query.minimum,
            max: query.maximum,
            step: query.step,
            is_disabled: query.flags & v4l::control::Flags::DISABLED.bits() != 0,
        })
    }

    pub(super) fn control(device: &v4l::Device, id: u32) -> io::Result<i32> {
        let mut control = v4l2_control { id, value: 0 };
        call(device, vidioc::VIDIOC_G_CTRL, &mut control)?;
        Ok(control.value)
    }

    pub(super) fn set_control(device: &v4l::Device, id: u32, value: i32) -> io::Result<()> {
        call(
            device,
            vidioc::VIDIOC_S_CTRL,
            &mut v4l2_control { id, value },
        )
    }

    pub(super) fn format(device: &v4l::Device) -> io::Result<PixelFormat> {
        // SAFETY: the structure is made of numbers, and its union of such structures.
        let mut format = v4l2_format {
            type_: v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
            ..unsafe { mem::zeroed() }
        };
        call(device, vidioc::VIDIOC_G_FMT, &mut format)?;
        // SAFETY: of this type the kernel fills `pix`, whose encoding is a number in either reading.
        let (pixels, ycbcr_encoding) =
            unsafe { (format.fmt.pix, format.fmt.pix.__bindgen_anon_1.ycbcr_enc) };
        Ok(PixelFormat {
            colorspace: pixels.colorspace,
            ycbcr_encoding,
            quantization: pixels.quantization,
        })
    }

    /// `request` must be the request for a `T`.
    fn call<T>(
        device: &v4l::Device,
        request: vidioc::_IOC_TYPE,
        argument: &mut T,
    ) -> io::Result<()> {
        let argument = std::ptr::from_mut(argument).cast();
        // SAFETY: the descriptor is open as long as the device. The kernel reads and writes the bytes of a `T`: the request
        // has its size, because both are of `v4l`.
        unsafe { v4l2::ioctl(device.handle().fd(), request, argument) }
    }
}
