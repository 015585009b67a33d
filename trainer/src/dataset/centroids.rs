//! Centroids of blasts, as the `.xyc` files of ALL-IDB1 have them.

/// Two whole numbers a line: column and row, in pixels. Nothing if a line is anything else but empty.
pub(crate) fn parse(text: &str) -> Option<Vec<[u32; 2]>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let numbers = line.split_whitespace().map(|number| number.parse().ok());
            numbers.collect::<Option<Vec<u32>>>()?.try_into().ok()
        })
        .collect()
}
