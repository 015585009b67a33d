//! `smearscope screens`: draws OLED and LEDs in each state of the appliance.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use image::{Rgb, RgbImage};
use smearscope_artifacts::{CellCall, CellCount};
use smearscope_hardware::{Canvas, LedPattern, LedPatterns, ScreenSize};

use crate::analysis::analyst::Analysis;
use crate::analysis::examples::{COUNT, FIELD_RULE, counted, field_reading};
use crate::analysis::finding::{Finding, SaveOutcome};
use crate::analysis::identity::Identity;
use crate::analysis::quality::{Problem, Quality};
use crate::analysis::slide::SlideSummary;
use crate::analysis::verdict::{Judgement, Reason};
use crate::appliance::checks::{Check, DRIFT_TITLE};
use crate::appliance::leds::led_patterns;
use crate::appliance::notice::Notice;
use crate::appliance::screens::View;
use crate::appliance::self_test::SelfTest;
use crate::appliance::state::{AfterOff, Fault, State};
use crate::cli::exit::Exit;

/// Pixels of the picture per pixel of the OLED.
const SCALE: u32 = 4;
/// The example of a disk that is almost full.
const DISK_LOW: &str = "ready-disk-low";
/// The example of a slide whose cells are being counted.
const COUNTING: &str = "ready-counting";
/// The examples of notices.
const TOKEN: &str = "api-token";
/// The examples of the web page's address: with a token, and alone.
const TOKEN_CODE: &str = "page-token";
const ADDRESS: &str = "page-address";
const EXAMPLE_URL: &str = "https://192.168.178.123:8080";
const CERTIFICATE: &str = "tls-fingerprint";
const EXAMPLE_TOKEN: &str = "ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ23-4567";
const DRIFT: &str = "drift";
const EXAMPLE_DRIFT: &str =
    "the light is 7 % darker than in the weeks before; check lamp and condenser";
const EXAMPLE_FINGERPRINT: &str =
    "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567 89AB CDEF";
const MARGIN: u32 = 24;
const LED_RADIUS: u32 = 12;
const CASE: Rgb<u8> = Rgb([38, 42, 48]);
const DISPLAY: Rgb<u8> = Rgb([4, 6, 10]);
const LIT: Rgb<u8> = Rgb([150, 225, 255]);

/// Draw every screen of the appliance as a PNG.
#[derive(Debug, Args)]
pub(crate) struct ScreensArgs {
    /// Folder for the pictures; created if it does not exist.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl ScreensArgs {
    pub(crate) fn run(self) -> Result<Exit> {
        write_all(&self.out)?;
        Ok(Exit::Success)
    }
}

