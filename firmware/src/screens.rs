//! What OLED and LEDs show in each state.
//!
//! | state | red | amber | green |
//! |---|---|---|---|
//! | starting | | blinks | blinks |
//! | ready | | | on |
//! | capturing, analysing | | blinks | |
//! | verdict positive | on | | |
//! | verdict negative | | | blinks |
//! | verdict inconclusive | | on | |
//! | fault | blinks | | |
//! | off | | | |
//!
//! No two rows are alike to a person who tells the lamps apart by their place only.

use std::convert::Infallible;
use std::fmt::Write;

use embedded_graphics::mono_font::ascii::{FONT_5X8, FONT_6X10, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, MonoTextStyleBuilder};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use heapless::{String, Vec};
use smearscope_hardware::{Canvas, Light, Lights};

use crate::analysis::Analysis;
use crate::machine::State;
use crate::verdict::Verdict;

const WIDTH: i32 = Canvas::WIDTH as i32;
/// The widest line of the smallest font.
const COLUMNS: usize = Canvas::WIDTH as usize / 5;
type Line = String<COLUMNS>;

/// What a verdict of a demonstration model is always shown with.
pub const DEMO_NOTICE: &str = "demo model, not for diagnosis";
const DEMO_LINE: &str = "DEMO, NOT FOR DIAGNOSIS";
const RESEARCH_LINE: &str = "RESEARCH USE ONLY";

/// What the screen says about the model, whatever the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name and version of the model.
    pub model: std::string::String,
    /// Engine and device that really run.
    pub engine: std::string::String,
    /// Whether it is a demonstration model.
    pub is_demo: bool,
}

/// The LEDs of a state.
pub fn lights(state: &State) -> Lights {
    let dark = Lights::default();
    match state {
        State::Starting => Lights {
            amber: Light::Blink,
            green: Light::Blink,
            ..dark
        },
        State::Ready => Lights {
            green: Light::Steady,
            ..dark
        },
        State::Capturing(_) | State::Analysing => Lights {
            amber: Light::Blink,
            ..dark
        },
        State::Verdict(analysis) => match analysis.verdict {
            Verdict::Positive => Lights {
                red: Light::Steady,
                ..dark
            },
            Verdict::Negative => Lights {
                green: Light::Blink,
                ..dark
            },
            Verdict::Inconclusive(_) => Lights {
                amber: Light::Steady,
                ..dark
            },
        },
        State::Fault(_) => Lights {
            red: Light::Blink,
            ..dark
        },
        State::Off => dark,
    }
}

/// The OLED's picture of a state. Before the model is loaded there is no identity.
pub fn picture(state: &State, identity: Option<&Identity>) -> Canvas {
    let mut page = Page(Canvas::default());
    match state {
        State::Starting => {
            page.title("smearscope");
            page.centred("checking the model", 30, &FONT_6X10);
        }
        State::Ready => {
            page.title("READY");
            if let Some(identity) = identity {
                page.centred(&identity.model, 24, &FONT_6X10);
                page.centred(&identity.engine, 35, &FONT_6X10);
            }
        }
        State::Capturing(_) => {
            page.title("CAPTURING");
            page.centred("hold the slide still", 30, &FONT_6X10);
        }
        State::Analysing => page.title("ANALYSING"),
        State::Verdict(analysis) => page.verdict(analysis),
        State::Fault(fault) => {
            page.title("FAULT");
            page.paragraph(&fault.message, 22, 5);
        }
        State::Off => page.title("OFF"),
    }
    let footer = identity.map(|identity| {
        if identity.is_demo {
            DEMO_LINE
        } else {
            RESEARCH_LINE
        }
    });
    if let Some(footer) = footer.filter(|_| !matches!(state, State::Fault(_) | State::Off)) {
        page.footer(footer);
    }
    page.0
}

/// A page of the OLED.
struct Page(Canvas);

impl Page {
    fn title(&mut self, text: &str) {
        self.centred(text, 0, &FONT_10X20);
    }

    fn verdict(&mut self, analysis: &Analysis) {
        if let Some(reason) = analysis.verdict.reason() {
            self.title("INCONCLUSIVE");
            self.centred(&shortened(&reason), 22, &FONT_6X10);
            self.centred(reason.hint(), 33, &FONT_6X10);
            if let Some(probability) = analysis.probability {
                self.centred(&percentage(probability), 44, &FONT_6X10);
            }
            return;
        }
        self.title(match analysis.verdict {
            Verdict::Positive => "POSITIVE",
            _ => "NEGATIVE",
        });
        if let Some(probability) = analysis.probability {
            self.bar(probability);
            self.centred(&percentage(probability), 39, &FONT_6X10);
        }
    }

    /// A frame as wide as certainty, filled up to the probability.
    fn bar(&mut self, probability: f32) {
        const FRAME: Rectangle = Rectangle::new(Point::new(8, 24), Size::new(112, 12));
        let inner = FRAME.offset(-2);
        let filled = (probability.clamp(0.0, 1.0) * inner.size.width as f32).round() as u32;
        self.draw(&FRAME.into_styled(PrimitiveStyle::with_stroke(BinaryColor::On, 1)));
        self.draw(
            &Rectangle::new(inner.top_left, Size::new(filled, inner.size.height))
                .into_styled(PrimitiveStyle::with_fill(BinaryColor::On)),
        );
    }

    /// A line at the bottom, dark on light.
    fn footer(&mut self, text: &str) {
        let top = self.0.height() as i32 - 9;
        self.draw(
            &Rectangle::new(Point::new(0, top), Size::new(Canvas::WIDTH, 9))
                .into_styled(PrimitiveStyle::with_fill(BinaryColor::On)),
        );
        let style = MonoTextStyleBuilder::new()
            .font(&FONT_5X8)
            .text_color(BinaryColor::Off)
            .build();
        self.text(text, top + 1, style);
    }

