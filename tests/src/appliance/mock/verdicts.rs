//! From a press to the verdict.

use smearscope::testing::{Judgement, Problem, Reason};
use smearscope_hardware::mock::assert_art;

use super::expected::verdict_on;
use super::fixture::{INCONCLUSIVE, NEGATIVE, RED, Running, TIMING, deliver, field};
use crate::support::demo_model;

#[test]
fn a_press_ends_with_the_verdict_on_the_oled_and_the_leds() {
    let running = Running::start(TIMING, &demo_model());
    deliver(&running, "_1");
    running.press("red", RED);
    let glass = verdict_on("_1");
    let shown = running
        .bench
        .screen
        .wait_until("the verdict", |canvas| *canvas == glass);
    // The P of POSITIVE, and the D of DEMO in inverse video.
    assert_art(
        &shown,
        26,
        3,
        "
        ######..
        ##...##.
        ##....##
        ",
    );
    assert_art(
        &shown,
        6,
        57,
        "
        #...##.
        #.##.#.
        ",
    );
    running.next_slide();
    deliver(&running, "_0");
    running.press("green blinking", NEGATIVE);
    let (verdicts, result) = running.end();
    assert_eq!(verdicts, [Judgement::POSITIVE, Judgement::NEGATIVE]);
    result.unwrap();
}

#[test]
fn a_field_that_moved_is_inconclusive_and_no_part_of_the_slide() {
    let running = Running::start(TIMING, &demo_model());
    let (bytes, name) = field("_1");
    let mut moved = image::load_from_memory(&bytes).unwrap().to_rgb8();
    let by = moved.width() as usize / 40 * 3;
    let stride = moved.width() as usize * 3;
    for row in moved.chunks_exact_mut(stride) {
        row.rotate_left(by);
    }
    let mut earlier = std::io::Cursor::new(Vec::new());
    moved
        .write_to(&mut earlier, image::ImageFormat::Png)
        .unwrap();
    let camera = &running.bench.camera;
    camera.will_deliver_after(earlier.into_inner(), bytes.clone(), &name);
    running.press("amber", INCONCLUSIVE);
    let refused = Judgement::inconclusive(Reason::Quality(Problem::Moved));
    let slide = running.findings()[0].slide;
    assert_eq!(
        (slide.fields, slide.refused, slide.probability),
        (0, 1, None)
    );
    camera.will_deliver_after(bytes.clone(), bytes, &name);
    running.press("red", RED);
    assert_eq!(running.end().0, [refused, Judgement::POSITIVE]);
}
