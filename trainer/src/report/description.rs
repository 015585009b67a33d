//! The description of a trained model in its manifest.

use smearscope_artifacts::{
    DecisionRule, Evaluation, FieldModel, FieldOutputs, Files, Labels, Manifest, SlideRule,
};

use crate::audit::Audit;
use crate::dataset::{Dataset, Origin, Source, TestPlan};
use crate::metrics::{self, AT_EVEN_CLASSES, Judged};
use crate::networks::{EVIDENCE, POSITIVE, PROBABILITY};
use crate::package::Identity;
use crate::training::{Folds, Plan};

/// What describes a model, apart from its figures.
#[derive(Debug)]
pub(crate) struct Description<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) name: String,
    /// Smallest number of fields for the verdict on a slide.
    pub(crate) min_fields: u32,
    pub(crate) plan: &'a Plan,
    pub(crate) test: &'a TestPlan,
    pub(crate) source: &'a Source,
    pub(crate) dataset: &'a Dataset,
    pub(crate) origin: &'a Origin,
    pub(crate) folds: &'a Folds<'a>,
}

impl Description<'_> {
    /// The manifest of a model with this decision rule and these test results, without files, golden
    /// samples and the warning of the shortcut audit.
    pub(crate) fn manifest(
        &self,
        decision: DecisionRule,
        judged: &[Judged],
    ) -> Manifest<FieldModel> {
        let Self {
            dataset,
            folds,
            origin,
            ..
        } = self;
        let architecture = self.plan.architecture();
        let positives = judged.iter().filter(|item| item.positive).count();
        let leaky = self.test.is_leaky();
        Manifest {
            format_version: Manifest::FORMAT_VERSION,
            name: self.name.clone(),
            version: self.identity.version.clone(),
            architecture: architecture.name().into(),
            trained_on: format!("{} images: {}", folds.kept().train.len(), origin.trained_on),
            intended_use: "Demonstration of the software. Not for diagnosis or treatment.".into(),
            license: self.identity.license.clone(),
            // No figures are known to hold for new patients, so every model is a demo.
            demo: true,
            model: FieldModel {
                labels: Labels {
                    negative: dataset.negative.clone(),
                    positive: dataset.positive.clone(),
                    positive_index: POSITIVE,
                },
                input: architecture.input_contract(),
                outputs: FieldOutputs {
                    probability: PROBABILITY.into(),
                    evidence: Some(EVIDENCE.into()),
                },
                decision,
                slide: SlideRule {
                    min_fields: self.min_fields,
                    ..SlideRule::default()
                },
                domain: None,
                files: Files {
                    ir_xml: None,
                    ir_bin: None,
                    onnx: None,
                },
                golden: Vec::new(),
            },
            evaluation: Evaluation {
                dataset: if leaky {
                    format!(
                        "LEAKY: {}, which shares patients with the training images",
                        self.source.name()
                    )
                } else {
                    origin.evaluated_on.clone()
                },
                protocol: self.protocol(),
                positives: positives as u32,
                negatives: (judged.len() - positives) as u32,
                figures: metrics::name_figures(metrics::figures(judged), leaky),
                intervals: metrics::name_figures(metrics::intervals(judged, self.plan.seed), leaky),
                warnings: self.known_warnings(),
            },
        }
    }

    /// The warnings that do not depend on the training.
    fn known_warnings(&self) -> Vec<String> {
        let leak = self.test.is_leaky().then(|| {
            "These figures are leaky: copies of the test images, or images of the same patients, were \
             trained on. They say nothing about new patients."
                .to_owned()
        });
        let labels = self.dataset.warnings.iter().cloned();
        leak.into_iter().chain(labels).collect()
    }

    /// The warning of the shortcut audit.
    pub(crate) fn shortcut_warning(&self, shortcuts: &Audit) -> Option<String> {
        let prefix = if self.test.is_leaky() { "Leaky: " } else { "" };
        shortcuts
            .warning()
            .map(|warning| format!("{prefix}{warning}"))
    }

    fn protocol(&self) -> String {
        format!("{} {AT_EVEN_CLASSES}", self.test_protocol())
    }

    /// How the figures were measured.
    fn test_protocol(&self) -> String {
        let by = self.origin.basis.in_words();
        let kept = self.folds.kept();
        let (train, validation) = (kept.train.len(), kept.validation.len());
        if self.test.is_leaky() {
            return format!(
                "LEAKY, for comparison with published figures only: images were augmented first and \
                 then split at random, {train} for training, {validation} to choose epoch and \
                 decision rule, {} for these figures. Networks were tested on copies of their \
                 training images, or on patients that they were trained on.",
                kept.test.len()
            );
        }
        if self.test.is_crossed() {
            format!(
                "Cross-validation in {} folds that keep groups together, by {by}: every image was judged once, \
                 by a network and a decision rule made from the other folds. The network of this \
                 folder was then trained in the same way, on {train} images, with {validation} \
                 more to choose the epoch; no images were left to test it.",
                self.folds.tested().len()
            )
        } else {
            format!(
                "Images held out by name, split by {by}: {train} for training, {validation} to choose \
                 epoch and decision rule, {} for these figures, used once.",
                kept.test.len()
            )
        }
    }
}
