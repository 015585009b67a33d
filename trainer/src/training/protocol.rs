//! From a dataset to a network, and to figures from images that had no part in making it.

use log::info;
use smearscope_artifacts::DecisionRule;

use super::calibration::{self, Targets};
use super::checkpoint::Checkpoints;
use super::field_task::FieldTask;
use super::folds::Folds;
use super::history::History;
use super::plan::Plan;
use super::prediction::{self, Prediction};
use super::score::{add_evidence, score};
use super::train::{Trained, Training};
use crate::dataset::{Sample, Split};
use crate::error::TrainError;
use crate::metrics::{EvidenceFigures, EvidencePlace, Scored};
use crate::networks::Network;
use crate::progress;

/// How a model is made and measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol<'a> {
    pub(crate) plan: &'a Plan,
    /// Whether the figures will be leaky: the images were augmented before they were split.
    pub(crate) leaky: bool,
    pub(crate) targets: Targets,
}

/// A network, and what was measured.
#[derive(Debug)]
pub(crate) struct Outcome<'a> {
    pub(crate) network: Network,
    pub(crate) rule: DecisionRule,
    pub(crate) predictions: Vec<Prediction<'a>>,
    /// The network of each fold, which judged that fold's test images.
    pub(crate) fold_networks: Vec<Network>,
    /// The history of each training, with its name.
    pub(crate) histories: Vec<(String, History)>,
}

impl Outcome<'_> {
    /// Where the evidence in the test images lies that the network of their fold finds; none if no cells are
    /// known.
    pub(crate) fn evidence(&self) -> Result<Option<EvidenceFigures>, TrainError> {
        let mut place = EvidencePlace::default();
        for (network, fold) in self.fold_networks.iter().zip(1..) {
            let of_fold = self.predictions.iter().filter(|it| it.fold == fold);
            let samples: Vec<&Sample> = of_fold.map(|it| it.sample).collect();
            add_evidence(&mut place, network, &samples)?;
        }
        Ok(place.figures())
    }
}

impl Protocol<'_> {
    /// Trains a network for every fold and the one that is kept.
    ///
    /// With cross-validation, the rule that judges a fold is fitted to the held-out margins of the
    /// other folds, and the rule of the kept network to all held-out margins. Otherwise the rule is
    /// fitted to the validation images, which also choose the epoch.
    pub(crate) fn run<'a>(
        &self,
        folds: &Folds<'a>,
        checkpoints: &Checkpoints,
    ) -> Result<Outcome<'a>, TrainError> {
        let mut histories = Vec::new();
        let settings = self.plan.settings(self.plan.network.learning_rate());
        let splits = folds.tested().iter().chain(folds.whole());
        let steps = splits.map(|split| settings.steps(split.train.len()));
        let progress = progress::bar(steps.sum(), "steps");
        let mut fit = |split: &Split, name: String| -> Result<Network, TrainError> {
            info!(
                "{name}: {} images for training, {} for validation, {} for testing",
                split.train.len(),
                split.validation.len(),
                split.test.len()
            );
            let training = Training {
                settings: &settings,
                name: &name,
                checkpoints,
                progress: &progress,
            };
            let task = FieldTask {
                architecture: self.plan.architecture(),
                augment: !self.leaky,
                seed: settings.seed,
                class_weights: self.plan.class_weights.of(&split.train),
                evidence_weight: self.plan.evidence.evidence_weight,
                train: &split.train,
                validation: &split.validation,
            };
            let Trained { network, history } = training.run(&task)?;
            histories.push((name, history));
            Ok(network)
        };
        let fit_rule = |scored: &[Scored]| calibration::fit_rule(scored, self.targets);

        let Some(whole) = folds.whole() else {
            let split = folds.kept();
            let leaky = if self.leaky { "leaky " } else { "" };
            let network = fit(split, format!("{leaky}model"))?;
            progress.finish_and_clear();
            let rule = fit_rule(&score(&network, &split.validation)?);
            let scored = score(&network, &split.test)?;
            return Ok(Outcome {
                predictions: prediction::judge(split, &scored, &rule, 1),
                fold_networks: vec![network.clone()],
                network,
                rule,
                histories,
            });
        };
        let count = folds.tested().len();
        let mut scored = Vec::with_capacity(count);
        let mut fold_networks = Vec::with_capacity(count);
        for (split, number) in folds.tested().iter().zip(1..) {
            let network = fit(split, format!("fold {number} of {count}"))?;
            scored.push(score(&network, &split.test)?);
            fold_networks.push(network);
        }
        let predictions = folds
            .tested()
            .iter()
            .enumerate()
            .flat_map(|(index, split)| {
                let others: Vec<Scored> = scored
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != index)
                    .flat_map(|(_, scored)| scored.iter().copied())
                    .collect();
                prediction::judge(split, &scored[index], &fit_rule(&others), index + 1)
            });
        let predictions = predictions.collect();
        let network = fit(whole, "model".into())?;
        progress.finish_and_clear();
        Ok(Outcome {
            network,
            rule: fit_rule(&scored.concat()),
            predictions,
            fold_networks,
            histories,
        })
    }
}
