//! Passwords, which may be used but not shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What stands in a secret's place wherever it would be shown.
pub const HIDDEN: &str = "(hidden)";

/// A text that is read from a configuration and never written anywhere.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for whoever needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether somebody copied what stands in its place.
    pub fn is_placeholder(&self) -> bool {
        self.0 == HIDDEN
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { HIDDEN }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"(hidden)\"");
        assert_eq!(format!("{secret:?}"), "(hidden)");
        assert!(!secret.is_placeholder());
        assert_eq!(serde_json::to_string(&Secret::default()).unwrap(), "\"\"");
    }
}
