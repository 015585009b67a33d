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
        Self::count(judged.into_iter().map(|item| (item.positive, item.called)))
    }

    /// Counts images by whether they are positive and whether they are called so.
    pub(crate) fn count(images: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut confusion = Self::default();
        for image in images {
            let cell = match image {
                (true, true) => &mut confusion.true_positives,
                (true, false) => &mut confusion.false_negatives,
                (false, false) => &mut confusion.true_negatives,
                (false, true) => &mut confusion.false_positives,
            };
            *cell += 1;
        }
        confusion
    }

    /// The mean of sensitivity and specificity, or the one of them that has images: the accuracy if both
    /// classes had as many.
    pub(crate) fn balanced_accuracy(&self) -> f64 {
        let shares: Vec<f64> = [
            (self.true_positives, self.false_negatives),
            (self.true_negatives, self.false_positives),
        ]
        .into_iter()
        .filter(|(right, wrong)| right + wrong > 0)
        .map(|(right, wrong)| right as f64 / (right + wrong) as f64)
        .collect();
        shares.iter().sum::<f64>() / shares.len() as f64
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "fractions of small counts are exact")]
mod tests {
    use super::*;

    #[test]
    fn both_classes_count_the_same_in_the_balanced_accuracy() {
        let mut confusion = Confusion {
            true_positives: 60,
            false_negatives: 20,
            true_negatives: 1,
            false_positives: 3,
        };
        assert_eq!(confusion.balanced_accuracy(), 0.5);
        (confusion.true_negatives, confusion.false_positives) = (0, 0);
        assert_eq!(confusion.balanced_accuracy(), 0.75);
    }
}
