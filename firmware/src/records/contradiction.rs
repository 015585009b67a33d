//! Whether what was recorded of a field follows from the rest of its record.

use smearscope_artifacts::{CellCall, CellCount, CountRule, Decision, DecisionRule, Verdict};

use crate::records::cells_entry::{CellsEntry, CountEntry};
use crate::records::entry::FieldEntry;

/// How far a recorded probability may be from that of the recorded log-odds: other machines round differently.
const ROUNDING: f32 = 1e-5;

/// What a cell can count as.
const CALLS: [CellCall; 5] = [
    CellCall::Blast,
    CellCall::OtherLeukocyte,
    CellCall::Artefact,
    CellCall::Novel,
    CellCall::Contradictory,
];

impl FieldEntry {
    /// What does not follow from the rest of the row, in words: the probability from the log-odds, the verdict from the log-odds
    /// or the count, and the verdict on the slide so far from its count. What earlier versions did not record is not checked, nor
    /// is a field that the quality gate refused.
    pub(super) fn contradictions(&self) -> Vec<String> {
        let decision = self.decision();
        let probability = self
            .probability
            .zip(decision)
            .filter(|(recorded, decision)| (recorded - decision.probability).abs() > ROUNDING)
            .map(|(recorded, decision)| {
                let derived = decision.probability;
                format!("its probability is {recorded}, but its log-odds give {derived}")
            });
        let verdict = decision
            .map(|decision| decision.verdict)
            .or_else(|| self.verdict_of(self.count.as_ref()))
            .filter(|derived| *derived != self.verdict)
            .map(|derived| {
                format!(
                    "its verdict is {}, but its rule gives {derived}",
                    self.verdict
                )
            });
        let standing = &self.standing;
        let of_slide = self
            .verdict_of(standing.count.as_ref())
            .filter(|derived| *derived != standing.verdict)
            .map(|derived| {
                format!(
                    "the verdict on its slide is {}, but its rule gives {derived}",
                    standing.verdict
                )
            });
        [probability, verdict, of_slide]
            .into_iter()
            .flatten()
            .map(|contradiction| format!("field {}: {contradiction}", self.id))
            .collect()
    }

    /// What the log-odds of a whole field give.
    fn decision(&self) -> Option<Decision> {
        let rule = DecisionRule {
            threshold: self.threshold?,
            inconclusive: self.inconclusive_band?,
            // The log-odds are calibrated already.
            offset: 0.0,
            temperature: 1.0,
        };
        Some(rule.decide_log_odds(self.log_odds?))
    }

    /// What a count gives by the rule of the field's model; `None` also if that was the rule of another version.
    fn verdict_of(&self, count: Option<&CountEntry>) -> Option<Verdict> {
        let rule = self
            .count_rule
            .filter(|rule| rule.fewest_cells == CountRule::FEWEST_CELLS)?;
        let decision = CountRule::from(&rule).decide(count?.into());
        Some(decision.verdict)
    }
}

impl CellsEntry {
    /// In which way the recorded count of their field is not that of the cells, in words. A field's count has all its cells,
    /// also those that an earlier field of the slide shows. A call of another version is not checked.
    pub(super) fn contradiction(&self, recorded: &CountEntry) -> Option<String> {
        let (recorded, derived) = (CellCount::from(recorded), self.count()?);
        (recorded != derived).then(|| {
            format!(
                "field {}: its count is {}, but its cells give {}",
                self.field,
                in_words(recorded),
                in_words(derived)
            )
        })
    }

    /// The count of the cells; `None` if one has an unknown call.
    fn count(&self) -> Option<CellCount> {
        let mut count = CellCount::default();
        for cell in &self.cells {
            let call = CALLS.into_iter().find(|call| call.name() == cell.call)?;
            count.cells += u32::from(call.counts());
            count.blasts += u32::from(call == CellCall::Blast);
            count.unclear += u32::from(call.is_unclear());
        }
        Some(count)
    }
}