/// Writes a picture of every state into a folder, for both sizes of screen.
fn write_all(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be created", folder.display()))?;
    let identity = Identity {
        model: "smear-demo 0.2.0".into(),
        engine: "openvino CPU".into(),
        is_demo: true,
    };
    for (name, state) in examples() {
        let mut notice = Notice::default();
        match name {
            TOKEN | TOKEN_CODE => notice.add_token(EXAMPLE_TOKEN),
            CERTIFICATE => notice.add("TLS SHA-256", EXAMPLE_FINGERPRINT.into()),
            DRIFT => notice.add(DRIFT_TITLE, EXAMPLE_DRIFT.into()),
            _ => {}
        }
        let is_address = [TOKEN_CODE, ADDRESS].contains(&name);
        let view = View {
            state: &state,
            identity: (state != State::Starting).then_some(&identity),
            rule: Some(FIELD_RULE),
            slide: 3,
            fields: 2,
            count: (name == COUNTING).then(|| COUNT.decide(cells(140, 12))),
            is_disk_low: name == DISK_LOW,
            clock: Some(jiff::civil::time(14, 5, 0, 0)),
            since: Duration::from_secs(if is_address { 20 } else { 0 }),
            notice: &notice,
            address: is_address.then_some(EXAMPLE_URL),
        };
        for (size, suffix) in [(ScreenSize::Rows64, ""), (ScreenSize::Rows32, "-32")] {
            let picture = panel(&view.picture(size), led_patterns(&state));
            let path = folder.join(format!("{name}{suffix}.png"));
            picture
                .save(&path)
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(())
}

/// A finding on the second field of a slide.
fn finding(judgement: Judgement, probability: Option<f32>) -> Finding {
    Finding {
        field: Analysis {
            judgement,
            reading: probability.map(|p| field_reading((p / (1.0 - p)).ln())),
            scale: None,
            quality: Quality::default(),
            overlay: None,
        },
        slide: SlideSummary {
            slide: 3,
            fields: 2,
            refused: u32::from(probability.is_none()),
            unsaved: 0,
            judgement,
            probability,
            count: None,
            seen_again: 0,
        },
        saved: SaveOutcome::Unwanted,
    }
}

const fn cells(cells: u32, blasts: u32) -> CellCount {
    CellCount {
        cells,
        blasts,
        unclear: 0,
    }
}

/// A finding on a field with cells of these calls, after which the slide has this count.
fn count_finding(calls: &[CellCall], slide: CellCount) -> Finding {
    let count = COUNT.decide(slide);
    let judgement = Judgement::of_count(&count);
    let field = counted(calls);
    let refused = u32::from(!field.counts());
    Finding {
        field,
        slide: SlideSummary {
            slide: 3,
            fields: 7 - refused,
            refused,
            unsaved: 0,
            judgement,
            probability: None,
            count: Some(count),
            seen_again: 0,
        },
        saved: SaveOutcome::Unwanted,
    }
}

fn examples() -> [(&'static str, State); 34] {
    let verdict = |verdict, probability| State::Verdict(finding(verdict, probability));
    let inconclusive = |reason, probability| verdict(Judgement::inconclusive(reason), probability);
    let refused = |problem| inconclusive(Reason::Quality(problem), None);
    let count = |slide| State::Verdict(count_finding(&[CellCall::Blast], slide));
    [
        ("starting", State::Starting),
        (
            "self-test",
            State::SelfTest(SelfTest {
                checks: vec![
                    Check::passed("model", "smear-demo 0.2.0 verified").detailed(),
                    Check::passed("golden", "6 golden samples passed").detailed(),
                    Check::passed("engine", "openvino CPU").detailed(),
                    Check::passed("board", "all parts work"),
                    Check::passed("storage", "4096 MiB free"),
                    Check::passed("clock", "14:05"),
                ],
            }),
        ),
        (
            "self-test-failed",
            State::SelfTest(SelfTest {
                checks: vec![
                    Check::failed("model", "smear-next-0.3.0 failed, back to smear-demo 0.2.0"),
                    Check::passed("model", "smear-demo 0.2.0 verified").detailed(),
                    Check::passed("golden", "6 golden samples passed").detailed(),
                ],
            }),
        ),
        ("ready", State::Ready),
        (DISK_LOW, State::Ready),
        (TOKEN, State::Ready),
        (CERTIFICATE, State::Ready),
        (DRIFT, State::Ready),
        (TOKEN_CODE, State::Ready),
        (ADDRESS, State::Ready),
        (COUNTING, State::Ready),
        ("capturing", State::Capturing(Instant::now())),
        ("analysing", State::Analysing),
        ("positive", verdict(Judgement::POSITIVE, Some(0.973))),
        ("negative", verdict(Judgement::NEGATIVE, Some(0.041))),
        ("inconclusive-focus", refused(Problem::OutOfFocus)),
        ("inconclusive-unfamiliar", refused(Problem::Unfamiliar)),
        (
            "inconclusive-undecided",
            inconclusive(Reason::Undecided, Some(0.52)),
        ),
        ("cells-positive", count(cells(140, 38))),
        ("cells-negative", count(cells(231, 0))),
        ("cells-more", count(cells(140, 6))),
        ("cells-undecided", count(cells(260, 15))),
        ("cells-none", State::Verdict(count_finding(&[], cells(140, 6)))),
        (
            "cells-closed",
            State::SlideClosed(count_finding(&[CellCall::Blast], cells(140, 38)).slide),
        ),
        (
            "not-saved",
            State::Verdict(Finding {
                saved: SaveOutcome::NotSaved,
                ..finding(Judgement::NEGATIVE, Some(0.041))
            }),
        ),
        (
            "slide-closed",
            State::SlideClosed(finding(Judgement::POSITIVE, Some(0.973)).slide),
        ),
        (
            "switching-off",
            State::SwitchingOff {
                at: Instant::now(),
                before: Box::new(State::Ready),
            },
        ),
        (
            "fault",
            State::Fault(Fault {
                message: "camera does not answer; check its USB cable, that no other program uses it and \
                          that the user is in the group video (/dev/video0)"
                    .into(),
                is_final: false,
            }),
        ),
        (
            "disk-full",
            State::Fault(Fault {
                message: "disk full, 96 MiB free; export records, then remove files".into(),
                is_final: false,
            }),
        ),
        ("off", State::Off(AfterOff::ComputerGoesOff)),
        ("off-press-starts", State::Off(AfterOff::PressStarts)),
        ("off-computer-on", State::Off(AfterOff::ProgramEnds)),
        ("off-stopped", State::Off(AfterOff::Stopped)),
        ("off-restarting", State::Off(AfterOff::Restarts)),
    ]
}

/// Draws the OLED above the LEDs.
fn panel(canvas: &Canvas, lights: LedPatterns) -> RgbImage {
    let width = Canvas::WIDTH * SCALE + 2 * MARGIN;
    let display_bottom = MARGIN + canvas.height() * SCALE;
    let mut image = RgbImage::from_pixel(width, display_bottom + 3 * MARGIN, CASE);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let (Some(left), Some(top)) = (x.checked_sub(MARGIN), y.checked_sub(MARGIN)) else {
            continue;
        };
        if left < Canvas::WIDTH * SCALE && top < canvas.height() * SCALE {
            // Dark lines separate the pixels, as on the real display.
            let is_gap = left % SCALE == SCALE - 1 || top % SCALE == SCALE - 1;
            let is_lit = canvas.is_lit(left / SCALE, top / SCALE) && !is_gap;
            *pixel = if is_lit { LIT } else { DISPLAY };
        }
    }
    let middle = display_bottom + MARGIN + MARGIN / 2;
    for (place, light, colour) in [
        (1, lights.red, [255, 70, 60]),
        (2, lights.amber, [255, 180, 40]),
        (3, lights.green, [80, 230, 100]),
    ] {
        led(&mut image, (width * place / 4, middle), light, Rgb(colour));
    }
    image
}

/// Draws an LED as a disc. One ring: it blinks; two: it breathes.
fn led(image: &mut RgbImage, (x, y): (u32, u32), light: LedPattern, colour: Rgb<u8>) {
    let ring = LED_RADIUS + 6;
    for (px, py, pixel) in image.enumerate_pixels_mut() {
        let distance = f64::from(px.abs_diff(x)).hypot(f64::from(py.abs_diff(y)));
        if distance <= f64::from(LED_RADIUS) {
            *pixel = match light {
                LedPattern::Off => Rgb(colour.0.map(|sample| sample / 5)),
                LedPattern::On | LedPattern::Blink | LedPattern::Breathe => colour,
            };
            continue;
        }
        let is_on_ring = |ring: u32| (f64::from(ring - 2)..=f64::from(ring)).contains(&distance);
        let is_ring = match light {
            LedPattern::Off | LedPattern::On => false,
            LedPattern::Blink => is_on_ring(ring),
            LedPattern::Breathe => is_on_ring(ring) || is_on_ring(ring + 4),
        };
        if is_ring {
            *pixel = colour;
        }
    }
}
