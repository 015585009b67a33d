//! What the OLED shows in each state.

use std::slice;
use std::time::Duration;

use jiff::civil::Time;
use smearscope_artifacts::{CellCount, CountDecision, Verdict};
use smearscope_hardware::{Canvas, ScreenSize};

use crate::analysis::finding::{Finding, SaveOutcome};
use crate::analysis::identity::Identity;
use crate::analysis::rule::Rule;
use crate::analysis::slide::SlideSummary;
use crate::analysis::verdict::{Judgement, Reason};
use crate::appliance::notice::{Notice, NoticePage};
use crate::appliance::page_layout::{Bar, Page};
use crate::appliance::state::{AfterOff, State};

const DEMO_LINE: &str = "DEMO, NOT FOR DIAGNOSIS";
const RESEARCH_LINE: &str = "RESEARCH USE ONLY";
/// For a computer that is switched off, or may be.
const WAIT_FOR_LIGHT: &str = "unplug only when the computer's light is out";
const DISK_LOW: &str = "DISK LOW, EXPORT RECORDS";
/// Prefix of the slide's number if a verdict is shown again.
const AGAIN: &str = "again: ";
/// For how long an appliance that is ready shows so, and then the address of the web page.
const READY_TIME: Duration = Duration::from_secs(20);
const ADDRESS_TIME: Duration = Duration::from_secs(10);

/// Everything that the screen shows.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What the appliance is doing.
    pub state: &'a State,
    /// The model; `None` until it is loaded.
    pub identity: Option<&'a Identity>,
    /// How the model's results become verdicts; `None` until the model is loaded.
    pub rule: Option<Rule>,
    /// Number of the slide under the microscope.
    pub slide: u32,
    /// Fields of this slide that count.
    pub fields: u32,
    /// The cells of this slide so far; `None` if whole fields are judged, and until the model is loaded.
    pub count: Option<CountDecision>,
    /// Whether the disk for records is almost full.
    pub is_disk_low: bool,
    /// Time of day; `None` if the clock is not set.
    pub clock: Option<Time>,
    /// How long the state has been shown.
    pub since: Duration,
    /// Pages to show instead of the state `Ready`.
    pub notice: &'a Notice,
    /// The web page, if other machines can open it.
    pub address: Option<&'a str>,
}

