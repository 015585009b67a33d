//! Takes many pictures with a ribbon camera whose program stands in for `rpicam-vid`, and checks each.
//!
//! `capture_often PROGRAM COUNT FRAMES...` prints how many pictures were taken and how many captures failed. It ends with 1
//! if a picture is none of the frames or older than its request, or if a process or a descriptor is left.

use std::process::ExitCode;

use rustix::time::{ClockId, clock_gettime};
use smearscope_hardware::config::{CameraKind, Display, Equipment, LinuxLines, Wired};
use smearscope_hardware::{Board, Frame, Pixels, PreviewMode, linux};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(Ok(count))) = (
        arguments.next(),
        arguments.next().map(|count| count.parse::<u32>()),
    ) else {
        eprintln!("usage: capture_often PROGRAM COUNT FRAMES...");
        return ExitCode::from(2);
    };
    match run(program, count, &arguments.collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: String, count: u32, frames: &[String]) -> Result<(), String> {
    let frames: Result<Vec<_>, _> = frames.iter().map(std::fs::read).collect();
    let frames = frames.map_err(|error| error.to_string())?;
    let mut board = board(program);
    let before = descriptors()?;
    let (mut taken, mut failed, mut last_run) = (0, 0, None);
    for capture in 0..count {
        let asked = nanoseconds();
        match board.camera.capture() {
            Ok(frame) => {
                let run = check(&frame, asked, &frames)
                    .map_err(|problem| format!("capture {capture}: {problem}"))?;
                if last_run.is_some_and(|last| run <= last) {
                    return Err(format!("capture {capture}: run {run} after {last_run:?}"));
                }
                last_run = Some(run);
                taken += 1;
            }
            Err(_) => failed += 1,
        }
        if capture % 100 == 0 {
            // A preview in between must not leave a frame behind either.
            let _ = board.camera.preview(PreviewMode::Fast);
        }
    }
    drop(board);
    let (left, children) = (descriptors()?, children()?);
    if left != before || !children.is_empty() {
        return Err(format!(
            "descriptors: {before} before, {left} afterwards; children: {children:?}"
        ));
    }
    println!("{taken} {failed}");
    Ok(())
}

fn board(program: String) -> Board {
    let mut equipment = Equipment {
        display: Display::None,
        leds: Wired::None,
        button: Wired::None,
        ..Equipment::default()
    };
    equipment.camera.kind = CameraKind::Rpicam;
    equipment.rpicam.program = program;
    equipment.rpicam.frame_s = 1.0;
    linux::board(&equipment, &LinuxLines::default())
}

/// Checks a picture and the one before it; returns the run of the program that made them.
fn check(frame: &Frame, asked: i128, frames: &[Vec<u8>]) -> Result<u64, String> {
    let earlier = frame.earlier.as_ref().ok_or("no earlier picture")?;
    let [earlier, picture] = [earlier, &frame.pixels].map(|pixels| stamp(pixels, frames));
    let ((first_run, first, time), (run, second, _)) = (earlier?, picture?);
    if run != first_run || first >= second {
        return Err(format!("picture {run}.{second} after {first_run}.{first}"));
    }
    if time < asked {
        return Err(format!("made {} ns before it was requested", asked - time));
    }
    Ok(run)
}

/// The run, the frame and the time that the comment of a picture names. Without the comment, it must be one of `frames`.
fn stamp(pixels: &Pixels, frames: &[Vec<u8>]) -> Result<(u64, u64, i128), String> {
    let Pixels::Encoded(jpeg) = pixels else {
        return Err("no JPEG".into());
    };
    let [0xff, 0xd8, 0xff, 0xfe, high, low, rest @ ..] = &jpeg[..] else {
        return Err("no comment".into());
    };
    let length = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(2);
    let (comment, rest) = rest.split_at_checked(length).ok_or("a cut comment")?;
    if !frames.iter().any(|frame| &frame[2..] == rest) {
        return Err("it is none of the frames".into());
    }
    let text = String::from_utf8_lossy(comment);
    let mut numbers = text.split(' ').map(str::parse::<i128>);
    let mut next = || numbers.next().and_then(Result::ok).ok_or("no number");
    let run = u64::try_from(next()?).map_err(|error| error.to_string())?;
    let frame = u64::try_from(next()?).map_err(|error| error.to_string())?;
    Ok((run, frame, next()?))
}

fn nanoseconds() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// Number of open descriptors.
fn descriptors() -> Result<usize, String> {
    let entries = std::fs::read_dir("/proc/self/fd").map_err(|error| error.to_string())?;
    Ok(entries.count())
}

/// Process numbers of the children of this process.
fn children() -> Result<String, String> {
    let path = "/proc/thread-self/children";
    let children = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(children.trim().to_owned())
}
