//! A bench for tests: scripted camera and button, recorded LEDs and screen.
//!
//! The screen is the real SSD1306 driver on a [virtual display](crate::screen::virtual_ssd1306), so what a
//! test sees is what the glass would show. Nothing here sleeps: waiting ends with the event, or
//! panics after [`PATIENCE`].
//!
//! ```
//! use smearscope_hardware::{Light, Lights, mock};
//!
//! let (mut board, bench) = mock::board();
//! bench.camera.will_deliver(b"bytes of a JPEG".to_vec(), "field.jpg");
//!
//! // What the code under test does:
//! let frame = board.camera.capture().unwrap();
//! board.leds.show(Lights { green: Light::Steady, ..Lights::default() }).unwrap();
//!
//! assert_eq!(frame.source, "field.jpg");
//! bench.leds.wait_until("green", |lights| lights.green == Light::Steady);
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::board::faults::Faults;
use crate::button::gestures::ButtonEvent;
use crate::button::gestures::{Edge, Gesture, Recogniser};
use crate::button::queue::PressSender;
use crate::camera::frame::{Frame, Pixels};
use crate::error::HardwareError;
use crate::leds::pattern::Lights;
use crate::ports::{Button, Camera, Screen, StatusLeds};
use crate::screen::canvas::{Canvas, ScreenSize};
use crate::screen::ssd1306::{OledSetup, Ssd1306Screen};
use crate::screen::virtual_ssd1306::{Glass, VirtualSsd1306};

/// How long a test waits for what must happen. Only a failing test waits so long.
pub const PATIENCE: Duration = Duration::from_mins(1);

const OLED_ADDRESS: u8 = 0x3c;

/// Makes a board and the handles by which a test plays on it.
pub fn board() -> (Board, Bench) {
    board_with(ScreenSize::default())
}

/// The same with a screen of a size.
pub fn board_with(size: ScreenSize) -> (Board, Bench) {
    let (bus, glass) = VirtualSsd1306::new(OLED_ADDRESS, size);
    let bench = Bench {
        camera: CameraScript::default(),
        button: ButtonFinger::default(),
        leds: Record::default(),
        screen: Record::default(),
        glass,
        faults: Faults::default(),
    };
    let board = Board {
        name: "mock",
        camera: Box::new(bench.camera.clone()),
        button: Box::new(bench.button.clone()),
        leds: Box::new(MockLeds(bench.leds.clone())),
        screen: Box::new(MockScreen {
            oled: Ssd1306Screen::new(
                bus,
                OledSetup::new(OLED_ADDRESS, size),
                "virtual bus, address 0x3C",
            ),
            glass: bench.glass.clone(),
            record: bench.screen.clone(),
        }),
        faults: bench.faults.clone(),
    };
    (board, bench)
}

/// The test's side of a mock board.
pub struct Bench {
    /// What the camera will deliver.
    pub camera: CameraScript,
    /// The finger on the button.
    pub button: ButtonFinger,
    /// All LED states, in order.
    pub leds: Record<Lights>,
    /// All pictures on the glass, in order.
    pub screen: Record<Canvas>,
    /// The display itself, to be unplugged.
    pub glass: Glass,
    /// What is wrong with the board's parts: nothing, unless the test reports something.
    pub faults: Faults,
}

/// Values in the order in which they were shown; clones share them.
pub struct Record<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Record<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + std::fmt::Debug> Record<T> {
    /// Everything shown so far, oldest first.
    pub fn all(&self) -> Vec<T> {
        self.lock().clone()
    }

    /// What is shown now, if anything was.
    pub fn latest(&self) -> Option<T> {
        self.lock().last().cloned()
    }

    /// Forgets everything but what is shown now: a long test has no room for all of it.
    pub fn forget(&self) {
        let mut values = self.lock();
        let shown = values.pop();
        *values = shown.into_iter().collect();
    }

