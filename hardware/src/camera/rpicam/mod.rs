//! The driver for ribbon cameras of a Raspberry Pi, through the program `rpicam-vid`.
//!
//! V4L2 shows the raw samples of such a camera only; libcamera makes pictures of them, and its maintainers recommend its
//! program to others: it needs no linking, and a program that stalls can be killed.

mod command;
mod mjpeg;
mod program;
mod sensor;
mod settling;
mod tuning;

// With the tests as well, so that it is compiled whenever what it calls is.
#[cfg(any(fuzzing, test))]
pub mod fuzzing;

use std::process::Command;
use std::time::{Duration, Instant};

use crate::camera::frame::{CaptureSettings, Frame, Pixels};
use crate::camera::luma;
use crate::camera::preview::{Preview, PreviewMode};
use crate::config::{CameraConfig, RpicamConfig};
use crate::error::HardwareError;
use crate::ports::Camera;
use command::FixedSettings;
use mjpeg::{Jpeg, JpegSplitter};
use program::{NoItem, Program, Splitter};
use sensor::{Sensor, SensorList, Size};
use settling::{FrameSettings, MetadataSplitter, Settling};

/// How often the program is started for a picture before it counts as lost.
const ATTEMPTS: u32 = 2;
/// Largest change of the mean luma of a picture, as a ratio, that leaves exposure and white balance as they have settled.
/// Fields of a smear differ by less, and a lamp that was turned up or down by more.
const SAME_LIGHT: f32 = 1.4;
/// Mean luma from which most of a picture is clipped: how bright the light is cannot be told any more.
const CLIPPED: f32 = 245.0;

/// A ribbon camera. The program runs during a preview and for each picture, so the camera may be missing in between.
///
/// At most one program runs at a time. Each picture is taken by a program that was started for it: none of its frames can be
/// older than the request.
pub(crate) struct RpicamCamera {
    camera: CameraConfig,
    config: RpicamConfig,
    /// Which cameras there are; `None` before the first use and after a failure.
    sensor: Option<Sensor>,
    /// What exposure and white balance have settled to.
    settled: Option<Settled>,
    /// When a picture must be there, with all attempts.
    until: Option<Instant>,
    preview: Option<(PreviewMode, Program<Jpeg>)>,
    /// Stops the last program.
    stopping: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy)]
struct Settled {
    settings: FrameSettings,
    /// Mean luma of the first picture that was taken with them, 0.0 to 255.0.
    luma: Option<f32>,
}

impl RpicamCamera {
    /// A camera that may still be missing.
    pub(crate) fn new(camera: CameraConfig, config: RpicamConfig) -> Self {
        Self {
            camera,
            config,
            sensor: None,
            settled: None,
            until: None,
            preview: None,
            stopping: None,
        }
    }

    /// When the next frame must be there.
    fn deadline(&self) -> Instant {
        let frame = Instant::now() + Duration::from_secs_f64(self.config.frame_s);
        self.until.map_or(frame, |until| frame.min(until))
    }

    /// Starts the program. No other one runs then.
    fn start<S: Splitter>(
        &mut self,
        command: &mut Command,
        splitter: S,
    ) -> Result<Program<S::Item>, HardwareError> {
        self.wait_until_stopped();
        Program::start(command, splitter).map_err(|error| HardwareError::Open {
            part: "camera",
            at: command.get_program().display().to_string(),
            remedy: "check rpicam.program".into(),
            source: Some(error.into()),
        })
    }

