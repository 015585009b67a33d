//! Ten thousand pictures with a ribbon camera whose program stalls, dies, is cut off, floods and does not listen.

use std::path::Path;
use std::process::Command;

use crate::support::fake_rpicam::{FakeRpicam, Plan};
use crate::support::*;

const CAPTURES: u32 = 10_000;

/// The fault of a run. Those for which the driver has to wait are rare.
fn fault(run: usize) -> &'static str {
    match run % 2000 {
        111 => "stall",
        333 => "stall-after-2",
        555 => "deaf",
        777 => "other-size",
        run if run % 100 == 42 => "flood",
        run if run % 20 == 9 => "orphan",
        run if run % 10 == 3 => ["die", "die-after-2", "cut-and-die"][run / 10 % 3],
        run if run % 10 == 6 => ["truncate", "garbage"][run / 10 % 2],
        _ => "none",
    }
}

/// Small pictures of stained cells: parts of a field.
fn frames(folder: &Path) -> Vec<std::path::PathBuf> {
    let field = image::open(&demo_fields()[0]).unwrap();
    let parts = [(0, 0), (160, 0), (0, 120), (160, 120)].into_iter();
    parts
        .map(|(x, y)| {
            let path = folder.join(format!("{x}-{y}.jpg"));
            field
                .crop_imm(x, y, 160, 120)
                .to_rgb8()
                .save(&path)
                .unwrap();
            path
        })
        .collect()
}

/// Processes in whose environment the folder of the program is named.
fn left_over(folder: &Path) -> Vec<String> {
    let mark = format!("FAKE_FOLDER={}\0", folder.display());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mark)
        })
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn of_ten_thousand_captures_with_faults_none_is_wrong_or_old_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let frames = frames(folder.path());
    let faults: Vec<_> = (0..2000).map(fault).collect();
    let fake = FakeRpicam::new(&Plan {
        frames: frames.clone(),
        other: demo_fields()[0].clone(),
        faults: &faults,
        stamp: true,
        ..Plan::default()
    });
    let output = Command::new(built("capture_often"))
        .arg(fake.program())
        .arg(CAPTURES.to_string())
        .args(frames)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (taken, failed) = text.trim().split_once(' ').unwrap();
    let [taken, failed] = [taken, failed].map(|number| number.parse::<u32>().unwrap());
    assert_eq!(taken + failed, CAPTURES);
    // A picture of another size is refused; after each other fault, the program is started once more.
    assert!(
        (1..CAPTURES / 50).contains(&failed),
        "{taken} taken, {failed} failed"
    );
    let program = fake.program();
    assert_eq!(left_over(program.parent().unwrap()), Vec::<String>::new());
}
