//! A slide: its photographed fields of view and its verdict.

use smearscope_artifacts::{DecisionRule, SlideRule};
use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::verdict::{Judgement, Reason};

/// The slide under the microscope.
#[derive(Debug, Clone, PartialEq)]
pub struct Slide {
    /// Id in the records. Its timestamp is the time at which the slide became the current one.
    id: Uuid,
    number: u32,
    /// Calibrated log-odds of the fields that the model judged.
    log_odds: Vec<f32>,
    /// Fields that the quality gate refused.
    refused: u32,
    /// Fields that could not be saved.
    unsaved: u32,
}

/// Verdict and counts of a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlideSummary {
    /// Number of the slide, from 1; 0 for an image from the network.
    pub slide: u32,
    /// Fields that the model judged.
    pub fields: u32,
    /// Fields that the quality gate refused.
    pub refused: u32,
    /// Fields that could not be saved. They are not in the other counts and do not affect the verdict.
    pub unsaved: u32,
    /// The verdict on the slide.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class, 0 to 1; `None` while there are too few fields.
    pub probability: Option<f32>,
}

impl Slide {
    /// The first slide of an appliance without earlier records.
    pub fn first() -> Self {
        Self::numbered(1)
    }

    /// The slide under which an image from the network is recorded. It is not on the bench.
    pub fn unnumbered() -> Self {
        Self::numbered(0)
    }

    /// The slide after this one.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::numbered(self.number.saturating_add(1))
    }

    /// An untouched slide with this number.
    fn numbered(number: u32) -> Self {
        Self {
            id: Uuid::now_v7(),
            number,
            log_odds: Vec::new(),
            refused: 0,
            unsaved: 0,
        }
    }

    /// Unique id in the records.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Number of the slide, from 1; 0 for an image from the network.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether it is a slide of the bench.
    pub fn is_numbered(&self) -> bool {
        self.number > 0
    }

    /// Gives a slide without a recorded field another number.
    pub fn renumber(&mut self, number: u32) {
        self.number = number;
    }

    /// Number of fields that the model judged.
    pub fn judged(&self) -> u32 {
        self.log_odds.len() as u32
    }

    /// Number of fields that could not be saved.
    pub fn unsaved(&self) -> u32 {
        self.unsaved
    }

    /// Whether no field of it was photographed.
    pub fn is_untouched(&self) -> bool {
        self.photographed() == 0 && self.unsaved == 0
    }

    /// Number of photographed fields, including refused ones, but without those that could not be saved.
    pub fn photographed(&self) -> u32 {
        self.log_odds.len() as u32 + self.refused
    }

    /// Adds a field. A field that the gate refused does not affect the verdict; one on which the model is undecided
    /// does.
    pub fn add(&mut self, analysis: &Analysis) {
        match analysis.log_odds {
            Some(log_odds) => self.log_odds.push(log_odds),
            None => self.refused += 1,
        }
    }

    /// Counts a field that could not be saved. It does not affect the verdict, which must follow from the slide's
    /// records.
    pub fn add_unsaved(&mut self) {
        self.unsaved += 1;
    }

    /// Summarises the slide: `rule` combines the log-odds of its fields, and `decision` judges the result like that of a
    /// single field.
    pub fn summary(&self, rule: SlideRule, decision: &DecisionRule) -> SlideSummary {
        let fields = self.log_odds.len() as u32;
        let decided = rule
            .combine(&self.log_odds)
            .map(|log_odds| decision.decide_log_odds(log_odds));
        let missing = rule.min_fields.saturating_sub(fields).max(1);
        SlideSummary {
            slide: self.number,
            fields,
            refused: self.refused,
            unsaved: self.unsaved,
            judgement: decided.map_or(
                Judgement::inconclusive(Reason::TooFewFields(missing)),
                |decision| Judgement::of(&decision),
            ),
            probability: decided.map(|decision| decision.probability),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::quality::Quality;

    const DECISION: DecisionRule = DecisionRule {
        threshold: 0.5,
        inconclusive: [0.25, 0.75],
        offset: 0.0,
        temperature: 1.0,
    };

    fn slide(fields: &[Option<f32>]) -> Slide {
        let mut slide = Slide::first();
        for &log_odds in fields {
            slide.add(&Analysis {
                judgement: Judgement::inconclusive(Reason::Undecided),
                probability: None,
                log_odds,
                quality: Quality::default(),
                strongest: None,
                overlay: None,
            });
        }
        slide
    }

    #[test]
    fn fields_are_combined_by_the_rule() {
        let rule = SlideRule {
            min_fields: 2,
            correlation: 0.0,
        };
        let one = slide(&[Some(0.6)]).summary(rule, &DECISION);
        assert_eq!(
            one.judgement,
            Judgement::inconclusive(Reason::TooFewFields(1))
        );
        assert_eq!(one.probability, None);
        // Each alone is undecided, but both together are positive: σ(1.2) = 0.77.
        let both = slide(&[Some(0.6), None, Some(0.6)]).summary(rule, &DECISION);
        assert_eq!((both.fields, both.refused), (2, 1));
        assert_eq!(both.judgement, Judgement::POSITIVE);
        assert!((both.probability.unwrap() - 0.768_5).abs() < 1e-4);
        let against = slide(&[Some(0.6), Some(-2.6)]).summary(rule, &DECISION);
        assert_eq!(against.judgement, Judgement::NEGATIVE);
    }

    #[test]
    fn a_slide_without_a_judged_field_has_no_verdict() {
        for slide in [slide(&[]), slide(&[None, None])] {
            let summary = slide.summary(SlideRule::default(), &DECISION);
            let expected = Judgement::inconclusive(Reason::TooFewFields(1));
            assert_eq!(summary.judgement, expected);
        }
        assert_eq!(slide(&[None, Some(1.0)]).photographed(), 2);
        assert_eq!(Slide::first().next().number(), 2);
    }

    #[test]
    fn an_unsaved_field_is_counted_but_does_not_affect_the_verdict() {
        let mut slide = slide(&[Some(1.0)]);
        let before = slide.summary(SlideRule::default(), &DECISION);
        slide.add_unsaved();
        let expected = SlideSummary {
            unsaved: 1,
            ..before
        };
        assert_eq!(slide.summary(SlideRule::default(), &DECISION), expected);
        assert_eq!((slide.photographed(), slide.unsaved()), (1, 1));
        let mut slide = slide.next();
        assert!(slide.is_untouched());
        slide.add_unsaved();
        assert!(!slide.is_untouched(), "the next slide must not inherit it");
    }
}
