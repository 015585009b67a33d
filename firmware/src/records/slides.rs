//! Recorded slides with their summaries.

use rusqlite::{OptionalExtension, Row, named_params};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::records::archive::Archive;
use crate::records::chain::{self, Kind};
use crate::records::entry::{
    ClosingEntry, ClosingReason, FieldEntry, SlideEntry, SlideSummaryEntry,
};
use crate::records::error::RecordsError;
use crate::records::filter::{Filter, Page};
use crate::records::schema;
use crate::system::clock::ClockState;

/// A recorded slide with its summary.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct SlideRecord {
    /// Its number in the hash chain, from 1.
    pub(crate) seq: i64,
    /// Its hash in the chain.
    hash: String,
    #[serde(flatten)]
    slide: SlideEntry,
    /// When its last field was captured.
    #[schema(format = DateTime)]
    last_captured_at: String,
    /// When it was closed; null if it is open or an uploaded image, and for slides of earlier versions.
    #[schema(required, format = DateTime)]
    closed_at: Option<String>,
    /// What was known about that clock; null like `closed_at`.
    #[schema(required)]
    closed_clock: Option<ClockState>,
    /// Why it was closed; null like `closed_at`.
    #[schema(required)]
    closed_because: Option<ClosingReason>,
    /// Summary of the slide including that field.
    standing: SlideSummaryEntry,
    /// Whether the model is a demonstration model, whose verdicts have no diagnostic meaning.
    demo: bool,
}

#[cfg(test)]
impl SlideRecord {
    pub(super) fn closed_because(&self) -> Option<ClosingReason> {
        self.closed_because
    }
}

/// The inner join loses no slide, because each is committed together with its first field.
const SLIDES: &str = "
    SELECT slides.seq, slides.hash, slides.body, last.seq AS last_seq, last.body AS last_body
    FROM slides JOIN fields AS last
      ON last.seq = (SELECT max(fields.seq) FROM fields WHERE fields.slide = slides.id)
    WHERE (:since IS NULL OR slides.started_at >= :since)
      AND (:until IS NULL OR slides.started_at < :until)
      AND (:slide IS NULL OR slides.id = :slide)
      AND (:field IS NULL OR slides.id = (SELECT fields.slide FROM fields WHERE fields.id = :field))
      AND (:verdict IS NULL OR last.slide_verdict = :verdict)
      AND (:before IS NULL OR slides.seq < :before)
    ORDER BY slides.seq DESC LIMIT :limit";

impl Archive {
    /// Slides that `filter` selects by start time and summary verdict, newest first.
    ///
    /// # Errors
    /// As [`Archive::fields`].
    pub(crate) fn slides_on(
        &self,
        page: &Page,
        filter: &Filter,
    ) -> Result<Vec<SlideRecord>, RecordsError> {
        let failed = RecordsError::database(self.folder());
        let mut statement = self.connection().prepare(SLIDES).map_err(&failed)?;
        let mut rows = statement
            .query(named_params! {
                ":since": filter.since,
                ":until": filter.until,
                ":slide": filter.slide.map(|id| id.to_string()),
                ":field": filter.field.map(|id| id.to_string()),
                ":verdict": filter.verdict,
                ":before": page.cursor,
                ":limit": page.sql_limit(),
            })
            .map_err(&failed)?;
        let mut slides = Vec::new();
        while let Some(row) = rows.next().map_err(&failed)? {
            let columns = || {
                Ok((
                    row.get("seq")?,
                    row.get("hash")?,
                    row.get::<_, String>("body")?,
                    row.get("last_seq")?,
                    row.get::<_, String>("last_body")?,
                ))
            };
            let (seq, hash, body, last_seq, last_body) = columns().map_err(&failed)?;
            let slide: SlideEntry = chain::parse(Kind::Slide, seq, &body)?;
            let closing = self.closing(slide.id)?;
            let last: FieldEntry = chain::parse(Kind::Field, last_seq, &last_body)?;
            slides.push(SlideRecord {
                seq,
                hash,
                slide,
                last_captured_at: last.captured_at,
                closed_because: closing.as_ref().map(|closing| closing.reason),
                closed_clock: closing.as_ref().and_then(|closing| closing.clock),
                closed_at: closing.map(|closing| closing.closed_at),
                standing: last.standing,
                demo: last.model.demo,
            });
        }
        Ok(slides)
    }

    /// How a slide was closed, if it was.
    fn closing(&self, slide: Uuid) -> Result<Option<ClosingEntry>, RecordsError> {
        let failed = RecordsError::database(self.folder());
        if !schema::has_table(self.connection(), "closings").map_err(&failed)? {
            return Ok(None);
        }
        let closing = self
            .connection()
            .prepare("SELECT seq, body FROM closings WHERE slide = ?1")
            .and_then(|mut statement| {
                let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
                statement.query_row([slide.to_string()], read).optional()
            })
            .map_err(&failed)?;
        closing
            .map(|(seq, body)| chain::parse(Kind::Closing, seq, &body))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::Verdict;

    use super::*;
    use crate::records::testing::{Records, day};

    #[test]
    fn slides_are_paged_newest_first() {
        let (mut records, _) = Records::of_days(1);
        for number in 2..=5 {
            records.next_slide(number);
            records.put(number).unwrap();
        }
        let last = records.put(6).unwrap();
        let archive = records.archive();
        let numbers = |page: Page, filter: &Filter| -> (Vec<u32>, Option<i64>) {
            let slides = archive.slides_on(&page, filter).unwrap();
            let numbers = slides.iter().map(|slide| slide.slide.number).collect();
            (numbers, slides.last().map(|slide| slide.seq))
        };
        let all = Filter::default();
        let limit = Some(2);
        let (first, cursor) = numbers(
            Page {
                cursor: None,
                limit,
            },
            &all,
        );
        assert_eq!(first, [5, 4]);
        let (second, cursor) = numbers(Page { cursor, limit }, &all);
        assert_eq!(second, [3, 2]);
        assert_eq!(numbers(Page { cursor, limit }, &all).0, [1]);
        let newest = &archive.slides_on(&Page::default(), &all).unwrap()[0];
        assert_eq!(newest.last_captured_at, day(6));
        assert_eq!((newest.standing.fields, newest.demo), (6, true));
        let numbers = |filter: Filter| numbers(Page::default(), &filter).0;
        let between = Filter {
            since: Some(day(2)),
            until: Some(day(4)),
            ..Filter::default()
        };
        assert_eq!(numbers(between), [3, 2]);
        let of_field = Filter::of_field(last);
        assert_eq!(numbers(of_field), [5]);
        let of_verdict = |verdict| Filter {
            verdict: Some(verdict),
            ..Filter::default()
        };
        assert_eq!(numbers(of_verdict(Verdict::Positive)).len(), 5);
        assert_eq!(numbers(of_verdict(Verdict::Negative)), [0; 0]);
    }

    #[test]
    fn fields_are_paged_oldest_first() {
        let (records, ids) = Records::of_days(5);
        let archive = records.archive();
        let page = |cursor| {
            let page = Page {
                cursor,
                limit: Some(2),
            };
            let mut fields = Vec::new();
            archive
                .fields_on(&page, &Filter::default(), |record| {
                    fields.push((record.seq, record.field.id));
                    Ok::<_, RecordsError>(())
                })
                .unwrap();
            fields
        };
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let fields = page(cursor);
            let Some((last, _)) = fields.last() else {
                break;
            };
            cursor = Some(*last);
            seen.extend(fields.into_iter().map(|(_, id)| id));
        }
        assert_eq!(seen, ids);
    }
}
