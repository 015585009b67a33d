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
        WHERE slides.number > 0 AND captured_at >= :since AND fields.seq > :after
        ORDER BY fields.seq DESC LIMIT :limit
    ) ORDER BY seq";

impl Archive {
    /// Calls `each` with number and content of the rows after `after` of the fields that the camera took at a time or later,
    /// in the order of recording: the newest ones, at most `limit`. Rows that cannot be read are left out.
    ///
    /// # Errors
    /// Errors of the database.
    pub(crate) fn fields_of_camera(
        &self,
        after: i64,
        since: &str,
        limit: usize,
        mut each: impl FnMut(i64, FieldEntry),
    ) -> Result<(), RecordsError> {
        let mut read = || {
            let mut statement = self.connection().prepare(QUERY)?;
            let mut rows = statement.query(named_params! {
                ":since": since,
                ":after": after,
                ":limit": limit as i64,
            })?;
            while let Some(row) = rows.next()? {
                let (seq, body): (i64, String) = (row.get("seq")?, row.get("body")?);
                if let Ok(field) = chain::parse(Kind::Field, seq, &body) {
                    each(seq, field);
                }
            }
            Ok(())
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
        let read = |after, since, limit| {
            let mut found = Vec::new();
            let each = |seq, field: super::FieldEntry| found.push((seq, field.captured_at));
            (records.archive())
                .fields_of_camera(after, since, limit, each)
                .unwrap();
            let days = found.iter().map(|(_, at)| at[8..10].parse().unwrap());
            (
                days.collect::<Vec<u8>>(),
                found.last().map_or(0, |(seq, _)| *seq),
            )
        };
        let (days, last) = read(0, "2026", 9);
        assert_eq!(days, [1, 2, 3, 4]);
        assert_eq!(read(0, "2026", 2).0, [3, 4]);
        assert_eq!(read(0, "2026-01-02", 9).0, [2, 3, 4]);
        assert_eq!(read(last - 2, "2026", 9).0, [4]);
        assert_eq!(read(last, "2026", 9), (vec![], 0));
    }
}
