//! Counts in messages.

use std::fmt::Display;

/// `1 field`, or `2 fields`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let ending = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(0_u32, "field"), "0 fields");
        assert_eq!(counted(1_usize, "field"), "1 field");
        assert_eq!(counted(2_u64, "field"), "2 fields");
    }
}
