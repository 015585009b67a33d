//! The appliance under a service manager: its notifications, the watchdog, and signals.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::small_disk::{Place, SmallDisk, enter};
use crate::support::*;

/// The watchdog's timeout in microseconds: shorter than the program's own deadlines.
const WATCHDOG: &str = "100000";

/// A configuration and the notification socket of a service manager.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

/// The appliance as a service of a manager.
struct Service<'a> {
    manager: &'a Manager,
    child: Child,
    stdin: Option<ChildStdin>,
    /// The lines with verdicts.
    verdicts: Receiver<String>,
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        // After a failed test; otherwise the process has already ended.
        let _ = self.child.kill();
    }
}

impl Manager {
    fn new(model: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        // A failed test must end.
        socket
            .set_read_timeout(Some(Duration::from_mins(2)))
            .unwrap();
        fs::create_dir(folder.path().join("fields")).unwrap();
        fs::copy(&demo_fields()[0], folder.path().join("fields/1.jpg")).unwrap();
        let manager = Self { folder, socket };
        manager.configure(&format!(
            "[model]\nengine = \"embedded\"\nfolder = {model:?}\n"
        ));
        manager
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "board = \"sim\"\n{more}[sim]\nfields = {:?}\n[timing]\ncapture_s = 0.1\nselftest_s = 0.1\n",
            self.path("fields")
        );
        fs::write(self.path("config.toml"), text).unwrap();
    }

    fn start(&self) -> Service<'_> {
        self.start_with(|_| {})
    }

    fn start_with(&self, set_up: impl FnOnce(&mut Command)) -> Service<'_> {
        self.start_program(&built("smearscope"), set_up)
    }

    fn start_program(&self, program: &Path, set_up: impl FnOnce(&mut Command)) -> Service<'_> {
        let stderr = File::create(self.path("stderr")).unwrap();
        let metadata = stderr.metadata().unwrap();
        let mut command = Command::new(program);
        command
            .args(["run", "--config"])
            .arg(self.path("config.toml"))
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("WATCHDOG_USEC", WATCHDOG)
            .envs([NO_SERVER, VOLATILE])
            .env(
                "JOURNAL_STREAM",
                format!("{}:{}", metadata.dev(), metadata.ino()),
            )
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        set_up(&mut command);
        let mut child = command.spawn().unwrap();
        // Reads continuously so that the appliance never blocks on a full pipe.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, verdicts) = mpsc::channel();
        std::thread::spawn(move || {
            let mut verdicts = lines
                .map_while(Result::ok)
                .filter(|line| line.starts_with("verdict:"));
            verdicts.try_for_each(|verdict| sender.send(verdict))
        });
        Service {
            manager: self,
            stdin: child.stdin.take(),
            verdicts,
            child,
        }
    }

    /// The next message.
    fn told(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    }

    /// The messages up to and including the first that begins like this.
    fn told_until(&self, beginning: &str) -> Vec<String> {
        let mut messages = vec![self.told()];
        while !messages.last().unwrap().starts_with(beginning) {
            messages.push(self.told());
        }
        messages
    }

    /// The log so far.
    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("stderr")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

impl Service<'_> {
    fn press(&mut self) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(b"press\n").unwrap();
    }

    fn verdict(&self) -> String {
        self.verdicts.recv().expect("a verdict")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    fn end(mut self) -> ExitStatus {
        self.stdin = None;
        self.manager.told_until("STOPPING=1");
        self.wait()
    }
}

#[test]
fn ready_is_sent_after_the_self_test_then_the_watchdog_is_fed_and_stopping_is_sent() {
    let manager = Manager::new(&demo_model());
    let service = manager.start();
    assert_eq!(manager.told(), "STATUS=checking the model");
    assert_eq!(
        manager.told_until("READY=1"),
        ["READY=1"],
        "no sign of life before"
    );
    let begun = manager.told_until("WATCHDOG=1");
    // Twice the deadlines: 0.1 s for a picture, 20 s for its analysis.
    assert!(
        begun.contains(&"WATCHDOG_USEC=40200000".into()),
        "{begun:?}"
    );
    assert!(begun.contains(&"STATUS=showing the self-test".into()));
    manager.told_until("STATUS=ready");
    service.signal(Signal::TERM);
    manager.told_until("STOPPING=1");
    assert!(service.wait().success());
}

