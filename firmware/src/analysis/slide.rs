//! A slide: its photographed fields of view and its verdict.

use smearscope_artifacts::{CellCount, CountDecision, SlideCells};
use uuid::Uuid;

use crate::analysis::analyst::Analysis;
use crate::analysis::reading::{CellsReading, Reading};
use crate::analysis::rule::Rule;
use crate::analysis::verdict::{Judgement, Reason};

/// The slide under the microscope.
#[derive(Debug, Clone, PartialEq)]
pub struct Slide {
    /// Id in the records. Its timestamp is the time at which the slide became the current one.
    id: Uuid,
    number: u32,
    /// Calibrated log-odds of the fields that a model for whole fields judged.
    log_odds: Vec<f32>,
    cells: CountedFields,
    /// Fields that say nothing: the quality gate refused them, or no leukocyte could be counted.
    refused: u32,
    /// Fields that could not be saved.
    unsaved: u32,
}

/// The fields whose cells were counted.
#[derive(Debug, Clone, PartialEq, Default)]
struct CountedFields {
    fields: u32,
    /// To tell which cells of the next field were counted before.
    seen: SlideCells,
    /// The cells of all fields, each once.
    count: CellCount,
    /// Leukocytes that a field showed again.
    seen_again: u32,
}

/// Verdict and counts of a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlideSummary {
    /// Number of the slide, from 1; 0 for an image from the network.
    pub slide: u32,
    /// Fields that count: the model judged them, or at least one leukocyte was found.
    pub fields: u32,
    /// Fields that say nothing: the quality gate refused them, or no leukocyte could be counted.
    pub refused: u32,
    /// Fields that could not be saved. They are not in the other counts and do not affect the verdict.
    pub unsaved: u32,
    /// The verdict on the slide.
    pub judgement: Judgement,
    /// Calibrated probability of the positive class, 0 to 1; `None` while there are too few fields, and if cells are
    /// counted.
    pub probability: Option<f32>,
    /// The cells of all fields, each once, and what they give; `None` if whole fields are judged.
    pub count: Option<CountDecision>,
    /// Leukocytes that more than one field shows, beyond the first time.
    pub seen_again: u32,
}

impl SlideSummary {
    /// Verdict and result in words: `Negative 2 of 214, 0 % (0–1.7)` or `Positive p=0.973`.
    pub fn words(&self) -> String {
        let verdict = self.judgement.verdict().as_str();
        match (&self.count, self.probability) {
            (Some(count), _) => format!("{verdict} {}", count.words()),
            (None, Some(probability)) => format!("{verdict} p={probability:.3}"),
            (None, None) => verdict.into(),
        }
    }
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
            cells: CountedFields::default(),
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

    /// Number of fields that count.
    pub fn judged(&self) -> u32 {
        self.log_odds.len() as u32 + self.cells.fields
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
        self.judged() + self.refused
    }

    /// Adds a field, and marks which of its cells are new on the slide. A field that says nothing does not affect the
    /// verdict; one on which the model is undecided does.
    pub fn add(&mut self, analysis: &mut Analysis) {
        let counts = analysis.counts();
        match &mut analysis.reading {
            Some(Reading::Field(field)) => self.log_odds.push(field.log_odds),
            Some(Reading::Cells(cells)) if counts => self.cells.add(cells),
            Some(Reading::Cells(_)) | None => self.refused += 1,
        }
    }

    /// Counts a picture that could not be analysed.
    pub(crate) fn add_refused(&mut self) {
        self.refused += 1;
    }

    /// Counts a field that could not be saved. It does not affect the verdict, which must follow from the slide's
    /// records.
    pub fn add_unsaved(&mut self) {
        self.unsaved += 1;
    }

    /// Summarises the slide by the rule of the model: the combined log-odds of its fields are judged like those of a single
    /// field, and all its cells are one count.
    pub fn summary(&self, rule: &Rule) -> SlideSummary {
        let too_few = |missing: u32| Judgement::inconclusive(Reason::TooFewFields(missing.max(1)));
        let (judgement, probability, count) = match rule {
            Rule::Field { decision, slide } => {
                let decided = slide
                    .combine(&self.log_odds)
                    .map(|log_odds| decision.decide_log_odds(log_odds));
                let missing = slide.min_fields.saturating_sub(self.judged());
                let judgement = decided.map_or(too_few(missing), |decided| Judgement::of(&decided));
                (judgement, decided.map(|decided| decided.probability), None)
            }
            Rule::Cells(rule) => {
                let decided = rule.decide(self.cells.count);
                let judgement = if self.cells.fields == 0 {
                    too_few(1)
                } else {
                    Judgement::of_count(&decided)
                };
                (judgement, None, Some(decided))
            }
        };
        SlideSummary {
            slide: self.number,
            fields: self.judged(),
            refused: self.refused,
            unsaved: self.unsaved,
            judgement,
            probability,
            count,
            seen_again: self.cells.seen_again,
        }
    }
}

