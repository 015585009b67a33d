//! From the outputs of a network that looks at a whole field to its result.

use crate::engine::network::{Output, Outputs};
use crate::judgement::evidence::EvidenceMap;
use crate::manifest::field::FieldModel;

/// Largest deviation of the sum of the softmax outputs from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// A network's result for one field, before calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// Softmax output of the positive class, 0 to 1.
    pub probability: f32,
    /// Logit margin: positive logit − negative logit. It is more precise than the probability, which
    /// `f32` rounds to 1 for large margins.
    pub margin: f32,
    /// Contribution of each position to the margin; `None` if the network has no such output.
    pub evidence: Option<EvidenceMap>,
}

/// How the outputs of a model's network are read.
#[derive(Debug)]
pub(super) struct OutputReader {
    /// Name of the softmax output.
    probability: String,
    /// Name of the evidence map, if there is one.
    evidence: Option<String>,
    positive_index: usize,
}

impl OutputReader {
    pub(super) fn new(model: &FieldModel) -> Self {
        Self {
            probability: model.outputs.probability.clone(),
            evidence: model.outputs.evidence.clone(),
            positive_index: model.labels.positive_index,
        }
    }

    /// The inference from the computed outputs, or what is wrong with them.
    pub(super) fn read(&self, outputs: &Outputs) -> Result<Inference, String> {
        let find = |name: &str| {
            let output = outputs.get(name);
            output.ok_or_else(|| format!("the engine gives no output `{name}`"))
        };
        let probability = find(&self.probability)?;
        let &[first, second] = probability.values else {
            return Err(format!(
                "the probability has shape {:?}, not [1, 2]",
                probability.shape
            ));
        };
        let in_range = |value: f32| (-SUM_TOLERANCE..=1.0 + SUM_TOLERANCE).contains(&value);
        let is_softmax =
            in_range(first) && in_range(second) && (first + second - 1.0).abs() <= SUM_TOLERANCE;
        if !is_softmax {
            return Err(format!(
                "{first} and {second} are not probabilities that add up to 1"
            ));
        }
        let (positive, negative) = match self.positive_index {
            0 => (first, second),
            _ => (second, first),
        };
        // The smallest normal number keeps the margin finite where a probability underflows.
        let logarithm = |value: f32| value.max(f32::MIN_POSITIVE).ln();
        let evidence = self.evidence.as_deref().map(find).transpose()?;
        Ok(Inference {
            probability: positive.clamp(0.0, 1.0),
            margin: logarithm(positive) - logarithm(negative),
            evidence: evidence.map(evidence_map).transpose()?,
        })
    }
}

fn evidence_map(output: &Output) -> Result<EvidenceMap, String> {
    let &[1, 1, height, width] = output.shape.as_slice() else {
        return Err(format!(
            "the evidence map has shape {:?}, not [1, 1, h, w]",
            output.shape
        ));
    };
    if output.values.len() != width * height || output.values.iter().any(|v| !v.is_finite()) {
        return Err("the evidence map has missing values or values that are not finite".into());
    }
    Ok(EvidenceMap {
        width,
        height,
        values: output.values.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(positive_index: usize, evidence: Option<&str>) -> OutputReader {
        OutputReader {
            probability: "probability".into(),
            evidence: evidence.map(ToOwned::to_owned),
            positive_index,
        }
    }

    fn output<'a>(name: &'a str, shape: &[usize], values: &'a [f32]) -> Output<'a> {
        Output {
            name,
            shape: shape.to_vec(),
            values,
        }
    }

    fn infer(positive_index: usize, values: &[f32]) -> Result<Inference, String> {
        let probability = output("probability", &[1, values.len()], values);
        reader(positive_index, None).read(&Outputs::new(vec![probability]))
    }

    #[test]
    fn the_positive_index_chooses_the_class() {
        let result = infer(1, &[0.2, 0.8]).unwrap();
        assert!((result.probability - 0.8).abs() < 1e-7);
        assert!((result.margin - 4.0_f32.ln()).abs() < 1e-6);
        let result = infer(0, &[0.2, 0.8]).unwrap();
        assert!((result.probability - 0.2).abs() < 1e-7);
        assert!((result.margin + 4.0_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn the_margin_stays_finite_where_probabilities_underflow() {
        let result = infer(1, &[0.0, 1.0]).unwrap();
        assert!(result.margin > 80.0 && result.margin.is_finite());
        let result = infer(1, &[1.0, -1e-9]).unwrap();
        assert!(result.margin < -80.0 && result.margin.is_finite());
        assert!(result.probability.abs() < 1e-12);
    }

    #[test]
    fn outputs_that_are_not_a_softmax_are_refused() {
        for values in [
            &[f32::NAN, 0.5][..],
            &[f32::INFINITY, f32::NEG_INFINITY],
            &[0.5, 0.502],
            &[0.0, 0.0],
            &[-0.5, 1.5],
            &[2.5, -1.5],
            &[1.0],
            &[0.3, 0.3, 0.4],
            &[],
        ] {
            assert!(infer(1, values).is_err(), "{values:?}");
        }
        assert!(infer(1, &[0.5, 0.5005]).is_ok());
    }

    #[test]
    fn evidence_must_be_a_finite_map() {
        let reader = reader(1, Some("evidence"));
        let probability = output("probability", &[1, 2], &[0.5, 0.5]);
        let run = |shape: &[usize], values: &[f32]| {
            let evidence = output("evidence", shape, values);
            reader.read(&Outputs::new(vec![evidence, probability.clone()]))
        };
        let map = run(&[1, 1, 2, 3], &[1.0; 6]).unwrap().evidence.unwrap();
        assert_eq!((map.width, map.height, map.values.len()), (3, 2, 6));
        assert!(run(&[1, 2, 3], &[1.0; 6]).is_err());
        assert!(run(&[1, 2, 1, 3], &[1.0; 6]).is_err());
        assert!(run(&[1, 1, 2, 3], &[1.0; 5]).is_err());
        assert!(run(&[1, 1, 1, 2], &[1.0, f32::NAN]).is_err());
    }

    #[test]
    fn an_output_that_an_engine_leaves_out_is_an_error() {
        let evidence = output("evidence", &[1, 1, 1, 1], &[1.0]);
        let probability = output("probability", &[1, 2], &[0.5, 0.5]);
        for (given, missing) in [(evidence, "probability"), (probability, "evidence")] {
            let outputs = Outputs::new(vec![given]);
            let problem = reader(1, Some("evidence")).read(&outputs).unwrap_err();
            assert_eq!(problem, format!("the engine gives no output `{missing}`"));
        }
    }
}
