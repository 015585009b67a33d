//! The hash chain over the rows of all tables.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smearscope_artifacts::sha256;

use crate::records::error::RecordsError;
use crate::records::head::Head;

/// The previous hash of the first row.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Slide,
    Field,
    Export,
    Removal,
    Note,
    Closing,
    Cells,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Slide,
        Self::Field,
        Self::Export,
        Self::Removal,
        Self::Note,
        Self::Closing,
        Self::Cells,
    ];

    /// Its name in the hashed text and in the view `chain`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Slide => "slide",
            Self::Field => "field",
            Self::Export => "export",
            Self::Removal => "removal",
            Self::Note => "note",
            Self::Closing => "closing",
            Self::Cells => "cells",
        }
    }

    /// The kind with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The table of its rows.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Slide => "slides",
            Self::Field => "fields",
            Self::Export => "exports",
            Self::Removal => "removals",
            Self::Note => "notes",
            Self::Closing => "closings",
            Self::Cells => "cells",
        }
    }
}

/// A row of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number, from 1.
    pub(super) seq: i64,
    pub(super) kind: String,
    pub(super) body: String,
    pub(super) previous: String,
    pub(super) hash: String,
}

impl Link {
    /// Reads a row of the view `chain`.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get("seq")?,
            kind: row.get("kind")?,
            body: row.get("body")?,
            previous: row.get("previous")?,
            hash: row.get("hash")?,
        })
    }

    /// Verifies that this row follows `before` and is unchanged; returns the problem, if any.
    pub(super) fn problem(&self, before: Option<&Self>) -> Option<String> {
        let seq = before.map_or(0, |before| before.seq);
        let found = self.seq;
        if found != seq + 1 {
            return Some(format!(
                "row {} is missing: row {found} follows row {seq}",
                seq + 1
            ));
        }
        self.mismatch(before).or_else(|| self.change())
    }

    /// What is wrong with this row alone.
    pub(super) fn change(&self) -> Option<String> {
        let Self { seq, kind, .. } = self;
        (self.hash != self.computed())
            .then(|| format!("row {seq} ({kind}) has changed since it was written"))
    }

    /// Whether this row does not continue the chain after `before`. If the hash of `before` was damaged, its content still
    /// has the right one. Without `before`, only the first row can be verified.
    pub(super) fn mismatch(&self, before: Option<&Self>) -> Option<String> {
        let Self { seq, kind, .. } = self;
        let matches = match before {
            Some(before) => self.previous == before.hash || self.previous == before.computed(),
            None => *seq > 1 || self.previous == GENESIS,
        };
        (!matches)
            .then(|| format!("row {seq} ({kind}) does not match the hash of the previous row"))
    }

    fn computed(&self) -> String {
        hash(&self.previous, &self.kind, self.seq, &self.body)
    }

    /// Its number and hash.
    pub(super) fn head(self) -> Head {
        Head {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

fn hash(previous: &str, kind: &str, seq: i64, body: &str) -> String {
    sha256(format!("{previous}\n{kind}\n{seq}\n{body}").as_bytes())
}

/// The last row, if any.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Option<Link>> {
    connection
        .query_row(
            "SELECT * FROM chain ORDER BY seq DESC LIMIT 1",
            [],
            Link::read,
        )
        .optional()
}

/// The hash of the last row, which the next row contains.
pub(super) fn head_hash(connection: &Connection) -> rusqlite::Result<String> {
    Ok(head(connection)?.map_or_else(|| GENESIS.into(), |head| head.hash))
}

/// Appends rows of one kind in one transaction to the records in `folder`.
pub(super) fn append_all(
    connection: &mut Connection,
    folder: &Path,
    kind: Kind,
    bodies: &[impl Serialize],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut head = None;
    for body in bodies {
        head = Some(append(&transaction, kind, body)?);
    }
    transaction.commit()?;
    if let Some(head) = head {
        head.save(folder);
    }
    Ok(())
}

/// Appends a row and returns the new head, to be saved after the commit. The transaction must be immediate, so that no other connection appends at the same time.
pub(super) fn append(
    transaction: &Transaction<'_>,
    kind: Kind,
    body: &impl Serialize,
) -> rusqlite::Result<Head> {
    let body = serde_json::to_string(body)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let (seq, previous) =
        head(transaction)?.map_or_else(|| (0, GENESIS.into()), |head| (head.seq, head.hash));
    let seq = seq + 1;
    let hash = hash(&previous, kind.name(), seq, &body);
    transaction
        .prepare(&format!(
            "INSERT INTO {} (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)",
            kind.table()
        ))?
        .execute(params![seq, body, previous, hash])?;
    Ok(Head { seq, hash })
}

/// Parses the body of a row.
///
/// # Errors
/// [`RecordsError::Mismatch`] if the body is not of this kind.
pub(super) fn parse<T: DeserializeOwned>(
    kind: Kind,
    seq: i64,
    body: &str,
) -> Result<T, RecordsError> {
    serde_json::from_str(body).map_err(|error| RecordsError::Mismatch {
        problem: format!("row {seq} is not a valid {}: {error}", kind.name()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_the_documented_text() {
        // printf '%s\nslide\n1\n{}' "$(printf '0%.0s' $(seq 64))" | sha256sum
        assert_eq!(
            hash(GENESIS, "slide", 1, "{}"),
            "fbc7c2bbd0eb70779319f3e1a29d55591d40d3b1075165292b62b3ea3d50cd79"
        );
    }

    #[test]
    fn a_row_that_breaks_the_chain_is_explained() {
        let link = |seq, previous: &str, body: &str| Link {
            seq,
            kind: "slide".into(),
            body: body.into(),
            previous: previous.into(),
            hash: hash(previous, "slide", seq, body),
        };
        let first = link(1, GENESIS, "{}");
        let second = link(2, &first.hash, "{}");
        assert_eq!(first.problem(None), None);
        assert_eq!(second.problem(Some(&first)), None);
        let problem = second.problem(None).unwrap();
        assert!(problem.contains("row 1 is missing"), "{problem}");
        let problem = link(2, GENESIS, "{}").problem(Some(&first)).unwrap();
        assert!(
            problem.contains("row 2 (slide) does not match"),
            "{problem}"
        );
        for changed in [
            Link {
                body: "{ }".into(),
                ..second.clone()
            },
            Link {
                kind: "field".into(),
                ..second.clone()
            },
        ] {
            let problem = changed.problem(Some(&first)).unwrap();
            assert!(
                problem.contains("has changed since it was written"),
                "{problem}"
            );
        }
    }
}
