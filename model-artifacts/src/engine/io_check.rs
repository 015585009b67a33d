//! Compares a network's inputs and outputs with the manifest: as declared, and as computed.

use super::classifier::Inference;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;
use crate::judgement::evidence::EvidenceMap;
use crate::manifest::schema::Manifest;
use crate::model_files::ModelFiles;

/// Largest deviation of the sum of the softmax outputs from 1.
const SUM_TOLERANCE: f32 = 1e-3;

/// An input or output as the network's file declares it.
#[derive(Clone)]
pub(super) struct Port {
    /// Extents, outermost first; `None` for a dynamic extent.
    pub(super) shape: Vec<Option<usize>>,
    /// Whether its elements are `f32`.
    pub(super) is_f32: bool,
}

/// Refuses a network whose declared inputs and outputs differ from the manifest.
///
/// `file` is the manifest field of the network's file, and `output` finds an output by name.
pub(super) fn check_declared(
    files: &ModelFiles,
    file: &str,
    inputs: &[Port],
    output: impl Fn(&str) -> Option<Port>,
) -> Result<(), ArtifactError> {
    let manifest = files.manifest();
    let refuse = |field: &str, problem: String| ArtifactError::Manifest {
        path: files.manifest_path(),
        field: field.into(),
        problem,
        remedy: format!(
            "the network in {file} is not the one that the manifest describes: export the model again"
        ),
    };
    let [input] = inputs else {
        return Err(refuse(
            "input",
            format!("the network must have one input, it has {}", inputs.len()),
        ));
    };
    let check = |field: &str, port: &Port, expected: &[Option<usize>]| {
        // A dynamic batch size takes the value of the given input.
        let agrees = port.shape.len() == expected.len()
            && port.shape.iter().zip(expected).enumerate().all(
                |(axis, (actual, expected))| match (actual, expected) {
                    (Some(actual), Some(expected)) => actual == expected,
                    (Some(actual), None) => *actual > 0,
                    (None, _) => axis == 0,
                },
            );
        if !port.is_f32 {
            return Err(refuse(field, "the network's elements must be f32".into()));
        }
        if !agrees {
            return Err(refuse(
                field,
                format!(
                    "the network has shape {}, not {}",
                    Extents(&port.shape),
                    Extents(expected)
                ),
            ));
        }
        Ok(())
    };
    check("input", input, &manifest.input.shape().map(Some))?;

    let outputs = &manifest.outputs;
    let wanted = [
        (
            "outputs.probability",
            Some(&outputs.probability),
            &[Some(1), Some(2)][..],
        ),
        (
            "outputs.evidence",
            outputs.evidence.as_ref(),
            &[Some(1), Some(1), None, None],
        ),
    ];
    for (field, name, shape) in wanted {
        let Some(name) = name else { continue };
        let port = output(name)
            .ok_or_else(|| refuse(field, format!("the network has no output `{name}`")))?;
        check(field, &port, shape)?;
    }
    Ok(())
}

/// A shape as text, such as `[1, 3, ?, 100]`.
struct Extents<'a>(&'a [Option<usize>]);

impl std::fmt::Display for Extents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|extent| extent.map_or_else(|| "?".into(), |extent| extent.to_string()))
            .collect();
        write!(f, "[{}]", words.join(", "))
    }
}

/// Refuses an input tensor that does not have the shape of the model's input contract.
pub(super) fn check_input(manifest: &Manifest, input: &Tensor) -> Result<(), String> {
    let shape = manifest.input.shape();
    if input.shape != shape || input.data.len() != shape.iter().product::<usize>() {
        return Err(format!(
            "the input has shape {:?} and {} elements, the model takes {shape:?}",
            input.shape,
            input.data.len()
        ));
    }
    Ok(())
}

/// A computed output.
pub(super) struct Output<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) values: &'a [f32],
}

/// The inference from a network's computed outputs, or what is wrong with them.
pub(super) fn inference(
    manifest: &Manifest,
    probability: &Output,
    evidence: Option<&Output>,
) -> Result<Inference, String> {
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
    let (positive, negative) = match manifest.labels.positive_index {
        0 => (first, second),
        _ => (second, first),
    };
    // The smallest normal number keeps the margin finite where a probability underflows.
    let logarithm = |value: f32| value.max(f32::MIN_POSITIVE).ln();
    Ok(Inference {
        probability: positive.clamp(0.0, 1.0),
        margin: logarithm(positive) - logarithm(negative),
        evidence: evidence.map(evidence_map).transpose()?,
    })
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

    fn manifest(positive_index: usize) -> Manifest {
        let text = include_str!("../../tests/fixtures/tiny/manifest.toml");
        let mut manifest = Manifest::parse(text, "manifest.toml".as_ref()).unwrap();
        manifest.labels.positive_index = positive_index;
        manifest
    }

    fn infer(positive_index: usize, values: &[f32]) -> Result<Inference, String> {
        let probability = Output {
            shape: vec![1, values.len()],
            values,
        };
        inference(&manifest(positive_index), &probability, None)
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
        let probability = Output {
            shape: vec![1, 2],
            values: &[0.5, 0.5],
        };
        let run = |shape: &[usize], values: &[f32]| {
            let evidence = Output {
                shape: shape.to_vec(),
                values,
            };
            inference(&manifest(1), &probability, Some(&evidence))
        };
        let map = run(&[1, 1, 2, 3], &[1.0; 6]).unwrap().evidence.unwrap();
        assert_eq!((map.width, map.height, map.values.len()), (3, 2, 6));
        assert!(run(&[1, 2, 3], &[1.0; 6]).is_err());
        assert!(run(&[1, 2, 1, 3], &[1.0; 6]).is_err());
        assert!(run(&[1, 1, 2, 3], &[1.0; 5]).is_err());
        assert!(run(&[1, 1, 1, 2], &[1.0, f32::NAN]).is_err());
    }
}
