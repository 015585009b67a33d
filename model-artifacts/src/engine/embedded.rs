//! The engine that is part of the program: rten, which runs ONNX files.

use std::sync::Arc;

use rten::{
    DataType, Dimension, Model, NodeId, RunOptions, ThreadPool, Value, ValueType, ValueView,
};
use rten_tensor::Layout;

use super::config::EngineConfig;
use super::interface::Interface;
use super::io_check::{self, Port};
use super::kind::EngineKind;
use super::loader::LoadNetwork;
use super::network::{EngineInfo, Network, Output, Outputs};
use super::network_files::NetworkFiles;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;

const KIND: EngineKind = EngineKind::Embedded;
/// rten does not export its version; a test compares this one with `Cargo.lock`.
const VERSION: &str = "rten 0.27.0";

/// Loads networks, which share their threads.
pub(super) struct EmbeddedLoader {
    threads: Option<Arc<ThreadPool>>,
}

impl EmbeddedLoader {
    pub(super) fn new(config: &EngineConfig) -> Self {
        Self {
            threads: config
                .threads
                .map(|count| Arc::new(ThreadPool::with_num_threads(count))),
        }
    }
}

impl LoadNetwork for EmbeddedLoader {
    fn load(
        &mut self,
        files: &NetworkFiles,
        interface: Interface,
    ) -> Result<Box<dyn Network>, ArtifactError> {
        let threads = self.threads.clone();
        Ok(Box::new(Embedded::start(files, interface, threads)?))
    }
}

/// A network in memory.
struct Embedded {
    network: Model,
    input: NodeId,
    /// In the order of the interface.
    outputs: Vec<NodeId>,
    /// The outputs of the last run.
    values: Vec<Value>,
    threads: Option<Arc<ThreadPool>>,
    interface: Interface,
    info: EngineInfo,
}

impl Embedded {
    /// Loads the ONNX file.
    fn start(
        files: &NetworkFiles,
        interface: Interface,
        threads: Option<Arc<ThreadPool>>,
    ) -> Result<Self, ArtifactError> {
        let onnx = files.onnx(KIND)?;
        let file = files.entry("onnx");
        let network = Model::load(onnx.to_vec())
            .map_err(|error| KIND.unusable(format!("{file}: {error}"), "export the model again"))?;

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
        io_check::check_declared(files, &interface, &file, &inputs, |name| {
            find(name).map(|id| port(&network, id))
        })?;
        let outputs = interface
            .outputs
            .iter()
            .filter_map(|wanted| find(&wanted.name))
            .collect();

        Ok(Self {
            input: network.input_ids()[0],
            outputs,
            network,
            values: Vec::new(),
            threads,
            interface,
            info: EngineInfo {
                engine: KIND.name(),
                version: VERSION.into(),
                device: "CPU".into(),
                fallbacks: Vec::new(),
            },
        })
    }

    fn compute(&mut self, input: &Tensor) -> Result<Outputs<'_>, String> {
        io_check::check_input(&self.interface, input)?;
        let view =
            ValueView::from_shape(input.shape, &input.data).map_err(|error| error.to_string())?;
        let options = RunOptions::default().with_thread_pool(self.threads.clone());
        self.values = self
            .network
            .run(
                vec![(self.input, view.into())],
                &self.outputs,
                Some(options),
            )
            .map_err(|error| error.to_string())?;
        let outputs = self.interface.outputs.iter().zip(&self.values);
        let outputs = outputs.map(|(wanted, value)| output(&wanted.name, value));
        Ok(Outputs::new(outputs.collect::<Result<_, _>>()?))
    }
}

impl Network for Embedded {
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
        self.compute(input)
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

fn output<'a>(name: &'a str, value: &'a Value) -> Result<Output<'a>, String> {
    let tensor = value
        .as_tensor_view::<f32>()
        .ok_or("the elements of an output are not f32")?;
    Ok(Output {
        name,
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
