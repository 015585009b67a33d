//! Examples of results, for `smearscope screens` and for tests.

use std::sync::Arc;
use std::time::Duration;

use smearscope_artifacts::{
    BlastCalls, Cell, CellCall, CellClass, CellSite, CountRule, DecisionRule, FieldCells, Scale,
    SlideRule,
};

use crate::analysis::analyst::Analysis;
use crate::analysis::picture_scale::PictureScale;
use crate::analysis::quality::Quality;
use crate::analysis::reading::{CellsReading, FieldReading, Reading};
use crate::analysis::rule::Rule;
use crate::analysis::verdict::Judgement;

/// Of a model that judges whole fields.
pub(crate) const DECISION: DecisionRule = DecisionRule {
    threshold: 0.5,
    inconclusive: [0.25, 0.75],
    offset: 0.0,
    temperature: 1.0,
};

/// Of the same model.
pub(crate) const FIELD_RULE: Rule = Rule::Field {
    decision: DECISION,
    slide: SlideRule {
        min_fields: 1,
        correlation: 1.0,
    },
};

/// Of a model that counts cells.
pub(crate) const COUNT: CountRule = CountRule {
    share: 0.05,
    min_cells: 200,
    sensitivity: BlastCalls {
        called: 380,
        of: 400,
    },
    false_positives: BlastCalls {
        called: 40,
        of: 4000,
    },
};

/// Of a field with these log-odds.
pub(crate) fn field_reading(log_odds: f32) -> Reading {
    Reading::Field(FieldReading {
        probability: 1.0 / (1.0 + (-log_odds).exp()),
        log_odds,
        strongest: None,
    })
}

/// A field of 1000 × 800 pixels with cells of these calls.
pub(crate) fn counted(calls: &[CellCall]) -> Analysis {
    let class = |name: &str, blast, leukocyte| CellClass {
        name: name.into(),
        blast,
        leukocyte,
    };
    let classes: Arc<[CellClass]> = [
        class("lymphoblast", true, true),
        class("neutrophil", false, true),
        class("not_a_leukocyte", false, false),
    ]
    .into();
    let cell = |(number, &call): (usize, &CellCall)| {
        let class = match call {
            CellCall::Blast => 0,
            CellCall::Artefact => 2,
            CellCall::OtherLeukocyte | CellCall::Novel | CellCall::Contradictory => 1,
        };
        let mut probabilities = vec![0.05; 3];
        probabilities[class] = 0.9;
        Cell {
            site: CellSite {
                x: 50.0 + 30.0 * number as f32,
                y: 400.0,
                diameter: 80.0,
                score: 0.9,
            },
            diameter_um: 12.0,
            probabilities,
            class,
            call,
            figures: None,
            evidence: None,
        }
    };
    let field = FieldCells {
        size: [1000, 800],
        scale: Ok(Scale::Given(0.15)),
        red_cells: Vec::new(),
        cells: calls.iter().enumerate().map(cell).collect(),
        search: Duration::ZERO,
    };
    let decision = COUNT.decide(field.count());
    Analysis {
        judgement: Judgement::of_count(&decision),
        reading: Some(Reading::Cells(CellsReading {
            is_new: vec![true; field.cells.len()],
            field: Arc::new(field),
            classes,
            decision: Some(decision.into()),
        })),
        scale: Some(PictureScale::stated(0.15)),
        quality: Quality::default(),
        overlay: None,
    }
}
