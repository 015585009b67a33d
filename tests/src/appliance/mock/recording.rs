//! Records of what the appliance saw, and disks without room for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use smearscope::testing::{
    AnalysisError, ApplianceError, Archive, CapturedField, CommitToken, Examined, Judgement,
    RecordsError, SaveOutcome, Slide, Space, Store,
};
use smearscope_hardware::{Canvas, CaptureSettings, Frame, Pixels, mock};

use super::fixture::{
    FAULT, NEGATIVE, READY, RED, Running, TIMING, deliver, field, recorded, recorded_by, records,
};
use crate::support::*;

#[test]
fn fields_are_recorded_with_their_evidence_and_a_failed_save_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (board, bench) = mock::board();
    let load = {
        let state = state.clone();
        move || recorded(&state, Space::probed(|| Ok(u64::MAX), 2, 1))
    };
    let running = Running::start_on(board, bench, TIMING, load);
    deliver(&running, "_1");
    running.press("red", RED);
    let [record] = &records(&state)[..] else {
        panic!("one field is recorded");
    };
    let (bytes, name) = field("_1");
    let recorded = &record.field;
    assert_eq!(
        std::fs::read(state.join(&recorded.image.path)).unwrap(),
        bytes
    );
    let finding = &running.findings()[0];
    assert_eq!(finding.saved, SaveOutcome::Saved(recorded.id));
    assert_eq!((&recorded.source, recorded.number), (&name, 1));
    assert_eq!(recorded.verdict.as_str(), "Positive");
    assert_eq!(recorded.probability, finding.field.probability());
    assert_eq!(
        recorded.log_odds,
        finding.field.field().map(|field| field.log_odds)
    );
    assert_eq!(recorded.standing.probability, finding.slide.probability);
    assert_eq!(recorded.model.manifest_sha256.len(), 64);
    assert_eq!(recorded.engine.device, "CPU");
    assert!(recorded.elapsed_ms.inference.unwrap() > 0.0);
    let overlay = image::open(state.join(&recorded.overlay.as_ref().unwrap().path)).unwrap();
    assert_eq!(finding.field.overlay.as_deref(), Some(&overlay.to_rgb8()));
    let strongest = finding.field.field().unwrap().strongest.unwrap();
    assert!((0.0..1.0).contains(&strongest.x) && (0.0..1.0).contains(&strongest.y));
    // A file in place of the slide's folder makes every write fail.
    let slide = state
        .join(&recorded.image.path)
        .parent()
        .unwrap()
        .to_owned();
    std::fs::remove_dir_all(&slide).unwrap();
    std::fs::write(&slide, "in the way").unwrap();
    deliver(&running, "_1");
    assert!(running.bench.button.press());
    // Waits until that field is analysed.
    running.next_slide();
    assert_eq!(running.findings()[1].saved, SaveOutcome::NotSaved);
    assert_eq!(records(&state).len(), 1);
    running.end().1.unwrap();
}

#[test]
fn a_field_after_its_deadline_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let enough = Space::probed(|| Ok(u64::MAX), 2, 1);
    let mut recorder = recorded(folder.path(), enough).unwrap();
    let slide = Slide::first();
    let captured = |token| {
        let (bytes, source) = field("_1");
        CapturedField {
            frame: Frame {
                pixels: Pixels::Encoded(bytes),
                earlier: None,
                captured_at: Instant::now(),
                source,
                um_per_pixel: None,
                settings: CaptureSettings::default(),
            },
            capture: None,
            slide: slide.clone(),
            until: Instant::now() + Duration::from_mins(1),
            token,
        }
    };
    let given_up = CommitToken::default();
    drop(given_up.guard());
    let error = recorder.examine(captured(given_up)).unwrap_err();
    assert!(matches!(error, AnalysisError::TooLate), "{error}");
    assert!(records(folder.path()).is_empty());
    // It leaves no image files either.
    let archive = Archive::open(folder.path()).unwrap();
    let verified = archive.verify(None, &mut |_, _| ()).unwrap();
    assert_eq!((verified.rows, verified.orphans.len()), (0, 0));
    assert_eq!(verified.damages, []);
    let waited_for = CommitToken::default();
    let guard = waited_for.guard();
    let answer = recorder.examine(captured(waited_for.clone())).unwrap();
    let finding = answer.finding;
    assert!(matches!(finding.saved, SaveOutcome::Saved(_)));
    assert!(!waited_for.take(), "the recorder holds the token");
    drop(guard);
    assert_eq!(records(folder.path()).len(), 1);
}

