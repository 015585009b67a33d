//! The panel in a terminal: draws OLED and LEDs; the space bar is the button.

use std::io::Write;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};
use ratatui::{DefaultTerminal, Frame};

use super::log_lines::LogLines;
use super::view::View;
use crate::button::gestures::ButtonEvent;
use crate::button::queue::PressSender;
use crate::error::HardwareError;
use crate::leds::pattern::LedPattern;
use crate::screen::text_art::{braille, half_blocks};

/// Interval at which the panel is drawn and keys are read.
const TICK: Duration = Duration::from_millis(50);
/// Width of the framed OLED in cells, drawn with half blocks (large) or with braille (small).
const LARGE_WIDTH: u16 = 130;
const SMALL_WIDTH: u16 = 66;
/// Rows of its frame.
const FRAME: u16 = 2;
/// A breathing LED is drawn as fully lit from this brightness on.
const BRIGHT: f32 = 0.25;
/// Lines below the OLED: LEDs and help.
const FOOT: u16 = 2;
/// Lines of the log that must fit below a large OLED.
const LOG: u16 = 4;
const HELP: &str = " space press · n next slide · r repeat · q switch off · ? keys ";
/// What `?` shows.
const KEYS: [&str; 5] = [
    "space, Enter     short press: take a picture and judge it",
    "n                long press: close the slide, show its verdict",
    "r                double press: show the last verdict again",
    "q, Esc, Ctrl-C   switch off",
    "?                show or hide these keys",
];

/// Takes over the terminal and starts a thread that draws the panel until the board is dropped.
///
/// # Errors
/// [`HardwareError::Open`] if there is no terminal.
pub(super) fn start(
    presses: PressSender,
    view: View,
    log: LogLines,
) -> Result<JoinHandle<()>, HardwareError> {
    let unusable = |error: std::io::Error| HardwareError::Open {
        part: "panel",
        at: "the terminal".into(),
        remedy: "use --panel lines".into(),
        source: Some(error.into()),
    };
    // This also restores the terminal if the program panics.
    let terminal = ratatui::try_init().map_err(unusable)?;
    std::thread::Builder::new()
        .name("panel".into())
        .spawn(move || {
            let end = run(terminal, &presses, &view, &log);
            // Not after a panic, which has restored it: a second time would move the cursor onto the message.
            if is_raw_mode().unwrap_or(true) {
                // Fails if the terminal was closed. `ratatui::restore` would print that, and panic if it cannot.
                let _ = ratatui::try_restore();
            }
            if let Err(error) = end {
                let message = format!("the terminal panel has ended, switching off: {error}");
                log::warn!("{message}");
                // The log was shown in the panel, so print the error where it can still be read.
                let _ = writeln!(std::io::stderr(), "{message}");
                presses.shutdown();
            }
        })
        .map_err(|error| {
            ratatui::restore();
            unusable(error)
        })
}

fn run(
    mut terminal: DefaultTerminal,
    presses: &PressSender,
    view: &View,
    log: &LogLines,
) -> std::io::Result<()> {
    let start = Instant::now();
    let mut shows_keys = false;
    while !view.is_closed() {
        if !is_raw_mode()? {
            return Err(std::io::Error::other(
                "another part of the program panicked",
            ));
        }
        let elapsed = start.elapsed();
        // Also fails once the terminal is closed, because the cursor is hidden each time.
        terminal.draw(|frame| {
            draw(frame, view, log, elapsed);
            if shows_keys {
                draw_keys(frame);
            }
        })?;
        if event::poll(TICK)?
            && let Event::Key(key) = event::read()?
        {
            if key.kind == KeyEventKind::Press && key.code == KeyCode::Char('?') {
                shows_keys = !shows_keys;
            } else {
                handle_key(key, presses);
            }
        }
    }
    Ok(())
}

/// Whether the panel still owns the terminal. A panic of any thread restores it through ratatui's hook, and
/// keys arrive no longer.
fn is_raw_mode() -> std::io::Result<bool> {
    crossterm::terminal::is_raw_mode_enabled()
}

fn handle_key(key: KeyEvent, presses: &PressSender) {
    if key.kind != KeyEventKind::Press {
        return;
    }
    match key.code {
        KeyCode::Char(' ') | KeyCode::Enter => {
            presses.press();
        }
        KeyCode::Char('n') => {
            presses.send(ButtonEvent::NextSlide);
        }
        KeyCode::Char('r') => {
            presses.send(ButtonEvent::Repeat);
        }
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            presses.shutdown();
        }
        KeyCode::Char('q') | KeyCode::Esc => {
            presses.shutdown();
        }
        _ => {}
    }
}

