//! Compares a network's inputs and outputs with its interface.

use super::interface::Interface;
use super::network_files::NetworkFiles;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;

/// An input or output as the network's file declares it.
#[derive(Clone)]
pub(super) struct Port {
    /// Extents, outermost first; `None` for a dynamic extent.
    pub(super) shape: Vec<Option<usize>>,
    /// Whether its elements are `f32`.
    pub(super) is_f32: bool,
}

/// Refuses a network whose declared inputs and outputs differ from the interface.
///
/// `file` is the manifest field of the network's file, and `output` finds an output by name.
pub(super) fn check_declared(
    files: &NetworkFiles,
    interface: &Interface,
    file: &str,
    inputs: &[Port],
    output: impl Fn(&str) -> Option<Port>,
) -> Result<(), ArtifactError> {
    let refuse = |field: &str, problem: String| ArtifactError::Manifest {
        path: files.manifest.clone(),
        field: field.into(),
        problem,
        remedy: format!(
            "the network in {file} is not the one that the manifest describes: export the model again"
        ),
    };
    let [input] = inputs else {
        return Err(refuse(
            interface.input_field,
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
    check(
        interface.input_field,
        input,
        &interface.input_shape.map(Some),
    )?;
    for wanted in &interface.outputs {
        let port = output(&wanted.name).ok_or_else(|| {
            refuse(
                wanted.field,
                format!("the network has no output `{}`", wanted.name),
            )
        })?;
        check(wanted.field, &port, &wanted.shape)?;
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

/// Refuses an input tensor that does not have the shape of the interface.
pub(super) fn check_input(interface: &Interface, input: &Tensor) -> Result<(), String> {
    let shape = interface.input_shape;
    if input.shape != shape || input.data.len() != shape.iter().product::<usize>() {
        return Err(format!(
            "the input has shape {:?} and {} elements, the model takes {shape:?}",
            input.shape,
            input.data.len()
        ));
    }
    Ok(())
}
