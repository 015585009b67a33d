//! Tables of labelled images: CSV files with the columns path, label and, optionally, group.

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One image.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Row {
    /// Path relative to the folder of the table, as it is written there.
    pub(crate) path: String,
    pub(crate) label: String,
    /// Patient, animal or slide; the column may be missing.
    pub(crate) group: Option<String>,
}

/// Reads all rows of labelled images.
///
/// # Errors
/// What is wrong, with the line.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (_, row) in read_rows::<Row>(bytes, &["path", "label"])? {
        for text in [Some(&row.label), row.group.as_ref()].into_iter().flatten() {
            refuse_control_characters(text)?;
        }
        match (row.path.is_empty(), row.label.is_empty()) {
            (true, true) => {}
            (false, false) => rows.push(row),
            (true, false) => return Err(format!("a row with label `{}` has no path", row.label)),
            (false, true) => return Err(format!("the row of {} has no label", row.path)),
        }
    }
    Ok(rows)
}

/// Refuses a text that no report could hold.
///
/// # Errors
/// What is wrong.
pub(crate) fn refuse_control_characters(text: &str) -> Result<(), String> {
    if text.contains(char::is_control) {
        let shown = text.escape_debug();
        return Err(format!("`{shown}` has a control character"));
    }
    Ok(())
}

/// Reads all rows of a table with the columns `required`, each with its line. Spreadsheets separate
/// columns by commas, semicolons or tabs, depending on the language of the system; the first line tells
/// which. Column names may be in upper case.
///
/// # Errors
/// What is wrong, with the line.
pub(crate) fn read_rows<T: DeserializeOwned>(
    bytes: &[u8],
    required: &[&str],
) -> Result<Vec<(u64, T)>, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("its text is UTF-16; save it as CSV UTF-8".into());
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "its text is not UTF-8")?;
    let (separator, table) = separator(text);
    let lines_before = u64::from(table.len() < text.len());
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .trim(Trim::All)
        .from_reader(table.as_bytes());
    let names = reader.headers().map_err(|error| error.to_string())?;
    let names: StringRecord = names.iter().map(str::to_lowercase).collect();
    for wanted in required {
        if !names.iter().any(|name| name == *wanted) {
            let found: Vec<&str> = names.iter().collect();
            return Err(format!(
                "it has no column `{wanted}`, only: {}",
                found.join(", ")
            ));
        }
    }
    reader
        .records()
        .map(|record| {
            let record = record.map_err(|error| error.to_string())?;
            let line = record
                .position()
                .map_or(0, |position| line(position, table));
            let line = line + lines_before;
            let row = record.deserialize(Some(&names));
            Ok((line, row.map_err(|error| error.to_string())?))
        })
        .collect()
}

/// The line of a row. The position is that of the end of the row before it, or of its line feed.
fn line(position: &Position, table: &str) -> u64 {
    let rest = table.as_bytes().get(position.byte() as usize..);
    let breaks = rest
        .into_iter()
        .flatten()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + breaks.filter(|byte| **byte == b'\n').count() as u64
}

/// The character between columns, and the text after a line such as `sep=;` that names it.
fn separator(text: &str) -> (u8, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if let [separator] = *first
        .trim_end()
        .strip_prefix("sep=")
        .unwrap_or_default()
        .as_bytes()
    {
        return (separator, rest);
    }
    let count = |separator: u8| first.bytes().filter(|byte| *byte == separator).count();
    let most = [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|separator| count(*separator));
    (most.unwrap_or(b','), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str, label: &str, group: Option<&str>) -> Row {
        Row {
            path: path.into(),
            label: label.into(),
            group: group.map(Into::into),
        }
    }

    #[test]
    fn tables_of_spreadsheets_are_read() {
        let expected = [row("a/1.png", "ALL", Some("p1")), row("2.png", "ok", None)];
        for text in [
            "path,label,group\na/1.png,ALL,p1\n2.png,ok,\n",
            "\u{feff}path,label,group\r\na/1.png,ALL,p1\r\n2.png,ok,\r\n",
            "path;label;group\na/1.png;ALL;p1\n2.png;ok;\n",
            "sep=;\r\npath;label;group\r\na/1.png;ALL;p1\r\n2.png;ok;\r\n",
            "path\tlabel\tgroup\na/1.png\tALL\tp1\n2.png\tok\t\n",
            "Path, LABEL ,Group,extra\n\"a/1.png\",ALL,p1,x\n2.png,ok,,y\n,,,\n",
        ] {
            assert_eq!(
                read(text.as_bytes()).as_deref(),
                Ok(&expected[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn rows_have_the_lines_that_an_editor_shows() {
        for text in [
            "path,label\na,1\n\nb,2\n",
            "path,label\r\na,1\r\n\r\nb,2",
            "path,label\r\na,1\r\n\r\n\"b\",2\r\n",
        ] {
            let lines = |text: &str| -> Vec<u64> {
                let rows = read_rows::<Row>(text.as_bytes(), &["path"]).unwrap();
                rows.into_iter().map(|(line, _)| line).collect()
            };
            assert_eq!(lines(text), [2, 4], "{text:?}");
            assert_eq!(lines(&format!("sep=,\n{text}")), [3, 5], "{text:?}");
        }
    }

    #[test]
    fn tables_that_cannot_be_read_say_why() {
        for (bytes, word) in [
            (&b"\xff\xfep\0a\0"[..], "UTF-16"),
            (b"file,label\na,b\n", "no column `path`, only: file, label"),
            (b"path,label\na.png\n", "line: 2"),
            (b"path,label\n,x\n", "no path"),
            (b"path,label\nb.png,\n", "no label"),
            (
                b"path,label\nb.png,\"A\tL\"\n",
                "`A\\tL` has a control character",
            ),
        ] {
            let problem = read(bytes).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
