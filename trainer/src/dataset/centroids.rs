//! Centroids of blasts, in the format of ALL-IDB1's `.xyc` files.

/// Parses lines of two integers, column and row in pixels. `None` if a line is neither that nor empty.
pub(crate) fn parse(text: &str) -> Option<Vec<[u32; 2]>> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let numbers = line.split_whitespace().map(|number| number.parse().ok());
            numbers.collect::<Option<Vec<u32>>>()?.try_into().ok()
        })
        .collect()
}