fn draw(frame: &mut Frame, view: &View, log: &LogLines, elapsed: Duration) {
    let picture = view.picture();
    let area = frame.area();
    let large = (LARGE_WIDTH, picture.height() as u16 / 2 + FRAME);
    let small = (SMALL_WIDTH, picture.height() as u16 / 4 + FRAME);
    let fits =
        |(width, height): (u16, u16), below| area.width >= width && area.height >= height + below;
    let (rows, (width, height)): (Vec<String>, _) = if fits(large, FOOT + LOG) {
        (half_blocks(&picture).collect(), large)
    } else if fits(small, FOOT) {
        (braille(&picture).collect(), small)
    } else {
        // A cut-off screen could hide a part of the verdict.
        let (width, height) = (small.0, small.1 + FOOT);
        let message = format!("Make the terminal larger: the panel needs {width}x{height}.");
        frame.render_widget(Paragraph::new(message).wrap(Wrap { trim: true }), area);
        return;
    };
    let [oled, leds, messages, help] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);

    let display = Paragraph::new(rows.into_iter().collect::<Text>())
        .style(Style::new().fg(Color::LightCyan).bg(Color::Black))
        .block(
            Block::bordered()
                .title(" smearscope, simulated bench ")
                .title_bottom(caption(&view.source())),
        );
    frame.render_widget(display, centred(oled, width));

    let patterns = view.leds();
    let leds_line: Line = [
        ("red", patterns.red, Color::LightRed),
        ("amber", patterns.amber, Color::LightYellow),
        ("green", patterns.green, Color::LightGreen),
    ]
    .into_iter()
    .flat_map(|(name, pattern, colour)| led(name, pattern, colour, elapsed))
    .collect();
    frame.render_widget(leds_line, centred(leds, width));

    let rows = usize::from(messages.height);
    let lines: Vec<_> = log
        .last(rows)
        .iter()
        .flat_map(|line| wrapped(line, messages.width.into()))
        .collect();
    let text: Text = lines[lines.len().saturating_sub(rows)..]
        .iter()
        .map(|line| Line::from(line.as_str()).dim())
        .collect();
    frame.render_widget(text, messages);
    frame.render_widget(Line::from(HELP).reversed(), help);
}

/// Name of the last picture, below the OLED.
fn caption(source: &str) -> String {
    if source.is_empty() {
        String::new()
    } else {
        format!(" {source} ")
    }
}

/// `text` in rows of at most `width` cells, broken at spaces or, in longer words, anywhere.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let cells = |text: &str| Span::raw(text).width();
    let mut rows = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        if used > 0 && used + cells(word.trim_end()) > width {
            rows.push(String::new());
            used = 0;
        }
        for character in word.chars() {
            let needed = cells(character.encode_utf8(&mut [0; 4]));
            if used > 0 && used + needed > width {
                if character == ' ' {
                    // The space that ends a row.
                    continue;
                }
                rows.push(String::new());
                used = 0;
            }
            if let Some(row) = rows.last_mut() {
                row.push(character);
            }
            used += needed;
        }
    }
    rows
}

/// The keys, over whatever is drawn.
fn draw_keys(frame: &mut Frame) {
    let widest = KEYS.iter().map(|line| Line::raw(*line).width()).max();
    let width = widest.unwrap_or(0) as u16 + FRAME;
    let area = frame.area().centered(
        Constraint::Length(width),
        Constraint::Length(KEYS.len() as u16 + FRAME),
    );
    let keys = Paragraph::new(KEYS.into_iter().collect::<Text>());
    frame.render_widget(Clear, area);
    frame.render_widget(keys.block(Block::bordered().title(" keys ")), area);
}

/// An LED with its name and, for operators who do not see its colour, its pattern.
fn led(
    name: &'static str,
    pattern: LedPattern,
    colour: Color,
    elapsed: Duration,
) -> [Span<'static>; 2] {
    let brightness = pattern.brightness(elapsed);
    let symbol = if brightness > BRIGHT {
        Span::styled(" ● ", Style::new().fg(colour))
    } else if brightness > 0.0 {
        Span::styled(" ◐ ", Style::new().fg(colour).dim())
    } else {
        Span::styled(" ○ ", Style::new().fg(Color::DarkGray))
    };
    let state = match pattern {
        LedPattern::Off => "",
        pattern => pattern.name(),
    };
    [symbol, format!("{name:5} {state:8}").into()]
}

fn centred(area: Rect, width: u16) -> Rect {
    let [area] = Layout::horizontal([Constraint::Length(width)])
        .flex(ratatui::layout::Flex::Center)
        .areas(area);
    area
}

