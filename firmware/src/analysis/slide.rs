//! A slide: the fields of view that were photographed of it, and what they say together.

use smearscope_artifacts::{DecisionRule, SlideRule};
use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::verdict::{Judgement, Reason};

/// The slide under the microscope.
#[derive(Debug, Clone, PartialEq)]
pub struct Slide {
    /// For records; its time is that of the slide before it was photographed.
    id: Uuid,
    number: u32,
    /// Calibrated log-odds of the fields that the model judged.
    log_odds: Vec<f32>,
    /// Fields that the quality gate refused.
    refused: u32,
    /// Fields that should have been recorded and were not.
    unsaved: u32,
}

/// What a slide's fields say together so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlideSummary {
    /// Which slide, from 1; 0 of an image that was sent to the appliance.
    pub slide: u32,
    /// Fields that the model judged.
    pub fields: u32,
    /// Fields that it was not asked about.
    pub refused: u32,
    /// Fields that could not be recorded: they are none of those, and count for nothing.
    pub unsaved: u32,
    /// The verdict on the slide.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class, 0 to 1; `None` while there are too few fields.
    pub probability: Option<f32>,
}

impl Slide {
    /// The first one.
    pub fn first() -> Self {
        Self::numbered(1)
    }

    /// What an image that was sent to the appliance is recorded as a field of: no slide of the bench.
    pub fn aside() -> Self {
        Self::numbered(0)
    }

    /// The one after this.
    #[must_use]
    pub fn next(&self) -> Self {
        Self::numbered(self.number.saturating_add(1))
    }

    fn numbered(number: u32) -> Self {
        Self {
            id: Uuid::now_v7(),
            number,
            log_odds: Vec::new(),
            refused: 0,
            unsaved: 0,
        }
    }

    /// What no other slide has.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Which one, from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many fields of it the model judged.
    pub fn judged(&self) -> u32 {
        self.log_odds.len() as u32
    }

    /// How many fields of it should have been recorded and were not.
    pub fn unsaved(&self) -> u32 {
        self.unsaved
    }

    /// Whether nothing has been photographed of it.
    pub fn is_untouched(&self) -> bool {
        self.photographed() == 0 && self.unsaved == 0
    }

    /// How many fields were photographed of it, refused ones included, but for those that could not be recorded.
    pub fn photographed(&self) -> u32 {
        self.log_odds.len() as u32 + self.refused
    }

    /// Adds a field. One that the gate refused says nothing about the slide; one that the model is
    /// not sure about says how unsure.
    pub fn add(&mut self, analysis: &Analysis) {
        match analysis.log_odds {
            Some(log_odds) => self.log_odds.push(log_odds),
            None => self.refused += 1,
        }
    }

    /// Counts a field that could not be recorded. What the slide comes to must follow from its records, so that it
    /// says nothing about it.
    pub fn add_unsaved(&mut self) {
        self.unsaved += 1;
    }

    /// What the fields say together: the log-odds that `rule` makes of theirs, judged as those of a field.
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
    fn fields_are_combined_as_the_rule_says() {
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
        // Each alone is undecided, both together are not: σ(1.2) = 0.77.
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
            let standing = slide.summary(SlideRule::default(), &DECISION);
            let expected = Judgement::inconclusive(Reason::TooFewFields(1));
            assert_eq!(standing.judgement, expected);
        }
        assert_eq!(slide(&[None, Some(1.0)]).photographed(), 2);
        assert_eq!(Slide::first().next().number(), 2);
    }

    #[test]
    fn a_field_that_was_not_recorded_counts_for_nothing_and_is_told() {
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