#[test]
fn the_watchdog_is_not_fed_while_the_camera_stalls() {
    let manager = Manager::new(&demo_model());
    manager.configure("[model]\nengine = \"embedded\"\n");
    // A camera that blocks until the test writes into this pipe.
    let pipe = manager.path("fields/1.jpg");
    let picture = fs::read(&pipe).unwrap();
    fs::remove_file(&pipe).unwrap();
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let mut service = manager.start_with(|command| {
        // As short as the capture deadline, so that feeds are as far apart.
        command.env("SMEARSCOPE__TIMING__ANALYSIS_S", "0.1");
    });
    for _ in 0..3 {
        manager.told_until("WATCHDOG=1");
    }
    let stalled = "STATUS=the camera gives no picture";
    service.press();
    manager.told_until(stalled);
    for _ in 0..5 {
        service.press();
        let told = manager.told_until(stalled);
        assert!(!told.contains(&"WATCHDOG=1".into()), "{told:?}");
    }
    fs::write(&pipe, picture).unwrap();
    manager.told_until("WATCHDOG=1");
    assert!(service.end().success());
}

#[test]
fn a_model_that_fails_is_never_ready_nor_alive() {
    let model = copy_of_demo_model();
    fs::write(model.path().join("model.onnx"), "no network").unwrap();
    let manager = Manager::new(model.path());
    let mut service = manager.start();
    service.stdin = None;
    let told = manager.told_until("STOPPING=1");
    assert!(
        told.iter().any(|message| message.contains("is damaged")),
        "{told:?}"
    );
    for never in ["READY=1", "WATCHDOG=1"] {
        assert!(!told.contains(&never.into()), "{told:?}");
    }
    assert_eq!(service.wait().code(), Some(4));
}

#[test]
fn a_hang_up_applies_a_right_configuration_and_refuses_a_wrong_one() {
    let manager = Manager::new(&demo_model());
    let mut service = manager.start();
    manager.told_until("STATUS=ready");
    manager.configure("[timing]\nhold_s = -1\n");
    service.signal(Signal::HUP);
    while !manager
        .log()
        .iter()
        .any(|line| line.contains("stays in use"))
    {
        std::thread::yield_now();
    }
    service.press();
    assert!(service.verdict().contains("on embedded"));

    let model = copy_of_demo_model();
    let path = model.path().join("manifest.toml");
    let text = fs::read_to_string(&path).unwrap();
    let name = text.replacen("name = \"smear-demo\"", "name = \"smear-other\"", 1);
    fs::write(&path, name).unwrap();
    manager.configure(&format!(
        "[model]\nengine = \"embedded\"\nfolder = {:?}\n",
        model.path()
    ));
    service.signal(Signal::HUP);
    manager.told_until("RELOADING=1");
    manager.told_until("STATUS=showing the self-test");
    service.press();
    assert!(service.verdict().contains("smear-other"));
    assert!(service.end().success());
}

#[test]
fn hang_ups_at_any_moment_do_not_end_the_service() {
    let manager = Manager::new(&demo_model());
    let service = start_patiently(&manager);
    manager.told_until("STATUS=ready");
    let process = Pid::from_child(&service.child);
    // Also between the replacement of the process and the moment at which the new one handles the signal.
    std::thread::scope(|scope| {
        let (enough, is_enough) = mpsc::channel::<()>();
        scope.spawn(move || {
            while is_enough.try_recv() == Err(mpsc::TryRecvError::Empty) {
                kill_process(process, Signal::HUP).unwrap();
                std::thread::yield_now();
            }
        });
        for _ in 0..5 {
            manager.told_until("RELOADING=1");
        }
        drop(enough);
    });
    manager.told_until("STATUS=ready");
    assert!(service.end().success());
}