#[cfg(test)]
mod tests {
    use embedded_graphics::{pixelcolor::BinaryColor, prelude::*};
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::ports::Screen;
    use crate::screen::canvas::{Canvas, ScreenSize};
    use crate::screen::oled::{OledScreen, OledSetup};
    use crate::screen::virtual_ssd1306::VirtualSsd1306;

    fn rendered(width: u16, height: u16) -> String {
        rendered_with(ScreenSize::Rows64, width, height)
    }

    fn rendered_with(size: ScreenSize, width: u16, height: u16) -> String {
        let (bus, display) = VirtualSsd1306::new(0x3c, size);
        let mut canvas = Canvas::new(size);
        canvas
            .fill_solid(&canvas.bounding_box(), BinaryColor::On)
            .unwrap();
        OledScreen::new(bus, OledSetup::new(0x3c, size), "test")
            .show(&canvas)
            .unwrap();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let (view, mut log) = (View::new(display), LogLines::default());
        view.set_source("field01_1.jpg");
        writeln!(log, "{LOG_LINE}").unwrap();
        terminal
            .draw(|frame| draw(frame, &view, &log, Duration::ZERO))
            .unwrap();
        terminal.backend().to_string()
    }

    /// Longer than the widest of these terminals.
    const LOG_LINE: &str = "verdict: Positive p=0.990 (threshold 0.30) · field01_1.jpg · slide 1: Positive p=0.990 of \
        1 field · saved as 01989898-0000-7000-8000-000000000000 · demo model, not for diagnosis · smear-demo 0.2.0 on \
        embedded CPU";

    #[test]
    fn the_log_is_wrapped_to_its_end_and_the_picture_named() {
        for (width, height) in [(80, 24), (140, 45)] {
            let panel = rendered(width, height);
            for text in [
                "verdict: Positive",
                "not for diagnosis",
                "embedded CPU",
                " field01_1.jpg ",
            ] {
                assert!(panel.contains(text), "{text}:\n{panel}");
            }
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("one two", 7), ["one two"]);
        assert_eq!(wrapped("one two seven", 3), ["one", "two", "sev", "en"]);
        assert_eq!(wrapped("血液像 12", 4), ["血液", "像 ", "12"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(wrapped("ab", 0), ["a", "b"]);
    }

    #[test]
    fn the_keys_fit_the_smallest_terminal() {
        let mut terminal = Terminal::new(TestBackend::new(SMALL_WIDTH, 20)).unwrap();
        terminal.draw(draw_keys).unwrap();
        let panel = terminal.backend().to_string();
        for line in KEYS {
            assert!(panel.contains(line), "{line}:\n{panel}");
        }
    }

    #[test]
    fn the_whole_display_fits_a_small_and_a_large_terminal() {
        assert_eq!(rendered(80, 24).matches('⣿').count(), 64 * 16);
        assert_eq!(rendered(140, 45).matches('█').count(), 128 * 32);
        let short = rendered_with(ScreenSize::Rows32, 80, 24);
        assert_eq!(short.matches('⣿').count(), 64 * 8);
    }

    #[test]
    fn each_pattern_looks_and_reads_differently() {
        let text = |pattern, ms| {
            let [symbol, name] = led("red", pattern, Color::Red, Duration::from_millis(ms));
            format!("{}{}", symbol.content, name.content)
        };
        assert_eq!(text(LedPattern::Off, 0), " ○ red           ");
        assert_eq!(text(LedPattern::On, 0), " ● red   on      ");
        assert_eq!(text(LedPattern::Blink, 0), " ● red   blink   ");
        assert_eq!(text(LedPattern::Blink, 250), " ○ red   blink   ");
        assert_eq!(text(LedPattern::Breathe, 0), " ◐ red   breathe ");
        assert_eq!(text(LedPattern::Breathe, 1500), " ● red   breathe ");
    }

    #[test]
    fn a_terminal_that_is_too_small_shows_no_part_of_the_screen() {
        for (width, height) in [(65, 24), (80, 19), (1, 1)] {
            assert_eq!(rendered(width, height).matches('⣿').count(), 0);
        }
        assert!(rendered(65, 24).contains("66x20"));
        assert_eq!(rendered(66, 20).matches('⣿').count(), 64 * 16);
    }

    #[test]
    fn help_and_leds_are_labelled() {
        let panel = rendered(80, 24);
        for word in ["space", "red", "amber", "green"] {
            assert!(panel.contains(word), "{word}:\n{panel}");
        }
    }
}
