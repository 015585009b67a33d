//! A network on a Neural Compute Stick 2, through an older OpenVINO runtime with the plugin `MYRIAD`.
//!
//! The stick computes in half precision; its inputs and outputs are `f32`. They have the names of the IR's
//! layers, which are those of the manifest in every model that the trainer exports.

use std::sync::{Arc, Mutex, PoisonError};

use openvino_06::{
    Blob, CNNNetwork, Core, ExecutableNetwork, InferRequest, InferenceError, Layout, Precision,
};

use super::{library, usb};
use crate::engine::config::EngineConfig;
use crate::engine::interface::Interface;
use crate::engine::io_check::{self, Port};
use crate::engine::kind::EngineKind;
use crate::engine::loader::LoadNetwork;
use crate::engine::network::{EngineInfo, Network, Output, Outputs};
use crate::engine::network_files::NetworkFiles;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;

const KIND: EngineKind = EngineKind::Ncs2;
const DEVICE: &str = "MYRIAD";
const REPLUG: &str = "unplug the stick and plug it in again";

/// Loads networks onto the stick.
pub(crate) struct Ncs2Loader {
    config: EngineConfig,
    /// The runtime and its version, once a network needs it. The networks of a model share it, because a second
    /// runtime would not get the stick.
    runtime: Option<(Arc<Mutex<Core>>, String)>,
}

impl Ncs2Loader {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            config: config.clone(),
            runtime: None,
        }
    }

    fn runtime(&mut self) -> Result<(Arc<Mutex<Core>>, String), ArtifactError> {
        if let Some(runtime) = &self.runtime {
            return Ok(runtime.clone());
        }
        let version = library::version(&self.config)?;
        let core = Core::new(None).map_err(|error| {
            KIND.unusable(
                format!("the runtime does not start: {error}"),
                "install it again, with its plugins.xml",
            )
        })?;
        let runtime = (Arc::new(Mutex::new(core)), version);
        Ok(self.runtime.insert(runtime).clone())
    }
}

impl LoadNetwork for Ncs2Loader {
    fn load(
        &mut self,
        files: &NetworkFiles,
        interface: Interface,
    ) -> Result<Box<dyn Network>, ArtifactError> {
        let ir = files.ir(KIND)?;
        let (core, version) = self.runtime()?;
        let config = &self.config;
        let network = Ncs2::start(files, ir, interface, (core, version), config)?;
        Ok(Box::new(network))
    }
}

/// A network on the stick.
struct Ncs2 {
    // Fields are dropped in this order: each one belongs to the next.
    buffers: Buffers,
    request: InferRequest,
    _network: ExecutableNetwork,
    _core: Arc<Mutex<Core>>,
    interface: Interface,
    config: EngineConfig,
    info: EngineInfo,
}

/// The request's buffers. They are kept, because the bindings leak a name whenever they look one up.
struct Buffers {
    input: Blob,
    outputs: Vec<OutputBuffer>,
}

/// The buffer of an output, in the order of the interface.
struct OutputBuffer {
    blob: Blob,
    shape: Vec<usize>,
    /// The output of the last run; the runtime's memory has no alignment of its own.
    values: Vec<f32>,
}

// SAFETY: a blob is a counted reference to memory of its request. The request is `Send` and stored beside the blob. No
// other reference exists, and the blob is only accessible through `&mut Ncs2`.
#[allow(
    unsafe_code,
    reason = "the bindings do not declare whether blobs are Send"
)]
unsafe impl Send for Buffers {}

impl Ncs2 {
    /// Loads an IR onto the stick.
    fn start(
        files: &NetworkFiles,
        (xml, bin): (&[u8], &[u8]),
        interface: Interface,
        (shared, version): (Arc<Mutex<Core>>, String),
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let file = files.entry("ir_xml");
        let network_error = |error: InferenceError| {
            KIND.unusable(
                format!("{file} with {}: {error}", files.entry("ir_bin")),
                "export the model again",
            )
        };
        let mut core = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut network = core
            .read_network_from_buffer(xml, bin)
            .map_err(network_error)?;
        let (inputs, outputs) = request_floats(&mut network).map_err(network_error)?;
        let mut loaded = core
            .load_network(&network, DEVICE)
            .map_err(|error| KIND.unusable(describe(&error, config), REPLUG))?;
        drop(core);
        let mut request = loaded
            .create_infer_request()
            .map_err(|error| KIND.unusable(describe(&error, config), REPLUG))?;

        let inputs = blobs(&mut request, &inputs)?;
        let mut outputs = blobs(&mut request, &outputs)?;
        let ports: Vec<Port> = inputs
            .iter()
            .map(|(_, blob)| port(blob))
            .collect::<Result<_, _>>()?;
        let named: Vec<(String, Port)> = outputs
            .iter()
            .map(|(name, blob)| Ok((name.clone(), port(blob)?)))
            .collect::<Result<_, ArtifactError>>()?;
        io_check::check_declared(files, &interface, &file, &ports, |name| {
            let (_, port) = named.iter().find(|(found, _)| found == name)?;
            Some(port.clone())
        })?;
        let mut wanted = Vec::with_capacity(interface.outputs.len());
        for output in &interface.outputs {
            let found = outputs.iter().position(|(name, _)| *name == output.name);
            let blob = found.map(|index| outputs.swap_remove(index).1);
            wanted.extend(blob.map(OutputBuffer::new).transpose()?);
        }
        let Some((_, input)) = inputs.into_iter().next() else {
            return Err(KIND.unusable("the network has no input", "export the model again"));
        };
        Ok(Self {
            buffers: Buffers {
                input,
                outputs: wanted,
            },
            request,
            _network: loaded,
            _core: shared,
            interface,
            config: config.clone(),
            info: EngineInfo {
                engine: KIND.name(),
                version,
                device: DEVICE.into(),
                fallbacks: Vec::new(),
            },
        })
    }

