//! The confusion matrix.

use serde::Serialize;

use super::judged::Judged;

/// Numbers of images by label and call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Confusion {
    pub(crate) true_positives: usize,
    pub(crate) false_negatives: usize,
    pub(crate) true_negatives: usize,
    pub(crate) false_positives: usize,
}

impl Confusion {
    pub(crate) fn of<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut confusion = Self::default();
        for item in judged {
            let cell = match (item.positive, item.called) {
                (true, true) => &mut confusion.true_positives,
                (true, false) => &mut confusion.false_negatives,
                (false, false) => &mut confusion.true_negatives,
                (false, true) => &mut confusion.false_positives,
            };
            *cell += 1;
        }
        confusion
    }
}
