//! Reading the recorded cells of fields.

use rusqlite::{OptionalExtension, Row};
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
        let row = self.cells_row(
            "SELECT seq, body FROM cells WHERE field = ?1",
            field,
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
        )?;
        let parse = |(seq, body): (i64, String)| -> Result<CellsEntry, _> {
            chain::parse(Kind::Cells, seq, &body)
        };
        Ok(row.map(parse).transpose()?.map(|entry| entry.cells))
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
        let size = self.cells_row(query, field, |row| row.get::<_, i64>(0))?;
        Ok(size.map_or(0, i64::unsigned_abs))
    }

    /// Reads from the row of a field's cells, if there is one. Records of earlier versions have no such rows.
    fn cells_row<T>(
        &self,
        query: &str,
        field: Uuid,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, RecordsError> {
        let failed = RecordsError::database(self.folder());
        if !schema::has_table(self.connection(), Kind::Cells.table()).map_err(&failed)? {
            return Ok(None);
        }
        self.connection()
            .prepare(query)
            .and_then(|mut statement| statement.query_row([field.to_string()], read).optional())
            .map_err(failed)
    }
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