#[test]
fn a_hang_up_starts_the_program_that_an_upgrade_installed() {
    let manager = Manager::new(&demo_model());
    // Links need no copy of a large file, and need its file system.
    let folder = tempfile::tempdir_in(built("smearscope").parent().unwrap()).unwrap();
    let program = folder.path().join("smearscope");
    fs::hard_link(built("smearscope"), &program).unwrap();
    let service = manager.start_program(&program, |_| {});
    manager.told_until("STATUS=ready");
    fs::remove_file(&program).unwrap();
    fs::hard_link(built("smearscope"), &program).unwrap();
    service.signal(Signal::HUP);
    manager.told_until("RELOADING=1");
    manager.told_until("STATUS=ready");
    let running = fs::read_link(format!("/proc/{}/exe", service.child.id())).unwrap();
    assert_eq!(running, program.canonicalize().unwrap());
    assert!(service.end().success());
}

#[test]
fn a_service_starts_with_what_it_knows_and_else_with_the_last_good_configuration() {
    let manager = Manager::new(&demo_model());
    let state = manager.path("state");
    let start = || {
        manager.start_with(|command| {
            command
                .env("STATE_DIRECTORY", &state)
                .env("SMEARSCOPE__TIMING__CAPTURE_S", "10");
        })
    };
    manager.configure("colour = 1\n[model]\nengine = \"embedded\"\n");
    let service = start();
    manager.told_until("STATUS=ready");
    assert!(service.end().success());
    let log = manager.log().join("\n");
    assert!(log.contains("line 2: `colour` is not a setting"), "{log}");

    fs::write(manager.path("config.toml"), "").unwrap();
    let mut service = start();
    // It has failed, and stays on the screen for a minute, or until a press.
    manager.told_until("STATUS=showing the self-test");
    service.press();
    let verdict = service.verdict();
    assert!(verdict.contains("saved as"), "{verdict}");
    assert!(service.end().success());
    let log = manager.log().join("\n");
    assert!(log.contains("config.toml has no settings"), "{log}");
    assert!(
        log.contains("started with the last good configuration"),
        "{log}"
    );
}

#[test]
fn a_service_without_any_good_configuration_refuses_and_shows_why() {
    let folder = tempfile::tempdir().unwrap();
    let [config, state] = ["config.toml", "state"].map(|name| folder.path().join(name));
    for text in ["", "[timing]\nhold_s = -1\n"] {
        fs::write(&config, text).unwrap();
        let output = smearscope(["run", "--config"])
            .arg(&config)
            .env("STATE_DIRECTORY", &state)
            .env("SMEARSCOPE__BOARD", "sim")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        // The LEDs and the screen of the simulated bench.
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("leds: red=blink"), "{shown}");
        assert!(shown.contains('┌'), "{shown}");
        assert!(!state.exists(), "nothing is recorded");
    }
    for (text, code) in [("", 3), ("board = \"sim\"\n", 0)] {
        fs::write(&config, text).unwrap();
        smearscope(["config", "check", "--service", "--config"])
            .arg(&config)
            .assert()
            .code(code);
    }
}

#[test]
fn the_journal_gets_priorities_and_no_times_and_only_what_was_asked_for() {
    let manager = Manager::new(&demo_model());
    let mut service = manager.start();
    service.press();
    let verdict = service.verdict();
    assert!(service.end().success());
    let log = manager.log();
    assert!(!log.is_empty());
    for line in &log {
        assert!(line.starts_with("<6>smearscope"), "{line}");
        assert!(!verdict.contains(line.as_str()), "{line}");
    }

    let log_of = |level: &str, variable: Option<&str>| {
        manager.configure(&format!("[log]\nlevel = {level:?}\n"));
        let service = manager.start_with(|command| {
            if let Some(level) = variable {
                command.env("RUST_LOG", level);
            }
        });
        manager.told_until("READY=1");
        assert!(service.end().success());
        manager.log()
    };
    assert_eq!(log_of("error", None), Vec::<String>::new());
    assert!(!log_of("error", Some("info")).is_empty());
    let debug = log_of("debug", None);
    assert!(
        debug.iter().any(|line| line.starts_with("<7>")),
        "{debug:?}"
    );
}

/// An appliance with its records on a small disk that must keep `reserve` MiB free.
fn on_a_small_disk(reserve: u64) -> (Manager, SmallDisk, PathBuf) {
    let manager = Manager::new(&demo_model());
    let disk = SmallDisk::of_mib(24);
    let state = disk.path().join("state");
    manager.configure(&format!(
        "[model]\nengine = \"embedded\"\n\
         [storage]\nstate = {state:?}\nreserve_mib = {reserve}\nmin_free_mib = {reserve}\n"
    ));
    (manager, disk, state)
}

