//! What OLED and LEDs show in each state.
//!
//! | state | red | amber | green |
//! |---|---|---|---|
//! | starting | | blinks | blinks |
//! | self-test | on | on | on |
//! | ready | | | on |
//! | capturing | | blinks | |
//! | analysing | | breathes | |
//! | slide positive | on | | |
//! | slide negative | | | blinks |
//! | inconclusive, or not saved | | on | |
//! | slide closed | | breathes | breathes |
//! | switching off | breathes | | |
//! | fault | blinks | | |
//! | off | | | |
//!
//! No two rows are alike to a person who tells the lamps apart by their place only.

use std::convert::Infallible;
use std::time::Duration;

use embedded_graphics::mono_font::ascii::{FONT_5X8, FONT_6X10, FONT_8X13_BOLD, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, MonoTextStyleBuilder};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use jiff::civil::Time;
use smearscope_artifacts::Verdict;
use smearscope_hardware::{Canvas, LedPattern, LedPatterns, ScreenSize};

use crate::analysis::finding::Finding;
use crate::analysis::finding::SaveOutcome;
use crate::analysis::identity::Identity;
use crate::analysis::slide::SlideSummary;
use crate::appliance::notice::Notice;
use crate::appliance::state::{SelfTest, State};

const DEMO_LINE: &str = "DEMO, NOT FOR DIAGNOSIS";
const RESEARCH_LINE: &str = "RESEARCH USE ONLY";
const DISK_LOW: &str = "DISK LOW, EXPORT RECORDS";
/// Before the slide's number where a display is repeated.
const AGAIN: &str = "again: ";

/// Text that is longer than its place moves on by a line every so often.
const STEP: Duration = Duration::from_millis(1500);
/// Steps for which its beginning and its end stay.
const REST: usize = 2;

/// All that a picture of the screen is made of.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What the appliance is doing.
    pub state: &'a State,
    /// The model; before it is loaded there is none.
    pub identity: Option<&'a Identity>,
    /// Number of the slide under the microscope.
    pub slide: u32,
    /// How many fields of it were photographed.
    pub fields: u32,
    /// Whether there is little room for records.
    pub is_disk_low: bool,
    /// The time of day, where it is known.
    pub clock: Option<Time>,
    /// How long the state has been shown.
    pub since: Duration,
    /// What the operator must know before the first press.
    pub notice: &'a Notice,
}

/// The LEDs of a state.
pub fn lights(state: &State) -> LedPatterns {
    let state = match state {
        State::Again(last) => last,
        state => state,
    };
    let (red, amber, green) = match state {
        State::Starting => (LedPattern::Off, LedPattern::Blink, LedPattern::Blink),
        State::SelfTest(_) => (LedPattern::On, LedPattern::On, LedPattern::On),
        State::Ready => (LedPattern::Off, LedPattern::Off, LedPattern::On),
        State::Capturing(_) => (LedPattern::Off, LedPattern::Blink, LedPattern::Off),
        State::Analysing => (LedPattern::Off, LedPattern::Breathe, LedPattern::Off),
        State::SlideClosed(_) => (LedPattern::Off, LedPattern::Breathe, LedPattern::Breathe),
        State::SwitchingOff { .. } => (LedPattern::Breathe, LedPattern::Off, LedPattern::Off),
        State::Fault(_) => (LedPattern::Blink, LedPattern::Off, LedPattern::Off),
        State::Verdict(finding) => match finding.shown().judgement.verdict() {
            Verdict::Positive => (LedPattern::On, LedPattern::Off, LedPattern::Off),
            Verdict::Negative => (LedPattern::Off, LedPattern::Off, LedPattern::Blink),
            Verdict::Inconclusive => (LedPattern::Off, LedPattern::On, LedPattern::Off),
        },
        State::Again(_) | State::Off => (LedPattern::Off, LedPattern::Off, LedPattern::Off),
    };
    LedPatterns { red, amber, green }
}

