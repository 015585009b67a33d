//! Tables of labelled images: CSV files with the columns path, label and, optionally, group.

use csv::{ReaderBuilder, StringRecord, Trim};
use serde::Deserialize;

/// One image.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Row {
    /// Path relative to the folder of the table, as it is written there.
    pub(crate) path: String,
    pub(crate) label: String,
    /// Patient, animal or slide; the column may be missing.
    pub(crate) group: Option<String>,
}

/// Reads all rows. Spreadsheets separate columns by commas, semicolons or tabs, depending on the
/// language of the system; the first line tells which. Column names may be in upper case.
///
/// # Errors
/// What is wrong, with the line.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Row>, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("its text is UTF-16; save it as CSV UTF-8".into());
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| "its text is not UTF-8")?;
    let (separator, text) = separator(text);
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| error.to_string())?;
    let names: StringRecord = names.iter().map(str::to_lowercase).collect();
    for wanted in ["path", "label"] {
        if !names.iter().any(|name| name == wanted) {
            let found: Vec<&str> = names.iter().collect();
            return Err(format!(
                "it has no column `{wanted}`, only: {}",
                found.join(", ")
            ));
        }
    }
    reader.set_headers(names);
    let mut rows = Vec::new();
    for row in reader.into_deserialize() {
        let row: Row = row.map_err(|error| error.to_string())?;
        for text in [Some(&row.label), row.group.as_ref()].into_iter().flatten() {
            if text.contains(char::is_control) {
                let shown = text.escape_debug();
                return Err(format!("`{shown}` has a control character"));
            }
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
