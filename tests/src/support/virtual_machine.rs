//! A virtual machine with simulated devices behind Linux's own drivers; `scripts/virtual-bench` makes it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;

use crate::support::*;

/// Within which the machine boots, made first if need be, or answers a command; many times what it takes.
const PATIENCE: Duration = Duration::from_mins(10);
/// The script's exit code where there can be no such machine.
const UNAVAILABLE: i32 = 3;

/// A machine at work. It is switched off when it goes out of scope, and tells its console if a test failed.
pub(crate) struct Machine {
    qemu: Child,
    commands: ChildStdin,
    answers: Receiver<String>,
    folder: PathBuf,
}

impl Machine {
    /// Boots a machine with the disk of the last one of that name, or with a new one. Where there can be none, says why
    /// and gives none.
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
                eprintln!("skipped: {said}");
                return None;
            }
        }
        Some(machine)
    }

    /// Where a machine of that name has its disk.
    fn folder(name: &str) -> PathBuf {
        root().join("target/virtual-bench-tests").join(name)
    }

    /// Forgets the disk of earlier machines of that name.
    pub(crate) fn forget(name: &str) {
        let folder = Self::folder(name);
        if folder.exists() {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    /// What a line for the machine's shell answers with, and what it prints. What goes on in the background must print
    /// elsewhere.
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

    /// What a line that must succeed prints.
    pub(crate) fn run(&mut self, line: &str) -> Vec<u8> {
        let (code, printed) = self.try_run(line);
        assert_eq!(code, 0, "{line}: {}", String::from_utf8_lossy(&printed));
        printed
    }

    /// The same as text.
    pub(crate) fn tell(&mut self, line: &str) -> String {
        String::from_utf8(self.run(line)).unwrap()
    }

    /// Takes the power away. What the machine holds in memory is lost; what it handed to its disk is not.
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
        // It may have ended by itself.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
