//! What people write about slides.

use jiff::Timestamp;
use rusqlite::TransactionBehavior;
use uuid::Uuid;

use crate::records::Archive;
use crate::records::RecordsError;
use crate::records::ballast;
use crate::records::chain::{self, Kind};
use crate::records::entry::NoteEntry;
use crate::records::schema;
use crate::system::time::utc;

/// Letters that a note has at most.
pub(crate) const LENGTH: usize = 2000;

/// Why a text is no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoNote {
    #[error("a note says something; write 1 to {LENGTH} letters")]
    Empty,
    #[error("a note has at most {LENGTH} letters; write two")]
    TooLong,
    #[error("a note has letters, spaces and line breaks, and no other control characters")]
    Control,
}

/// A text that may be a note.
pub(crate) fn checked(text: &str) -> Result<&str, NoNote> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NoNote::Empty);
    }
    if text.chars().count() > LENGTH {
        return Err(NoNote::TooLong);
    }
    if text
        .chars()
        .any(|letter| letter.is_control() && letter != '\n')
    {
        return Err(NoNote::Control);
    }
    Ok(text)
}

impl Archive {
    /// The notes on a slide, in the order in which they were written.
    ///
    /// # Errors
    /// Those of the database, and [`RecordsError::Mismatch`] for a row that says nothing that was ever written.
    pub(crate) fn notes(&self, slide: Uuid) -> Result<Vec<NoteEntry>, RecordsError> {
        let failed = RecordsError::database(self.folder());
        // Records that nobody may migrate may be of a time without notes.
        let has_notes: bool = self
            .connection()
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'notes')",
                [],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        if !has_notes {
            return Ok(Vec::new());
        }
        let mut statement = self
            .connection()
            .prepare("SELECT seq, body FROM notes WHERE slide = ?1 ORDER BY seq")
            .map_err(&failed)?;
        let rows = statement
            .query_map([slide.to_string()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&failed)?;
        rows.map(|row| {
            let (seq, body) = row.map_err(&failed)?;
            serde_json::from_str(&body).map_err(|error| RecordsError::Mismatch {
                problem: format!("row {seq} is no note: {error}"),
            })
        })
        .collect()
    }

    /// Writes a note on a slide that was recorded; an appliance may be at work meanwhile.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn annotate(&self, slide: Uuid, text: &str) -> Result<NoteEntry, RecordsError> {
        let note = NoteEntry {
            slide,
            written_at: utc(Timestamp::now()),
            text: text.into(),
        };
        let failed = RecordsError::database(self.folder());
        ballast::with_room(self.folder(), || {
            let mut connection = schema::open_for_writing(self.folder())?;
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(&failed)?;
            chain::append(&transaction, Kind::Note, &note).map_err(&failed)?;
            transaction.commit().map_err(&failed)
        })?;
        Ok(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::testing::Records;

    #[test]
    fn notes_are_read_in_their_order_and_part_of_the_chain() {
        let (records, _) = Records::of_days(2);
        let mut slides = Vec::new();
        records
            .archive()
            .fields(&crate::records::Filter::default(), |record| {
                slides.push(record.field.slide);
                Ok::<_, RecordsError>(())
            })
            .unwrap();
        let slide = slides[0];
        for text in ["first", "second\nof two lines"] {
            records.archive().annotate(slide, text).unwrap();
        }
        let texts: Vec<_> = records
            .archive()
            .notes(slide)
            .unwrap()
            .into_iter()
            .map(|note| note.text)
            .collect();
        assert_eq!(texts, ["first", "second\nof two lines"]);
        assert_eq!(records.archive().notes(Uuid::nil()).unwrap(), []);
        let before = records.archive().verify(None).unwrap().rows;
        records
            .archive()
            .annotate(Uuid::nil(), "on nothing")
            .unwrap_err();
        assert_eq!(records.archive().verify(None).unwrap().rows, before);
        records.tamper("UPDATE notes SET body = replace(body, 'first', 'other')");
        let problem = records.problem();
        assert!(
            problem.contains("(note) is not as it was written"),
            "{problem}"
        );
    }

    #[test]
    fn texts_are_bounded() {
        assert_eq!(checked(" as it is \n"), Ok("as it is"));
        assert_eq!(checked("ä\nb"), Ok("ä\nb"));
        assert_eq!(checked(" \n "), Err(NoNote::Empty));
        assert_eq!(checked("a\u{1b}[31m"), Err(NoNote::Control));
        assert!(checked(&"ä".repeat(LENGTH)).is_ok());
        assert_eq!(checked(&"ä".repeat(LENGTH + 1)), Err(NoNote::TooLong));
    }
}
