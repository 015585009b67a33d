//! Suggestions for mistyped keys.

/// The expected key that is most similar to the unknown key in a TOML error's message such as
/// ``unknown field `thresold`, expected one of `threshold`, `inconclusive` ``; `None` if no expected
/// key is similar, or if the message reports something else.
///
/// ```
/// let message = "unknown field `thresold`, expected one of `threshold`, `inconclusive`";
/// assert_eq!(smearscope_artifacts::did_you_mean(message), Some("threshold"));
/// assert_eq!(smearscope_artifacts::did_you_mean("unknown field `x`, expected `y`"), None);
/// assert_eq!(smearscope_artifacts::did_you_mean("invalid string"), None);
/// ```
pub fn did_you_mean(message: &str) -> Option<&str> {
    let mut quoted = message
        .strip_prefix("unknown")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
