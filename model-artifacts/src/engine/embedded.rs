//! The engine that is part of the program: rten, reading ONNX.

use std::sync::Arc;

use rten::{
    DataType, Dimension, Model, NodeId, RunOptions, ThreadPool, Value, ValueType, ValueView,
};
use rten_tensor::Layout;

use super::ports::{self, Output, Port};
use super::{Classifier, EngineConfig, EngineInfo, Inference};
use crate::{ArtifactError, Manifest, ModelFiles, Tensor};

pub(super) const NAME: &str = "embedded";
/// rten does not say its version; a test compares this with `Cargo.lock`.
const VERSION: &str = "rten 0.27.0";

/// A network in memory.
pub(super) struct Embedded {
    network: Model,
    input: NodeId,
    /// The probability, then the evidence map where the model has one.
    outputs: Vec<NodeId>,
    threads: Option<Arc<ThreadPool>>,
    manifest: Manifest,
    info: EngineInfo,
}

impl Embedded {
    /// Reads the model's ONNX.
    pub(super) fn start(files: &ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let unusable = |problem: String, remedy: &str| ArtifactError::Engine {
            engine: NAME,
            problem,
            remedy: remedy.into(),
        };
        let Some(onnx) = files.onnx() else {
            return Err(unusable(
                "the model has no ONNX file".into(),
                "export the model with files.onnx, or run scripts/setup to use OpenVINO",
            ));
        };
        let network = Model::load(onnx.to_vec())
            .map_err(|error| unusable(format!("files.onnx: {error}"), "export the model again"))?;

        let inputs: Vec<Port> = network
            .input_ids()
            .iter()
            .map(|id| port(&network, *id))
            .collect();
        let find = |name: &str| {
            network
                .find_node(name)
                .filter(|id| network.output_ids().contains(id))
        };
        ports::check(files, "files.onnx", &inputs, |name| {
            find(name).map(|id| port(&network, id))
        })?;
        let manifest = files.manifest();
        let names = [
            Some(&manifest.outputs.probability),
            manifest.outputs.evidence.as_ref(),
        ];
        let outputs = names
            .into_iter()
            .flatten()
            .filter_map(|name| find(name))
            .collect();

        Ok(Self {
            input: network.input_ids()[0],
            outputs,
            network,
            threads: config
                .threads
                .map(|count| Arc::new(ThreadPool::with_num_threads(count))),
            manifest: manifest.clone(),
            info: EngineInfo {
                engine: NAME,
                version: VERSION.into(),
                device: "CPU".into(),
                fallbacks: Vec::new(),
            },
        })
    }

    fn run(&self, input: &Tensor) -> Result<Inference, String> {
        let shape = self.manifest.input.shape();
        if input.shape != shape {
            return Err(format!(
                "the input has shape {:?}, the model takes {shape:?}",
                input.shape
            ));
        }
        let view = ValueView::from_shape(shape, &input.data).map_err(|error| error.to_string())?;
        let options = RunOptions::default().with_thread_pool(self.threads.clone());
        let values = self
            .network
            .run(
                vec![(self.input, view.into())],
                &self.outputs,
                Some(options),
            )
            .map_err(|error| error.to_string())?;
        let outputs = values.iter().map(output).collect::<Result<Vec<_>, _>>()?;
        let probability = outputs.first().ok_or("there is no output")?;
        ports::inference(&self.manifest, probability, outputs.get(1))
    }
}

impl Classifier for Embedded {
    fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        self.run(input).map_err(|problem| ArtifactError::Inference {
            engine: NAME,
            problem,
        })
    }

    fn info(&self) -> &EngineInfo {
        &self.info
    }
}

fn port(network: &Model, id: NodeId) -> Port {
    let info = network.node_info(id);
    let shape = info
        .as_ref()
        .and_then(rten::NodeInfo::shape)
        .unwrap_or_default();
    Port {
        shape: shape
            .into_iter()
            .map(|extent| match extent {
                Dimension::Fixed(extent) => Some(extent),
                Dimension::Symbolic(_) => None,
            })
            .collect(),
        is_f32: info.and_then(|info| info.dtype()) == Some(ValueType::Tensor(DataType::Float)),
    }
}

fn output(value: &Value) -> Result<Output<'_>, String> {
    let tensor = value
        .as_tensor_view::<f32>()
        .ok_or("an output's elements are not f32")?;
    Ok(Output {
        shape: tensor.shape().to_vec(),
        values: tensor.data().ok_or("an output is not contiguous")?,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_one_in_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = super::VERSION.replace(' ', "\"\nversion = \"");
        assert!(lock.contains(&format!("name = \"{entry}\"\n")));
    }
}
