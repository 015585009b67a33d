//! Text from elsewhere, such as names of files, made harmless for terminals and spreadsheets.

use std::borrow::Cow;

/// Text without what a terminal would obey: control characters, and those that turn the direction of writing, are
/// written as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let escaped = text.chars().fold(String::new(), |mut escaped, letter| {
        if is_obeyed(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
        escaped
    });
    escaped.into()
}

/// The same of text that may have several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// A cell of a table, printable, that no spreadsheet takes for a formula: one that begins like it gets an apostrophe, as
/// OWASP advises ("CSV Injection").
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    // The last four are the same, in full width.
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        return format!("'{text}").into();
    }
    text
}

fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || ('\u{2028}'..='\u{202e}').contains(&letter)
        || ('\u{2066}'..='\u{2069}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed_by_a_terminal_and_all_else_stays() {
        for (text, shown) in [
            ("Im001_1.jpg", "Im001_1.jpg"),
            ("größer µ ☃.jpg", "größer µ ☃.jpg"),
            ("\x1b[2Jx", "\\u{1b}[2Jx"),
            ("a\r\nb\tc\x7f", "a\\r\\nb\\tc\\u{7f}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("x\u{202e}gpj.exe", "x\\u{202e}gpj.exe"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\x07\nb"), "a\\u{7}\nb");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(cell("\t=1"), "\\t=1");
        assert_eq!(cell("field-1.jpg"), "field-1.jpg");
    }
}
