//! A virtual machine with simulated devices behind Linux's own drivers, started by `scripts/virtual-bench`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;
use smearscope_artifacts::testing::skip;

use super::programs::built;
use super::project::root;

/// The deadline for building and booting the machine and for each command; many times what they take.
const PATIENCE: Duration = Duration::from_mins(10);
/// The script's exit code if this computer cannot run the machine.
const UNAVAILABLE: i32 = 3;

/// A running machine. Dropping it switches it off, and prints its console after a failed test.
pub(crate) struct Machine {
    qemu: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    folder: PathBuf,
}

impl Machine {
    /// Boots a machine with the disk of the last one of that name, or with a new one; if this computer can run none,
    /// skips and returns `None`.
    pub(crate) fn boot(name: &str) -> Option<Self> {
        let folder = Self::folder(name);
        std::fs::create_dir_all(&folder).unwrap();
        let messages = folder.join("messages");
        let mut qemu = Command::new(root().join("scripts/virtual-bench"))
            .arg(built("smearscope"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&messages).unwrap())
            .spawn()
            .unwrap();
        let commands = qemu.stdin.take().unwrap();
        let mut lines = BufReader::new(qemu.stdout.take().unwrap()).lines();
        let (answer, answers) = mpsc::channel();
        thread::spawn(move || {
            while let Some(Ok(line)) = lines.next() {
                if answer.send(line).is_err() {
                    break;
                }
            }
        });
        let mut machine = Self {
            qemu,
            commands,
            answers,
            folder,
        };
        match machine.answers.recv_timeout(PATIENCE) {
            Ok(word) => assert_eq!(word, "ready"),
            Err(RecvTimeoutError::Timeout) => panic!("it does not boot"),
            Err(RecvTimeoutError::Disconnected) => {
                let said = std::fs::read_to_string(&messages).unwrap();
                let code = machine.qemu.wait().unwrap().code();
                assert_eq!(code, Some(UNAVAILABLE), "{said}");
                skip(said);
                return None;
            }
        }
        Some(machine)
    }

    /// The folder with the disk of the machine of that name.
    fn folder(name: &str) -> PathBuf {
        root().join("target/virtual-bench-tests").join(name)
    }

    /// Deletes the disk of earlier machines of that name.
    pub(crate) fn forget(name: &str) {
        let folder = Self::folder(name);
        if folder.exists() {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    /// Runs a line in the machine's shell and returns its exit code and output. Background jobs must redirect their
    /// output.
    pub(crate) fn try_run(&mut self, line: &str) -> (i32, Vec<u8>) {
        assert!(!line.contains('\n'), "{line}");
        writeln!(self.commands, "{line}").unwrap();
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.unwrap_or_else(|error| panic!("{error}, after: {line}"));
        let (code, printed) = answer.split_once(' ').unwrap();
        (
            code.parse().unwrap(),
            BASE64.decode(printed.as_bytes()).unwrap(),
        )
    }

    /// The output of a line that must succeed.
    pub(crate) fn run(&mut self, line: &str) -> Vec<u8> {
        let (code, printed) = self.try_run(line);
        assert_eq!(code, 0, "{line}: {}", String::from_utf8_lossy(&printed));
        printed
    }

    /// The output as text.
    pub(crate) fn tell(&mut self, line: &str) -> String {
        String::from_utf8(self.run(line)).unwrap()
    }

    /// Cuts the power: the machine loses its memory and keeps its disk.
    pub(crate) fn cut_power(mut self) {
        self.qemu.kill().unwrap();
        self.qemu.wait().unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            let console = std::fs::read(self.folder.join("console")).unwrap_or_default();
            eprintln!("{}", String::from_utf8_lossy(&console));
        }
        // The machine may have ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
