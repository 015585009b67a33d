//! Makes untrusted text, such as file names, safe for terminals and spreadsheets.

use std::borrow::Cow;

/// Escapes characters that a terminal would interpret: control characters and those that change the writing
/// direction.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let escaped = text.chars().fold(String::new(), |mut escaped, letter| {
        if is_unsafe(letter) {
            escaped.extend(letter.escape_default());
        } else {
            escaped.push(letter);
        }
        escaped
    });
    escaped.into()
}

/// Like [`printable`], but keeps line breaks.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

/// Makes text safe as a cell of a CSV table: printable, and with an apostrophe before anything that a spreadsheet
/// would run as a formula (OWASP, "CSV Injection").
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    // The last four are the full-width forms.
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        return format!("'{text}").into();
    }
    text
}

fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || ('\u{2028}'..='\u{202e}').contains(&letter)
        || ('\u{2066}'..='\u{2069}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unsafe_characters_are_escaped() {
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
    fn formulas_are_quoted() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        assert_eq!(cell("\t=1"), "\\t=1");
        assert_eq!(cell("field-1.jpg"), "field-1.jpg");
    }
}
