//! The last lines of the log, which the terminal panel shows below itself. A log written to the terminal
//! would garble the panel.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of lines that are kept.
const MAX_LINES: usize = 50;
/// Number of bytes that are kept of each line.
const MAX_LINE_BYTES: usize = 1000;

/// A log target that keeps the last lines. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct LogLines(Arc<Mutex<Tail>>);

#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    /// The last line is not complete yet.
    is_open: bool,
}

impl Tail {
    fn add(&mut self, text: &str) {
        if !self.is_open {
            if self.lines.len() == MAX_LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(String::new());
        }
        self.is_open = !text.ends_with('\n');
        if let Some(line) = self.lines.back_mut() {
            line.push_str(text.trim_end_matches(['\r', '\n']));
            line.truncate(line.floor_char_boundary(MAX_LINE_BYTES));
        }
    }
}

impl LogLines {
    /// The last `count` lines, oldest first.
    pub fn last(&self, count: usize) -> Vec<String> {
        let lines = &self.lock().lines;
        lines
            .iter()
            .skip(lines.len().saturating_sub(count))
            .cloned()
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Tail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut tail = self.lock();
        for text in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            tail.add(text);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_bounded() {
        let mut log = LogLines::default();
        for number in 0..200 {
            writeln!(log, "line {number} {}", "ä".repeat(300)).unwrap();
        }
        let lines = log.last(2);
        assert!(lines[0].starts_with("line 198 ä") && lines[1].starts_with("line 199 ä"));
        assert!(lines[1].len() <= MAX_LINE_BYTES);
        assert_eq!(log.last(1000).len(), MAX_LINES);
    }
}
