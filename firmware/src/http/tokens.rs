//! API tokens. A file in the state folder holds their hashes, never the tokens themselves.
//!
//! A token is 160 random bits: impossible to guess, and short enough to type from the OLED. Because tokens are
//! random, a plain SHA-256 protects them: unlike with passwords, there is no dictionary to try.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::records::{CHECK_DISK, RecordsError};
use crate::system::files;

/// The file in the state folder.
const FILE: &str = "tokens.json";
/// Random bytes in a token.
const BYTES: usize = 20;
/// Letters in a group, so that a person can read and type them.
const GROUP: usize = 4;

/// What a token allows; each role includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// View everything and classify images.
    Viewer,
    /// Also press the button, store and export.
    Operator,
}

/// A stored token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Names the token, for example to revoke it.
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) created_at: String,
    sha256: String,
}

/// A new token, shown once. It has no `Debug`, so that it cannot end up in a log.
pub(crate) struct Token(String);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tokens of an appliance. The file is read for every check, so that revoking a token takes effect at once.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    path: PathBuf,
}

impl Tokens {
    /// The tokens in this state folder.
    pub(crate) fn of(state: &Path) -> Self {
        Self {
            path: state.join(FILE),
        }
    }

    /// All tokens; none if there is no file.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        let path = self.path.display();
        match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{path} is damaged; remove it and create tokens with `smearscope token new`"
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(RecordsError::unreadable(&self.path)(error))?,
        }
    }

    /// Creates a token.
    pub(crate) fn create(&self, role: Role) -> Result<Token> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).context("the system has no random numbers")?;
        let letters = BASE32_NOPAD.encode(&bytes);
        let groups: Vec<&str> = (0..letters.len())
            .step_by(GROUP)
            .filter_map(|start| letters.get(start..start + GROUP))
            .collect();
        let token = Token(groups.join("-"));
        let mut entries = self.entries()?;
        let sha256 = hash(&token.0);
        entries.push(Entry {
            id: sha256.get(..8).unwrap_or_default().to_owned(),
            role,
            created_at: crate::system::time::utc(jiff::Timestamp::now()),
            sha256,
        });
        self.write(&entries)?;
        Ok(token)
    }

    /// Revokes a token; returns whether there was one with this id.
    pub(crate) fn revoke(&self, id: &str) -> Result<bool> {
        let mut entries = self.entries()?;
        let before = entries.len();
        entries.retain(|entry| entry.id != id);
        if entries.len() < before {
            self.write(&entries)?;
        }
        Ok(entries.len() < before)
    }

    /// The role of a token. Compares it with all tokens in constant time.
    pub(crate) fn role(&self, token: &str) -> Result<Option<Role>> {
        let sha256 = hash(token);
        let mut role = None;
        for entry in self.entries()? {
            let is_this: Choice = entry.sha256.as_bytes().ct_eq(sha256.as_bytes());
            if is_this.into() {
                role = Some(entry.role);
            }
        }
        Ok(role)
    }

    fn write(&self, entries: &[Entry]) -> Result<()> {
        let text = serde_json::to_string_pretty(entries)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        files::create_private_folder(folder)
            .and_then(|()| files::replace(&self.path, text.as_bytes(), files::PRIVATE))
            .map_err(RecordsError::file(&self.path, "written", CHECK_DISK))?;
        Ok(())
    }
}

/// Hashes the upper-case letters and digits: people omit dashes and type lower case.
fn hash(token: &str) -> String {
    let letters: String = token
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    HEXLOWER.encode(&Sha256::digest(letters))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_recognized_by_its_letters_and_stored_as_a_hash() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(folder.path());
        assert_eq!(tokens.role("").unwrap(), None);
        let viewer = tokens.create(Role::Viewer).unwrap().to_string();
        let operator = tokens.create(Role::Operator).unwrap().to_string();
        assert_eq!(viewer.len(), 39);
        assert_ne!(viewer, operator);
        assert_eq!(tokens.role(&viewer).unwrap(), Some(Role::Viewer));
        let typed = operator.replace('-', " ").to_lowercase();
        assert_eq!(tokens.role(&typed).unwrap(), Some(Role::Operator));
        for wrong in ["", "AAAA", &viewer[..38], &format!("{viewer}A")] {
            assert_eq!(tokens.role(wrong).unwrap(), None, "{wrong}");
        }
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&viewer) && !text.contains(&viewer.replace('-', "")));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let id = tokens.entries().unwrap()[1].id.clone();
        assert!(tokens.revoke(&id).unwrap());
        assert!(!tokens.revoke(&id).unwrap());
        assert_eq!(tokens.role(&operator).unwrap(), None);
        assert_eq!(tokens.role(&viewer).unwrap(), Some(Role::Viewer));
    }
}
