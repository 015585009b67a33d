//! Pages shown to the operator until the first press, such as the first API token.

use std::fmt;
use std::time::Duration;

/// How long each of several pages is shown.
const PAGE_TIME: Duration = Duration::from_secs(15);

/// Pages that alternate on the screen. They may contain secrets, so `Debug` omits their text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Notice {
    pages: Vec<(&'static str, String)>,
    /// The token on one of the pages.
    token: Option<String>,
}

/// What one of the notice's screens shows.
pub(crate) enum NoticePage<'a> {
    /// Title and text.
    Text(&'static str, &'a str),
    /// The address of the web page, with a token that opens it, if the notice has one.
    Address(Option<&'a str>),
}

impl Notice {
    /// Adds a page.
    pub fn add(&mut self, title: &'static str, text: String) {
        self.pages.push((title, text));
    }

    /// Adds a page with a token in groups of letters.
    pub fn add_token(&mut self, token: &str) {
        self.add("API TOKEN", token.replace('-', " "));
        self.token = Some(token.replace('-', ""));
    }

    /// Adds pages with this title, in place of earlier ones.
    pub(crate) fn replace(&mut self, title: &'static str, texts: impl IntoIterator<Item = String>) {
        self.pages.retain(|(earlier, _)| *earlier != title);
        self.pages
            .extend(texts.into_iter().map(|text| (title, text)));
    }

    /// Whether there are no pages.
    pub(crate) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The page to show once the notice has been on the screen for `since`. The last one is the address of the web page,
    /// if it has one; `None` without any other page.
    pub(crate) fn page(&self, since: Duration, has_address: bool) -> Option<NoticePage<'_>> {
        let count = self.pages.len() + usize::from(has_address && !self.is_empty());
        let index = (since.as_millis() / PAGE_TIME.as_millis()) as usize % count.max(1);
        match self.pages.get(index) {
            Some((title, text)) => Some(NoticePage::Text(title, text)),
            None if count > 0 => Some(NoticePage::Address(self.token.as_deref())),
            None => None,
        }
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({} pages)", self.pages.len())
    }
}
