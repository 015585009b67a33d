//! What is recorded of cells and of their counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smearscope_artifacts::{BlastCalls, Cell, CellCount, CellFigures, CountDecision, CountRule};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::analysis::reading::CellsReading;

/// A count of leukocytes, and what it gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Count, example = json!({
    "cells": 140, "blasts": 12, "unclear": 3, "share": 0.078, "interval": [0.034, 0.14], "deciding_share": 0.05,
    "min_cells": 200, "fewest_cells": 20, "words": "12 of 140, 7.8 % (3.4–14); 3 unclear",
}))]
pub struct CountEntry {
    /// Number of leukocytes that are counted, blasts among them.
    pub cells: u32,
    /// Number of those that the model takes for blasts.
    pub blasts: u32,
    /// Number of leukocytes that are in neither number, because nothing can be said about them.
    pub unclear: u32,
    /// Estimated share of blasts, 0 to 1, with the networks' measured errors taken out; null if nothing is known.
    #[schema(required, minimum = 0, maximum = 1)]
    pub share: Option<f64>,
    /// Its 95 % interval.
    pub interval: [f64; 2],
    /// Share of blasts that decides: positive if the interval lies above it, negative if it lies below.
    pub deciding_share: f64,
    /// Number of cells that a negative verdict needs.
    pub min_cells: u32,
    /// Number of cells that a positive verdict needs.
    pub fewest_cells: u32,
    /// All of it as screen, page and command line show it.
    pub words: String,
}

/// The rule by which a count became a verdict: a count and these numbers give its share, interval and verdict again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CountRule)]
pub struct CountRuleEntry {
    /// Share of blasts among leukocytes that decides.
    pub share: f64,
    /// Number of cells that a negative verdict needs.
    pub min_cells: u32,
    /// Number of cells that a positive verdict needs.
    pub fewest_cells: u32,
    /// How many of the blasts on which the networks were measured they called blasts.
    pub sensitivity: BlastCallsEntry,
    /// How many of the other leukocytes on which the networks were measured they called blasts.
    pub false_positives: BlastCallsEntry,
}

/// How often networks call a cell a blast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = BlastCalls)]
pub struct BlastCallsEntry {
    /// Number of cells that were called blasts.
    pub called: u32,
    /// Number of cells that were looked at.
    pub of: u32,
}

/// A cell of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Cell, example = json!({
    "number": 1, "x": 812.5, "y": 344.0, "diameter": 80.7, "diameter_um": 12.1, "class": "lymphoblast", "call": "blast",
    "blast_probability": 0.97, "probabilities": {"lymphoblast": 0.97, "lymphocyte": 0.03}, "figures": null, "new": true,
}))]
pub struct CellEntry {
    /// Its number within the field, from 1, the surest find first.
    pub number: u32,
    /// Column of its centre in pixels of the field's image.
    pub x: f32,
    /// Row of its centre.
    pub y: f32,
    /// Its diameter in pixels.
    pub diameter: f32,
    /// Its diameter in µm.
    pub diameter_um: f32,
    /// The class that is most probable.
    pub class: String,
    /// What it counts as: `blast` or `other_leukocyte`; or nothing: `artefact`, or, as unclear, `novel` (unlike all cells that
    /// the model learned from) and `contradictory` (network and measured figures contradict each other).
    pub call: String,
    /// Calibrated probability that it is a blast, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub blast_probability: f32,
    /// Calibrated probability of each class; they sum to 1.
    pub probabilities: BTreeMap<String, f32>,
    /// What was measured at it without a network; null if nothing there looks like a nucleus.
    #[schema(required, value_type = Option<Object>)]
    pub figures: Option<CellFigures>,
    /// Whether no earlier field of the slide shows it. A cell counts once.
    pub new: bool,
}

/// The cells of a recorded field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellsEntry {
    /// The field's id.
    pub field: Uuid,
    /// The surest find first.
    pub cells: Vec<CellEntry>,
}

impl CountEntry {
    /// The entry of a count.
    pub fn new(decision: &CountDecision) -> Self {
        let CellCount {
            cells,
            blasts,
            unclear,
        } = decision.count;
        Self {
            cells,
            blasts,
            unclear,
            share: decision.share,
            interval: decision.interval,
            deciding_share: decision.rule.share,
            min_cells: decision.rule.min_cells,
            fewest_cells: CountRule::FEWEST_CELLS,
            words: decision.words(),
        }
    }
}

impl From<&CountEntry> for CellCount {
    fn from(count: &CountEntry) -> Self {
        Self {
            cells: count.cells,
            blasts: count.blasts,
            unclear: count.unclear,
        }
    }
}

impl From<&CountRule> for CountRuleEntry {
    fn from(rule: &CountRule) -> Self {
        let calls = |BlastCalls { called, of }| BlastCallsEntry { called, of };
        Self {
            share: rule.share,
            min_cells: rule.min_cells,
            fewest_cells: CountRule::FEWEST_CELLS,
            sensitivity: calls(rule.sensitivity),
            false_positives: calls(rule.false_positives),
        }
    }
}

impl From<&CountRuleEntry> for CountRule {
    fn from(rule: &CountRuleEntry) -> Self {
        let calls = |BlastCallsEntry { called, of }| BlastCalls { called, of };
        Self {
            share: rule.share,
            min_cells: rule.min_cells,
            sensitivity: calls(rule.sensitivity),
            false_positives: calls(rule.false_positives),
        }
    }
}

impl CellEntry {
    /// The entries of the cells of a field.
    pub fn of(reading: &CellsReading) -> Vec<Self> {
        let cells = reading.field.cells.iter().zip(&reading.is_new).zip(1..);
        cells
            .map(|((cell, is_new), number)| Self::new(reading, cell, *is_new, number))
            .collect()
    }

    fn new(reading: &CellsReading, cell: &Cell, is_new: bool, number: u32) -> Self {
        let probabilities = reading.classes.iter().zip(&cell.probabilities);
        Self {
            number,
            x: cell.site.x,
            y: cell.site.y,
            diameter: cell.site.diameter,
            diameter_um: cell.diameter_um,
            class: reading.class(cell).into(),
            call: cell.call.name().into(),
            blast_probability: reading.blast_probability(cell),
            probabilities: probabilities
                .map(|(class, probability)| (class.name.clone(), *probability))
                .collect(),
            figures: cell.figures,
            new: is_new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::examples::COUNT;

    #[test]
    fn a_count_follows_from_its_recorded_rule() {
        let decision = COUNT.decide(CellCount {
            cells: 140,
            blasts: 12,
            unclear: 3,
        });
        let entry = CountEntry::new(&decision);
        let json = serde_json::to_string(&CountRuleEntry::from(&COUNT)).unwrap();
        let rule: CountRuleEntry = serde_json::from_str(&json).unwrap();
        let again = CountRule::from(&rule).decide((&entry).into());
        assert_eq!(again, decision);
        assert_eq!(CountEntry::new(&again), entry);
        assert_eq!(entry.words, decision.words());
    }
}
