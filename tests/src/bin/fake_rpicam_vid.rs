//! Stands in for `rpicam-vid`, in the tests: plays JPEG files as MJPEG, writes metadata, and fails as it is told.
//!
//! It reads `plan.toml` in the folder of the path that it is called by, and adds each of its command lines to `commands`
//! there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Options of rpicam-vid 1.5 that have a value, as far as the driver may use them.
const WITH_VALUE: [&str; 17] = [
    "--autofocus-mode",
    "--awbgains",
    "--camera",
    "--codec",
    "--denoise",
    "--framerate",
    "--gain",
    "--height",
    "--metadata",
    "--metadata-format",
    "--mode",
    "--output",
    "--quality",
    "--sharpness",
    "--shutter",
    "--timeout",
    "--width",
];
const SWITCHES: [&str; 3] = ["--flush", "--list-cameras", "--nopreview"];

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let called = PathBuf::from(arguments.next().unwrap_or_default());
    let folder = called.parent().unwrap_or(Path::new(".")).to_owned();
    let arguments: Vec<String> = arguments.collect();
    match run(&folder, &called, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ERROR: *** {error} ***");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, called: &Path, arguments: &[String]) -> io::Result<()> {
    let mut unread = arguments.iter();
    while let Some(argument) = unread.next() {
        let argument = &**argument;
        if argument == "--tuning-file" {
            // As libcamera 0.7 says it.
            let file = unread.next().map_or("", String::as_str);
            eprintln!(
                "[1:37:37.179073933] [8075]  INFO IPAProxy ipa_proxy.cpp:180 Using tuning file {file}"
            );
        } else if WITH_VALUE.contains(&argument) {
            unread.next();
        } else if !SWITCHES.contains(&argument) {
            return Err(io::Error::other(format!(
                "unrecognised option '{argument}'"
            )));
        }
    }
    let plan = fs::read_to_string(folder.join("plan.toml"))?;
    let plan: toml::Table = plan.parse().map_err(io::Error::other)?;
    if arguments
        .iter()
        .any(|argument| argument == "--list-cameras")
    {
        if plan["list_fails"].as_bool() == Some(true) {
            return Err(io::Error::other("cannot open /dev/media0"));
        }
        println!("{}", plan["cameras"].as_str().unwrap_or_default());
        return Ok(());
    }
    let number = match std::env::var("FAKE_RUN") {
        Ok(number) => number.parse().map_err(io::Error::other)?,
        Err(_) => add_to(folder, arguments)?,
    };
    let faults = plan["faults"].as_array().map_or(&[][..], Vec::as_slice);
    let fault = match faults.len() {
        0 => "none",
        length => faults[number % length].as_str().unwrap_or("none"),
    };
    if fault == "deaf" && std::env::var_os("FAKE_RUN").is_none() {
        // What a shell ignores, the programs that it becomes ignore as well.
        let error = std::os::unix::process::CommandExt::exec(
            Command::new("sh")
                .args(["-c", "trap '' INT TERM; exec \"$0\" \"$@\""])
                .arg(called)
                .args(arguments)
                .env("FAKE_RUN", number.to_string()),
        );
        return Err(error);
    }
    begin(fault, folder)?;
    let metadata = arguments.iter().any(|argument| argument == "--metadata");
    let mut output = io::stdout().lock();
    if metadata {
        return settle(&plan, fault, &mut output);
    }
    let mode = arguments
        .iter()
        .skip_while(|argument| *argument != "--mode")
        .nth(1);
    play(&plan, fault, number, mode, &mut output)
}

/// What happens before the first frame.
fn begin(fault: &str, folder: &Path) -> io::Result<()> {
    match fault {
        "die" => return Err(io::Error::other("no cameras available")),
        "stall" => stall(),
        "flood" => {
            let mut messages = io::stderr().lock();
            for number in 0..100_000 {
                writeln!(
                    messages,
                    "#{number} (30.00 fps) exp 9999.00 ag 1.50 dg 1.00"
                )?;
            }
        }
        // It keeps the standard output open.
        "orphan" => {
            let mut orphan = Command::new("sleep");
            orphan
                .arg("1000")
                .stdin(Stdio::null())
                .env("FAKE_FOLDER", folder);
            orphan.spawn()?;
        }
        _ => {}
    }
    Ok(())
}

