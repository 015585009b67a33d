//! Prints the wiring of a bench with the default pins as an SVG drawing:
//! `cargo run -p smearscope-hardware --example wiring > hardware/wiring.svg`.

use std::io::Write;

use smearscope_hardware::config::PiPins;
use smearscope_hardware::wiring;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(wiring::svg(&PiPins::default()).as_bytes())
}
