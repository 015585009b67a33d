//! Names of figures that are leaky: measured on images that had a part in training.

use std::collections::BTreeMap;

/// Prefix of leaky figures, so that they cannot be quoted without it.
const LEAKY: &str = "leaky_";

/// The name of a figure, or of something that holds figures, with the prefix if they are leaky.
pub(crate) fn figure_name(name: &str, leaky: bool) -> String {
    let prefix = if leaky { LEAKY } else { "" };
    format!("{prefix}{name}")
}

/// The figures under their names, with the prefix if they are leaky.
pub(crate) fn name_figures<T>(figures: BTreeMap<String, T>, leaky: bool) -> BTreeMap<String, T> {
    let figures = figures.into_iter();
    figures
        .map(|(name, figure)| (figure_name(&name, leaky), figure))
        .collect()
}

/// The prefix of other numbers in a text with these figures: `leaky ` or nothing.
pub(crate) fn leaky_prefix<T>(figures: &BTreeMap<String, T>) -> &'static str {
    if figures.keys().any(|name| name.starts_with(LEAKY)) {
        "leaky "
    } else {
        ""
    }
}
