//! Passwords, which are used and never shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Replaces a secret wherever it would be shown.
const PLACEHOLDER: &str = "(hidden)";

/// Whether the value of a setting with this key is secret. The path of a file is not.
pub(super) fn is_secret_key(key: &str) -> bool {
    ["password", "secret", "token"].map(|word| key.contains(word)) != [false; 3]
        && !key.ends_with("_file")
}

/// A text that can be read from a configuration and is never written or shown. An empty one is shown as empty.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text is the placeholder, copied from where a secret is hidden.
    pub fn is_placeholder(&self) -> bool {
        self.0 == PLACEHOLDER
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { PLACEHOLDER }
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

impl fmt::Display for Secret {
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
        assert_eq!(format!("{secret} {secret:?}"), "(hidden) (hidden)");
        assert!(!secret.is_placeholder());
        assert_eq!(serde_json::to_string(&Secret::default()).unwrap(), "\"\"");
    }

    #[test]
    fn the_placeholder_is_recognised() {
        assert!(Secret::from("(hidden)".to_owned()).is_placeholder());
        // Version 0.1.0 showed this over HTTP, and accepted it as a password.
        assert!(!Secret::from("(set)".to_owned()).is_placeholder());
    }
}