impl View<'_> {
    /// The picture for a screen of some size.
    pub fn picture(&self, size: ScreenSize) -> Canvas {
        let footer = self.footer();
        let mut page = Page::new(size, self.since, footer.is_some());
        match self.state {
            State::Starting => page.large("smearscope", None, &["checking the model".into()]),
            State::SelfTest(SelfTest { passed, lines }) => {
                let title = if *passed { "SELF-TEST" } else { "TEST FAILED" };
                page.small(title, lines);
            }
            State::Ready => self.ready(&mut page),
            State::Capturing(_) => {
                page.large("CAPTURING", None, &["hold the slide still".into()]);
            }
            State::Analysing => page.large("ANALYSING", None, &[self.place()]),
            State::Verdict(finding) => verdict(&mut page, finding, ""),
            State::SlideClosed(standing) => closed(&mut page, standing, ""),
            State::Again(last) => match &**last {
                State::Verdict(finding) => verdict(&mut page, finding, AGAIN),
                State::SlideClosed(standing) => closed(&mut page, standing, AGAIN),
                _ => {}
            },
            State::SwitchingOff { .. } => {
                let keep = "keep holding to switch off, let go to stay on";
                page.large("OFF?", None, &[keep.into()]);
            }
            State::Fault(fault) => page.small("FAULT", std::slice::from_ref(&fault.message)),
            State::Off => {
                let wait = "unplug only when the computer's light is out";
                page.large("OFF", None, &[wait.into()]);
            }
        }
        if let Some(line) = footer {
            page.footer(line);
        }
        page.canvas
    }

    fn ready(&self, page: &mut Page) {
        if let Some((title, text)) = self.notice.page(self.since) {
            page.small(title, std::slice::from_ref(text));
            return;
        }
        let mut lines = vec![self.place()];
        if let Some(identity) = self.identity {
            lines.extend([identity.model.clone(), identity.engine.clone()]);
        }
        page.large("READY", None, &lines);
        if let Some(clock) = self.clock {
            page.corner(&format!("{:02}:{:02}", clock.hour(), clock.minute()));
        }
    }

    fn place(&self) -> String {
        format!("slide {}, {}", self.slide, fields(self.fields))
    }

    fn footer(&self) -> Option<&'static str> {
        match self.state {
            State::Ready if !self.notice.is_empty() => None,
            State::Fault(_) | State::Off | State::SelfTest(_) => None,
            State::Ready if self.is_disk_low => Some(DISK_LOW),
            _ => self.identity.map(|identity| {
                if identity.is_demo {
                    DEMO_LINE
                } else {
                    RESEARCH_LINE
                }
            }),
        }
    }
}

fn fields(count: u32) -> String {
    format!("{count} field{}", if count == 1 { "" } else { "s" })
}

fn verdict(page: &mut Page, finding: &Finding, again: &str) {
    let (field, slide) = (&finding.field, &finding.slide);
    let shown = finding.shown();
    let place = format!("{again}slide {}, {}", slide.slide, fields(slide.fields));
    if finding.saved == SaveOutcome::NotSaved {
        // No verdict: that of the slide is the one from before.
        let mut lines = vec!["does not count".into(), "check disk, take it again".into()];
        lines.extend(
            field
                .probability
                .map(|p| format!("this field {}", percent(p))),
        );
        lines.push(place);
        page.large("NOT SAVED", None, &lines);
        return;
    }
    let mut lines = Vec::new();
    if let Some(reason) = shown.judgement.reason() {
        lines.extend([reason.to_string(), reason.hint().to_owned()]);
        lines.extend(shown.probability.map(percentage));
        lines.push(place);
        page.large("INCONCLUSIVE", None, &lines);
        return;
    }
    lines.extend(shown.probability.map(percentage));
    lines.push(place);
    if slide.fields > 1 {
        // One number each for the slide and for what was just looked at.
        lines.extend(
            field
                .probability
                .map(|p| format!("last field {}", percent(p))),
        );
    }
    page.large(word(shown.judgement.verdict()), shown.probability, &lines);
}