    /// Waits until `holds` for what is shown now, and returns that.
    ///
    /// # Panics
    /// After [`PATIENCE`], naming `what` and the value shown last.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&T) -> bool) -> T {
        let (values, shown) = &*self.0;
        let deadline = Instant::now() + PATIENCE;
        let mut guard = lock(values);
        loop {
            if let Some(value) = guard.last().filter(|value| holds(value)) {
                return value.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited in vain for {what}; shown last: {:#?}",
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
    // A failed assertion of a test must not hide behind a poisoned lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the camera does at one capture.
enum Shot {
    Deliver { frame: Frame, is_fresh: bool },
    Fail(HardwareError),
    Stall,
}

/// The script of a camera; clones share it. A capture beyond its end fails.
#[derive(Clone, Default)]
pub struct CameraScript(Arc<(Mutex<CameraState>, Condvar)>);

#[derive(Default)]
struct CameraState {
    shots: VecDeque<Shot>,
    is_released: bool,
}

impl CameraScript {
    /// Delivers an encoded image, exposed when it is asked for.
    pub fn will_deliver(&self, bytes: Vec<u8>, source: &str) {
        self.will_deliver_pixels(Pixels::Encoded(bytes), source);
    }

    /// Delivers pixels of any kind, exposed when they are asked for.
    pub fn will_deliver_pixels(&self, pixels: Pixels, source: &str) {
        self.add(Shot::Deliver {
            frame: frame(pixels, source),
            is_fresh: true,
        });
    }

    /// Delivers an encoded image after another one of the same stream.
    pub fn will_deliver_after(&self, earlier: Vec<u8>, bytes: Vec<u8>, source: &str) {
        self.add(Shot::Deliver {
            frame: Frame {
                earlier: Some(Pixels::Encoded(earlier)),
                ..frame(Pixels::Encoded(bytes), source)
            },
            is_fresh: true,
        });
    }

    /// Delivers an encoded image that was exposed before it was asked for.
    pub fn will_deliver_stale(&self, bytes: Vec<u8>, source: &str) {
        self.add(Shot::Deliver {
            frame: frame(Pixels::Encoded(bytes), source),
            is_fresh: false,
        });
    }

    /// Fails.
    pub fn will_fail(&self, error: HardwareError) {
        self.add(Shot::Fail(error));
    }

    /// Blocks as a stalled V4L2 driver does, until [`CameraScript::release`]; then goes on with the
    /// rest of the script.
    pub fn will_stall(&self) {
        self.add(Shot::Stall);
    }

    /// Ends a stall, also one to come.
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
    }
}

impl Camera for CameraScript {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let asked = Instant::now();
        let (state, released) = &*self.0;
        let mut state = lock(state);
        loop {
            match state.shots.pop_front() {
                Some(Shot::Deliver {
                    mut frame,
                    is_fresh,
                }) => {
                    if is_fresh {
                        frame.captured_at = asked;
                    }
                    return Ok(frame);
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
                        remedy: "the test's script has ended".into(),
                        source: None,
                    });
                }
            }
        }
    }

    /// The picture that comes next, if one does.
    fn glimpse(&mut self) -> Result<Pixels, HardwareError> {
        match lock(&self.0.0).shots.front() {
            Some(Shot::Deliver { frame, .. }) => Ok(frame.pixels.clone()),
            _ => Err(HardwareError::Lost {
                part: "camera",
                remedy: "the test's script shows nothing".into(),
                source: None,
            }),
        }
    }

    fn describe(&self) -> String {
        "scripted camera".into()
    }
}

/// The finger on a mock button; clones share the button.
#[derive(Clone, Default)]
pub struct ButtonFinger(Arc<(Mutex<Option<PressSender>>, Condvar)>);

impl ButtonFinger {
    /// Presses as soon as the appliance is ready for it; `false` if it has ended.
    ///
    /// # Panics
    /// If the appliance is not ready within [`PATIENCE`].
    pub fn press(&self) -> bool {
        self.when_ready(ButtonEvent::Press)
    }

    /// Presses long, as soon as the appliance is ready for it; `false` if it has ended.
    ///
    /// # Panics
    /// As [`ButtonFinger::press`].
    pub fn press_long(&self) -> bool {
        self.when_ready(|_| ButtonEvent::NextSlide)
    }

    /// Presses twice, as soon as the appliance is ready for it; `false` if it has ended.
    ///
    /// # Panics
    /// As [`ButtonFinger::press`].
    pub fn press_twice(&self) -> bool {
        self.when_ready(|_| ButtonEvent::Repeat)
    }

    /// Reports a gesture as soon as the appliance is ready for it; `false` if it has ended.
    ///
    /// # Panics
    /// If the appliance is not ready within [`PATIENCE`].
    pub fn tell(&self, event: ButtonEvent) -> bool {
        self.when_ready(|_| event)
    }

    fn when_ready(&self, event: impl FnOnce(Instant) -> ButtonEvent) -> bool {
        ready(self.wired().tell_within(PATIENCE, event))
    }

