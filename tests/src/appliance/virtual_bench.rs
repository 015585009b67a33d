//! The appliance on Linux's own drivers for cameras, GPIO lines and I2C, with simulated devices behind them.
//!
//! The tests observe levels of lines, bytes on the bus, the log and the records.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use embedded_hal::i2c::I2c;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;
use smearscope::testing::{
    AfterOff, Fault, Finding, Identity, Judgement, Problem, Reason, SlideSummary, State,
};
use smearscope_artifacts as artifacts;
use smearscope_hardware::screen::virtual_ssd1306::{VirtualDisplay, VirtualSsd1306};
use smearscope_hardware::{Canvas, ScreenSize};

use super::mock::expected::{expected, picture};
use super::mock::fixture::field;
use crate::endurance::power_cut::saved_as;
use crate::support::virtual_machine::Machine;
use crate::support::*;

/// Two machines would compete for the processor.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// The deadline for everything; many times what it usually takes.
const PATIENCE: Duration = Duration::from_mins(4);
/// The contact connects a pulled-up line to ground.
const CLOSE: &str = "echo pull-down >pull";
const OPEN: &str = "echo pull-up >pull";
/// The log names states only at this level.
const DEBUG: &str = "SMEARSCOPE__LOG__LEVEL=debug";
/// The display's address on the bus.
const OLED: u8 = 0x3c;

/// What a person at the bench sees: the display, and which of the red, amber and green LEDs are lit now.
struct Seen {
    lit: [bool; 3],
    picture: Canvas,
}

const DARK: [bool; 3] = [false; 3];
const RED: [bool; 3] = [true, false, false];
const AMBER: [bool; 3] = [false, true, false];
const GREEN: [bool; 3] = [false, false, true];

/// The image source of the appliance's camera.
#[derive(Clone, Copy)]
enum Camera {
    /// The test pattern of the driver `vivid`, raw.
    Pattern,
    /// One of the shipped fields, as JPEG.
    Film,
}

struct Bench {
    machine: Machine,
    oled: VirtualSsd1306,
    glass: VirtualDisplay,
    /// How many bytes of the bus the virtual display has already shown.
    read: usize,
    /// The model's name and engine as the display shows them.
    identity: Identity,
    _alone: MutexGuard<'static, ()>,
}

impl Bench {
    /// A machine with the disk of the last one of that name, before the appliance starts. Skips and returns `None` if
    /// this computer can run none.
    fn boot(name: &str) -> Option<Self> {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = Machine::boot(name)?;
        let (oled, glass) = VirtualSsd1306::new(OLED, ScreenSize::Rows64);
        let mut bench = Self {
            machine,
            oled,
            glass,
            read: 0,
            identity: expected("_1").1,
            _alone: alone,
        };
        bench.show_field("_1");
        bench
            .machine
            .run("film /dev/video1 640 480 /run/field.jpg >/run/film 2>&1 &");
        Some(bench)
    }

    /// A machine with a new disk and an appliance that is ready.
    fn ready(name: &str, camera: Camera, settings: &str) -> Option<Self> {
        Machine::forget(name);
        let mut bench = Self::boot(name)?;
        bench.look_through(camera);
        bench.start(settings);
        bench.wait_until_ready();
        Some(bench)
    }

    /// Starts the appliance with these settings in its environment.
    fn start(&mut self, settings: &str) {
        self.machine.run(&format!(
            "({settings} smearscope run --config /config.toml; echo $? >/run/ended) >/run/log 2>&1 &"
        ));
    }

    fn look_through(&mut self, camera: Camera) {
        let device = match camera {
            Camera::Pattern => "/dev/video0",
            Camera::Film => "/dev/video1",
        };
        self.machine.run(&format!("ln -sfn {device} /run/camera"));
    }

    /// Shows the first shipped field with that label to the camera.
    fn show_field(&mut self, label: &str) {
        self.machine.run(&format!(
            "set -- /fields/*{label}.jpg; cp $1 /run/next.jpg; mv /run/next.jpg /run/field.jpg"
        ));
    }

