//! The simulated bench's panel in a terminal: what it leaves behind, and its end when the terminal is closed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::*;

/// No panel takes longer; a test that fails must end.
const PATIENCE: Duration = Duration::from_mins(2);
/// Leaves the terminal's alternate screen.
const LEAVE: &str = "\u{1b}[?1049l";

/// `smearscope run` in a terminal of its own, of 140 columns and 45 rows.
struct Panel {
    program: Program,
    /// The terminal as its user sees it.
    terminal: File,
    seen: String,
    started: Instant,
}

impl Panel {
    fn start(folder: &Path) -> Self {
        // Not inherited: the program would keep its own terminal open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let size = Winsize {
            ws_row: 45,
            ws_col: 140,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside = rustix::fs::open(&name, flags, Mode::empty()).unwrap();
        let stdio = |inside: &OwnedFd| Stdio::from(inside.try_clone().unwrap());
        let child = Command::new(built("smearscope"))
            .current_dir(root())
            .args(["run", "--board", "sim", "--engine", "embedded", "--state"])
            .arg(folder)
            .env(NO_SERVER.0, NO_SERVER.1)
            .env("SMEARSCOPE__TIMING__SELFTEST_S", "0.1")
            .env_remove("RUST_LOG")
            .stdin(stdio(&inside))
            .stdout(stdio(&inside))
            .stderr(stdio(&inside))
            .spawn()
            .unwrap();
        Self {
            program: Program(child),
            terminal: terminal.into(),
            seen: String::new(),
            started: Instant::now(),
        }
    }

    /// Reads the next output; `false` once the program has closed the terminal.
    fn read(&mut self) -> bool {
        let left = PATIENCE.saturating_sub(self.started.elapsed());
        let left = Timespec::try_from(left).unwrap();
        let mut output = [PollFd::new(&self.terminal, PollFlags::IN)];
        let ready = poll(&mut output, Some(&left)).unwrap();
        assert!(ready > 0, "nothing more after {:?}", self.seen);
        let mut buffer = [0; 4096];
        let length = self.terminal.read(&mut buffer).unwrap_or(0);
        self.seen
            .push_str(&String::from_utf8_lossy(&buffer[..length]));
        length > 0
    }

    fn read_until(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.read(), "no {text:?} in {:?}", self.seen);
        }
    }

    fn type_keys(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).unwrap();
    }
}

/// A running program, which is killed when it is dropped.
struct Program(Child);

impl Program {
    /// How it ends.
    fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_last_verdict_and_its_records_stay_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let mut panel = Panel::start(folder.path());
    panel.read_until("? keys");
    // Presses are accepted when the bench is ready.
    while !panel.seen.contains("verdict:") {
        panel.type_keys(b" ");
        assert!(panel.read(), "{:?}", panel.seen);
    }
    panel.read_until("field01_1.jpg");
    panel.type_keys(b"q");
    while panel.read() {}
    let Panel {
        mut program, seen, ..
    } = panel;
    assert!(program.ended().success());
    let (_, left) = seen
        .rsplit_once(LEAVE)
        .expect("the alternate screen is left");
    for text in [
        "verdict: Positive",
        "not for diagnosis",
        "smearscope records list",
    ] {
        assert!(left.contains(text), "no {text:?} in {left:?}");
    }
    assert!(left.contains(folder.path().to_str().unwrap()), "{left:?}");
}

#[test]
fn a_terminal_that_is_closed_ends_the_bench() {
    let folder = tempfile::tempdir().unwrap();
    let mut panel = Panel::start(folder.path());
    panel.read_until("? keys");
    let Panel {
        mut program,
        terminal,
        ..
    } = panel;
    // Not its controlling terminal, so that no SIGHUP comes.
    drop(terminal);
    // How it ends does not matter, since there is nobody to see it.
    program.ended();
}
