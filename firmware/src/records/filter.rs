//! Selecting records: by time, slide, field and verdict, and page by page.

use smearscope_artifacts::Verdict;
use uuid::Uuid;

/// Selects fields; all conditions must hold. The default selects all fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Captured at this time or later, formatted by [`utc`](crate::system::time::utc).
    pub since: Option<String>,
    /// Captured before this time.
    pub until: Option<String>,
    /// Fields of this slide.
    pub slide: Option<Uuid>,
    /// Only this field.
    pub field: Option<Uuid>,
    /// Fields with this verdict.
    pub verdict: Option<Verdict>,
}

impl Filter {
    /// The fields of this slide.
    pub fn of_slide(slide: Uuid) -> Self {
        Self {
            slide: Some(slide),
            ..Self::default()
        }
    }

    /// This field.
    pub fn of_field(field: Uuid) -> Self {
        Self {
            field: Some(field),
            ..Self::default()
        }
    }
}

/// A page of a list. The default is the whole list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// `seq` of the last item on the previous page.
    pub(crate) cursor: Option<i64>,
    /// Maximum number of items.
    pub(crate) limit: Option<u32>,
}

impl Page {
    /// The value of an SQL `LIMIT`; -1 means no limit.
    pub(super) fn sql_limit(&self) -> i64 {
        self.limit.map_or(-1, i64::from)
    }
}
