//! A board for tests: scripted camera and button, recorded LEDs and screen. Needs the feature `test-support`.
//!
//! The screen is the real SSD1306 driver on a [virtual display](crate::screen::virtual_ssd1306), so a test
//! sees what a real display would show. Nothing here sleeps: a wait ends with its event or panics after
//! [`TIMEOUT`].
//!
//! ```
//! use smearscope_hardware::{LedPattern, LedPatterns, mock};
//!
//! let (mut board, bench) = mock::board();
//! bench.camera.will_deliver(b"bytes of a JPEG".to_vec(), "field.jpg");
//!
//! // What the code under test does:
//! let frame = board.camera.capture()?;
//! board.leds.show(LedPatterns { green: LedPattern::On, ..LedPatterns::default() })?;
//!
//! assert_eq!(frame.source, "field.jpg");
//! bench.leds.wait_until("green", |leds| leds.green == LedPattern::On);
//! # Ok::<(), smearscope_hardware::HardwareError>(())
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::board::faults::Faults;
use crate::button::gestures::ButtonEvent;
use crate::button::gestures::{Edge, Gesture, GestureRecogniser};
use crate::button::queue::PressSender;
use crate::camera::frame::{CaptureSettings, Frame, Pixels};
use crate::camera::preview::{Preview, PreviewMode};
use crate::error::HardwareError;
use crate::leds::pattern::LedPatterns;
use crate::ports::{Button, Camera, Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};
use crate::screen::oled::{OledScreen, OledSetup};
use crate::screen::virtual_ssd1306::{VirtualDisplay, VirtualSsd1306};

/// Longest wait for an event. Only a failing test waits that long.
pub const TIMEOUT: Duration = Duration::from_mins(1);

const OLED_ADDRESS: u8 = 0x3c;

/// Builds a board and the handles by which a test controls it.
pub fn board() -> (Board, Bench) {
    board_with(ScreenSize::default())
}

/// As [`board`], with a screen of the given size.
pub fn board_with(size: ScreenSize) -> (Board, Bench) {
    let (bus, display) = VirtualSsd1306::new(OLED_ADDRESS, size);
    let bench = Bench {
        camera: MockCamera::default(),
        button: MockButton::default(),
        leds: History::default(),
        screen: History::default(),
        display,
        faults: Faults::default(),
    };
    let board = Board {
        name: "mock",
        camera: Box::new(bench.camera.clone()),
        button: Box::new(bench.button.clone()),
        leds: Box::new(MockLeds(bench.leds.clone())),
        screen: Box::new(MockScreen {
            oled: OledScreen::new(
                bus,
                OledSetup::new(OLED_ADDRESS, size),
                "virtual bus, address 0x3C",
            ),
            display: bench.display.clone(),
            history: bench.screen.clone(),
        }),
        faults: bench.faults.clone(),
    };
    (board, bench)
}

/// The handles by which a test controls a mock board.
pub struct Bench {
    /// Script of the camera.
    pub camera: MockCamera,
    /// Presses it as an operator would.
    pub button: MockButton,
    /// All LED patterns shown, in order.
    pub leds: History<LedPatterns>,
    /// All pictures shown, in order.
    pub screen: History<Canvas>,
    /// The virtual display, which can be unplugged.
    pub display: VirtualDisplay,
    /// The faults of the board: none unless the test reports some.
    pub faults: Faults,
}

/// Values in the order in which they were shown. Clones share them.
pub struct History<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for History<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + std::fmt::Debug> History<T> {
    /// All values so far, oldest first.
    pub fn all(&self) -> Vec<T> {
        self.lock().clone()
    }

    /// The current value; `None` if nothing was shown yet.
    pub fn latest(&self) -> Option<T> {
        self.lock().last().cloned()
    }

    /// Discards all values but the current one, to bound the memory of a long test.
    pub fn discard_past(&self) {
        let mut values = self.lock();
        let shown = values.pop();
        *values = shown.into_iter().collect();
    }

