//! Pages that the operator is shown once, such as the first API token.

use std::fmt;
use std::time::Duration;

/// A page of several is shown for so long.
const TURN: Duration = Duration::from_secs(15);

/// What the operator must know, once: pages that take turns. It may hold secrets, so that its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Notice(Vec<(&'static str, String)>);

impl Notice {
    /// Adds a page.
    pub fn add(&mut self, title: &'static str, text: String) {
        self.0.push((title, text));
    }

    /// Whether there is no page.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The page that is shown after so long.
    pub(crate) fn page(&self, since: Duration) -> Option<&(&'static str, String)> {
        let turn = since.as_millis() / TURN.as_millis();
        self.0.get(turn as usize % self.0.len().max(1))
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({} pages)", self.0.len())
    }
}
