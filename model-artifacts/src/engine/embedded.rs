//! The engine that is part of the program: rten, which runs ONNX files.

use std::sync::Arc;

use rten::{
    DataType, Dimension, Model, NodeId, RunOptions, ThreadPool, Value, ValueType, ValueView,
};
use rten_tensor::Layout;

use super::classifier::{Classifier, EngineInfo, Inference};
use super::config::EngineConfig;
use super::io_check::{self, Output, Port};
use super::kind::EngineKind;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;
use crate::manifest::schema::Manifest;
use crate::model_files::ModelFiles;

const KIND: EngineKind = EngineKind::Embedded;
/// rten does not export its version; a test compares this one with `Cargo.lock`.
const VERSION: &str = "rten 0.27.0";

/// A network in memory.
pub(super) struct Embedded {
    network: Model,
    input: NodeId,
    /// The probability, then the evidence map if the model has one.
    outputs: Vec<NodeId>,
    threads: Option<Arc<ThreadPool>>,
    manifest: Manifest,
    info: EngineInfo,
}

impl Embedded {
    /// Loads the model's ONNX file.
    pub(super) fn start(files: &ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let Some(onnx) = files.onnx() else {
            return Err(KIND.unusable(
                "the model has no ONNX file",
                "export the model with files.onnx, or run scripts/setup to use OpenVINO",
            ));
        };
        let network = Model::load(onnx.to_vec()).map_err(|error| {
            KIND.unusable(format!("files.onnx: {error}"), "export the model again")
        })?;

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
        io_check::check_declared(files, "files.onnx", &inputs, |name| {
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
                engine: KIND.name(),
                version: VERSION.into(),
                device: "CPU".into(),
                fallbacks: Vec::new(),
            },
        })
    }

    fn run(&self, input: &Tensor) -> Result<Inference, String> {
        io_check::check_input(&self.manifest, input)?;
        let view =
            ValueView::from_shape(input.shape, &input.data).map_err(|error| error.to_string())?;
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
        let probability = outputs.first().ok_or("the network has no output")?;
        io_check::inference(&self.manifest, probability, outputs.get(1))
    }
}

impl Classifier for Embedded {
    fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        self.run(input)
            .map_err(|problem| KIND.inference_failed(problem))
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
        .ok_or("the elements of an output are not f32")?;
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