fn closed(page: &mut Page, standing: &SlideSummary, again: &str) {
    let mut lines = vec![format!("{again}slide {} closed", standing.slide)];
    if let Some(reason) = standing.judgement.reason() {
        lines.push(reason.to_string());
    }
    lines.extend(standing.probability.map(percentage));
    lines.push(format!(
        "{}, {} refused",
        fields(standing.fields),
        standing.refused
    ));
    if standing.unsaved > 0 {
        lines.push(format!("{} NOT SAVED", standing.unsaved));
    }
    page.large(word(standing.judgement.verdict()), None, &lines);
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Positive => "POSITIVE",
        Verdict::Negative => "NEGATIVE",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

fn percentage(probability: f32) -> String {
    format!("p(ALL) {}", percent(probability))
}

/// Nothing is certain, whatever it rounds to.
fn percent(probability: f32) -> String {
    match probability {
        p if p > 0.999 => "> 99.9 %".into(),
        p if p < 0.001 => "< 0.1 %".into(),
        p => format!("{:.1} %", p * 100.0),
    }
}

/// A picture in three parts: a title, lines below it that scroll where they are too many, a footer.
struct Page {
    canvas: Canvas,
    size: ScreenSize,
    since: Duration,
    /// Where the footer begins, or the picture ends.
    bottom: i32,
}

impl Page {
    fn new(size: ScreenSize, since: Duration, has_footer: bool) -> Self {
        Self {
            canvas: Canvas::new(size),
            size,
            since,
            bottom: size.height() as i32 - if has_footer { FOOTER } else { 0 },
        }
    }

    /// Title, a bar filled to a probability where there is room, and lines in the larger font.
    fn large(&mut self, title: &str, bar: Option<f32>, lines: &[String]) {
        let top = self.title(title);
        let top = match (self.size, bar) {
            (ScreenSize::Rows64, Some(probability)) => self.bar(probability, top),
            _ => top,
        };
        self.lines(lines, top, &FONT_6X10);
    }

    /// Title and lines in the smaller font.
    fn small(&mut self, title: &str, lines: &[String]) {
        let top = self.title(title);
        self.lines(lines, top, &FONT_5X8);
    }

    /// Gives where what is below it begins.
    fn title(&mut self, text: &str) -> i32 {
        let (font, end) = match self.size {
            ScreenSize::Rows64 => (&FONT_10X20, 22),
            ScreenSize::Rows32 => (&FONT_8X13_BOLD, 13),
        };
        self.text(text, 0, MonoTextStyle::new(font, BinaryColor::On));
        end
    }

    /// Everything between title and footer, broken between words.
    fn lines(&mut self, lines: &[String], top: i32, font: &'static MonoFont<'static>) {
        let columns = columns(font);
        let lines: Vec<String> = lines
            .iter()
            .flat_map(|line| wrapped(line, columns))
            .collect();
        let pitch = font.character_size.height as i32 + i32::from(self.size == ScreenSize::Rows64);
        let rows = ((self.bottom - top) / pitch).max(1) as usize;
        let first = first_line(lines.len(), rows, self.since);
        for (line, top) in lines[first..]
            .iter()
            .take(rows)
            .zip((top..).step_by(pitch as usize))
        {
            self.text(line, top, MonoTextStyle::new(font, BinaryColor::On));
        }
    }

    /// A frame as wide as certainty, filled up to the probability; gives where it ends.
    fn bar(&mut self, probability: f32, top: i32) -> i32 {
        let frame = Rectangle::new(Point::new(8, top), Size::new(112, 9));
        let inner = frame.offset(-2);
        let filled = (probability.clamp(0.0, 1.0) * inner.size.width as f32).round() as u32;
        self.draw(&frame.into_styled(PrimitiveStyle::with_stroke(BinaryColor::On, 1)));
        self.draw(
            &Rectangle::new(inner.top_left, Size::new(filled, inner.size.height))
                .into_styled(PrimitiveStyle::with_fill(BinaryColor::On)),
        );
        top + 11
    }

    /// A line at the bottom, dark on light.
    fn footer(&mut self, text: &str) {
        let top = self.bottom;
        self.draw(
            &Rectangle::new(
                Point::new(0, top),
                Size::new(Canvas::WIDTH, FOOTER.unsigned_abs()),
            )
            .into_styled(PrimitiveStyle::with_fill(BinaryColor::On)),
        );
        let style = MonoTextStyleBuilder::new()
            .font(&FONT_5X8)
            .text_color(BinaryColor::Off)
            .build();
        self.text(text, top + 1, style);
    }

    /// A few letters at the right of the title.
    fn corner(&mut self, text: &str) {
        let layout = TextStyleBuilder::new()
            .alignment(Alignment::Right)
            .baseline(Baseline::Top)
            .build();
        let style = MonoTextStyle::new(&FONT_5X8, BinaryColor::On);
        let at = Point::new(Canvas::WIDTH as i32 - 1, 2);
        self.draw(&Text::with_text_style(text, at, style, layout));
    }

    fn text(&mut self, text: &str, top: i32, style: MonoTextStyle<'static, BinaryColor>) {
        let layout = TextStyleBuilder::new()
            .alignment(Alignment::Center)
            .baseline(Baseline::Top)
            .build();
        let at = Point::new(Canvas::WIDTH as i32 / 2, top);
        self.draw(&Text::with_text_style(text, at, style, layout));
    }

    fn draw(&mut self, drawable: &impl Drawable<Color = BinaryColor>) {
        let Ok(_) = drawable
            .draw(&mut self.canvas)
            .map_err(|never: Infallible| never);
    }
}

/// Rows of the footer.
const FOOTER: i32 = 9;

fn columns(font: &MonoFont<'_>) -> usize {
    (Canvas::WIDTH / font.character_size.width) as usize
}

/// Which line is the uppermost, of `count` in `rows`, so long after the first was.
fn first_line(count: usize, rows: usize, since: Duration) -> usize {
    let hidden = count.saturating_sub(rows);
    if hidden == 0 {
        return 0;
    }
    let step = (since.as_millis() / STEP.as_millis()) as usize % (hidden + 2 * REST);
    step.saturating_sub(REST).min(hidden)
}

/// Breaks text between words into lines of so many letters; longer words are broken anywhere.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(columns) {
            let part: String = part.iter().collect();
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + part.chars().count() <= columns => {
                    line.push(' ');
                    line.push_str(&part);
                }
                _ => lines.push(part),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use smearscope_hardware::mock::assert_art;

    use super::*;
    use crate::analysis::quality::Problem;
    use crate::analysis::verdict::{Judgement, Reason};
    use crate::appliance::state::Fault;
    use crate::appliance::state::tests::finding;

    const SIZES: [ScreenSize; 2] = [ScreenSize::Rows64, ScreenSize::Rows32];

    fn verdict(judgement: Judgement) -> State {
        State::Verdict(finding(judgement, Some(0.75)))
    }

    fn refused() -> State {
        let verdict = Judgement::inconclusive(Reason::Quality(Problem::OutOfFocus));
        State::Verdict(finding(verdict, None))
    }

    fn states() -> [State; 13] {
        let fault = Fault {
            message: "camera does not answer; check its USB cable".into(),
            is_final: false,
        };
        [
            State::Starting,
            State::SelfTest(SelfTest {
                passed: true,
                lines: vec!["smear-demo 0.2.0 right".into()],
            }),
            State::Ready,
            State::Capturing(Instant::now()),
            State::Analysing,
            verdict(Judgement::POSITIVE),
            verdict(Judgement::NEGATIVE),
            refused(),
            State::SlideClosed(finding(Judgement::POSITIVE, Some(0.75)).slide),
            State::SwitchingOff {
                at: Instant::now(),
                before: Box::new(State::Ready),
            },
            State::Fault(fault),
            State::Off,
            verdict(Judgement::inconclusive(Reason::TooFewFields(2))),
        ]
    }

    fn identity(is_demo: bool) -> Identity {
        Identity {
            model: "smear-demo 0.1.0".into(),
            engine: "openvino CPU".into(),
            is_demo,
        }
    }

    fn picture_after(
        state: &State,
        identity: Option<&Identity>,
        size: ScreenSize,
        since: Duration,
    ) -> Canvas {
        let view = View {
            state,
            identity,
            slide: 3,
            fields: 2,
            is_disk_low: false,
            clock: Some(jiff::civil::time(14, 5, 0, 0)),
            since,
            notice: &Notice::default(),
        };
        view.picture(size)
    }

    fn picture(state: &State, identity: Option<&Identity>) -> Canvas {
        picture_after(state, identity, ScreenSize::Rows64, Duration::ZERO)
    }

    #[test]
    fn states_differ_in_lamps_by_place_and_in_picture() {
        let states = &states()[..12];
        for (index, one) in states.iter().enumerate() {
            for other in &states[index + 1..] {
                assert_ne!(lights(one), lights(other), "{one:?} and {other:?}");
                for size in SIZES {
                    let [one, other] =
                        [one, other].map(|s| picture_after(s, None, size, Duration::ZERO));
                    assert_ne!(one, other);
                }
            }
        }
    }

    #[test]
    fn a_demo_model_says_so_below_every_verdict() {
        for state in [
            verdict(Judgement::POSITIVE),
            verdict(Judgement::NEGATIVE),
            verdict(Judgement::inconclusive(Reason::Undecided)),
            refused(),
            State::SlideClosed(finding(Judgement::NEGATIVE, Some(0.1)).slide),
        ] {
            for size in SIZES {
                let [demo, other] = [true, false]
                    .map(|demo| picture_after(&state, Some(&identity(demo)), size, STEP));
                assert_ne!(demo, other);
                // The D of DEMO, dark on light.
                assert_art(
                    &demo,
                    6,
                    size.height() - 7,
                    "
                    #...##.
                    #.##.#.
                    ",
                );
            }
        }
    }

    #[test]
    fn nothing_is_certain() {
        for (probability, said) in [
            (1.0, "> 99.9 %"),
            (0.999_2, "> 99.9 %"),
            (0.5, "50.0 %"),
            (0.0, "< 0.1 %"),
        ] {
            assert_eq!(percent(probability), said);
        }
    }

    #[test]
    fn a_repeated_display_says_so_and_keeps_its_lamps() {
        for last in [
            verdict(Judgement::NEGATIVE),
            refused(),
            State::SlideClosed(finding(Judgement::POSITIVE, Some(0.75)).slide),
        ] {
            let again = State::Again(Box::new(last.clone()));
            assert_eq!(lights(&again), lights(&last));
            assert_ne!(picture(&again, None), picture(&last, None));
        }
    }

    #[test]
    fn a_picture_that_is_not_saved_says_so() {
        let mut lost = finding(Judgement::POSITIVE, Some(0.9));
        lost.saved = SaveOutcome::NotSaved;
        let mut saved = lost.clone();
        saved.saved = SaveOutcome::Saved(uuid::Uuid::nil());
        let [lost, saved] = [lost, saved].map(State::Verdict);
        assert_eq!(lights(&lost), lights(&refused()), "no verdict stands");
        assert_eq!(lights(&saved).red, LedPattern::On);
        let [lost, saved] = [lost, saved].map(|found| picture(&found, Some(&identity(true))));
        assert_ne!(lost, saved);
        // The D of DEMO is there all the same.
        assert_art(&lost, 6, 57, "#...##.\n#.##.#.");
    }

    #[test]
    fn a_closed_slide_tells_what_was_not_saved() {
        let closed = |unsaved| {
            let mut slide = finding(Judgement::POSITIVE, Some(0.9)).slide;
            slide.unsaved = unsaved;
            picture_after(
                &State::SlideClosed(slide),
                None,
                ScreenSize::Rows64,
                STEP * 3,
            )
        };
        assert_ne!(closed(0), closed(1));
    }

    #[test]
    fn a_disk_that_is_low_is_told_while_nothing_else_is_to_be() {
        let identity = identity(true);
        let show = |state: &State, is_disk_low| {
            let view = View {
                state,
                identity: Some(&identity),
                slide: 1,
                fields: 0,
                is_disk_low,
                clock: None,
                since: Duration::ZERO,
                notice: &Notice::default(),
            };
            view.picture(ScreenSize::Rows64)
        };
        // The D and the I of DISK, dark on light.
        assert_art(
            &show(&State::Ready, true),
            4,
            57,
            "
            #...###..
            #.##.###.
            ",
        );
        assert_ne!(show(&State::Ready, true), show(&State::Ready, false));
        let verdict = verdict(Judgement::POSITIVE);
        assert_eq!(show(&verdict, true), show(&verdict, false));
    }

    #[test]
    fn the_bar_is_filled_to_the_slides_probability() {
        let mut found = finding(Judgement::POSITIVE, Some(0.75));
        found.field.probability = Some(0.25);
        let canvas = picture(&State::Verdict(found), None);
        let lit = (10..118).filter(|x| canvas.is_lit(*x, 26)).count();
        assert_eq!(lit, 81, "three quarters of 108");
    }

    #[test]
    fn the_lamps_of_a_refused_field_are_not_those_of_its_slide() {
        let mut found = finding(Judgement::POSITIVE, Some(0.9));
        found.field.judgement = Judgement::inconclusive(Reason::Quality(Problem::TooDark));
        found.field.log_odds = None;
        let amber = lights(&refused());
        assert_eq!(lights(&State::Verdict(found)), amber);
        assert_eq!(amber.amber, LedPattern::On);
    }

    #[test]
    fn long_text_scrolls_to_its_end_and_begins_again() {
        let seen: Vec<usize> = (0..8).map(|step| first_line(7, 4, STEP * step)).collect();
        assert_eq!(seen, [0, 0, 0, 1, 2, 3, 3, 0]);
        assert_eq!(first_line(4, 4, STEP * 3), 0);
        let state = State::Fault(Fault {
            message: "one two three four five six ".repeat(10),
            is_final: true,
        });
        for size in SIZES {
            let at = |steps| picture_after(&state, None, size, STEP * steps);
            assert_ne!(at(0), at(3));
        }
    }

    #[test]
    fn long_words_and_foreign_letters_are_broken_and_not_fatal() {
        let lines = wrapped(&"ä".repeat(60), 25);
        assert_eq!(
            lines.iter().map(|l| l.chars().count()).collect::<Vec<_>>(),
            [25, 25, 10]
        );
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        let state = State::Fault(Fault {
            message: "𝔸 µ ☃ ".repeat(100),
            is_final: true,
        });
        for size in SIZES {
            let canvas = picture_after(&state, None, size, Duration::MAX);
            assert!(canvas.lit_count() > 0);
        }
    }
}
