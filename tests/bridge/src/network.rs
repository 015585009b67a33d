//! Networks and requests, on top of the newer OpenVINO.

use std::sync::LazyLock;

use openvino::{CompiledModel, Core, DeviceType, ElementType, InferRequest, Model, Node, Shape};
use openvino_sys_06::{
    IEStatusCode, IEStatusCode_GENERAL_ERROR, IEStatusCode_NOT_FOUND, precision_e,
};

use crate::memory::{Memory, OneOf};

/// An input or an output.
#[derive(Clone)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) precision: precision_e,
}

pub(crate) struct Runtime(Core);

pub(crate) struct Network {
    model: Model,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
}

pub(crate) struct Loaded {
    compiled: CompiledModel,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

pub(crate) struct Request {
    inner: InferRequest,
    inputs: Vec<(Port, Memory)>,
    outputs: Vec<(Port, Memory)>,
}

/// The older interface has only this status, so the reason goes to standard error.
fn failed(error: impl std::fmt::Display) -> IEStatusCode {
    eprintln!("bridge: {error}");
    IEStatusCode_GENERAL_ERROR
}

/// `SMEARSCOPE_BRIDGE_TO` names the newer library.
static NEWER: LazyLock<Result<(), String>> = LazyLock::new(|| {
    let library = std::env::var("SMEARSCOPE_BRIDGE_TO").map_err(|error| error.to_string())?;
    openvino_sys::library::load_from(library)
});

impl Runtime {
    pub(crate) fn start() -> Result<Self, IEStatusCode> {
        NEWER.clone().map_err(failed)?;
        let mut core = Core::new().map_err(failed)?;
        let key = openvino::RwPropertyKey::HintInferencePrecision;
        core.set_property(&DeviceType::CPU, &key, "f32")
            .map_err(failed)?;
        Ok(Self(core))
    }

    pub(crate) fn read(&mut self, xml: &[u8], bin: &[u8]) -> Result<Network, IEStatusCode> {
        let shape = Shape::new(&[bin.len() as i64]).map_err(failed)?;
        let mut weights = openvino::Tensor::new(ElementType::U8, &shape).map_err(failed)?;
        weights
            .get_raw_data_mut()
            .map_err(failed)?
            .copy_from_slice(bin);
        let model = self
            .0
            .read_model_from_buffer(xml, Some(&weights))
            .map_err(failed)?;
        let inputs = ports(model.get_inputs_len(), |index| {
            model.get_input_by_index(index)
        })?;
        let mut outputs = ports(model.get_outputs_len(), |index| {
            model.get_output_by_index(index)
        })?;
        // By default the stick returns its own precision.
        for output in &mut outputs {
            output.precision = precision_e::FP16;
        }
        Ok(Network {
            model,
            inputs,
            outputs,
        })
    }

    pub(crate) fn load(&mut self, network: &Network) -> Result<Loaded, IEStatusCode> {
        Ok(Loaded {
            compiled: self
                .0
                .compile_model(&network.model, DeviceType::CPU)
                .map_err(failed)?,
            inputs: network.inputs.clone(),
            outputs: network.outputs.clone(),
        })
    }
}

impl Network {
    pub(crate) fn input(&mut self, name: &str) -> Result<&mut Port, IEStatusCode> {
        find(&mut self.inputs, name)
    }

    pub(crate) fn output(&mut self, name: &str) -> Result<&mut Port, IEStatusCode> {
        find(&mut self.outputs, name)
    }
}

fn find<'a>(ports: &'a mut [Port], name: &str) -> Result<&'a mut Port, IEStatusCode> {
    ports
        .iter_mut()
        .find(|port| port.name == name)
        .ok_or(IEStatusCode_NOT_FOUND)
}

impl Loaded {
    pub(crate) fn request(&mut self) -> Result<Request, IEStatusCode> {
        let with_memory = |port: &Port| {
            let memory = Memory::new(port.shape.clone(), port.precision)?;
            Ok::<_, IEStatusCode>((port.clone(), memory))
        };
        let memory = |ports: &[Port]| ports.iter().map(with_memory).collect::<Result<_, _>>();
        Ok(Request {
            inner: self.compiled.create_infer_request().map_err(failed)?,
            inputs: memory(&self.inputs)?,
            outputs: memory(&self.outputs)?,
        })
    }
}

impl Request {
    pub(crate) fn blob(&self, name: &str) -> Result<Memory, IEStatusCode> {
        self.inputs
            .iter()
            .chain(&self.outputs)
            .find(|(port, _)| port.name == name)
            .map(|(_, memory)| memory.clone())
            .ok_or(IEStatusCode_NOT_FOUND)
    }

    pub(crate) fn infer(&mut self, part: OneOf) -> Result<(), IEStatusCode> {
        for (port, memory) in &self.inputs {
            let shape: Vec<i64> = port.shape.iter().map(|extent| *extent as i64).collect();
            let shape = Shape::new(&shape).map_err(failed)?;
            let mut tensor = openvino::Tensor::new(ElementType::F32, &shape).map_err(failed)?;
            let raw = tensor.get_raw_data_mut().map_err(failed)?;
            let bytes = memory.bytes();
            if raw.len() != bytes.len() {
                return Err(failed("the input is not f32"));
            }
            raw.copy_from_slice(&bytes);
            self.inner.set_tensor(&port.name, &tensor).map_err(failed)?;
        }
        self.inner.infer().map_err(failed)?;
        for (port, memory) in &self.outputs {
            let tensor = self.inner.get_tensor(&port.name).map_err(failed)?;
            memory.put(tensor.get_data().map_err(failed)?, part);
        }
        Ok(())
    }
}

fn ports<E: std::fmt::Display>(
    count: Result<usize, E>,
    node: impl Fn(usize) -> Result<Node, E>,
) -> Result<Vec<Port>, IEStatusCode> {
    let port = |index| {
        let node = node(index).map_err(failed)?;
        let shape = node.get_shape().map_err(failed)?;
        Ok(Port {
            name: node.get_name().map_err(failed)?,
            shape: shape
                .get_dimensions()
                .iter()
                .map(|extent| *extent as usize)
                .collect(),
            precision: precision_e::FP32,
        })
    };
    (0..count.map_err(failed)?).map(port).collect()
}