    fn look(&mut self) -> Seen {
        let lamps = [22, 27, 23].map(|line| format!("/run/lines/sim_gpio{line}/value"));
        let told = self.machine.run(&format!(
            "cat {}; tail -c +{} /sys/kernel/debug/i2c-bench/written",
            lamps.join(" "),
            self.read + 1
        ));
        let (levels, mut written) = told.split_at(6);
        self.read += written.len();
        while let [low, high, rest @ ..] = written {
            let (message, rest) = rest.split_at(u16::from_le_bytes([*low, *high]).into());
            self.oled.write(OLED, message).unwrap();
            written = rest;
        }
        Seen {
            lit: [levels[0], levels[2], levels[4]].map(|level| level == b'1'),
            picture: self.glass.picture(),
        }
    }

    fn wait_until(&mut self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.look();
            if holds(&seen) {
                return;
            }
            if Instant::now() > deadline {
                let log = self.machine.tell("cat /run/log /run/film");
                panic!(
                    "{what} did not happen in time; red, amber, green: {:?}\n{:?}\n{log}",
                    seen.lit, seen.picture
                );
            }
        }
    }

    /// The display's picture of a state other than READY, which shows a clock.
    fn shown(&self, state: &State) -> Canvas {
        picture(state, 0, &self.identity, Time::midnight())
    }

    /// Waits until the display and the LEDs both show what they must.
    fn wait_for(&mut self, what: &str, lit: [bool; 3], shown: &Canvas) {
        self.wait_until(what, |seen| seen.lit == lit && seen.picture == *shown);
    }

    /// Closes the contact for `ms` milliseconds.
    fn hold(&mut self, ms: u32) {
        self.button(&format!("{CLOSE}; usleep {}; {OPEN}", ms * 1000));
    }

    /// Long enough for a busy machine to notice, and shorter than a long press.
    fn press(&mut self) {
        self.hold(400);
    }

    fn button(&mut self, deeds: &str) {
        self.machine
            .run(&format!("cd /run/lines/sim_gpio17; {deeds}"));
    }

    /// Removes the camera with the test pattern and its driver.
    fn take_camera_away(&mut self) {
        self.machine
            .run("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind");
        // Once no process has it open.
        self.machine
            .run("until rmmod vivid; do usleep 100000; done");
    }

    fn bring_camera_back(&mut self) {
        self.machine
            .run("insmod /modules/vivid.ko $(sed -n 's/^vivid //p' /modules/order)");
    }

    /// Waits for a fault with any message.
    fn wait_for_fault(&mut self, any: &Canvas) {
        self.wait_until("a fault, lit", |seen| {
            seen.lit == RED && is_titled_as(&seen.picture, any)
        });
        self.wait_until("a fault, blinking", |seen| {
            seen.lit == DARK && is_titled_as(&seen.picture, any)
        });
    }

    /// Whether the display answers on the bus.
    fn acknowledge(&mut self, does: bool) {
        let nak = if does { 'N' } else { 'Y' };
        self.machine
            .run(&format!("echo {nak} >/sys/kernel/debug/i2c-bench/nak"));
    }

    /// Waits until the display shows READY for the first slide without fields.
    fn wait_until_ready(&mut self) {
        let identity = self.identity.clone();
        self.wait_until("READY on the display", |seen| {
            let now = Timestamp::now().to_zoned(TimeZone::UTC);
            // The minute may change between the two readings of the clock.
            [-1, 0, 1].into_iter().any(|minutes| {
                let time = (&now + Span::new().minutes(minutes)).time();
                seen.lit == GREEN && seen.picture == picture(&State::Ready, 0, &identity, time)
            })
        });
    }

    /// The verified ids of the recorded fields, which must include `known`.
    fn verified(&mut self, known: &BTreeSet<String>) -> BTreeSet<String> {
        let state = "--state /state/smearscope";
        if self
            .machine
            .try_run("[ -e /state/smearscope/records.sqlite ]")
            .0
            != 0
        {
            assert!(known.is_empty(), "{known:?} are lost");
            return BTreeSet::new();
        }
        self.machine
            .run(&format!("smearscope records verify {state}"));
        let records = self.records();
        let ids: BTreeSet<_> = records
            .iter()
            .map(|record| record["id"].as_str().unwrap().to_owned())
            .collect();
        assert!(
            ids.is_superset(known),
            "{known:?} were saved, {ids:?} are there"
        );
        ids
    }

    /// The appliance's exit status as the shell reports it.
    fn ended(&mut self) -> String {
        self.machine
            .tell("while [ ! -s /run/ended ]; do usleep 100000; done; cat /run/ended")
            .trim()
            .to_owned()
    }

    /// Waits until a text is in so many lines of the log.
    fn wait_for_log(&mut self, text: &str, lines: usize) {
        self.machine.run(&format!(
            "until [ $(grep -c '{text}' /run/log) -ge {lines} ]; do usleep 100000; done"
        ));
    }

    /// The recorded fields, oldest first.
    fn records(&mut self) -> Vec<Value> {
        json_lines(
            &self
                .machine
                .run("smearscope records list --json --state /state/smearscope"),
        )
    }
}

