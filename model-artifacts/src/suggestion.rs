//! Suggestions for mistyped keys.

/// The known name that is most similar to an unknown one; `None` if none is similar.
///
/// ```
/// use smearscope_artifacts::most_similar;
///
/// let known = ["threshold", "inconclusive"];
/// assert_eq!(most_similar("thresold", known), Some("threshold"));
/// assert_eq!(most_similar("x", known), None);
/// ```
pub fn most_similar<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// The expected key that is most similar to the unknown key in a TOML error's message such as
/// ``unknown field `thresold`, expected one of `threshold`, `inconclusive` ``; `None` if no expected
/// key is similar, or if the message reports something else.
pub fn did_you_mean(message: &str) -> Option<&str> {
    let mut quoted = message
        .strip_prefix("unknown")?
        .split('`')
        .skip(1)
        .step_by(2);
    most_similar(quoted.next()?, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_similar_key_is_suggested() {
        let message = "unknown field `thresold`, expected one of `threshold`, `inconclusive`";
        assert_eq!(did_you_mean(message), Some("threshold"));
        assert_eq!(did_you_mean("unknown field `x`, expected `y`"), None);
        assert_eq!(did_you_mean("invalid string"), None);
    }
}
