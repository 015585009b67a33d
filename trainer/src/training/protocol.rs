//! From a dataset to a network, and to figures that had no part in making it.

use log::info;
use smearscope_artifacts::DecisionRule;

use crate::dataset::{Dataset, Sample, Split, SplitPlan};
use crate::error::TrainError;
use crate::metrics::{Judged, Scored};
use crate::networks::Network;
use crate::report::results::TrainedOn;
use crate::training::calibration::{self, Requirements};
use crate::training::checkpoint::Checkpoints;
use crate::training::train::{self, Course, Plan, Trained};

/// How a model is made and measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Protocol {
    pub(crate) split: SplitPlan,
    pub(crate) plan: Plan,
    pub(crate) requirements: Requirements,
}

/// The splits of a dataset under a protocol.
#[derive(Debug)]
pub(crate) struct Folds<'a> {
    tested: Vec<Split<'a>>,
    /// Where every image is tested: all of them once more, for the network that is kept.
    whole: Option<Split<'a>>,
}

/// A network, and what was measured.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) network: Network,
    pub(crate) rule: DecisionRule,
    pub(crate) predictions: Vec<Prediction<'a>>,
    /// The network of each fold, which judged the images it had not met.
    pub(crate) judges: Vec<Network>,
    /// Of each training, by name.
    pub(crate) courses: Vec<(String, Course)>,
}

/// What was made of an image by a network and a rule that it had no part in.
#[derive(Debug)]
pub(crate) struct Prediction<'a> {
    pub(crate) sample: &'a Sample,
    pub(crate) judged: Judged,
    /// From 1.
    pub(crate) fold: usize,
}

impl<'a> Folds<'a> {
    pub(crate) fn of(dataset: &'a Dataset, plan: &SplitPlan) -> Result<Self, TrainError> {
        let whole = plan.test.is_crossed().then(|| dataset.whole(plan));
        Ok(Self {
            tested: dataset.splits(plan)?,
            whole: whole.transpose()?,
        })
    }

    /// Those that give figures.
    pub(crate) fn tested(&self) -> &[Split<'a>] {
        &self.tested
    }

    /// The split of the network that is kept.
    pub(crate) fn kept(&self) -> &Split<'a> {
        self.whole.as_ref().unwrap_or(&self.tested[0])
    }

    /// Images that had a part in the kept network or its decision rule.
    pub(crate) fn known(&self, dataset: &Dataset) -> TrainedOn {
        if self.whole.is_some() {
            return TrainedOn::of(dataset, dataset.samples.iter());
        }
        let Split {
            train, validation, ..
        } = &self.tested[0];
        TrainedOn::of(dataset, train.iter().chain(validation).copied())
    }

    /// Images that the kept network's weights have not met.
    pub(crate) fn unmet(&self) -> &[&'a Sample] {
        match &self.whole {
            Some(whole) => &whole.validation,
            None => &self.tested[0].test,
        }
    }
}

impl Protocol {
    /// Trains a network for every fold and the one that is kept.
    ///
    /// Where every image is tested, the rule that judges a fold is fitted on the other folds'
    /// held-out margins, and the kept network's on all of them. Else the validation part, which
    /// also chose the epoch, gives the rule.
    pub(crate) fn run<'a>(
        &self,
        folds: &Folds<'a>,
        checkpoints: &Checkpoints,
    ) -> Result<Outcome<'a>, TrainError> {
        let mut courses = Vec::new();
        let mut train_on = |split: &Split, name: String| -> Result<Network, TrainError> {
            info!(
                "{name}: {} images train, {} choose the epoch, {} are tested",
                split.train.len(),
                split.validation.len(),
                split.test.len()
            );
            let Trained { network, course } = train::train(
                &self.plan,
                &split.train,
                &split.validation,
                &name,
                checkpoints,
            )?;
            courses.push((name, course));
            Ok(network)
        };
        let fit_rule = |scored: &[Scored]| calibration::fit_rule(scored, self.requirements);

        let Some(whole) = &folds.whole else {
            let split = &folds.tested[0];
            let leaky = if self.split.test.is_leaky() {
                "leaky "
            } else {
                ""
            };
            let network = train_on(split, format!("{leaky}model"))?;
            let rule = fit_rule(&train::score(&network, &split.validation)?);
            let scored = train::score(&network, &split.test)?;
            return Ok(Outcome {
                predictions: predictions(split, &scored, &rule, 1),
                judges: vec![network.clone()],
                network,
                rule,
                courses,
            });
        };
        let count = folds.tested.len();
        let mut scored = Vec::with_capacity(count);
        let mut judges = Vec::with_capacity(count);
        for (split, number) in folds.tested.iter().zip(1..) {
            let network = train_on(split, format!("fold {number} of {count}"))?;
            scored.push(train::score(&network, &split.test)?);
            judges.push(network);
        }
        let predictions = folds.tested.iter().enumerate().flat_map(|(index, split)| {
            let others: Vec<Scored> = scored
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != index)
                .flat_map(|(_, scored)| scored.iter().copied())
                .collect();
            predictions(split, &scored[index], &fit_rule(&others), index + 1)
        });
        let predictions = predictions.collect();
        Ok(Outcome {
            network: train_on(whole, "model".into())?,
            rule: fit_rule(&scored.concat()),
            predictions,
            judges,
            courses,
        })
    }
}

fn predictions<'a>(
    split: &Split<'a>,
    scored: &[Scored],
    rule: &DecisionRule,
    fold: usize,
) -> Vec<Prediction<'a>> {
    let tested = split.test.iter().zip(scored);
    tested
        .map(|(sample, scored)| Prediction {
            sample,
            judged: Judged::by(rule, *scored),
            fold,
        })
        .collect()
}