/// The finding on the first shipped field with that label, as the only judged field of a slide.
fn finding(slide: u32, label: &str) -> Finding {
    let mut finding = expected(label).0;
    finding.slide.slide = slide;
    finding
}

/// Whether a picture has the title of another.
fn is_titled_as(seen: &Canvas, other: &Canvas) -> bool {
    const TITLE: u32 = 20;
    let pixels = |canvas: &Canvas| -> Vec<bool> {
        let rows = (0..TITLE).flat_map(|y| (0..Canvas::WIDTH).map(move |x| (x, y)));
        rows.map(|(x, y)| canvas.is_lit(x, y)).collect()
    };
    pixels(seen) == pixels(other)
}

#[test]
fn pictures_come_through_v4l2_and_verdicts_go_out_over_i2c_and_gpio() {
    let Some(mut bench) = Bench::ready("verdicts", Camera::Pattern, "") else {
        return;
    };
    let positive = finding(1, "_1");
    bench.wait_until_ready();

    // A test pattern is not a smear and is never judged.
    bench.press();
    let uneven = Judgement::inconclusive(Reason::Quality(Problem::Uneven));
    let mut refused = positive.clone();
    refused.field.judgement = uneven;
    refused.field.reading = None;
    refused.slide.fields = 0;
    let glass = bench.shown(&State::Verdict(refused));
    bench.wait_for("a refusal", AMBER, &glass);

    bench.look_through(Camera::Film);
    bench.show_field("_1");
    bench.press();
    let glass = bench.shown(&State::Verdict(positive.clone()));
    bench.wait_for("a positive verdict", RED, &glass);

    bench.hold(2000);
    let closed = SlideSummary {
        refused: 1,
        ..positive.slide
    };
    let glass = bench.shown(&State::SlideClosed(closed));
    bench.wait_until("a closed slide", |seen| seen.picture == glass);

    bench.show_field("_0");
    bench.press();
    let negative = finding(2, "_0");
    let glass = bench.shown(&State::Verdict(negative.clone()));
    bench.wait_for("a negative verdict, lit", GREEN, &glass);
    bench.wait_for("a negative verdict, blinking", DARK, &glass);

    // The record holds the camera's pixels, and the same file gives the same verdict.
    let records = bench.records();
    let recorded: Vec<_> = records
        .iter()
        .map(|record| {
            let path = record["image"]["path"].as_str().unwrap();
            let image = bench.machine.run(&format!("cat /state/smearscope/{path}"));
            assert_eq!(record["image"]["sha256"], artifacts::sha256(&image));
            (
                record["verdict"].as_str().unwrap().to_owned(),
                record["probability"].as_f64(),
                image,
            )
        })
        .collect();
    let [(first, None, _), rest @ ..] = &recorded[..] else {
        panic!("{records:#?}");
    };
    assert_eq!(first, "Inconclusive");
    assert_eq!(rest.len(), 2);
    let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap();
    for ((verdict, probability, image), (finding, label)) in
        rest.iter().zip([(positive, "_1"), (negative, "_0")])
    {
        assert_eq!(verdict, finding.field.judgement.verdict().as_str());
        // Processors add in different orders.
        let expected = f64::from(finding.field.probability().unwrap());
        assert!((probability.unwrap() - expected).abs() < 1e-3, "{expected}");
        assert_eq!(pixels(image), pixels(&field(label).0));
    }
}