    /// Stops a program without waiting for it.
    fn release<T: Send + 'static>(&mut self, program: Program<T>) {
        self.wait_until_stopped();
        let thread = std::thread::Builder::new().name("camera-stop".into());
        match thread.spawn(move || drop(program.stop())) {
            Ok(stopping) => self.stopping = Some(stopping),
            // The program was dropped with the closure, and so killed.
            Err(error) => log::warn!("camera: {error}"),
        }
    }

    fn wait_until_stopped(&mut self) {
        if let Some(stopping) = self.stopping.take() {
            // One that panicked has dropped the program, and so killed it.
            let _ = stopping.join();
        }
    }

    /// The configured camera with its modes.
    fn sensor(&mut self) -> Result<Sensor, HardwareError> {
        if let Some(sensor) = &self.sensor {
            return Ok(sensor.clone());
        }
        let mut command = command::list(&self.config)?;
        let sensors = self.attempt(&mut command, SensorList::default, Frames::next)?;
        let found = sensors
            .iter()
            .find(|sensor| sensor.number == self.config.camera);
        let sensor = found.ok_or_else(|| missing(&self.config, &sensors))?;
        let (width, height) = sensor.full_mode();
        log::info!(
            "ribbon camera {}: {}, {width}x{height}",
            sensor.number,
            sensor.name
        );
        self.sensor = Some(sensor.clone());
        Ok(sensor.clone())
    }

    /// Exposure and white balance for a picture: what is configured, and what the rest has settled to.
    fn settings(&mut self, sensor: &Sensor) -> Result<FixedSettings, HardwareError> {
        let fixed = FixedSettings::of(&self.camera, &self.config);
        if fixed.is_complete() || self.camera.settle_frames == 0 {
            return Ok(fixed);
        }
        let settled = match &self.settled {
            Some(settled) => settled.settings,
            None => self.settle(sensor, fixed)?,
        };
        Ok(fixed.or(settled.into()))
    }

    /// Runs the camera with automatic exposure and white balance until they change no more. In the mode of the pictures,
    /// because a binned mode may be more sensitive.
    fn settle(
        &mut self,
        sensor: &Sensor,
        fixed: FixedSettings,
    ) -> Result<FrameSettings, HardwareError> {
        let mut command = command::settle(&self.config, sensor.full_mode(), fixed)?;
        let limit = self.camera.settle_frames.max(settling::STABLE_FRAMES);
        let settings = self.attempt(&mut command, MetadataSplitter::default, |frames| {
            let mut settling = Settling::default();
            for _ in 0..limit {
                let settings = frames.next()?;
                if settling.frame(settings) {
                    return Ok(settings);
                }
            }
            Err(Failure::Final(HardwareError::ExposureNotSettled {
                frames: limit,
            }))
        })?;
        log::info!(
            "ribbon camera {}: {:.0} µs, gain {:.2}, red {:.2}, blue {:.2}",
            self.config.camera,
            settings.exposure_us,
            settings.gain,
            settings.colour_gains[0],
            settings.colour_gains[1]
        );
        self.settled = Some(Settled {
            settings,
            luma: None,
        });
        Ok(settings)
    }

    /// Takes two consecutive pictures.
    fn take(&mut self, sensor: &Sensor) -> Result<Pictures, HardwareError> {
        let settings = self.settings(sensor)?;
        let (size, mode) = (sensor.picture(&self.camera), sensor.full_mode());
        let has_fixed_white_balance = self.config.red_gain > 0.0;
        let mut command = command::capture(&self.config, mode, size, settings)?;
        let warm_up = self.camera.warm_up_frames;
        self.attempt(&mut command, JpegSplitter::default, |frames| {
            for _ in 0..warm_up {
                frames.next()?;
            }
            let mut next = || {
                let jpeg = frames.next()?;
                check_size(&jpeg, size).map_err(Failure::Final)?;
                Ok(jpeg.bytes)
            };
            let earlier = next()?;
            let captured_at = Instant::now();
            let picture = next()?;
            Ok(Pictures {
                earlier,
                captured_at,
                picture,
                settings: CaptureSettings {
                    camera: Some(sensor.name.clone()),
                    mode: Some(format!("{}x{} of {}x{}", size.0, size.1, mode.0, mode.1)),
                    exposure_us: settings.exposure_us,
                    gain: settings.gain,
                    colour_gains: settings.colour_gains,
                    lens_correction: tuning::lens_correction(&frames.program.messages()),
                    has_fixed_white_balance: Some(has_fixed_white_balance),
                    ..CaptureSettings::default()
                },
            })
        })
    }

    /// Starts a preview: fast in the binned mode, or with the pictures of a capture.
    fn start_preview(
        &mut self,
        sensor: &Sensor,
        mode: PreviewMode,
    ) -> Result<Program<Jpeg>, HardwareError> {
        // As the pictures are taken, if that is known.
        let fixed = FixedSettings::of(&self.camera, &self.config);
        let settings = match &self.settled {
            Some(settled) => fixed.or(settled.settings.into()),
            None => fixed,
        };
        let (config, camera) = (&self.config, &self.camera);
        let mut command = match mode {
            PreviewMode::Fast => {
                let size = sensor.preview(camera);
                command::preview(config, sensor.binned_mode(), size, settings)?
            }
            PreviewMode::Full => {
                let size = sensor.picture(camera);
                command::full_preview(config, sensor.full_mode(), size, settings)?
            }
        };
        self.start(&mut command, JpegSplitter::default())
    }

    /// Takes a picture, again if the light turns out to have changed.
    fn photograph(&mut self) -> Result<Frame, HardwareError> {
        let sensor = self.sensor()?;
        let fixed = FixedSettings::of(&self.camera, &self.config);
        let mut pictures = self.take(&sensor)?;
        if self.has_other_light(&pictures.picture) {
            log::info!("the light has changed: the exposure settles again");
            let colour_gains = self
                .settled
                .take()
                .map(|settled| settled.settings.colour_gains);
            // Colours must not change within a slide.
            self.settle(&sensor, fixed.with_colour_gains(colour_gains))?;
            pictures = self.take(&sensor)?;
            self.has_other_light(&pictures.picture);
        }
        Ok(Frame {
            pixels: Pixels::Encoded(pictures.picture),
            captured_at: pictures.captured_at,
            earlier: Some(Pixels::Encoded(pictures.earlier)),
            source: format!("{} (ribbon camera {})", sensor.name, sensor.number),
            um_per_pixel: None,
            settings: pictures.settings,
        })
    }

    /// Starts a program and works with what it delivers. A program that stalls or ends is started once more.
    fn attempt<S: Splitter, R>(
        &mut self,
        command: &mut Command,
        splitter: impl Fn() -> S,
        work: impl Fn(&mut Frames<S::Item>) -> Result<R, Failure>,
    ) -> Result<R, HardwareError> {
        let mut attempt = 1;
        loop {
            let mut frames = Frames {
                program: self.start(command, splitter())?,
                limit: Duration::from_secs_f64(self.config.frame_s),
                until: self.until,
            };
            let result = work(&mut frames);
            let program = frames.program;
            match result {
                Ok(result) => {
                    self.release(program);
                    return Ok(result);
                }
                Err(Failure::Final(error)) => {
                    self.release(program);
                    return Err(error);
                }
                Err(Failure::NoItem(reason)) => {
                    let error = self.lost(program, &reason);
                    let is_over = self.until.is_some_and(|until| until <= Instant::now());
                    if attempt == ATTEMPTS || is_over {
                        return Err(error);
                    }
                    attempt += 1;
                    log::warn!("{}; it is started again", crate::error::with_causes(&error));
                }
            }
        }
    }

    /// Whether the light differs from that of the first picture after exposure and white balance had settled; the first
    /// picture is remembered.
    fn has_other_light(&mut self, picture: &[u8]) -> bool {
        let Some(settled) = self.settled.as_mut() else {
            return false;
        };
        let Some(luma) = luma::of_jpeg(picture) else {
            return false;
        };
        let first = *settled.luma.get_or_insert(luma);
        let is_clipped = luma > CLIPPED && first <= CLIPPED;
        is_clipped || luma > first * SAME_LIGHT || first > luma * SAME_LIGHT
    }

    /// Stops a program that delivered nothing, and tells why.
    fn lost<T: Send + 'static>(&mut self, program: Program<T>, reason: &NoItem) -> HardwareError {
        // Another camera may be connected when it works again.
        self.sensor = None;
        self.settled = None;
        let (status, messages) = program.stop();
        let problem = match (reason, status) {
            (NoItem::Late, _) => format!("no frame within {} s", self.config.frame_s),
            (NoItem::Ended, Ok(status)) => format!("the program ended ({status})"),
            (NoItem::Ended, Err(error)) => error.to_string(),
        };
        let said = last_error(&messages).map(|line| format!(": {line}"));
        HardwareError::Lost {
            part: "camera",
            remedy: format!(
                "check its ribbon cable at both ends and that no other program uses it (ribbon camera {})",
                self.config.camera
            ),
            source: Some(format!("{problem}{}", said.unwrap_or_default()).into()),
        }
    }
}