fn stall() -> ! {
    loop {
        thread::park();
    }
}

/// Adds a command line; returns how many there were before.
fn add_to(folder: &Path, arguments: &[String]) -> io::Result<usize> {
    let append = |name: &str| {
        let mut options = OpenOptions::new();
        options.append(true).create(true).open(folder.join(name))
    };
    writeln!(append("commands")?, "{}", arguments.join(" "))?;
    // A byte for each, because counting the lines takes longer and longer.
    let mut runs = append("runs")?;
    runs.write_all(b".")?;
    usize::try_from(runs.metadata()?.len() - 1).map_err(io::Error::other)
}

/// Writes metadata that settles after some frames, as rpicam-vid does: an object's end comes without a line's end.
fn settle(plan: &toml::Table, fault: &str, output: &mut impl Write) -> io::Result<()> {
    let exposure = plan["exposure_us"].as_integer().unwrap_or(10_000);
    for frame in 0_i64.. {
        act(fault, frame, output)?;
        let exposure = exposure * (frame + 1).min(5) / 5;
        let separator = if frame == 0 { "" } else { ",\n" };
        write!(
            output,
            "{separator}{{\n    \"ExposureTime\": {exposure},\n    \"AnalogueGain\": 1.500000,\n    \
             \"ColourGains\": [ 2.000000, 1.600000 ],\n    \"Lux\": nan\n}}"
        )?;
        output.flush()?;
        thread::sleep(pause(plan));
    }
    Ok(())
}

/// Plays the images of the plan for this mode.
fn play(
    plan: &toml::Table,
    fault: &str,
    run: usize,
    mode: Option<&String>,
    output: &mut impl Write,
) -> io::Result<()> {
    let is_binned =
        mode.map(String::as_str) == plan.get("binned_mode").and_then(|mode| mode.as_str());
    let paths = match plan.get("binned") {
        Some(binned) if is_binned => std::slice::from_ref(binned),
        _ => plan["frames"].as_array().map_or(&[][..], Vec::as_slice),
    };
    let mut images = Vec::new();
    for path in paths {
        images.push(fs::read(path.as_str().unwrap_or_default())?);
    }
    let other = fs::read(plan["other"].as_str().unwrap_or_default());
    let is_stamped = plan["stamp"].as_bool() == Some(true);
    let mut image = images.iter().cycle();
    for frame in 0_i64.. {
        act(fault, frame, output)?;
        let mut jpeg = match (fault, &other) {
            ("other-size", Ok(other)) => other.clone(),
            _ => image.next().cloned().ok_or(io::Error::other("no frames"))?,
        };
        if is_stamped {
            stamp(&mut jpeg, run, frame);
        }
        match fault {
            "truncate" if frame % 3 == 2 => jpeg.truncate(jpeg.len() / 2),
            "garbage" => jpeg.extend(b"\xff\xd8\xff\xd8 noise \xff\xd9\xff\xe0\xff"),
            _ => {}
        }
        output.write_all(&jpeg)?;
        output.flush()?;
        thread::sleep(pause(plan));
    }
    Ok(())
}

/// What happens before a frame.
fn act(fault: &str, frame: i64, output: &mut impl Write) -> io::Result<()> {
    match (fault, frame) {
        ("die-after-2" | "cut-and-die", 2) => {
            if fault == "cut-and-die" {
                output.write_all(b"\xff\xd8\xff\xe0\0")?;
            }
            Err(io::Error::other("the sensor is gone"))
        }
        ("stall-after-2" | "deaf", 2) => stall(),
        _ => Ok(()),
    }
}

fn pause(plan: &toml::Table) -> Duration {
    let milliseconds = plan["pause_ms"].as_integer().unwrap_or_default();
    Duration::from_millis(milliseconds.unsigned_abs())
}

/// Adds a comment (COM, ITU-T T.81) with the run, the frame and the time in nanoseconds of the monotonic clock.
fn stamp(jpeg: &mut Vec<u8>, run: usize, frame: i64) {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec);
    let text = format!("{run} {frame} {nanoseconds}");
    let length = u16::try_from(text.len() + 2)
        .unwrap_or_default()
        .to_be_bytes();
    let comment = [&[0xff, 0xfe][..], &length, text.as_bytes()].concat();
    jpeg.splice(2..2, comment);
}
