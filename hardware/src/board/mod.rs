//! A board: the parts of one microscope bench, and what happens when one of them is missing or fails.

#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod assembly;
pub mod backoff;
pub mod faults;
pub mod not_fitted;
pub mod permissions;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod reconnecting;

use crate::board::faults::Faults;
use crate::ports::{Button, Camera, Screen, StatusLeds};

/// The parts of one bench, each behind its port.
///
/// A backend is a function that returns a `Board`. A part that the bench lacks is [`NotFitted`](crate::NotFitted):
///
/// ```
/// use std::time::Instant;
///
/// use smearscope_hardware::{
///     Board, Camera, CaptureSettings, Faults, Frame, HardwareError, LedPattern, LedPatterns, NotFitted, Pixels, Preview,
///     PreviewMode, StatusLeds,
/// };
///
/// /// Takes one grey pixel.
/// struct GreyCamera;
///
/// impl Camera for GreyCamera {
///     fn capture(&mut self) -> Result<Frame, HardwareError> {
///         let captured_at = Instant::now();
///         let pixels = self.preview(PreviewMode::Full)?.pixels;
///         Ok(Frame { pixels, captured_at, earlier: None, source: "grey".into(), um_per_pixel: None, settings: CaptureSettings::default() })
///     }
///
///     fn preview(&mut self, _: PreviewMode) -> Result<Preview, HardwareError> {
///         Ok(Pixels::Rgb8 { width: 1, height: 1, data: vec![128; 3] }.into())
///     }
///
///     fn describe(&self) -> String {
///         "grey camera".into()
///     }
/// }
///
/// /// Prints what the LEDs do.
/// struct PrintedLeds;
///
/// impl StatusLeds for PrintedLeds {
///     fn show(&mut self, patterns: LedPatterns) -> Result<(), HardwareError> {
///         println!("{patterns:?}");
///         Ok(())
///     }
///
///     fn describe(&self) -> String {
///         "LEDs on standard output".into()
///     }
/// }
///
/// fn board() -> Board {
///     Board {
///         name: "grey",
///         camera: Box::new(GreyCamera),
///         button: Box::new(NotFitted),
///         leds: Box::new(PrintedLeds),
///         screen: Box::new(NotFitted),
///         faults: Faults::default(),
///     }
/// }
///
/// let mut board = board();
/// board.leds.show(LedPatterns { green: LedPattern::On, ..LedPatterns::default() })?;
/// assert_eq!(board.camera.capture()?.source, "grey");
/// # Ok::<(), HardwareError>(())
/// ```
pub struct Board {
    /// Name of the backend: `pi`, `linux`, `sim`, `mock` or that of your own.
    pub name: &'static str,
    /// The microscope camera. Its calls may block for ever, so use it on a thread of its own.
    pub camera: Box<dyn Camera>,
    /// The push-button; [`NotFitted`](crate::NotFitted) on a bench that captures at intervals.
    pub button: Box<dyn Button>,
    /// The red, the amber and the green LED, set together.
    pub leds: Box<dyn StatusLeds>,
    /// The OLED of 128×64 or 128×32 pixels.
    pub screen: Box<dyn Screen>,
    /// The parts that do not work now.
    pub faults: Faults,
}