#[test]
fn one_press_is_one_field_however_its_contact_chatters() {
    let Some(mut bench) = Bench::ready("contact", Camera::Film, DEBUG) else {
        return;
    };
    let positive = finding(1, "_1");
    // Fewer edges than the 16 that the kernel queues.
    let chatter = format!("for n in 1 2 3; do {CLOSE}; {OPEN}; done");
    let press = format!("{chatter}; {CLOSE}; usleep 400000; {OPEN}; {chatter}");
    // A busy machine may stretch chatter into separate presses, which give no verdict.
    let is_heard = |bench: &mut Bench| {
        bench.button(&press);
        let is_taken = "grep -q 'taking a picture' /run/log";
        bench.machine.run(&format!(
            "n=0; until {is_taken} || [ $n = 50 ]; do n=$((n + 1)); usleep 100000; done"
        ));
        bench.machine.try_run(is_taken).0 == 0
    };
    assert!((0..5).any(|_| is_heard(&mut bench)), "no press is heard");
    let glass = bench.shown(&State::Verdict(positive));
    bench.wait_for("a positive verdict", RED, &glass);

    // The next press shows whether a second one was counted. The kernel timestamps the edges, so a press stays short
    // even if the appliance reads it late.
    bench.show_field("_0");
    bench.button(&format!(
        "kill -STOP $(pidof smearscope); {CLOSE}; usleep 400000; {OPEN}; usleep 2000000; kill -CONT $(pidof smearscope)"
    ));
    bench.wait_until("the next verdict", |seen| seen.picture != glass);
    bench
        .machine
        .run("while [ $(grep -c ^verdict: /run/log) != 2 ]; do usleep 100000; done");
    let verdicts: Vec<_> = bench.records();
    assert_eq!(verdicts.len(), 2, "{verdicts:#?}");

    // A long hold switches the appliance off.
    bench.hold(9000);
    assert_eq!(bench.ended(), "0");
    let glass = bench.shown(&State::Off(AfterOff::ProgramEnds));
    bench.wait_for("all off", DARK, &glass);
}

#[test]
fn a_display_that_acknowledges_nothing_is_told_by_the_leds_and_drawn_again() {
    let Some(mut bench) = Bench::ready("display", Camera::Film, "") else {
        return;
    };
    let positive = finding(1, "_1");
    bench.wait_until_ready();
    bench.acknowledge(false);
    bench.wait_until("a fault, lit", |seen| seen.lit == RED);
    bench.wait_until("a fault, blinking", |seen| seen.lit == DARK);
    bench.acknowledge(true);
    bench.wait_until_ready();

    bench.acknowledge(false);
    bench.wait_until("a fault, blinking", |seen| seen.lit == DARK);
    bench.press();
    bench
        .machine
        .run("while ! grep -q ^verdict: /run/log; do usleep 100000; done");
    bench.acknowledge(true);
    let glass = bench.shown(&State::Verdict(positive));
    bench.wait_for("a positive verdict", RED, &glass);
}

