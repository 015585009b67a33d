//! Ends the program on Ctrl-C or SIGTERM with a word on how to go on.

use std::io;
use std::process;
use std::thread;

use log::warn;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// From now on, an interruption says how to go on with a training.
pub(crate) fn advise_to_resume() {
    if let Err(error) = advise(
        "interrupted; the training is saved up to its last whole epoch: \
         run the same command with --resume to go on from there",
    ) {
        warn!("an interruption will not be explained: {error}");
    }
}

/// From now on, an interruption prints `advice` and ends the program with 128 plus the signal's number,
/// as shells do.
///
/// # Errors
/// If no handler or thread can be made.
fn advise(advice: &'static str) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new()
        .name("interruption".into())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                eprintln!("\nsmearscope-train: {advice}");
                process::exit(128 + signal);
            }
        })?;
    Ok(())
}