/// Starts with a longer capture deadline than the tests of the watchdog use.
fn start_patiently(manager: &Manager) -> Service<'_> {
    manager.start_with(|command| {
        command.env("SMEARSCOPE__TIMING__CAPTURE_S", "10");
    })
}

fn records(state: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = smearscope(["records", "--state"]);
    command.arg(state).args(arguments).output().unwrap()
}

/// For each field, whether its images were removed.
fn removed(state: &Path) -> Vec<bool> {
    let listed = records(state, &["list", "--json"]);
    assert!(listed.status.success());
    let lines = json_lines(&listed.stdout);
    let removed = lines
        .iter()
        .map(|line| line["images_removed_at"].is_string());
    removed.collect()
}

#[test]
fn a_full_disk_at_the_start_is_shown_until_there_is_room() {
    let test = "a_full_disk_at_the_start_is_shown_until_there_is_room";
    if enter(module_path!(), test) != Place::Inside {
        return;
    }
    let (manager, disk, state) = on_a_small_disk(1);
    // First a disk that was always full; then one with readable records and no ballast.
    let told = [
        "disk full, records cannot be opened",
        "disk full, 0 MiB free",
    ];
    for (known, full) in told.into_iter().enumerate() {
        let full = format!("STATUS={full}");
        fs::create_dir_all(&state).unwrap();
        disk.fill();
        let mut service = start_patiently(&manager);
        let told = manager.told_until("READY=1");
        assert!(!told.contains(&"STOPPING=1".into()), "{told:?}");
        manager.told_until("STATUS=showing the self-test");
        for _ in 0..2 {
            service.press();
            manager.told_until("STATUS=taking a picture");
            manager.told_until(&full);
        }
        disk.empty();
        while known == 0 && !manager.log().iter().any(|line| line.contains("are open")) {
            std::thread::yield_now();
        }
        service.press();
        let verdict = service.verdict();
        assert!(verdict.contains("saved as"), "{verdict}");
        assert!(service.end().success());
        assert_eq!(removed(&state), vec![false; known + 1]);
        if known == 0 {
            fs::remove_file(state.join("records.ballast")).unwrap();
        }
    }
}

#[test]
fn on_a_full_disk_exports_are_noted_and_make_room() {
    let test = "on_a_full_disk_exports_are_noted_and_make_room";
    if enter(module_path!(), test) != Place::Inside {
        return;
    }
    // More than the ballast, so that a full disk stays full until another program frees space.
    let (manager, disk, state) = on_a_small_disk(10);
    let ballast = state.join("records.ballast");
    let run = |presses: usize| {
        let mut service = start_patiently(&manager);
        manager.told_until("STATUS=ready");
        for _ in 0..presses {
            service.press();
            assert!(service.verdict().contains("saved as"));
        }
        assert!(service.end().success());
    };
    run(2);
    assert!(ballast.exists());
    disk.fill();
    let archive = manager.path("out.zip");
    let exported = records(
        &state,
        &[
            "export",
            "--format",
            "zip",
            "--out",
            archive.to_str().unwrap(),
        ],
    );
    let stderr = String::from_utf8_lossy(&exported.stderr);
    assert!(exported.status.success(), "{stderr}");
    assert!(!ballast.exists(), "it was needed");

    disk.empty();
    run(1);
    assert!(ballast.exists(), "there is room for it again");
    assert_eq!(removed(&state), [false; 3]);
    disk.fill();
    let mut service = start_patiently(&manager);
    manager.told_until("STATUS=showing the self-test");
    service.press();
    let told = manager.told_until("STATUS=disk full");
    let told = told.last().unwrap();
    assert!(told.contains("MiB free; export records"), "{told}");
    while removed(&state) != [true, true, false] {
        std::thread::yield_now();
    }
    service.press();
    manager.told_until("STATUS=disk full");
    disk.empty();
    service.press();
    assert!(service.verdict().contains("saved as"));
    assert!(service.end().success());
    assert!(records(&state, &["verify"]).status.success());
}
