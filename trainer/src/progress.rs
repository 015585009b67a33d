//! Progress bars; they stay away where there is no terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar with count, rate and time left.
pub(crate) fn bar(length: u64, unit: &str) -> ProgressBar {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} · {{eta}} left  {{msg}}");
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
