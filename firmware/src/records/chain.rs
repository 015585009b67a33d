//! The chain of hashes over the rows of all tables.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use smearscope_artifacts::sha256;

/// The hash before the first row's.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What a row tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Slide,
    Field,
    Export,
    Removal,
    Note,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Slide => "slide",
            Self::Field => "field",
            Self::Export => "export",
            Self::Removal => "removal",
            Self::Note => "note",
        }
    }

    fn insertion(self) -> &'static str {
        match self {
            Self::Slide => "INSERT INTO slides (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)",
            Self::Field => "INSERT INTO fields (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)",
            Self::Export => {
                "INSERT INTO exports (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)"
            }
            Self::Removal => {
                "INSERT INTO removals (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)"
            }
            Self::Note => "INSERT INTO notes (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)",
        }
    }
}

/// A row as part of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// From 1.
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

    /// What is wrong with it, if it is not what was written after `before`.
    pub(super) fn problem(&self, before: Option<&Self>) -> Option<String> {
        let (seq, previous) = before.map_or((0, GENESIS), |before| (before.seq, &before.hash));
        let Self {
            seq: found, kind, ..
        } = self;
        if *found != seq + 1 {
            return Some(format!(
                "row {} is absent: row {found} follows row {seq}",
                seq + 1
            ));
        }
        if self.previous != previous {
            return Some(format!(
                "row {found} ({kind}) does not follow from the one before"
            ));
        }
        (self.hash != hash(&self.previous, kind, *found, &self.body))
            .then(|| format!("row {found} ({kind}) is not as it was written"))
    }
}

fn hash(previous: &str, kind: &str, seq: i64, body: &str) -> String {
    sha256(format!("{previous}\n{kind}\n{seq}\n{body}").as_bytes())
}

/// The last row, if there is any.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Option<Link>> {
    connection
        .query_row(
            "SELECT * FROM chain ORDER BY seq DESC LIMIT 1",
            [],
            Link::read,
        )
        .optional()
}

/// The hash that the next row follows from.
pub(super) fn head_hash(connection: &Connection) -> rusqlite::Result<String> {
    Ok(head(connection)?.map_or_else(|| GENESIS.into(), |head| head.hash))
}

/// Adds a row. The transaction must be immediate: nobody else may add one meanwhile.
pub(super) fn append(
    transaction: &Transaction<'_>,
    kind: Kind,
    body: &impl Serialize,
) -> rusqlite::Result<()> {
    let body = serde_json::to_string(body)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let (seq, previous) =
        head(transaction)?.map_or_else(|| (0, GENESIS.into()), |head| (head.seq, head.hash));
    let seq = seq + 1;
    let hash = hash(&previous, kind.word(), seq, &body);
    transaction
        .prepare(kind.insertion())?
        .execute(params![seq, body, previous, hash])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_documented_text() {
        // printf '%s\nslide\n1\n{}' "$(printf '0%.0s' $(seq 64))" | sha256sum
        assert_eq!(
            hash(GENESIS, "slide", 1, "{}"),
            "fbc7c2bbd0eb70779319f3e1a29d55591d40d3b1075165292b62b3ea3d50cd79"
        );
    }

    #[test]
    fn a_link_that_does_not_follow_says_why() {
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
        assert!(problem.contains("row 1 is absent"), "{problem}");
        let problem = link(2, GENESIS, "{}").problem(Some(&first)).unwrap();
        assert!(
            problem.contains("row 2 (slide) does not follow"),
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
            assert!(problem.contains("is not as it was written"), "{problem}");
        }
    }
}