    /// Waits until `condition` holds for the current value and returns that value.
    ///
    /// # Panics
    /// After [`TIMEOUT`]; the message contains `what` and the current value.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&T) -> bool) -> T {
        self.wait_beyond(0, what, condition)
    }

    /// Waits as [`History::wait_until`] does, but only for values after the first `seen` of [`History::all`]: use it where
    /// the value before may be the same.
    ///
    /// # Panics
    /// As [`History::wait_until`].
    pub fn wait_beyond(&self, seen: usize, what: &str, condition: impl Fn(&T) -> bool) -> T {
        let (values, shown) = &*self.0;
        let deadline = Instant::now() + TIMEOUT;
        let mut guard = lock(values);
        loop {
            let new = guard.get(seen..).and_then(<[T]>::last);
            if let Some(value) = new.filter(|value| condition(value)) {
                return value.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "timed out waiting for {what}; shown last: {:#?}",
                guard.last()
            );
            guard = shown
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn push(&self, value: T) {
        self.lock().push(value);
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<T>> {
        lock(&self.0.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A failed assertion must not be hidden by a poisoned lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Result of one capture.
enum Shot {
    Deliver { frame: Box<Frame>, is_fresh: bool },
    Fail(HardwareError),
    Stall,
}

/// A camera that follows a script. Clones share the script. A capture after its end fails.
#[derive(Clone, Default)]
pub struct MockCamera(Arc<(Mutex<CameraState>, Condvar)>);

#[derive(Default)]
struct CameraState {
    shots: VecDeque<Shot>,
    is_released: bool,
}

impl MockCamera {
    /// Adds a capture that delivers an encoded image.
    pub fn will_deliver(&self, bytes: Vec<u8>, source: &str) {
        self.will_deliver_pixels(Pixels::Encoded(bytes), source);
    }

    /// Adds a capture that delivers pixels of any kind.
    pub fn will_deliver_pixels(&self, pixels: Pixels, source: &str) {
        self.add(Shot::Deliver {
            frame: Box::new(frame(pixels, source)),
            is_fresh: true,
        });
    }

    /// Adds a capture that delivers an encoded image and the previous one of the same stream.
    pub fn will_deliver_after(&self, earlier: Vec<u8>, bytes: Vec<u8>, source: &str) {
        self.add(Shot::Deliver {
            frame: Box::new(Frame {
                earlier: Some(Pixels::Encoded(earlier)),
                ..frame(Pixels::Encoded(bytes), source)
            }),
            is_fresh: true,
        });
    }

    /// Adds a capture that delivers an encoded image exposed before the request.
    pub fn will_deliver_stale(&self, bytes: Vec<u8>, source: &str) {
        self.add(Shot::Deliver {
            frame: Box::new(frame(Pixels::Encoded(bytes), source)),
            is_fresh: false,
        });
    }

    /// Adds a capture that fails.
    pub fn will_fail(&self, error: HardwareError) {
        self.add(Shot::Fail(error));
    }

    /// Makes the next capture block, as a stalled V4L2 driver does, until [`MockCamera::release`]; the script
    /// then continues.
    pub fn will_stall(&self) {
        self.add(Shot::Stall);
    }

    /// Ends a stall. If none is active, ends the next one at once.
    pub fn release(&self) {
        lock(&self.0.0).is_released = true;
        self.0.1.notify_all();
    }

    fn add(&self, shot: Shot) {
        lock(&self.0.0).shots.push_back(shot);
    }
}

fn frame(pixels: Pixels, source: &str) -> Frame {
    Frame {
        pixels,
        captured_at: Instant::now(),
        earlier: None,
        source: source.into(),
        um_per_pixel: None,
        settings: CaptureSettings::default(),
    }
}

impl Camera for MockCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let requested = Instant::now();
        let (state, released) = &*self.0;
        let mut state = lock(state);
        loop {
            match state.shots.pop_front() {
                Some(Shot::Deliver {
                    mut frame,
                    is_fresh,
                }) => {
                    if is_fresh {
                        frame.captured_at = requested;
                    }
                    return Ok(*frame);
                }
                Some(Shot::Fail(error)) => return Err(error),
                Some(Shot::Stall) => {
                    while !state.is_released {
                        state = released.wait(state).unwrap_or_else(PoisonError::into_inner);
                    }
                    state.is_released = false;
                }
                None => {
                    return Err(HardwareError::Lost {
                        part: "camera",
                        remedy: "extend the script of the mock camera".into(),
                        source: None,
                    });
                }
            }
        }
    }

    /// The picture that the next capture will deliver.
    fn preview(&mut self, _: PreviewMode) -> Result<Preview, HardwareError> {
        match lock(&self.0.0).shots.front() {
            Some(Shot::Deliver { frame, .. }) => Ok(frame.pixels.clone().into()),
            _ => Err(HardwareError::Lost {
                part: "camera",
                remedy: "add a picture to the script of the mock camera".into(),
                source: None,
            }),
        }
    }

    fn describe(&self) -> String {
        "scripted camera".into()
    }
}

/// A button that the test presses. Clones share it.
#[derive(Clone, Default)]
pub struct MockButton(Arc<(Mutex<Option<PressSender>>, Condvar)>);

impl MockButton {
    /// Presses as soon as the appliance is ready; `false` if the appliance has ended.
    ///
    /// # Panics
    /// If the appliance is not ready within [`TIMEOUT`].
    pub fn press(&self) -> bool {
        self.when_ready(ButtonEvent::Press)
    }

    /// Presses long as soon as the appliance is ready; `false` if the appliance has ended.
    ///
    /// # Panics
    /// As [`MockButton::press`].
    pub fn press_long(&self) -> bool {
        self.when_ready(|_| ButtonEvent::NextSlide)
    }

    /// Presses twice as soon as the appliance is ready; `false` if the appliance has ended.
    ///
    /// # Panics
    /// As [`MockButton::press`].
    pub fn press_twice(&self) -> bool {
        self.when_ready(|_| ButtonEvent::Repeat)
    }

    /// Sends an event as soon as the appliance is ready; `false` if the appliance has ended.
    ///
    /// # Panics
    /// If the appliance is not ready within [`TIMEOUT`].
    pub fn send(&self, event: ButtonEvent) -> bool {
        self.when_ready(|_| event)
    }

    fn when_ready(&self, event: impl FnOnce(Instant) -> ButtonEvent) -> bool {
        in_time(self.sender().send_within(TIMEOUT, event))
    }

    /// Sends edges of the contact, including bounces, through the gesture recogniser as soon as the appliance
    /// is ready. Each edge is the time after that moment and whether the contact is closed. Returns the
    /// recognised gestures, each with whether the appliance accepted it. The clock is simulated: no time passes.
    ///
    /// # Panics
    /// As [`MockButton::press`].
    pub fn contact(
        &self,
        edges: impl IntoIterator<Item = (Duration, bool)>,
    ) -> Vec<(ButtonEvent, bool)> {
        let presses = self.sender();
        let mut recogniser = GestureRecogniser::default();
        let mut gestures = Vec::new();
        let mut report =
            |gesture: Gesture| gestures.push((gesture.event, presses.send_gesture(gesture)));
        let start = in_time(presses.wait_within(TIMEOUT));
        for (after, is_closed) in edges {
            let edge = Edge {
                at: start + after,
                is_closed,
            };
            recogniser.edge(edge, &mut report);
        }
        while let Some(due) = recogniser.deadline() {
            recogniser.advance(due, &mut report);
        }
        gestures
    }

    /// Sends an event now, even while the appliance is busy; `false` if it was dropped.
    pub fn send_now(&self, event: ButtonEvent) -> bool {
        self.sender().send(event)
    }

    /// Presses now, even while the appliance is busy; `false` if the press was dropped.
    pub fn press_now(&self) -> bool {
        self.sender().press()
    }

    /// Asks the appliance to end.
    pub fn shutdown(&self) -> bool {
        self.sender().shutdown()
    }

    /// The sender, once the appliance watches the button.
    fn sender(&self) -> PressSender {
        let (sender, watched) = &*self.0;
        let (sender, _) = watched
            .wait_timeout_while(lock(sender), TIMEOUT, |sender| sender.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        match &*sender {
            Some(sender) => sender.clone(),
            None => panic!("timed out: the button is not watched"),
        }
    }
}

fn in_time<T>(answer: Option<T>) -> T {
    match answer {
        Some(answer) => answer,
        None => panic!("timed out: the appliance is not ready for a press"),
    }
}

impl Button for MockButton {
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError> {
        *lock(&self.0.0) = Some(presses);
        self.0.1.notify_all();
        Ok(())
    }

    fn describe(&self) -> String {
        "scripted button".into()
    }
}

struct MockLeds(History<LedPatterns>);

impl StatusLeds for MockLeds {
    fn show(&mut self, patterns: LedPatterns) -> Result<(), HardwareError> {
        self.0.push(patterns);
        Ok(())
    }

    fn describe(&self) -> String {
        "recorded LEDs".into()
    }
}

struct MockScreen {
    oled: OledScreen<VirtualSsd1306>,
    display: VirtualDisplay,
    history: History<Canvas>,
}

impl Screen for MockScreen {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        self.oled.show(picture)?;
        self.history.push(self.display.picture());
        Ok(())
    }

    fn size(&self) -> ScreenSize {
        self.oled.size()
    }

    fn describe(&self) -> String {
        self.oled.describe()
    }
}

/// Asserts that a part of a canvas looks like `art`: its top left corner is at column `left`, row `top`; `#` is
/// a lit and `.` a dark pixel. Indentation and empty lines are ignored.
///
/// # Panics
/// If a pixel differs; the message contains both pictures.
///
/// ```
/// use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
/// use smearscope_hardware::{Canvas, mock::assert_art};
///
/// let mut canvas = Canvas::default();
/// Pixel(Point::new(11, 20), BinaryColor::On).draw(&mut canvas).unwrap();
/// assert_art(&canvas, 10, 20, "
///     .#.
///     ...
/// ");
/// ```
#[track_caller]
pub fn assert_art(canvas: &Canvas, left: u32, top: u32, art: &str) {
    let expected: Vec<&str> = art
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let actual: Vec<String> = (top..)
        .zip(&expected)
        .map(|(y, row)| {
            (left..)
                .zip(row.chars())
                .map(|(x, _)| if canvas.is_lit(x, y) { '#' } else { '.' })
                .collect()
        })
        .collect();
    assert!(
        actual == expected,
        "at column {left}, row {top}\nexpected:\n{}\nshown:\n{}",
        expected.join("\n"),
        actual.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::button::queue::press_queue;

    fn lost() -> HardwareError {
        HardwareError::Lost {
            part: "camera",
            remedy: "plug it in".into(),
            source: None,
        }
    }

    #[test]
    fn the_camera_follows_its_script() {
        let (mut board, bench) = board();
        bench.camera.will_fail(lost());
        bench.camera.will_deliver_stale(vec![1], "old");
        bench.camera.will_deliver(vec![2], "new");
        let requested = Instant::now();
        assert!(board.camera.capture().is_err());
        assert!(board.camera.capture().unwrap().captured_at < requested);
        let frame = board.camera.capture().unwrap();
        assert!(frame.captured_at >= requested && frame.source == "new");
        assert!(board.camera.capture().is_err(), "the script has ended");
    }

    #[test]
    fn a_stall_ends_when_it_is_released() {
        let (mut board, bench) = board();
        bench.camera.will_stall();
        bench.camera.will_deliver(vec![1], "late");
        let capture = std::thread::spawn(move || board.camera.capture().map(|frame| frame.source));
        bench.camera.release();
        assert_eq!(capture.join().unwrap().unwrap(), "late");
    }

    #[tokio::test]
    async fn a_press_waits_until_the_appliance_is_ready() {
        let (mut board, bench) = board();
        let button = bench.button.clone();
        let press = std::thread::spawn(move || button.press());
        let (sender, mut receiver) = press_queue();
        board.button.watch(sender).unwrap();
        receiver.next().await;
        assert!(press.join().unwrap());
        assert!(
            !bench.button.press_now(),
            "the appliance does not wait for a second press"
        );
    }

    #[tokio::test]
    async fn a_bouncing_contact_is_one_press() {
        let (mut board, bench) = board();
        let (sender, mut receiver) = press_queue();
        board.button.watch(sender).unwrap();
        let button = bench.button.clone();
        let press = std::thread::spawn(move || {
            let edges = [(0, true), (3, false), (6, true), (200, false), (900, true)];
            button.contact(edges.map(|(ms, is_closed)| (Duration::from_millis(ms), is_closed)))
        });
        let event = receiver.next().await;
        let gestures = press.join().unwrap();
        assert_eq!(gestures[0], (event, true));
        assert!(matches!(event, ButtonEvent::Press(_)));
        assert_eq!(
            gestures[1],
            (ButtonEvent::NextSlide, true),
            "always accepted, so that no field counts for the wrong slide"
        );
        assert_eq!(gestures.last(), Some(&(ButtonEvent::Shutdown, true)));
    }

    #[test]
    #[should_panic(expected = "at column 0, row 0")]
    fn a_mismatch_shows_both_pictures() {
        assert_art(&Canvas::default(), 0, 0, "#");
    }
}