#[test]
fn cells_of_a_field_that_is_not_saved_count_when_it_is_taken_again() {
    let [folder, fields] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let starts = panorama_fields(fields.path());
    let space = Space::probed(|| Ok(u64::MAX), 2, 1);
    let mut recorder = recorded_by(&cells_model(), folder.path(), space).unwrap();
    let mut take = |slide: &Slide, start: u32| {
        let name = format!("field{start}.png");
        let captured = CapturedField {
            frame: Frame {
                pixels: Pixels::Encoded(std::fs::read(fields.path().join(&name)).unwrap()),
                earlier: None,
                captured_at: Instant::now(),
                source: name,
                um_per_pixel: Some(PANORAMA_UM_PER_PIXEL),
                settings: CaptureSettings::default(),
            },
            capture: None,
            slide: slide.clone(),
            until: Instant::now() + Duration::from_mins(1),
            token: CommitToken::default(),
        };
        recorder.examine(captured).unwrap()
    };
    let count = |examined: &Examined| examined.finding.slide.count.unwrap().count;
    let first = take(&Slide::first(), starts[0]);
    assert!(count(&first).cells > 0);

    let images = folder.path().join("images");
    let images = images.join(first.slide.id().to_string());
    let aside = folder.path().join("aside");
    std::fs::rename(&images, &aside).unwrap();
    std::fs::write(&images, "in the way").unwrap();
    let lost = take(&first.slide, starts[1]);
    assert_eq!(lost.finding.saved, SaveOutcome::NotSaved);
    assert_eq!(count(&lost), count(&first), "it does not count");
    assert_eq!(lost.finding.slide.unsaved, 1);

    std::fs::remove_file(&images).unwrap();
    std::fs::rename(&aside, &images).unwrap();
    let again = take(&lost.slide, starts[1]);
    assert!(matches!(again.finding.saved, SaveOutcome::Saved(_)));
    let cells = again.finding.field.cells().unwrap();
    let new = cells.field.cells.iter().zip(&cells.is_new);
    let new = new.filter(|(cell, is_new)| cell.call.counts() && **is_new);
    let new = new.count() as u32;
    assert!(new > 0 && cells.seen_before() > 0);
    assert_eq!(count(&again).cells, count(&first).cells + new);
}

#[test]
fn a_disk_that_is_low_is_shown_and_one_that_is_full_refuses_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let free = Arc::new(AtomicU64::new(9));
    let space = Space::probed(
        {
            let free = Arc::clone(&free);
            move || Ok(free.load(Ordering::Relaxed))
        },
        10,
        5,
    );
    let (board, bench) = mock::board();
    let load = {
        let state = state.clone();
        move || recorded(&state, space)
    };
    let running = Running::start_on(board, bench, TIMING, load);
    let (leds, screen) = (&running.bench.leds, &running.bench.screen);
    leds.wait_until("ready", |shown| *shown == READY);
    screen.wait_until("a low disk", is_disk_low);
    deliver(&running, "_1");
    running.press("red", RED);
    running.next_slide();
    free.store(4, Ordering::Relaxed);
    deliver(&running, "_0");
    running.press("a fault", FAULT);
    running.press("a fault", FAULT);
    assert_eq!(records(&state).len(), 1);
    free.store(10, Ordering::Relaxed);
    running.press("green blinking", NEGATIVE);
    assert_eq!(records(&state).len(), 2);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, [Judgement::POSITIVE, Judgement::NEGATIVE]);
    result.unwrap();
}

/// Whether the footer begins with the D and the I of DISK LOW in inverse video.
fn is_disk_low(canvas: &Canvas) -> bool {
    let rows = ["#...###..", "#.##.###."];
    rows.iter().zip(57..).all(|(row, y)| {
        let lit = row.chars().zip(4..).map(|(letter, x)| (letter == '#', x));
        lit.into_iter().all(|(lit, x)| canvas.is_lit(x, y) == lit)
    })
}

#[test]
fn a_full_disk_is_a_fault_between_presses_and_clears_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let free = Arc::new(AtomicU64::new(0));
    let space = Space::probed(
        {
            let free = Arc::clone(&free);
            move || Ok(free.load(Ordering::Relaxed))
        },
        1,
        1,
    );
    let (board, bench) = mock::board();
    let running = Running::start_on(board, bench, TIMING, move || recorded(&state, space));
    let leds = &running.bench.leds;
    leds.wait_until("a fault", |shown| *shown == FAULT);
    free.store(1, Ordering::Relaxed);
    leds.wait_until("ready", |shown| *shown == READY);
    running.end().1.unwrap();
}

#[test]
fn records_that_cannot_be_kept_are_a_fault_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_owned();
    let held = Store::open(state.clone()).unwrap();
    let (board, bench) = mock::board();
    let space = Space::probed(|| Ok(u64::MAX), 2, 1);
    let running = Running::start_on(board, bench, TIMING, move || recorded(&state, space));
    let leds = &running.bench.leds;
    leds.wait_until("a fault", |shown| *shown == FAULT);
    deliver(&running, "_1");
    running.press("a fault", FAULT);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, []);
    let Err(ApplianceError::Records(error)) = result else {
        panic!("{result:?}");
    };
    assert!(matches!(error, RecordsError::Locked { .. }), "{error}");
    drop(held);
}
