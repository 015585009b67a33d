//! Notes on slides.

use jiff::Timestamp;
use uuid::Uuid;

use crate::records::archive::Archive;
use crate::records::chain::{self, Kind};
use crate::records::entry::NoteEntry;
use crate::records::error::RecordsError;
use crate::records::{ballast, schema};
use crate::system::time::utc;

/// Maximum number of characters in a note.
const MAX_LENGTH: usize = 2000;

/// Why a text is not a valid note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoteError {
    #[error("the note is empty; write 1 to {MAX_LENGTH} characters")]
    Empty,
    #[error("the note is longer than {MAX_LENGTH} characters; split it into several notes")]
    TooLong,
    #[error("the note contains control characters; remove all except line breaks")]
    Control,
}

/// Trims and validates the text of a note.
pub(crate) fn checked_note(text: &str) -> Result<&str, NoteError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NoteError::Empty);
    }
    if text.chars().count() > MAX_LENGTH {
        return Err(NoteError::TooLong);
    }
    if text
        .chars()
        .any(|character| character.is_control() && character != '\n')
    {
        return Err(NoteError::Control);
    }
    Ok(text)
}

impl Archive {
    /// The notes on a slide, oldest first.
    ///
    /// # Errors
    /// Errors of the database, and [`RecordsError::Mismatch`] for a row that is not a valid note.
    pub(crate) fn notes(&self, slide: Uuid) -> Result<Vec<NoteEntry>, RecordsError> {
        let failed = RecordsError::database(self.folder());
        if !schema::has_table(self.connection(), "notes").map_err(&failed)? {
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
            chain::parse(Kind::Note, seq, &body)
        })
        .collect()
    }

    /// Adds a note to a recorded slide, also while an appliance runs.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) fn annotate(&self, slide: Uuid, text: &str) -> Result<NoteEntry, RecordsError> {
        let note = NoteEntry {
            slide,
            written_at: utc(Timestamp::now()),
            text: text.into(),
        };
        ballast::with_room(self.folder(), || {
            let mut connection = schema::open_for_writing(self.folder())?;
            chain::append_all(
                &mut connection,
                self.folder(),
                Kind::Note,
                std::slice::from_ref(&note),
            )
            .map_err(RecordsError::database(self.folder()))
        })?;
        Ok(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::filter::Filter;
    use crate::records::testing::Records;

    #[test]
    fn notes_are_read_in_order_and_covered_by_the_chain() {
        let (records, _) = Records::of_days(2);
        let mut slides = Vec::new();
        records
            .archive()
            .fields(&Filter::default(), |record| {
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
        let before = records.verified().rows;
        records
            .archive()
            .annotate(Uuid::nil(), "on an unknown slide")
            .unwrap_err();
        assert_eq!(records.verified().rows, before);
        records.tamper("UPDATE notes SET body = replace(body, 'first', 'other')");
        let problem = records.problem();
        assert!(
            problem.contains("(note) has changed since it was written"),
            "{problem}"
        );
    }

    #[test]
    fn empty_long_and_control_texts_are_refused() {
        assert_eq!(checked_note(" trimmed \n"), Ok("trimmed"));
        assert_eq!(checked_note("ä\nb"), Ok("ä\nb"));
        assert_eq!(checked_note(" \n "), Err(NoteError::Empty));
        assert_eq!(checked_note("a\u{1b}[31m"), Err(NoteError::Control));
        assert!(checked_note(&"ä".repeat(MAX_LENGTH)).is_ok());
        assert_eq!(
            checked_note(&"ä".repeat(MAX_LENGTH + 1)),
            Err(NoteError::TooLong)
        );
    }
}
