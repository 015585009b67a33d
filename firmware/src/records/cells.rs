//! Reading the recorded cells of fields.

use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use crate::records::archive::{Archive, Record, RecordWithCells};
use crate::records::cells_entry::{CellEntry, CellsEntry};
use crate::records::chain::{self, Kind};
use crate::records::error::RecordsError;
use crate::records::schema;

impl Archive {
    /// The cells of a field; `None` if they were not looked at.
    ///
    /// # Errors
    /// Errors of the database, and [`RecordsError::Mismatch`] for a row that does not contain cells.
    pub fn cells(&self, field: Uuid) -> Result<Option<Vec<CellEntry>>, RecordsError> {
        let row = row(self.connection(), field).map_err(RecordsError::database(self.folder()))?;
        row.map(parse).transpose()
    }

    /// A field with its cells.
    ///
    /// # Errors
    /// As [`Archive::cells`].
    pub(crate) fn with_cells(&self, record: Record) -> Result<RecordWithCells, RecordsError> {
        let cells = self.cells(record.field.id)?;
        Ok(RecordWithCells { record, cells })
    }

    /// A field with its cells, or without them if their row cannot be read. Adds what is wrong with it to `unreadable`.
    pub(crate) fn with_readable_cells(
        &self,
        record: Record,
        unreadable: &mut Vec<String>,
    ) -> RecordWithCells {
        let cells = self.cells(record.field.id).unwrap_or_else(|error| {
            unreadable.push(error.problem());
            None
        });
        RecordWithCells { record, cells }
    }

    /// Size of the recorded cells of a field as text, in bytes.
    ///
    /// # Errors
    /// Errors of the database.
    pub(super) fn cells_size(&self, field: Uuid) -> Result<u64, RecordsError> {
        let query = "SELECT octet_length(body) FROM cells WHERE field = ?1";
        let size = read_row(self.connection(), query, field, |row| row.get::<_, i64>(0));
        let size = size.map_err(RecordsError::database(self.folder()))?;
        Ok(size.map_or(0, i64::unsigned_abs))
    }
}

/// Number and content of the row of a field's cells, if there is one.
pub(super) fn row(connection: &Connection, field: Uuid) -> rusqlite::Result<Option<(i64, String)>> {
    let query = "SELECT seq, body FROM cells WHERE field = ?1";
    read_row(connection, query, field, |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}

/// The cells in a row with this number and content.
///
/// # Errors
/// [`RecordsError::Mismatch`] if the row does not contain cells.
pub(super) fn parse((seq, body): (i64, String)) -> Result<Vec<CellEntry>, RecordsError> {
    let entry: CellsEntry = chain::parse(Kind::Cells, seq, &body)?;
    Ok(entry.cells)
}

/// Reads from the row of a field's cells, if there is one. Records of earlier versions have no such rows.
fn read_row<T>(
    connection: &Connection,
    query: &str,
    field: Uuid,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    if !schema::has_table(connection, Kind::Cells.table())? {
        return Ok(None);
    }
    let mut statement = connection.prepare(query)?;
    statement.query_row([field.to_string()], read).optional()
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::CellCall;

    use super::*;
    use crate::analysis::examples::counted;
    use crate::records::filter::Filter;
    use crate::records::testing::Records;

    fn entries(calls: &[CellCall]) -> Vec<CellEntry> {
        CellEntry::of(counted(calls).cells().unwrap())
    }

    #[test]
    fn cells_are_recorded_in_the_chain_and_read_again() {
        use CellCall::{Artefact, Blast, OtherLeukocyte};
        let mut records = Records::new();
        let cells = entries(&[Blast, OtherLeukocyte, Artefact]);
        let seen: Vec<_> = cells
            .iter()
            .map(|cell| {
                (
                    cell.number,
                    &*cell.class,
                    &*cell.call,
                    cell.blast_probability,
                )
            })
            .collect();
        let expected = [
            (1, "lymphoblast", "blast", 0.9),
            (2, "neutrophil", "other_leukocyte", 0.05),
            (3, "not_a_leukocyte", "artefact", 0.05),
        ];
        assert_eq!(seen, expected);
        let first = records.put_cells(1, Some(&cells)).unwrap();
        let second = records.put_cells(2, None).unwrap();
        let archive = records.archive();
        assert_eq!(archive.cells(first).unwrap(), Some(cells));
        assert_eq!(archive.cells(second).unwrap(), None);
        // A slide, two fields and the cells of one.
        assert_eq!(records.verified().rows, 4);
        records.tamper("UPDATE cells SET body = replace(body, 'neutrophil', 'lymphoblast')");
        let problem = records.problem();
        assert!(
            problem.contains("row 3 (cells) has changed since it was written"),
            "{problem}"
        );
    }
    #[test]
    fn a_field_whose_cells_cannot_be_read_is_exported_without_them() {
        let mut records = Records::new();
        let cells = entries(&[CellCall::Blast]);
        let first = records.put_cells(1, Some(&cells)).unwrap();
        records.put_cells(2, Some(&cells)).unwrap();
        records.tamper("UPDATE cells SET body = json_remove(body, '$.cells') WHERE seq = 3");
        let mut out = Vec::new();
        let archive = records.archive();
        let unreadable = archive.write_json(&Filter::default(), &mut out).unwrap();
        assert_eq!(unreadable.len(), 1);
        assert!(
            unreadable[0].starts_with("row 3 is not a valid cells: "),
            "{unreadable:?}"
        );
        let lines = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["id"], first.to_string());
        assert!(lines[0]["cells"].is_null());
        assert_eq!(lines[1]["cells"][0]["call"], "blast");
    }
}