    /// Moves the contact as soon as the appliance is ready: closed (`true`) or open, each so long
    /// after that moment, chatter and all; then leaves it alone until nothing more can come of it.
    /// Gives the gestures that were recognised, and whether the appliance took each: it takes one at
    /// a time. No time passes.
    ///
    /// # Panics
    /// As [`ButtonFinger::press`].
    pub fn contact(
        &self,
        edges: impl IntoIterator<Item = (Duration, bool)>,
    ) -> Vec<(ButtonEvent, bool)> {
        let presses = self.wired();
        let mut recogniser = Recogniser::default();
        let mut gestures = Vec::new();
        let mut report =
            |gesture: Gesture| gestures.push((gesture.event, presses.gesture(gesture)));
        let start = ready(presses.wait_within(PATIENCE));
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

    /// Reports a gesture now, whatever the appliance does; `false` if it took no notice.
    pub fn tell_now(&self, event: ButtonEvent) -> bool {
        self.wired().tell(event)
    }

    /// Presses now, whatever the appliance does; `false` if it took no notice.
    pub fn press_now(&self) -> bool {
        self.wired().press()
    }

    /// Asks the appliance to end.
    pub fn shutdown(&self) -> bool {
        self.wired().shutdown()
    }

    /// Waits until the appliance watches the button.
    fn wired(&self) -> PressSender {
        let (sender, wired) = &*self.0;
        let (sender, _) = wired
            .wait_timeout_while(lock(sender), PATIENCE, |sender| sender.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        match &*sender {
            Some(sender) => sender.clone(),
            None => panic!("nobody watches the button"),
        }
    }
}

fn ready<T>(in_time: Option<T>) -> T {
    match in_time {
        Some(answer) => answer,
        None => panic!("waited in vain for an appliance that is ready for a press"),
    }
}

impl Button for ButtonFinger {
    fn watch(&mut self, presses: PressSender) -> Result<(), HardwareError> {
        *lock(&self.0.0) = Some(presses);
        self.0.1.notify_all();
        Ok(())
    }

    fn describe(&self) -> String {
        "scripted button".into()
    }
}

struct MockLeds(Record<Lights>);

impl StatusLeds for MockLeds {
    fn show(&mut self, lights: Lights) -> Result<(), HardwareError> {
        self.0.push(lights);
        Ok(())
    }

    fn describe(&self) -> String {
        "recorded LEDs".into()
    }
}

struct MockScreen {
    oled: Ssd1306Screen<VirtualSsd1306>,
    glass: Glass,
    record: Record<Canvas>,
}

impl Screen for MockScreen {
    fn show(&mut self, picture: &Canvas) -> Result<(), HardwareError> {
        self.oled.show(picture)?;
        self.record.push(self.glass.picture());
        Ok(())
    }

    fn size(&self) -> ScreenSize {
        self.oled.size()
    }

    fn describe(&self) -> String {
        self.oled.describe()
    }
}

/// Asserts the pixels of a part of a screen: a line of `art` is a row from column `left`, row `top`
/// on; `#` is lit and `.` is dark. Indentation and empty lines do not count.
///
/// # Panics
/// If a pixel differs, with both pictures.
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
        let asked = Instant::now();
        assert!(board.camera.capture().is_err());
        assert!(board.camera.capture().unwrap().captured_at < asked);
        let frame = board.camera.capture().unwrap();
        assert!(frame.captured_at >= asked && frame.source == "new");
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
    async fn the_finger_waits_for_a_watched_and_armed_button() {
        let (mut board, bench) = board();
        let finger = bench.button.clone();
        let press = std::thread::spawn(move || finger.press());
        let (sender, mut receiver) = press_queue();
        board.button.watch(sender).unwrap();
        receiver.next().await;
        assert!(press.join().unwrap());
        assert!(!bench.button.press_now(), "nobody waits for a second press");
    }

    #[tokio::test]
    async fn a_contact_that_chatters_is_one_press() {
        let (mut board, bench) = board();
        let (sender, mut receiver) = press_queue();
        board.button.watch(sender).unwrap();
        let finger = bench.button.clone();
        let press = std::thread::spawn(move || {
            let edges = [(0, true), (3, false), (6, true), (200, false), (900, true)];
            finger.contact(edges.map(|(ms, is_closed)| (Duration::from_millis(ms), is_closed)))
        });
        let event = receiver.next().await;
        let gestures = press.join().unwrap();
        assert_eq!(gestures[0], (event, true));
        assert!(matches!(event, ButtonEvent::Press(_)));
        assert_eq!(
            gestures[1],
            (ButtonEvent::NextSlide, true),
            "heard, though nobody waits: no field may count for the wrong slide"
        );
        assert_eq!(gestures.last(), Some(&(ButtonEvent::Shutdown, true)));
    }

    #[test]
    #[should_panic(expected = "at column 0, row 0")]
    fn wrong_art_is_shown_beside_the_right_one() {
        assert_art(&Canvas::default(), 0, 0, "#");
    }
}