    fn centred(&mut self, text: &str, top: i32, font: &'static MonoFont<'static>) {
        self.text(text, top, MonoTextStyle::new(font, BinaryColor::On));
    }

    fn text(&mut self, text: &str, top: i32, style: MonoTextStyle<'static, BinaryColor>) {
        let layout = TextStyleBuilder::new()
            .alignment(Alignment::Center)
            .baseline(Baseline::Top)
            .build();
        // The glass has no place for more; cutting the end keeps what matters most.
        let columns = Canvas::WIDTH as usize / style.font.character_size.width as usize;
        let end = text.char_indices().nth(columns).map_or(text.len(), |c| c.0);
        self.draw(&Text::with_text_style(
            &text[..end],
            Point::new(WIDTH / 2, top),
            style,
            layout,
        ));
    }

    /// Up to `count` lines of the smallest font, broken between words.
    fn paragraph(&mut self, text: &str, top: i32, count: usize) {
        let lines = wrapped(text);
        for (line, top) in lines.iter().take(count).zip((top..).step_by(8)) {
            self.centred(line, top, &FONT_5X8);
        }
    }

    fn draw(&mut self, drawable: &impl Drawable<Color = BinaryColor>) {
        let Ok(_) = drawable
            .draw(&mut self.0)
            .map_err(|never: Infallible| never);
    }
}

fn shortened(text: &impl std::fmt::Display) -> Line {
    let mut line = Line::new();
    // What does not fit is cut by the screen anyway.
    let _ = write!(line, "{text}");
    line
}

fn percentage(probability: f32) -> Line {
    shortened(&format_args!("p(ALL) = {:.1} %", probability * 100.0))
}

/// Breaks text between words into lines that fit the smallest font; longer words are cut.
fn wrapped(text: &str) -> Vec<Line, 8> {
    let mut lines: Vec<Line, 8> = Vec::new();
    for word in text.split_whitespace() {
        let mut cut = Line::new();
        for letter in word.chars() {
            if cut.push(letter).is_err() {
                break;
            }
        }
        let joined = lines
            .last_mut()
            .filter(|line| line.len() + 1 + cut.len() <= COLUMNS)
            .is_some_and(|line| line.push(' ').is_ok() && line.push_str(&cut).is_ok());
        if !joined && lines.push(cut).is_err() {
            break;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use smearscope_hardware::mock::assert_art;

    use super::*;
    use crate::machine::Fault;
    use crate::quality::{Problem, Quality};
    use crate::verdict::Reason;

    fn verdict(verdict: Verdict) -> State {
        State::Verdict(Analysis {
            verdict,
            probability: Some(0.75),
            margin: None,
            quality: Quality::default(),
            strongest: None,
            overlay: None,
        })
    }

    fn states() -> Vec<State, 9> {
        let fault = Fault {
            message: "camera does not answer; check its USB cable".into(),
            is_final: false,
        };
        Vec::from_array([
            State::Starting,
            State::Ready,
            State::Capturing(Instant::now()),
            State::Analysing,
            verdict(Verdict::Positive),
            verdict(Verdict::Negative),
            verdict(Verdict::Inconclusive(Reason::Quality(Problem::OutOfFocus))),
            State::Fault(fault),
            State::Off,
        ])
    }

    fn identity(is_demo: bool) -> Identity {
        Identity {
            model: "smear-demo 0.1.0".into(),
            engine: "openvino CPU".into(),
            is_demo,
        }
    }

    #[test]
    fn states_differ_in_lamps_by_place_and_in_picture() {
        let states = states();
        for (index, one) in states.iter().enumerate() {
            for other in &states[index + 1..] {
                let is_busy =
                    |state: &State| matches!(state, State::Capturing(_) | State::Analysing);
                if !(is_busy(one) && is_busy(other)) {
                    assert_ne!(lights(one), lights(other), "{one:?} and {other:?}");
                }
                assert_ne!(picture(one, None), picture(other, None));
            }
        }
    }

    #[test]
    fn a_demo_model_says_so_below_every_verdict() {
        for verdict in [
            verdict(Verdict::Positive),
            verdict(Verdict::Negative),
            verdict(Verdict::Inconclusive(Reason::Undecided)),
        ] {
            let demo = picture(&verdict, Some(&identity(true)));
            let other = picture(&verdict, Some(&identity(false)));
            assert_ne!(demo, other);
            // The D of DEMO, dark on light.
            assert_art(
                &demo,
                6,
                57,
                "
                #...##.
                #.##.#.
                ",
            );
        }
    }

    #[test]
    fn the_bar_is_filled_to_the_probability() {
        let canvas = picture(&verdict(Verdict::Positive), None);
        let lit = (10..118).filter(|x| canvas.is_lit(*x, 30)).count();
        assert_eq!(lit, 81, "three quarters of 108");
    }

    #[test]
    fn long_words_and_foreign_letters_are_cut_and_not_fatal() {
        let lines = wrapped(&"ä".repeat(300));
        assert_eq!(lines.len(), 1);
        let lines = wrapped(&"word ".repeat(300));
        assert_eq!(
            (lines.len(), lines[0].as_str()),
            (8, "word word word word word")
        );
        let state = State::Fault(Fault {
            message: "𝔸 µ ☃ ".repeat(100),
            is_final: true,
        });
        assert!(picture(&state, None).lit_count() > 0);
    }
}
