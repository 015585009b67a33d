//! The verdict on a field of view or a slide.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the model says about a field of view or a slide.
///
/// Its text form is the same everywhere: `Positive`, `Negative` or `Inconclusive` in JSON and records.
/// On a command line (feature `clap`) it is in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// The model finds lymphoblasts.
    Positive,
    /// The model finds no lymphoblasts.
    Negative,
    /// No verdict can be given.
    Inconclusive,
}

impl Verdict {
    /// All verdicts, in the order in which tables list them.
    pub const ALL: [Self; 3] = [Self::Positive, Self::Negative, Self::Inconclusive];

    /// `Positive`, `Negative` or `Inconclusive`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "Positive",
            Self::Negative => "Negative",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is none of the verdicts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a verdict; use Positive, Negative or Inconclusive")]
pub struct InvalidVerdict {
    text: String,
}

impl FromStr for Verdict {
    type Err = InvalidVerdict;

    /// Parses the text of [`Verdict::as_str`]; case matters.
    fn from_str(text: &str) -> Result<Self, InvalidVerdict> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| InvalidVerdict { text: text.into() })
    }
}

#[cfg(feature = "rusqlite")]
impl rusqlite::ToSql for Verdict {
    /// The text of [`Verdict::as_str`].
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

#[cfg(feature = "rusqlite")]
impl rusqlite::types::FromSql for Verdict {
    /// Reads the text of [`Verdict::as_str`].
    fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        value
            .as_str()?
            .parse()
            .map_err(|error| rusqlite::types::FromSqlError::Other(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_are_the_same_word() {
        for verdict in Verdict::ALL {
            assert_eq!(verdict.to_string().parse(), Ok(verdict));
            let json = serde_json::to_string(&verdict).unwrap();
            assert_eq!(json, format!("\"{verdict}\""));
            assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
        }
    }

    #[test]
    fn other_text_is_refused_with_the_choices() {
        for text in ["", "positive", "Undecided"] {
            let message = text.parse::<Verdict>().unwrap_err().to_string();
            assert!(message.contains("Positive, Negative or"), "{message}");
        }
    }
}
