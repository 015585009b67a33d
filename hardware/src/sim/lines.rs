//! The panel as lines, for pipes and logs.

use std::io::{BufRead, Read, Write};

use crate::text_art::braille;
use crate::{Canvas, HardwareError, Light, Lights, PressSender};

/// Longer lines are no command.
const MAX_LINE: u64 = 1024;
const HELP: &str =
    "press = push the button and wait for the bench, quit = switch off, end of input = switch off";

/// Reads commands from standard input on a thread of its own.
pub(super) fn start(presses: PressSender) -> Result<(), HardwareError> {
    std::thread::Builder::new()
        .name("panel".into())
        .spawn(move || obey(std::io::stdin().lock(), &presses))
        .map(drop)
        .map_err(|error| HardwareError::Open {
            part: "button",
            at: "standard input".into(),
            remedy: "free some memory".into(),
            source: Some(error.into()),
        })
}

fn obey(mut input: impl BufRead, presses: &PressSender) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            break;
        }
        match line.trim_ascii() {
            b"press" => {
                if !presses.press_when_ready() {
                    return;
                }
            }
            b"quit" => break,
            b"" => {}
            b"help" => eprintln!("{HELP}"),
            other => eprintln!(
                "unknown command {:?}; {HELP}",
                String::from_utf8_lossy(&other[..other.len().min(40)])
            ),
        }
    }
    presses.shutdown();
}

pub(super) fn print_lights(lights: Lights) {
    let word = |light| match light {
        Light::Off => "off",
        Light::Steady => "on",
        Light::Blink => "blink",
    };
    print(&format!(
        "leds: red={} amber={} green={}\n",
        word(lights.red),
        word(lights.amber),
        word(lights.green)
    ));
}

pub(super) fn print_picture(picture: &Canvas) {
    let edge = "─".repeat(64);
    let mut text = format!("┌{edge}┐\n");
    for row in braille(picture) {
        text.extend(["│", &row, "│\n"]);
    }
    text.extend(["└", &edge, "┘\n"]);
    print(&text);
}

/// A reader that went away is no reason to stop the bench.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ButtonEvent, press_queue};

    /// What the loop receives while a thread obeys `input`.
    async fn events(input: &'static [u8]) -> Vec<ButtonEvent> {
        let (sender, mut receiver) = press_queue();
        let thread = std::thread::spawn(move || obey(input, &sender));
        let mut events = Vec::new();
        while events.last() != Some(&ButtonEvent::Shutdown) {
            events.push(receiver.next().await);
        }
        thread.join().unwrap();
        events
    }

    #[tokio::test]
    async fn each_press_waits_for_the_bench_and_the_end_switches_off() {
        let events = events(b"press\n\npress\r\npress").await;
        assert_eq!(events.len(), 4, "{events:?}");
        assert!(matches!(events[2], ButtonEvent::Press(_)));
    }

    #[tokio::test]
    async fn quit_unknown_and_overlong_lines() {
        assert_eq!(events(b"quit\npress\n").await, [ButtonEvent::Shutdown]);
        assert_eq!(events(b"jump\nhelp\n").await, [ButtonEvent::Shutdown]);
        assert_eq!(events(&[b'x'; 5000]).await, [ButtonEvent::Shutdown]);
    }
}
