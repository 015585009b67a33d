//! A Neural Compute Stick 2, through the older OpenVINO runtimes whose plugin `MYRIAD` drives it.
//!
//! It computes in half precision, takes and gives `f32`. Inputs and outputs have the names of the IR's layers: those of
//! the manifest in every model that the trainer exports.

use openvino_06::{
    Blob, CNNNetwork, Core, ExecutableNetwork, InferRequest, InferenceError, Layout, Precision,
};

use super::ports::{self, Output, Port};
use super::{Classifier, EngineConfig, EngineInfo, Inference, stick_library, usb};
use crate::{ArtifactError, Manifest, ModelFiles, Tensor};

pub(super) const NAME: &str = "ncs2";
const DEVICE: &str = "MYRIAD";
const PLUG: &str = "plug the stick in anew";

/// A network on the stick.
pub(super) struct Ncs2 {
    // Dropped in this order: each belongs to the next.
    buffers: Buffers,
    request: InferRequest,
    _network: ExecutableNetwork,
    _core: Core,
    manifest: Manifest,
    config: EngineConfig,
    info: EngineInfo,
}

/// The request's own memory. Held, since the bindings leak the name whenever it is asked for.
struct Buffers {
    input: Blob,
    probability: Blob,
    evidence: Option<Blob>,
}

// SAFETY: a blob is a counted reference to memory of its request, which may be sent itself and lies beside it here; nobody
// else has it, and it is reached through `&mut Ncs2` only.
#[allow(unsafe_code, reason = "the bindings leave it open")]
unsafe impl Send for Buffers {}

impl Ncs2 {
    /// Sends the model's IR to the stick.
    pub(super) fn start(files: &ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let (Some(xml), Some(bin)) = (files.ir_xml(), files.ir_bin()) else {
            return Err(unusable(
                "the model has no OpenVINO IR",
                "export the model with files.ir_xml and files.ir_bin, or use the embedded engine",
            ));
        };
        let version = stick_library::version(config)?;
        let mut core = Core::new(None).map_err(|error| {
            unusable(
                format!("the runtime does not start: {error}"),
                "install it again, with its plugins.xml",
            )
        })?;
        let network_error = |error: InferenceError| {
            unusable(
                format!("files.ir_xml with files.ir_bin: {error}"),
                "export the model again",
            )
        };
        let mut network = core
            .read_network_from_buffer(xml, bin)
            .map_err(network_error)?;
        let (inputs, outputs) = ask_for_floats(&mut network).map_err(network_error)?;
        let mut loaded = core
            .load_network(&network, DEVICE)
            .map_err(|error| unusable(describe(&error, config), PLUG))?;
        let mut request = loaded
            .create_infer_request()
            .map_err(|error| unusable(describe(&error, config), PLUG))?;

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
        ports::check(files, "files.ir_xml", &ports, |name| {
            let (_, port) = named.iter().find(|(found, _)| found == name)?;
            Some(port.clone())
        })?;
        let manifest = files.manifest();
        let mut take = |name: &str| {
            let index = outputs.iter().position(|(found, _)| found == name)?;
            Some(outputs.swap_remove(index).1)
        };
        let probability = take(&manifest.outputs.probability);
        let evidence = manifest.outputs.evidence.as_deref().and_then(&mut take);
        let (Some((_, input)), Some(probability)) = (inputs.into_iter().next(), probability) else {
            return Err(unusable(
                "the network has no input or no probability",
                "export the model again",
            ));
        };
        Ok(Self {
            buffers: Buffers {
                input,
                probability,
                evidence,
            },
            request,
            _network: loaded,
            _core: core,
            manifest: manifest.clone(),
            config: config.clone(),
            info: EngineInfo {
                engine: NAME,
                version,
                device: DEVICE.into(),
                fallbacks: Vec::new(),
            },
        })
    }

    fn run(&mut self, input: &Tensor) -> Result<Inference, String> {
        let shape = self.manifest.input.shape();
        if input.shape != shape {
            return Err(format!(
                "the input has shape {:?}, the model takes {shape:?}",
                input.shape
            ));
        }
        let Buffers {
            input: given,
            probability,
            evidence,
        } = &mut self.buffers;
        let failed = |error: InferenceError| describe(&error, &self.config);
        fill(given, &input.data).map_err(failed)?;
        // What the runtime does not write must not be taken for its answer: it would be the last one's.
        for output in std::iter::once(&mut *probability).chain(evidence.as_mut()) {
            let count = output.byte_len().map_err(failed)? / size_of::<f32>();
            fill(output, &vec![f32::NAN; count]).map_err(failed)?;
        }
        self.request.infer().map_err(failed)?;

        let values = |blob: &Blob| floats(blob).map_err(failed);
        let (shape, values_of_probability) =
            (dims(probability).map_err(failed)?, values(probability)?);
        let evidence = evidence
            .as_ref()
            .map(|blob| Ok::<_, String>((dims(blob).map_err(failed)?, values(blob)?)))
            .transpose()?;
        let evidence = evidence.as_ref().map(|(shape, values)| Output {
            shape: shape.clone(),
            values,
        });
        let probability = Output {
            shape,
            values: &values_of_probability,
        };
        ports::inference(&self.manifest, &probability, evidence.as_ref())
    }
}

impl Classifier for Ncs2 {
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

/// Has inputs and outputs as `f32`, whatever the stick computes in; gives their names.
fn ask_for_floats(network: &mut CNNNetwork) -> Result<(Vec<String>, Vec<String>), InferenceError> {
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

/// The request's memory for each name.
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
        return Err(unusable(
            format!(
                "it gives and takes {:?}, though FP32 was asked for",
                description.precision()
            ),
            "use OpenVINO 2022.3.1 or 2021.4",
        ));
    }
    let bytes = blob.byte_len().map_err(|error| no_buffer(&error))?;
    if bytes != description.len() * size_of::<f32>() {
        return Err(unusable(
            format!("a buffer of {bytes} bytes has {} values", description.len()),
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

fn floats(blob: &Blob) -> Result<Vec<f32>, InferenceError> {
    let (values, _) = blob.buffer()?.as_chunks();
    Ok(values.iter().copied().map(f32::from_ne_bytes).collect())
}

fn dims(blob: &Blob) -> Result<Vec<usize>, InferenceError> {
    Ok(blob.tensor_desc()?.dims().to_vec())
}

/// The runtime says little; whether the stick is there says more.
fn describe(error: &InferenceError, config: &EngineConfig) -> String {
    let state = match (error, usb::has_stick(config.usb_devices.as_deref())) {
        (_, false) => "no stick is plugged in",
        (InferenceError::RequestBusy, true) => "the stick is busy",
        (_, true) => "the stick was lost, or another program has it",
    };
    format!("{DEVICE}: {state} ({error})")
}

fn no_buffer(error: &InferenceError) -> ArtifactError {
    unusable(format!("{DEVICE} gives no buffers: {error}"), PLUG)
}

fn unusable(problem: impl Into<String>, remedy: &str) -> ArtifactError {
    ArtifactError::Engine {
        engine: NAME,
        problem: problem.into(),
        remedy: remedy.into(),
    }
}
