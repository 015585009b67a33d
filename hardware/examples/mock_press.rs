//! Runs a small appliance on the mock board: a press takes a picture and lights the green LED.
//! `cargo run -p smearscope-hardware --example mock_press`.

use std::io::{self, Write};
use std::thread;

use smearscope_hardware::{
    Board, ButtonEvent, HardwareError, LedPattern, LedPatterns, mock, press_queue,
};

/// Takes a picture per press until it is switched off.
async fn appliance(mut board: Board) -> Result<Vec<String>, HardwareError> {
    let (sender, mut presses) = press_queue();
    board.button.watch(sender)?;
    let mut sources = Vec::new();
    loop {
        match presses.next().await {
            ButtonEvent::Press(_) => {
                sources.push(board.camera.capture()?.source);
                board.leds.show(LedPatterns {
                    green: LedPattern::On,
                    ..LedPatterns::default()
                })?;
            }
            ButtonEvent::Shutdown => return Ok(sources),
            _ => {}
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (board, bench) = mock::board();
    bench
        .camera
        .will_deliver(b"bytes of a JPEG".to_vec(), "field.jpg");
    let operator = thread::spawn(move || {
        bench.button.press();
        let leds = bench
            .leds
            .wait_until("the green LED", |leds| leds.green == LedPattern::On);
        bench.button.shutdown();
        leds
    });
    let sources = appliance(board).await?;
    let leds = operator.join().map_err(|_| "the operator panicked")?;
    writeln!(io::stdout(), "captured {sources:?}, LEDs {leds:?}")?;
    Ok(())
}