impl View<'_> {
    /// Draws the picture for a screen of this size.
    pub fn picture(&self, size: ScreenSize) -> Canvas {
        let footer = self.footer();
        let mut page = Page::new(size, self.since, footer.is_some());
        match self.state {
            State::Starting => page.large("smearscope", None, &["checking the model".into()]),
            State::SelfTest(self_test) => {
                let title = if self_test.passed() {
                    "SELF-TEST"
                } else {
                    "TEST FAILED"
                };
                page.small(title, &self_test.lines());
            }
            State::Ready => self.ready(&mut page),
            State::Capturing(_) => {
                page.large("CAPTURING", None, &["hold the slide still".into()]);
            }
            State::Analysing => page.large("ANALYSING", None, &[self.slide_line()]),
            State::Verdict(finding) => self.verdict(&mut page, finding, ""),
            State::SlideClosed(summary) => self.closed(&mut page, summary, ""),
            State::Again(last) => match &**last {
                State::Verdict(finding) => self.verdict(&mut page, finding, AGAIN),
                State::SlideClosed(summary) => self.closed(&mut page, summary, AGAIN),
                _ => {}
            },
            State::SwitchingOff { .. } => {
                let keep = "keep holding to switch off, let go to stay on";
                page.large("OFF?", None, &[keep.into()]);
            }
            State::Fault(fault) => page.small("FAULT", slice::from_ref(&fault.message)),
            State::Off(after) => {
                let (title, wait) = match after {
                    AfterOff::ComputerGoesOff => ("OFF", WAIT_FOR_LIGHT),
                    AfterOff::PressStarts => {
                        ("OFF", "press to start again; shut down before unplugging")
                    }
                    AfterOff::ProgramEnds => {
                        ("OFF", "the computer is on; shut it down before unplugging")
                    }
                    AfterOff::Stopped => ("STOPPED", WAIT_FOR_LIGHT),
                    AfterOff::Restarts => ("RESTARTING", "wait"),
                };
                page.large(title, None, &[wait.into()]);
            }
        }
        if let Some(line) = footer {
            page.footer(line);
        }
        page.canvas
    }

    /// Draws the state `Ready`.
    fn ready(&self, page: &mut Page) {
        match self.notice.page(self.since, self.address.is_some()) {
            Some(NoticePage::Text(title, text)) => return page.small(title, &[text.into()]),
            Some(NoticePage::Address(token)) => return self.address(page, "SCAN ME", token),
            None if self.shows_address() => return self.address(page, "READY", None),
            None => {}
        }
        let mut lines = vec![self.slide_line()];
        if let Some(count) = self.count.filter(|count| count.count.cells > 0) {
            lines.extend([blasts_line(&count), share_line(&count)]);
        }
        if let Some(identity) = self.identity {
            lines.extend([identity.model.clone(), identity.engine.clone()]);
        }
        page.large("READY", None, &lines);
        if let Some(clock) = self.clock {
            page.corner(&format!("{:02}:{:02}", clock.hour(), clock.minute()));
        }
    }

    /// Whether it is the turn of the web page's address.
    fn shows_address(&self) -> bool {
        let turn = READY_TIME + ADDRESS_TIME;
        let since = self.since.as_millis() % turn.as_millis();
        self.address.is_some() && !self.is_disk_low && since >= READY_TIME.as_millis()
    }

    /// Draws the address of the web page, as a QR code, too, if there is room for one.
    fn address(&self, page: &mut Page, title: &str, token: Option<&str>) {
        let url = self.address.unwrap_or_default();
        // QR codes hold more upper-case letters, and the case of a scheme and a host does not matter. A browser does not
        // send what is behind the `#`.
        let code = match token {
            Some(token) => format!("{}/#{token}", url.to_ascii_uppercase()),
            None => url.to_ascii_uppercase(),
        };
        let lines = [url.replace("://", ":// ")];
        if !page.code(&code, title, &lines) {
            page.small(title, &lines);
        }
    }

    /// Draws the verdict after a capture.
    fn verdict(&self, page: &mut Page, finding: &Finding, again: &str) {
        let (field, slide) = (&finding.field, &finding.slide);
        let shown = finding.shown();
        let slide_line = format!("{again}slide {}, {}", slide.slide, fields(slide.fields));
        if finding.saved == SaveOutcome::NotSaved {
            // The verdict of the slide does not include this field, so it is not shown.
            let mut lines = vec!["does not count".into(), "check disk, take it again".into()];
            lines.extend(
                field
                    .probability()
                    .map(|p| format!("this field {}", percent(p))),
            );
            lines.push(slide_line);
            page.large("NOT SAVED", None, &lines);
            return;
        }
        if let Some(count) = shown.count {
            return count_page(
                page,
                shown.judgement,
                &count,
                seen_again(finding),
                slide_line,
            );
        }
        let mut lines = Vec::new();
        if let Some(reason) = shown.judgement.reason() {
            lines.push(reason.to_string());
            // The field says nothing, but the slide goes on.
            let count = slide.count.filter(|count| count.count.cells > 0);
            lines.extend(count.map(|count| blasts_line(&count)));
            lines.push(reason.hint().to_owned());
            lines.extend(shown.probability.map(probability_line));
            lines.extend(self.band_line(shown.judgement));
            lines.push(slide_line);
            page.large("INCONCLUSIVE", None, &lines);
            return;
        }
        lines.extend(shown.probability.map(probability_line));
        lines.push(slide_line);
        if slide.fields > 1 {
            // The probability above is that of the slide.
            lines.extend(
                field
                    .probability()
                    .map(|p| format!("last field {}", percent(p))),
            );
        }
        let bar = shown.probability.map(|probability| Bar {
            filled: [0.0, probability],
            marks: self.band().into_iter().flatten().collect(),
        });
        page.large(title(shown.judgement.verdict()), bar.as_ref(), &lines);
    }

    /// Draws the verdict on a closed slide.
    fn closed(&self, page: &mut Page, summary: &SlideSummary, again: &str) {
        let mut lines = vec![format!("{again}slide {} closed", summary.slide)];
        if let Some(reason) = summary.judgement.reason() {
            lines.push(reason.to_string());
        }
        if let Some(count) = summary.count.filter(|count| count.count.cells > 0) {
            lines.extend([blasts_line(&count), share_line(&count)]);
            lines.extend(unclear_line(&count));
        }
        lines.extend(summary.probability.map(probability_line));
        lines.extend(self.band_line(summary.judgement));
        let refused = if summary.count.is_some() {
            "not counted"
        } else {
            "refused"
        };
        lines.push(format!(
            "{}, {} {refused}",
            fields(summary.fields),
            summary.refused
        ));
        if summary.unsaved > 0 {
            lines.push(format!("{} NOT SAVED", summary.unsaved));
        }
        page.large(title(summary.judgement.verdict()), None, &lines);
    }

    /// The inconclusive band, if it is why a verdict is inconclusive.
    fn band_line(&self, judgement: Judgement) -> Option<String> {
        let [low, high] = self.band()?;
        (judgement.reason() == Some(Reason::Undecided))
            .then(|| format!("undecided {:.1}-{:.1} %", low * 100.0, high * 100.0))
    }

    /// The inconclusive band of a model that judges whole fields.
    fn band(&self) -> Option<[f32; 2]> {
        Some(self.rule?.decision()?.inconclusive)
    }

    /// Number and fields of the slide.
    fn slide_line(&self) -> String {
        format!("slide {}, {}", self.slide, fields(self.fields))
    }

    /// The text of the footer, if there is one.
    fn footer(&self) -> Option<&'static str> {
        match self.state {
            State::Ready if !self.notice.is_empty() || self.shows_address() => None,
            State::Fault(_) | State::Off(_) | State::SelfTest(_) => None,
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

/// Draws the count of a slide: with a verdict, its interval and the share that decides; without one, how far the count got.
fn count_page(
    page: &mut Page,
    judgement: Judgement,
    count: &CountDecision,
    seen_again: Option<String>,
    slide_line: String,
) {
    let blasts = format!("{} of {}", count.count.blasts, count.count.cells);
    let share = share_line(count);
    let (title, bar, mut lines) = match judgement.reason() {
        None => (
            title(judgement.verdict()).to_owned(),
            interval_bar(count),
            vec![format!("blasts {blasts}"), share],
        ),
        Some(reason) => {
            let mut lines = vec![share];
            // The count itself is the title.
            if !matches!(reason, Reason::TooFewCells { .. }) {
                lines.push(reason.to_string());
            }
            lines.push(format!(
                "{}/{} cells",
                count.count.cells, count.rule.min_cells
            ));
            lines.push(reason.hint().to_owned());
            (format!("BLASTS {blasts}"), progress_bar(count), lines)
        }
    };
    lines.extend(seen_again);
    lines.extend(unclear_line(count));
    lines.push(slide_line);
    page.large(&title, Some(&bar), &lines);
}

/// The interval of the share of blasts, with the share that decides; both on a scale on which they can be told apart.
fn interval_bar(count: &CountDecision) -> Bar {
    let [low, high] = count.interval;
    let needed = high.max(2.0 * count.rule.share);
    let end = [0.1, 0.2, 0.5].into_iter().find(|end| needed <= *end);
    let place = |share: f64| (share / end.unwrap_or(1.0)) as f32;
    Bar {
        filled: [low, high].map(place),
        marks: vec![place(count.rule.share)],
    }
}

/// The number of cells on the way to the number that a negative verdict needs.
fn progress_bar(count: &CountDecision) -> Bar {
    let share = f64::from(count.count.cells) / f64::from(count.rule.min_cells.max(1));
    Bar {
        filled: [0.0, share.min(1.0) as f32],
        marks: Vec::new(),
    }
}

/// Blasts among cells.
fn blasts_line(count: &CountDecision) -> String {
    let CellCount { cells, blasts, .. } = count.count;
    format!("blasts {blasts} of {cells}")
}

/// The share of blasts with its interval. The screen's font has no en dash.
fn share_line(count: &CountDecision) -> String {
    count.share_words().replace('–', "-")
}

/// How many leukocytes are unclear, if any are.
fn unclear_line(count: &CountDecision) -> Option<String> {
    let unclear = count.count.unclear;
    (unclear > 0).then(|| format!("{unclear} unclear"))
}

/// How many leukocytes of the last field were counted before, if any were: the next field should not overlap.
fn seen_again(finding: &Finding) -> Option<String> {
    let seen = finding.field.cells()?.seen_before();
    (seen > 0).then(|| format!("{seen} seen before: move on without overlap"))
}

/// A number of fields in words.
fn fields(count: u32) -> String {
    format!("{count} field{}", if count == 1 { "" } else { "s" })
}

/// The verdict as a title.
fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Positive => "POSITIVE",
        Verdict::Negative => "NEGATIVE",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

/// A line with a probability.
fn probability_line(probability: f32) -> String {
    format!("p(ALL) {}", percent(probability))
}

/// A probability in percent, never rounded to 0 or 100.
fn percent(probability: f32) -> String {
    match probability {
        p if p > 0.999 => "> 99.9 %".into(),
        p if p < 0.001 => "< 0.1 %".into(),
        p => format!("{:.1} %", p * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use smearscope_artifacts::{CellCall, DecisionRule, SlideRule};
    use smearscope_hardware::LedPattern;
    use smearscope_hardware::mock::assert_art;

    use super::*;
    use crate::analysis::examples::{COUNT, counted, field_reading};
    use crate::analysis::quality::Problem;
    use crate::appliance::checks::Check;
    use crate::appliance::leds::led_patterns;
    use crate::appliance::page_layout::STEP;
    use crate::appliance::self_test::SelfTest;
    use crate::appliance::state::Fault;
    use crate::appliance::state::tests::finding;

    const RULE: Rule = Rule::Field {
        decision: DecisionRule {
            threshold: 0.3,
            inconclusive: [0.25, 0.5],
            offset: 0.0,
            temperature: 1.0,
        },
        slide: SlideRule {
            min_fields: 1,
            correlation: 1.0,
        },
    };
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
                checks: vec![Check::passed("clock", "14:05")],
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
            State::Off(AfterOff::ComputerGoesOff),
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
            rule: Some(RULE),
            slide: 3,
            fields: 2,
            count: None,
            is_disk_low: false,
            clock: Some(jiff::civil::time(14, 5, 0, 0)),
            since,
            notice: &Notice::default(),
            address: None,
        };
        view.picture(size)
    }

    fn picture(state: &State, identity: Option<&Identity>) -> Canvas {
        picture_after(state, identity, ScreenSize::Rows64, Duration::ZERO)
    }

    #[test]
    fn all_states_differ_in_leds_and_picture() {
        let states = &states()[..12];
        for (index, one) in states.iter().enumerate() {
            for other in &states[index + 1..] {
                // A closed slide has the LEDs of its verdict.
                let is_closed = [one, other]
                    .iter()
                    .any(|s| matches!(s, State::SlideClosed(_)));
                if !is_closed {
                    assert_ne!(
                        led_patterns(one),
                        led_patterns(other),
                        "{one:?} and {other:?}"
                    );
                }
                for size in SIZES {
                    let [one, other] =
                        [one, other].map(|s| picture_after(s, None, size, Duration::ZERO));
                    assert_ne!(one, other);
                }
            }
        }
    }

    #[test]
    fn a_demo_model_is_named_below_every_verdict() {
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
    fn probabilities_are_never_rounded_to_certainty() {
        for (probability, expected) in [
            (1.0, "> 99.9 %"),
            (0.999_2, "> 99.9 %"),
            (0.5, "50.0 %"),
            (0.0, "< 0.1 %"),
        ] {
            assert_eq!(percent(probability), expected);
        }
    }

    #[test]
    fn a_repeated_verdict_says_so_and_keeps_its_leds() {
        for last in [
            verdict(Judgement::NEGATIVE),
            refused(),
            State::SlideClosed(finding(Judgement::POSITIVE, Some(0.75)).slide),
        ] {
            let again = State::Again(Box::new(last.clone()));
            assert_eq!(led_patterns(&again), led_patterns(&last));
            assert_ne!(picture(&again, None), picture(&last, None));
        }
    }

    #[test]
    fn an_unsaved_field_says_so() {
        let mut lost = finding(Judgement::POSITIVE, Some(0.9));
        lost.saved = SaveOutcome::NotSaved;
        let mut saved = lost.clone();
        saved.saved = SaveOutcome::Saved(uuid::Uuid::nil());
        let [lost, saved] = [lost, saved].map(State::Verdict);
        assert_eq!(
            led_patterns(&lost),
            led_patterns(&refused()),
            "no verdict is shown"
        );
        assert_eq!(led_patterns(&saved).red, LedPattern::On);
        let [lost, saved] = [lost, saved].map(|found| picture(&found, Some(&identity(true))));
        assert_ne!(lost, saved);
        // The D of DEMO is still there.
        assert_art(&lost, 6, 57, "#...##.\n#.##.#.");
    }

    #[test]
    fn a_closed_slide_shows_unsaved_fields() {
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
    fn a_low_disk_is_shown_only_while_ready() {
        let identity = identity(true);
        let show = |state: &State, is_disk_low| {
            let view = View {
                state,
                identity: Some(&identity),
                rule: None,
                slide: 1,
                fields: 0,
                count: None,
                is_disk_low,
                clock: None,
                since: Duration::ZERO,
                notice: &Notice::default(),
                address: None,
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
    fn what_follows_after_off_is_told() {
        let notice = Notice::default();
        let show = |after| {
            let view = View {
                state: &State::Off(after),
                identity: None,
                rule: None,
                slide: 1,
                fields: 0,
                count: None,
                is_disk_low: false,
                clock: None,
                since: Duration::ZERO,
                notice: &notice,
                address: None,
            };
            view.picture(ScreenSize::Rows64)
        };
        let pictures = [
            AfterOff::ProgramEnds,
            AfterOff::ComputerGoesOff,
            AfterOff::PressStarts,
            AfterOff::Stopped,
            AfterOff::Restarts,
        ]
        .map(show);
        for (place, picture) in pictures.iter().enumerate() {
            assert!(!pictures[..place].contains(picture));
        }
    }

    #[test]
    fn the_bar_is_filled_to_the_slides_probability() {
        let mut found = finding(Judgement::POSITIVE, Some(0.75));
        found.field.reading = Some(field_reading(-1.1));
        let canvas = picture(&State::Verdict(found), None);
        let lit = (10..118).filter(|x| canvas.is_lit(*x, 26)).count();
        assert_eq!(lit, 81, "three quarters of 108");
    }

    #[test]
    fn the_band_that_decided_is_shown() {
        let notice = Notice::default();
        let view = |state, rule| View {
            state,
            identity: None,
            rule,
            slide: 1,
            fields: 1,
            count: None,
            is_disk_low: false,
            clock: None,
            since: Duration::ZERO,
            notice: &notice,
            address: None,
        };
        let state = State::Ready;
        let line = |rule, judgement| view(&state, rule).band_line(judgement);
        let undecided = Judgement::inconclusive(Reason::Undecided);
        let expected = "undecided 25.0-50.0 %";
        assert_eq!(line(Some(RULE), undecided).as_deref(), Some(expected));
        assert!(expected.len() <= 21, "one line of the screen");
        let too_few = Judgement::inconclusive(Reason::TooFewFields(1));
        assert_eq!(line(Some(RULE), too_few), None);
        assert_eq!(line(Some(RULE), Judgement::POSITIVE), None);
        assert_eq!(line(None, undecided), None);

        // Below the bar, from column 10 to 117, the band's ends are marked.
        let positive = verdict(Judgement::POSITIVE);
        let canvas = view(&positive, Some(RULE)).picture(ScreenSize::Rows64);
        let marked: Vec<_> = (0..128).filter(|x| canvas.is_lit(*x, 31)).collect();
        assert_eq!(marked, [37, 64]);
        let canvas = view(&positive, None).picture(ScreenSize::Rows64);
        assert!((0..128).all(|x| !canvas.is_lit(x, 31)));
    }

    #[test]
    fn a_refused_field_shows_its_own_verdict_on_the_leds() {
        let mut found = finding(Judgement::POSITIVE, Some(0.9));
        found.field.judgement = Judgement::inconclusive(Reason::Quality(Problem::TooDark));
        found.field.reading = None;
        let amber = led_patterns(&refused());
        assert_eq!(led_patterns(&State::Verdict(found)), amber);
        assert_eq!(amber.amber, LedPattern::On);
    }

    /// The picture after a field, with this count of the slide.
    fn after_count(cells: u32, blasts: u32, seen: &[CellCall]) -> Canvas {
        let count = COUNT.decide(CellCount {
            cells,
            blasts,
            unclear: 0,
        });
        let mut found = finding(Judgement::of_count(&count), None);
        found.field = counted(seen);
        found.slide.count = Some(count);
        picture(&State::Verdict(found), None)
    }

    /// The columns that are lit in a row, as the first and the last.
    fn lit(canvas: &Canvas, row: u32) -> Option<(u32, u32)> {
        let mut lit = (10..118).filter(|x| canvas.is_lit(*x, row));
        let first = lit.next()?;
        Some((first, lit.next_back().unwrap_or(first)))
    }

    #[test]
    fn a_count_without_a_verdict_shows_how_far_it_got() {
        let canvas = after_count(150, 7, &[CellCall::Blast]);
        // 150 of 200 of the 108 columns of the bar.
        assert_eq!(lit(&canvas, 26), Some((10, 90)));
        assert!((0..128).all(|x| !canvas.is_lit(x, 31)), "no mark");
        assert_ne!(canvas, after_count(150, 8, &[CellCall::Blast]));
    }

    #[test]
    fn a_verdict_on_a_count_shows_its_interval_and_the_share_that_decides() {
        let canvas = after_count(140, 70, &[CellCall::Blast]);
        let count = COUNT.decide(CellCount {
            cells: 140,
            blasts: 70,
            unclear: 0,
        });
        // The interval ends above one half, so the bar ends at 1.
        let [low, high] = count.interval.map(|end| (end * 108.0).round() as u32);
        assert_eq!(lit(&canvas, 26), Some((10 + low, 9 + high)));
        let marked: Vec<_> = (0..128).filter(|x| canvas.is_lit(*x, 31)).collect();
        assert_eq!(marked, [10 + 5], "5 % of 108 columns");
    }

    #[test]
    fn a_field_without_leukocytes_says_so_whatever_the_slide_has() {
        let none = after_count(140, 70, &[]);
        assert_eq!(none, after_count(140, 70, &[CellCall::Artefact]));
        assert_ne!(none, after_count(140, 70, &[CellCall::Blast]));
        assert_ne!(none, after_count(0, 0, &[]), "the slide goes on");
    }

    #[test]
    fn long_text_scrolls() {
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
    fn foreign_characters_are_drawn() {
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
