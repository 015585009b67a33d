//! Pages shown to the operator until the first press, such as the first API token.

use std::fmt;
use std::time::Duration;

/// How long each of several pages is shown.
const PAGE_TIME: Duration = Duration::from_secs(15);

/// Pages that alternate on the screen. They may contain secrets, so `Debug` omits their text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Notice(Vec<(&'static str, String)>);

impl Notice {
    /// Adds a page.
    pub fn add(&mut self, title: &'static str, text: String) {
        self.0.push((title, text));
    }

    /// Whether there are no pages.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Title and text of the page to show once the notice has been on the screen for `since`.
    pub(crate) fn page(&self, since: Duration) -> Option<&(&'static str, String)> {
        let index = since.as_millis() / PAGE_TIME.as_millis();
        self.0.get(index as usize % self.0.len().max(1))
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({} pages)", self.0.len())
    }
}