impl CountedFields {
    /// Counts the cells of a field that no earlier field shows.
    fn add(&mut self, cells: &mut CellsReading) {
        let added = self.seen.add(&cells.field);
        cells.is_new = added.is_new;
        self.fields += 1;
        self.count.cells = self.count.cells.saturating_add(added.count.cells);
        self.count.blasts = self.count.blasts.saturating_add(added.count.blasts);
        self.count.unclear = self.count.unclear.saturating_add(added.count.unclear);
        self.seen_again = self.seen_again.saturating_add(cells.seen_before() as u32);
    }
}

#[cfg(test)]
mod tests {
    use smearscope_artifacts::{CellCall, SlideRule};

    use super::*;
    use crate::analysis::examples::{COUNT, DECISION, FIELD_RULE, counted, field_reading};
    use crate::analysis::quality::Quality;

    fn slide(fields: &[Option<f32>]) -> Slide {
        let mut slide = Slide::first();
        for &log_odds in fields {
            slide.add(&mut Analysis {
                judgement: Judgement::inconclusive(Reason::Undecided),
                reading: log_odds.map(field_reading),
                scale: None,
                quality: Quality::default(),
                overlay: None,
            });
        }
        slide
    }

    #[test]
    fn fields_are_combined_by_the_rule() {
        let rule = Rule::Field {
            decision: DECISION,
            slide: SlideRule {
                min_fields: 2,
                correlation: 0.0,
            },
        };
        let one = slide(&[Some(0.6)]).summary(&rule);
        assert_eq!(
            one.judgement,
            Judgement::inconclusive(Reason::TooFewFields(1))
        );
        assert_eq!(one.probability, None);
        // Each alone is undecided, but both together are positive: σ(1.2) = 0.77.
        let both = slide(&[Some(0.6), None, Some(0.6)]).summary(&rule);
        assert_eq!((both.fields, both.refused), (2, 1));
        assert_eq!(both.judgement, Judgement::POSITIVE);
        assert!((both.probability.unwrap() - 0.768_5).abs() < 1e-4);
        let against = slide(&[Some(0.6), Some(-2.6)]).summary(&rule);
        assert_eq!(against.judgement, Judgement::NEGATIVE);
    }

    #[test]
    fn a_slide_without_a_judged_field_has_no_verdict() {
        for slide in [slide(&[]), slide(&[None, None])] {
            let summary = slide.summary(&FIELD_RULE);
            let expected = Judgement::inconclusive(Reason::TooFewFields(1));
            assert_eq!(summary.judgement, expected);
        }
        assert_eq!(slide(&[None, Some(1.0)]).photographed(), 2);
        assert_eq!(Slide::first().next().number(), 2);
    }

    #[test]
    fn cells_of_all_fields_are_one_count() {
        use CellCall::{Artefact, Blast, Novel, OtherLeukocyte};
        let rule = Rule::Cells(COUNT);
        let mut slide = Slide::first();
        let untouched = slide.summary(&rule);
        let expected = Judgement::inconclusive(Reason::TooFewFields(1));
        assert_eq!(untouched.judgement, expected);
        // A field without a leukocyte says nothing.
        for nothing in [&[][..], &[Artefact]] {
            slide.add(&mut counted(nothing));
        }
        let mut calls = vec![OtherLeukocyte; 15];
        calls.extend([Blast, Blast, Novel, Artefact]);
        slide.add(&mut counted(&calls));
        slide.add(&mut counted(&[OtherLeukocyte; 3]));
        let summary = slide.summary(&rule);
        assert_eq!((summary.fields, summary.refused), (2, 2));
        let count = summary.count.unwrap();
        let CellCount {
            cells,
            blasts,
            unclear,
        } = count.count;
        assert_eq!((cells, blasts, unclear), (20, 2, 1));
        assert_eq!(count, COUNT.decide(count.count));
        let too_few = Reason::TooFewCells {
            counted: 20,
            needed: 200,
        };
        assert_eq!(summary.judgement, Judgement::inconclusive(too_few));
        for _ in 0..12 {
            slide.add(&mut counted(&[OtherLeukocyte; 40]));
        }
        assert_eq!(slide.summary(&rule).judgement, Judgement::NEGATIVE);
        for _ in 0..12 {
            slide.add(&mut counted(&[Blast; 20]));
        }
        assert_eq!(slide.summary(&rule).judgement, Judgement::POSITIVE);
        assert_eq!((slide.judged(), slide.photographed()), (26, 28));
    }

    #[test]
    fn an_unsaved_field_is_counted_but_does_not_affect_the_verdict() {
        let mut slide = slide(&[Some(1.0)]);
        let before = slide.summary(&FIELD_RULE);
        slide.add_unsaved();
        let expected = SlideSummary {
            unsaved: 1,
            ..before
        };
        assert_eq!(slide.summary(&FIELD_RULE), expected);
        assert_eq!((slide.photographed(), slide.unsaved()), (1, 1));
        let mut slide = slide.next();
        assert!(slide.is_untouched());
        slide.add_unsaved();
        assert!(!slide.is_untouched(), "the next slide must not inherit it");
    }
}
