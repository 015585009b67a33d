//! Progress bars, which are hidden without a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with count and remaining time.
pub(crate) fn bar(length: u64, unit: &str) -> ProgressBar {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} · {{eta}} left  {{msg}}");
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
