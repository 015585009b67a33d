//! Reading records a page at a time.

use rusqlite::named_params;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::records::Archive;
use crate::records::Filter;
use crate::records::RecordsError;
use crate::records::entry::{FieldEntry, SlideEntry, SlideSummaryEntry};

/// A part of a list; without anything, all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// `seq` of the last that is had already.
    pub(crate) cursor: Option<i64>,
    /// So many at most.
    pub(crate) most: Option<u32>,
}

impl Page {
    /// As SQLite has it.
    pub(super) fn limit(&self) -> i64 {
        self.most.map_or(-1, i64::from)
    }
}

/// A slide with what it has come to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct SlideRecord {
    /// Its place in the chain, from 1.
    pub(crate) seq: i64,
    /// Its hash, by which the next row follows from it.
    hash: String,
    #[serde(flatten)]
    slide: SlideEntry,
    /// When its last field was photographed.
    last_captured_at: String,
    /// What it came to with that.
    standing: SlideSummaryEntry,
    /// Whether that is of a demonstration model, whose verdicts mean nothing.
    demo: bool,
}

/// A slide has a field from the beginning: they are committed together.
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
    /// The slides that `filter` means, by when they began and what they came to, newest first.
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
                ":limit": page.limit(),
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
            let last: FieldEntry = entry(last_seq, &last_body, "field")?;
            slides.push(SlideRecord {
                seq,
                hash,
                slide: entry(seq, &body, "slide")?,
                last_captured_at: last.captured_at,
                standing: last.standing,
                demo: last.model.demo,
            });
        }
        Ok(slides)
    }
}

/// What a row says.
pub(super) fn entry<T: DeserializeOwned>(
    seq: i64,
    body: &str,
    kind: &str,
) -> Result<T, RecordsError> {
    serde_json::from_str(body).map_err(|error| RecordsError::Mismatch {
        problem: format!("row {seq} is no {kind}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::Verdict;

    use super::*;
    use crate::records::testing::{Records, day};

    #[test]
    fn slides_come_newest_first_a_page_at_a_time() {
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
        let most = Some(2);
        let (first, cursor) = numbers(Page { cursor: None, most }, &all);
        assert_eq!(first, [5, 4]);
        let (second, cursor) = numbers(Page { cursor, most }, &all);
        assert_eq!(second, [3, 2]);
        assert_eq!(numbers(Page { cursor, most }, &all).0, [1]);
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
        let of_field = Filter {
            field: Some(last),
            ..Filter::default()
        };
        assert_eq!(numbers(of_field), [5]);
        let of_verdict = |verdict| Filter {
            verdict: Some(verdict),
            ..Filter::default()
        };
        assert_eq!(numbers(of_verdict(Verdict::Positive)).len(), 5);
        assert_eq!(numbers(of_verdict(Verdict::Negative)), [0; 0]);
    }

    #[test]
    fn fields_come_oldest_first_a_page_at_a_time() {
        let (records, ids) = Records::of_days(5);
        let archive = records.archive();
        let page = |cursor| {
            let page = Page {
                cursor,
                most: Some(2),
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
