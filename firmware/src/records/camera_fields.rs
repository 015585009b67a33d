//! The fields that the camera took, without uploaded images.

use rusqlite::named_params;

use crate::records::archive::Archive;
use crate::records::chain::{self, Kind};
use crate::records::entry::FieldEntry;
use crate::records::error::RecordsError;

/// Uploaded images are in slides with number 0.
const QUERY: &str = "
    SELECT * FROM (
        SELECT fields.seq, fields.body FROM fields JOIN slides ON slides.id = fields.slide
        WHERE slides.number > 0 AND fields.seq > :after AND fields.seq <= :last
        ORDER BY fields.seq DESC LIMIT :limit
    ) ORDER BY seq";

impl Archive {
    /// Calls `each` with the fields after row `after` that the camera took, in the order of recording: the newest ones, at most
    /// `limit`. Rows that cannot be read are left out. Returns the number of the last row that there was.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) fn fields_of_camera(
        &self,
        after: i64,
        limit: usize,
        mut each: impl FnMut(i64, FieldEntry),
    ) -> Result<i64, RecordsError> {
        let mut read = || {
            let connection = self.connection();
            let last: Option<i64> =
                connection.query_row("SELECT max(seq) FROM fields", [], |row| row.get(0))?;
            let last = last.unwrap_or(after);
            let mut statement = connection.prepare(QUERY)?;
            let mut rows = statement.query(named_params! {
                ":after": after,
                ":last": last,
                ":limit": limit as i64,
            })?;
            while let Some(row) = rows.next()? {
                let (seq, body): (i64, String) = (row.get("seq")?, row.get("body")?);
                if let Ok(field) = chain::parse(Kind::Field, seq, &body) {
                    each(seq, field);
                }
            }
            Ok(last)
        };
        read().map_err(RecordsError::database(self.folder()))
    }
}

#[cfg(test)]
mod tests {
    use crate::records::testing::Records;

    #[test]
    fn new_fields_of_the_camera_are_read_in_order() {
        let (mut records, _) = Records::of_days(3);
        records.next_slide(4);
        records.put(4).unwrap();
        let read = |after, limit| {
            let mut days: Vec<u8> = Vec::new();
            let each = |_, field: super::FieldEntry| {
                days.push(field.captured_at[8..10].parse().unwrap());
            };
            let archive = records.archive();
            let last = archive.fields_of_camera(after, limit, each).unwrap();
            (days, last)
        };
        let (days, last) = read(0, 9);
        assert_eq!(days, [1, 2, 3, 4]);
        assert_eq!(read(0, 2), (vec![3, 4], last));
        assert_eq!(read(last - 2, 9), (vec![4], last));
        assert_eq!(read(last, 9), (vec![], last));
    }
}
