//! The panel as lines, for pipes and logs.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::button::gestures::ButtonEvent;
use crate::button::queue::PressSender;
use crate::error::HardwareError;
use crate::leds::pattern::LedPatterns;
use crate::screen::canvas::Canvas;
use crate::screen::text_art::braille;

/// Longest line that is read as a command.
const MAX_LINE: u64 = 1024;
/// Number of bytes of an unknown command that are quoted in the answer.
const QUOTED: usize = 40;
const HELP: &str = "press = short press, long = long press (next slide), double = double press (show the last \
     verdict again), each as soon as the bench is ready; quit or the end of the input = switch off";

/// Starts a thread that reads commands from standard input, unless that is `/dev/null`, as that of a service is.
pub(super) fn start(presses: PressSender) -> Result<(), HardwareError> {
    if is_null(Path::new("/dev/stdin")) {
        log::info!("standard input is /dev/null; the bench has no button");
        return Ok(());
    }
    std::thread::Builder::new()
        .name("panel".into())
        .spawn(move || run_commands(io::stdin().lock(), &presses))
        .map(drop)
        .map_err(|error| HardwareError::Open {
            part: "button",
            at: "standard input".into(),
            remedy: "free some memory".into(),
            source: Some(error.into()),
        })
}

/// Whether a path leads to the device `/dev/null`.
fn is_null(path: &Path) -> bool {
    let device = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        found.file_type().is_char_device().then(|| found.rdev())
    };
    device(path).is_some_and(|found| device(Path::new("/dev/null")) == Some(found))
}

/// Runs the commands of `input`, whose end switches off.
fn run_commands(mut input: impl BufRead, presses: &PressSender) {
    let mut line = Vec::new();
    loop {
        let end = match read_line(&mut input, &mut line) {
            Ok(true) => None,
            Ok(false) => Some("standard input has ended".to_owned()),
            Err(error) => Some(format!("standard input cannot be read: {error}")),
        };
        if let Some(reason) = end {
            log::info!("{reason}; switching off");
            break;
        }
        let is_running = match line.trim_ascii() {
            b"press" => presses.send_when_ready(ButtonEvent::Press),
            b"long" => presses.send_when_ready(|_| ButtonEvent::NextSlide),
            b"double" => presses.send_when_ready(|_| ButtonEvent::Repeat),
            b"quit" => break,
            b"" => true,
            b"help" => answer(HELP),
            other => answer(&format!(
                "unknown command {:?}; {HELP}",
                String::from_utf8_lossy(&other[..other.len().min(QUOTED)])
            )),
        };
        if !is_running {
            return;
        }
    }
    presses.shutdown();
}

/// Reads one line, cut off at [`MAX_LINE`]; `false` at the end of the input.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = input.take(MAX_LINE).read_until(b'\n', line)?;
    if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
        // The rest of the line must not be read as a command.
        input.skip_until(b'\n')?;
        line.extend("…".bytes());
    }
    Ok(read > 0)
}

/// Answers on standard error. Always `true`: a closed standard error must not stop the commands.
fn answer(text: &str) -> bool {
    let _ = writeln!(io::stderr(), "{text}");
    true
}

pub(super) fn print_leds(leds: LedPatterns) {
    print(&format!(
        "leds: red={} amber={} green={}\n",
        leds.red.name(),
        leds.amber.name(),
        leds.green.name()
    ));
}

pub(super) fn print_picture(picture: &Canvas) {
    print(&framed(picture));
}

/// The picture in a frame, in lines of 66 characters.
fn framed(picture: &Canvas) -> String {
    let edge = "─".repeat(64);
    let mut text = format!("┌{edge}┐\n");
    for row in braille(picture) {
        text.extend(["│", &row, "│\n"]);
    }
    text.extend(["└", &edge, "┘\n"]);
    text
}

/// Prints to standard output. A closed standard output must not stop the bench.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::button::queue::press_queue;

    /// The events that the loop receives from the commands in `input`.
    async fn events(input: impl Into<Vec<u8>>) -> Vec<ButtonEvent> {
        let (sender, mut receiver) = press_queue();
        let input = input.into();
        let thread = std::thread::spawn(move || run_commands(&input[..], &sender));
        let mut events = Vec::new();
        while events.last() != Some(&ButtonEvent::Shutdown) {
            events.push(receiver.next().await);
        }
        thread.join().unwrap();
        events
    }

    #[tokio::test]
    async fn each_press_waits_for_the_bench_and_the_end_of_input_switches_off() {
        let events = events(b"press\n\npress\r\npress").await;
        assert_eq!(events.len(), 4, "{events:?}");
        assert!(matches!(events[2], ButtonEvent::Press(_)));
    }

    #[tokio::test]
    async fn an_input_without_commands_switches_off() {
        assert_eq!(events(b"").await, [ButtonEvent::Shutdown]);
    }

    #[test]
    fn the_null_device_is_told_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(is_null(&link));
        for other in [folder.path(), Path::new("/dev/zero"), Path::new("/absent")] {
            assert!(!is_null(other), "{}", other.display());
        }
    }

    #[tokio::test]
    async fn every_gesture_has_a_line() {
        assert_eq!(
            events(b"long\ndouble\nquit\n").await,
            [
                ButtonEvent::NextSlide,
                ButtonEvent::Repeat,
                ButtonEvent::Shutdown
            ]
        );
    }

    #[tokio::test]
    async fn quit_unknown_and_overlong_lines() {
        assert_eq!(events(b"quit\npress\n").await, [ButtonEvent::Shutdown]);
        assert_eq!(events(b"jump\nhelp\n").await, [ButtonEvent::Shutdown]);
        assert_eq!(events([b'x'; 5000]).await, [ButtonEvent::Shutdown]);
    }

    #[tokio::test]
    async fn no_part_of_an_overlong_line_is_a_command() {
        for filler in ['x', ' '] {
            let filler = filler.to_string().repeat(MAX_LINE as usize);
            let lines = format!("{filler}press\npress{filler}\nquit\n");
            assert_eq!(events(lines).await, [ButtonEvent::Shutdown]);
        }
        let line = format!("{}\npress\n", "x".repeat(MAX_LINE as usize - 1));
        assert_eq!(events(line).await.len(), 2, "the next line counts");
    }

    #[test]
    fn the_picture_is_framed() {
        let text = framed(&Canvas::default());
        assert_eq!(text.lines().count(), 18);
        assert!(text.lines().all(|line| line.chars().count() == 66));
    }
}