    fn compute(&mut self, input: &Tensor) -> Result<Outputs<'_>, String> {
        io_check::check_input(&self.interface, input)?;
        let failed = |error: InferenceError| describe(&error, &self.config);
        fill(&mut self.buffers.input, &input.data).map_err(failed)?;
        for output in &mut self.buffers.outputs {
            output.clear().map_err(failed)?;
        }
        self.request.infer().map_err(failed)?;

        for output in &mut self.buffers.outputs {
            output.read().map_err(failed)?;
        }
        let outputs = self.interface.outputs.iter().zip(&self.buffers.outputs);
        let outputs = outputs.map(|(wanted, buffer)| Output {
            name: &wanted.name,
            shape: buffer.shape.clone(),
            values: &buffer.values,
        });
        Ok(Outputs::new(outputs.collect()))
    }
}

impl Network for Ncs2 {
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
        self.compute(input)
            .map_err(|problem| KIND.inference_failed(problem))
    }

    fn info(&self) -> &EngineInfo {
        &self.info
    }
}

impl OutputBuffer {
    fn new(blob: Blob) -> Result<Self, ArtifactError> {
        let description = blob.tensor_desc().map_err(|error| no_buffer(&error))?;
        Ok(Self {
            shape: description.dims().to_vec(),
            values: vec![f32::NAN; description.len()],
            blob,
        })
    }

    /// Overwrites the output of the last inference, so that a missing output is noticed.
    fn clear(&mut self) -> Result<(), InferenceError> {
        self.values.fill(f32::NAN);
        fill(&mut self.blob, &self.values)
    }

    fn read(&mut self) -> Result<(), InferenceError> {
        let (values, _) = self.blob.buffer()?.as_chunks();
        self.values.clear();
        self.values
            .extend(values.iter().copied().map(f32::from_ne_bytes));
        Ok(())
    }
}

/// Sets the precision of inputs and outputs to `f32`, and returns their names.
fn request_floats(network: &mut CNNNetwork) -> Result<(Vec<String>, Vec<String>), InferenceError> {
    let inputs = (0..network.get_inputs_len()?)
        .map(|index| network.get_input_name(index))
        .collect::<Result<Vec<_>, _>>()?;
    let outputs = (0..network.get_outputs_len()?)
        .map(|index| network.get_output_name(index))
        .collect::<Result<Vec<_>, _>>()?;
    for name in &inputs {
        network.set_input_precision(name, Precision::FP32)?;
        network.set_input_layout(name, Layout::NCHW)?;
    }
    for name in &outputs {
        network.set_output_precision(name, Precision::FP32)?;
    }
    Ok((inputs, outputs))
}

/// The request's buffer for each name.
fn blobs(
    request: &mut InferRequest,
    names: &[String],
) -> Result<Vec<(String, Blob)>, ArtifactError> {
    names
        .iter()
        .map(|name| {
            let blob = request.get_blob(name).map_err(|error| no_buffer(&error))?;
            Ok((name.clone(), blob))
        })
        .collect()
}

fn port(blob: &Blob) -> Result<Port, ArtifactError> {
    let description = blob.tensor_desc().map_err(|error| no_buffer(&error))?;
    if description.precision() != Precision::FP32 {
        return Err(KIND.unusable(
            format!(
                "its buffers are {:?}, FP32 was requested",
                description.precision()
            ),
            "use OpenVINO 2022.3.1 or 2021.4",
        ));
    }
    let bytes = blob.byte_len().map_err(|error| no_buffer(&error))?;
    if bytes != description.len() * size_of::<f32>() {
        return Err(KIND.unusable(
            format!(
                "a buffer has {bytes} bytes for {} values",
                description.len()
            ),
            "use OpenVINO 2022.3.1 or 2021.4",
        ));
    }
    Ok(Port {
        shape: description.dims().iter().copied().map(Some).collect(),
        is_f32: true,
    })
}

fn fill(blob: &mut Blob, values: &[f32]) -> Result<(), InferenceError> {
    let buffer = blob.buffer_mut()?;
    if buffer.len() != size_of_val(values) {
        return Err(InferenceError::ParameterMismatch);
    }
    for (bytes, value) in buffer.chunks_exact_mut(size_of::<f32>()).zip(values) {
        bytes.copy_from_slice(&value.to_ne_bytes());
    }
    Ok(())
}

/// The runtime's error with the likely cause, which the runtime does not report.
fn describe(error: &InferenceError, config: &EngineConfig) -> String {
    let state = match (error, usb::has_stick(config.usb_devices.as_deref())) {
        (_, false) => "no stick is plugged in",
        (InferenceError::RequestBusy, true) => "the stick is busy",
        (_, true) => "the stick was unplugged, or another program uses it",
    };
    format!("{DEVICE}: {state} ({error})")
}

fn no_buffer(error: &InferenceError) -> ArtifactError {
    KIND.unusable(format!("{DEVICE} allocates no buffers: {error}"), REPLUG)
}
