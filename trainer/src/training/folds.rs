//! The splits that a job trains and tests on.

use crate::dataset::{Dataset, Sample, Split, SplitPlan, TrainedOn};
use crate::error::TrainError;

/// The splits of a dataset under a plan.
#[derive(Debug)]
pub(crate) struct Folds<'a> {
    tested: Vec<Split<'a>>,
    /// With cross-validation: all images, for the network that is kept.
    whole: Option<Split<'a>>,
}

impl<'a> Folds<'a> {
    pub(crate) fn of(
        dataset: &'a Dataset,
        plan: &SplitPlan,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let whole = plan.test.is_crossed().then(|| dataset.whole(plan, seed));
        Ok(Self {
            tested: dataset.splits(plan, seed)?,
            whole: whole.transpose()?,
        })
    }

    /// The splits whose test images give the figures.
    pub(crate) fn tested(&self) -> &[Split<'a>] {
        &self.tested
    }

    /// All images, where cross-validation tests every image.
    pub(super) fn whole(&self) -> Option<&Split<'a>> {
        self.whole.as_ref()
    }

    /// The split of the network that is kept.
    pub(crate) fn kept(&self) -> &Split<'a> {
        self.whole.as_ref().unwrap_or(&self.tested[0])
    }

    /// The images that influenced the kept network or its decision rule.
    pub(crate) fn trained_on(&self, dataset: &Dataset) -> TrainedOn {
        if self.whole.is_some() {
            return TrainedOn::of(dataset, dataset.samples.iter());
        }
        let Split {
            train, validation, ..
        } = &self.tested[0];
        TrainedOn::of(dataset, train.iter().chain(validation).copied())
    }

    /// Images that the kept network was not trained on.
    pub(crate) fn held_out(&self) -> &[&'a Sample] {
        match &self.whole {
            Some(whole) => &whole.validation,
            None => &self.tested[0].test,
        }
    }
}