fn in_words(count: CellCount) -> String {
    let CellCount {
        cells,
        blasts,
        unclear,
    } = count;
    format!("{blasts} of {cells} and {unclear} unclear")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::examples::{COUNT, counted};
    use crate::records::cells_entry::CellEntry;
    use crate::records::testing::Records;
    use crate::records::verify::DamagedPart;

    /// Cells of a field: blasts, and twice as many that are none, with one unclear cell and one artefact.
    fn calls(blasts: usize) -> Vec<CellCall> {
        let mut calls = vec![CellCall::Blast; blasts];
        calls.extend(vec![CellCall::OtherLeukocyte; 2 * blasts]);
        calls.extend([CellCall::Novel, CellCall::Artefact]);
        calls
    }

    /// Records a field with these cells after `change`, and returns what the verification says about it, without its id.
    fn problems_of(calls: &[CellCall], change: impl FnOnce(&mut FieldEntry)) -> Vec<String> {
        let mut records = Records::new();
        let analysis = counted(calls);
        let entries = CellEntry::of(analysis.cells().unwrap());
        let id = records
            .put_changed(1, Some(&entries), |entry| {
                let count = analysis.count().map(CountEntry::new);
                entry.verdict = analysis.judgement.verdict();
                (entry.threshold, entry.inconclusive_band) = (None, None);
                (entry.probability, entry.log_odds) = (None, None);
                entry.count_rule = Some((&COUNT).into());
                entry.standing.verdict = entry.verdict;
                entry.standing.count.clone_from(&count);
                entry.count = count;
                change(entry);
            })
            .unwrap();
        contradictions(&records, &format!("field {id}: "))
    }

    fn contradictions(records: &Records, prefix: &str) -> Vec<String> {
        let verified = records.archive().verify(None, &mut |_, _| ()).unwrap();
        let problems = verified.damages.iter().map(|damage| {
            assert_eq!(damage.part, DamagedPart::Contradiction, "{damage:?}");
            damage.problem.strip_prefix(prefix).unwrap().to_owned()
        });
        problems.collect()
    }

    #[test]
    fn a_count_and_a_verdict_that_follow_are_no_damage() {
        for blasts in [0, 1, 20] {
            assert_eq!(problems_of(&calls(blasts), |_| ()), [""; 0]);
        }
    }

    #[test]
    fn a_count_that_its_cells_do_not_give_is_found() {
        let change = |entry: &mut FieldEntry| entry.count.as_mut().unwrap().blasts = 19;
        assert_eq!(
            problems_of(&calls(20), change),
            ["its count is 19 of 60 and 1 unclear, but its cells give 20 of 60 and 1 unclear"]
        );
        // Cells that an earlier field shows, too, are part of the field's count.
        let cells = CellsEntry {
            field: uuid::Uuid::nil(),
            cells: CellEntry::of(counted(&calls(20)).cells().unwrap())
                .into_iter()
                .map(|cell| CellEntry { new: false, ..cell })
                .collect(),
        };
        let count = CountEntry::new(counted(&calls(20)).count().unwrap());
        assert_eq!(cells.contradiction(&count), None);
        let mut of_another_version = cells.clone();
        of_another_version.cells[0].call = "smudge".into();
        assert_eq!(of_another_version.contradiction(&count), None);
    }

    #[test]
    fn verdicts_that_the_counts_do_not_give_are_found() {
        let change = |entry: &mut FieldEntry| entry.verdict = Verdict::Negative;
        assert_eq!(
            problems_of(&calls(20), change),
            ["its verdict is Negative, but its rule gives Positive"]
        );
        let change = |entry: &mut FieldEntry| entry.standing.verdict = Verdict::Inconclusive;
        assert_eq!(
            problems_of(&calls(20), change),
            ["the verdict on its slide is Inconclusive, but its rule gives Positive"]
        );
        // Another version may have decided by another number of cells.
        let change = |entry: &mut FieldEntry| {
            entry.count_rule.as_mut().unwrap().fewest_cells = 100;
            entry.verdict = Verdict::Inconclusive;
        };
        assert_eq!(problems_of(&calls(20), change), [""; 0]);
    }

    #[test]
    fn a_verdict_on_a_whole_field_that_its_log_odds_do_not_give_is_found() {
        let problems = |change: fn(&mut FieldEntry)| {
            let mut records = Records::new();
            let id = records.put_changed(1, None, change).unwrap();
            contradictions(&records, &format!("field {id}: "))
        };
        assert_eq!(problems(|_| ()), [""; 0]);
        assert_eq!(
            problems(|entry| entry.verdict = Verdict::Inconclusive),
            ["its verdict is Inconclusive, but its rule gives Positive"]
        );
        let found = problems(|entry| entry.probability = Some(0.9));
        assert_eq!(
            found,
            ["its probability is 0.9, but its log-odds give 0.7502601"]
        );
        // The quality gate refused it, or an earlier version recorded no band.
        assert_eq!(
            problems(|entry| {
                (entry.probability, entry.log_odds) = (None, None);
                entry.verdict = Verdict::Inconclusive;
            }),
            [""; 0]
        );
        assert_eq!(
            problems(|entry| {
                entry.inconclusive_band = None;
                entry.verdict = Verdict::Negative;
            }),
            [""; 0]
        );
    }
}