/// Two consecutive pictures.
struct Pictures {
    earlier: Vec<u8>,
    captured_at: Instant,
    picture: Vec<u8>,
    settings: CaptureSettings,
}

/// What a program delivers, each within the limit.
struct Frames<T> {
    program: Program<T>,
    limit: Duration,
    until: Option<Instant>,
}

impl<T: Send + 'static> Frames<T> {
    fn next(&mut self) -> Result<T, Failure> {
        let limit = Instant::now() + self.limit;
        let deadline = self.until.map_or(limit, |until| limit.min(until));
        self.program.next(deadline).map_err(Failure::NoItem)
    }
}

/// Why work with a program failed.
enum Failure {
    /// The program delivered nothing; another one may.
    NoItem(NoItem),
    /// Another program would deliver the same.
    Final(HardwareError),
}

impl Camera for RpicamCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        self.stop_preview();
        self.until = Some(Instant::now() + Duration::from_secs_f64(self.config.capture_s));
        let frame = self.photograph();
        self.until = None;
        frame
    }

    fn preview(&mut self, mode: PreviewMode) -> Result<Preview, HardwareError> {
        if (self.preview.as_ref()).is_some_and(|(running, _)| *running != mode) {
            self.stop_preview();
        }
        let sensor = self.sensor()?;
        // Put back below, but only if the camera answers.
        let mut program = match self.preview.take() {
            Some((_, program)) => program,
            None => self.start_preview(&sensor, mode)?,
        };
        program.skip_waiting();
        let jpeg = match program.next(self.deadline()) {
            Ok(jpeg) => jpeg,
            Err(reason) => return Err(self.lost(program, &reason)),
        };
        self.preview = Some((mode, program));
        let captured = sensor.picture(&self.camera);
        if mode == PreviewMode::Full {
            check_size(&jpeg, captured)?;
        }
        Ok(Preview {
            pixels: Pixels::Encoded(jpeg.bytes),
            captured_size: (mode == PreviewMode::Fast).then_some(captured),
        })
    }

    fn stop_preview(&mut self) {
        if let Some((_, program)) = self.preview.take() {
            self.release(program);
        }
    }

    fn describe(&self) -> String {
        format!("ribbon camera {}", self.config.camera)
    }
}