#[test]
fn a_camera_may_be_taken_away_and_brought_back_and_may_stall() {
    // Long enough to remove the camera during the capture.
    let long = "SMEARSCOPE__CAMERA__WARM_UP_FRAMES=100";
    let Some(mut bench) = Bench::ready("camera", Camera::Pattern, long) else {
        return;
    };
    let no_camera = bench.shown(&State::Fault(Fault {
        message: String::new(),
        is_final: false,
    }));
    let capturing = bench.shown(&State::Capturing(Instant::now()));
    // While the appliance does not use it.
    bench.take_camera_away();
    bench.wait_for_fault(&no_camera);
    bench.bring_camera_back();
    bench.wait_until_ready();

    // During a capture, which then gives no verdict.
    bench.press();
    bench.wait_until("a capture", |seen| seen.picture == capturing);
    bench.take_camera_away();
    bench.wait_for_fault(&no_camera);
    assert_eq!(bench.records().len(), 0);
    bench.bring_camera_back();
    bench.press();
    bench
        .machine
        .run("until grep -q ^verdict: /run/log; do usleep 100000; done");
    assert_eq!(bench.records().len(), 1);

    // It stalls while the appliance is asked to end.
    bench.machine.run("kill -STOP $(pidof film)");
    bench.look_through(Camera::Film);
    bench.press();
    bench.wait_until("a capture", |seen| seen.picture == capturing);
    bench.machine.run("kill -TERM $(pidof smearscope)");
    assert_eq!(bench.ended(), "0");
    let glass = bench.shown(&State::Off(AfterOff::Stopped));
    bench.wait_for("all off", DARK, &glass);
    assert_eq!(bench.records().len(), 1);

    // Of vivid's frame intervals at this size, 2/25 s is the shortest. The camera stays in that mode between pictures.
    bench.look_through(Camera::Pattern);
    let size = "SMEARSCOPE__CAMERA__WIDTH=1280 SMEARSCOPE__CAMERA__HEIGHT=720";
    bench.start(&format!("{DEBUG} {size}"));
    bench.wait_for_log("showing the self-test", 1);
    for verdicts in 1..=2 {
        bench.press();
        bench.wait_for_log("showing a verdict", verdicts);
        assert_eq!(bench.records().len(), 1 + verdicts);
    }
    let modes = bench
        .machine
        .tell("grep -o 'YUYV 1280x720, 2/25 s' /run/log");
    assert_eq!(modes.lines().count(), 2, "{modes}");
}

#[test]
fn records_are_whole_after_power_cuts() {
    const NAME: &str = "power";
    Machine::forget(NAME);
    let mut saved = BTreeSet::new();
    // During the capture, during the analysis, and while the image is written.
    for moment in ["taking a picture", "analysing", "incoming"] {
        let Some(mut bench) = Bench::boot(NAME) else {
            return;
        };
        saved = bench.verified(&saved);
        bench.look_through(Camera::Film);
        bench.start(&format!("{DEBUG} SMEARSCOPE__TIMING__INTERVAL_S=0.1"));
        bench
            .machine
            .run("until grep -q ^verdict: /run/log; do usleep 10000; done");
        let log = bench.machine.tell(
            match moment {
                "incoming" => {
                    "until [ -n \"$(ls /state/smearscope/incoming)\" ]; do :; done; cat /run/log"
                        .into()
                }
                step => {
                    format!("until tail -n 1 /run/log | grep -q {step:?}; do :; done; cat /run/log")
                }
            }
            .as_str(),
        );
        saved.extend(log.lines().filter_map(saved_as));
        bench.machine.cut_power();
    }
    let Some(mut bench) = Bench::boot(NAME) else {
        return;
    };
    let recorded = bench.verified(&saved);
    assert!(recorded.len() >= 3, "{recorded:?}");
    bench.look_through(Camera::Film);
    bench.start("");
    bench.wait_until("ready", |seen| seen.lit == GREEN);
}
