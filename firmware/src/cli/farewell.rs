//! What remains on the screen after the panel of the simulated bench: the last verdicts, and where they were recorded.

use std::collections::VecDeque;
use std::io::{self, Write};

use crate::cli::plural::counted;
use crate::config::Config;

/// Number of verdicts that are printed.
const MAX_LINES: usize = 5;

/// The verdicts of a run.
#[derive(Debug, Default)]
pub(crate) struct Farewell {
    last: VecDeque<String>,
    count: usize,
}

impl Farewell {
    /// Adds the line of a verdict.
    pub(crate) fn add(&mut self, line: String) {
        if self.last.len() == MAX_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
        self.count += 1;
    }

    /// Prints the last verdicts and where the records are. Prints nothing if no field was judged.
    pub(crate) fn print(&self, config: &Config, mut out: impl Write) -> io::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let fields = counted(self.count, "field");
        if self.count > self.last.len() {
            writeln!(out, "{fields}, the last {}:", self.last.len())?;
        } else {
            writeln!(out, "{fields}:")?;
        }
        for line in &self.last {
            writeln!(out, "{line}")?;
        }
        match config.state() {
            Some(state) => writeln!(
                out,
                "records are in {0}; list them with `smearscope records list --state {0}`",
                state.display()
            ),
            None => writeln!(
                out,
                "not recorded; to keep records, add `--state FOLDER` or set storage.state"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    fn printed(verdicts: usize, configuration: &str) -> String {
        let config = Raw::parse(configuration).unwrap().validate().unwrap();
        let mut farewell = Farewell::default();
        for number in 0..verdicts {
            farewell.add(format!("verdict {number}"));
        }
        let mut out = Vec::new();
        farewell.print(&config, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_last_verdicts_and_their_records_are_named() {
        assert_eq!(printed(0, ""), "");
        assert_eq!(
            printed(1, ""),
            "1 field:\nverdict 0\nnot recorded; to keep records, add `--state FOLDER` or set storage.state\n"
        );
        let many = printed(7, "[storage]\nstate = \"/srv/smears\"\n");
        assert!(
            many.starts_with("7 fields, the last 5:\nverdict 2\n"),
            "{many}"
        );
        let records = "records are in /srv/smears; list them with `smearscope records list --state /srv/smears`\n";
        assert!(many.ends_with(&format!("verdict 6\n{records}")), "{many}");
    }
}