impl Drop for RpicamCamera {
    fn drop(&mut self) {
        self.stop_preview();
        self.wait_until_stopped();
    }
}

/// Checks that the program is installed, without starting it.
///
/// # Errors
/// [`HardwareError::Open`] if it is not.
pub(crate) fn probe(config: &RpicamConfig) -> Result<(), HardwareError> {
    command::program(config).map(drop)
}

fn check_size(jpeg: &Jpeg, expected: Size) -> Result<(), HardwareError> {
    if jpeg.size == expected {
        return Ok(());
    }
    Err(HardwareError::Unsupported {
        part: "camera",
        wanted: format!("{}x{} pixels", expected.0, expected.1),
        offers: format!(
            "{}x{}; set camera.width and camera.height",
            jpeg.size.0, jpeg.size.1
        ),
    })
}

fn missing(config: &RpicamConfig, sensors: &[Sensor]) -> HardwareError {
    let found: Vec<String> = sensors
        .iter()
        .map(|sensor| format!("{} ({})", sensor.number, sensor.name))
        .collect();
    HardwareError::Open {
        part: "camera",
        at: format!("ribbon connector {}", config.camera),
        remedy: if found.is_empty() {
            "no ribbon camera was found; switch off, and check the cable at both ends".into()
        } else {
            format!(
                "set rpicam.camera to one that was found: {}",
                found.join(", ")
            )
        },
        source: None,
    }
}

/// The last line of the messages that is an error, else the last line that is not the log of a frame.
fn last_error(messages: &str) -> Option<String> {
    let lines = || {
        let lines = messages.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
    };
    let error = lines().rfind(|line| line.to_ascii_lowercase().contains("error"));
    let line = error.or_else(|| lines().next_back())?;
    let printable = line.chars().filter(|character| !character.is_control());
    Some(printable.take(200).collect())
}
