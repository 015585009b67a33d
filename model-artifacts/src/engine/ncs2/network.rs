//! A network on a Neural Compute Stick 2, through an older OpenVINO runtime with the plugin `MYRIAD`.
//!
//! The stick computes in half precision; its inputs and outputs are `f32`. They have the names of the IR's
//! layers, which are those of the manifest in every model that the trainer exports.

use openvino_06::{
    Blob, CNNNetwork, Core, ExecutableNetwork, InferRequest, InferenceError, Layout, Precision,
};

use super::{library, usb};
use crate::engine::classifier::{Classifier, EngineInfo, Inference};
use crate::engine::config::EngineConfig;
use crate::engine::io_check::{self, Output, Port};
use crate::engine::kind::EngineKind;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;
use crate::manifest::schema::Manifest;
use crate::model_files::ModelFiles;

const KIND: EngineKind = EngineKind::Ncs2;
const DEVICE: &str = "MYRIAD";
const REPLUG: &str = "unplug the stick and plug it in again";

/// A network on the stick.
pub(crate) struct Ncs2 {
    // Fields are dropped in this order: each one belongs to the next.
    buffers: Buffers,
    request: InferRequest,
    _network: ExecutableNetwork,
    _core: Core,
    manifest: Manifest,
    config: EngineConfig,
    info: EngineInfo,
}

/// The request's buffers. They are kept, because the bindings leak a name whenever they look one up.
struct Buffers {
    input: Blob,
    probability: Blob,
    evidence: Option<Blob>,
}

// SAFETY: a blob is a counted reference to memory of its request. The request is `Send` and stored beside the blob. No
// other reference exists, and the blob is only accessible through `&mut Ncs2`.
#[allow(
    unsafe_code,
    reason = "the bindings do not declare whether blobs are Send"
)]
unsafe impl Send for Buffers {}

impl Ncs2 {
    /// Loads the model's IR onto the stick.
    pub(crate) fn start(files: &ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let (Some(xml), Some(bin)) = (files.ir_xml(), files.ir_bin()) else {
            return Err(KIND.unusable(
                "the model has no OpenVINO IR",
                "export the model with files.ir_xml and files.ir_bin, or use the embedded engine",
            ));
        };
        let version = library::version(config)?;
        let mut core = Core::new(None).map_err(|error| {
            KIND.unusable(
                format!("the runtime does not start: {error}"),
                "install it again, with its plugins.xml",
            )
        })?;
        let network_error = |error: InferenceError| {
            KIND.unusable(
                format!("files.ir_xml with files.ir_bin: {error}"),
                "export the model again",
            )
        };
        let mut network = core
            .read_network_from_buffer(xml, bin)
            .map_err(network_error)?;
        let (inputs, outputs) = request_floats(&mut network).map_err(network_error)?;
        let mut loaded = core
            .load_network(&network, DEVICE)
            .map_err(|error| KIND.unusable(describe(&error, config), REPLUG))?;
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
        io_check::check_declared(files, "files.ir_xml", &ports, |name| {
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
            return Err(KIND.unusable(
                "the network has no input or no probability output",
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
                engine: KIND.name(),
                version,
                device: DEVICE.into(),
                fallbacks: Vec::new(),
            },
        })
    }

    fn run(&mut self, input: &Tensor) -> Result<Inference, String> {
        io_check::check_input(&self.manifest, input)?;
        let Buffers {
            input: input_buffer,
            probability,
            evidence,
        } = &mut self.buffers;
        let failed = |error: InferenceError| describe(&error, &self.config);
        fill(input_buffer, &input.data).map_err(failed)?;
        // Overwrites the outputs of the last inference, so that a missing output is noticed.
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
        io_check::inference(&self.manifest, &probability, evidence.as_ref())
    }
}

impl Classifier for Ncs2 {
    fn classify(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        self.run(input)
            .map_err(|problem| KIND.inference_failed(problem))
    }

    fn info(&self) -> &EngineInfo {
        &self.info
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

fn floats(blob: &Blob) -> Result<Vec<f32>, InferenceError> {
    let (values, _) = blob.buffer()?.as_chunks();
    Ok(values.iter().copied().map(f32::from_ne_bytes).collect())
}

fn dims(blob: &Blob) -> Result<Vec<usize>, InferenceError> {
    Ok(blob.tensor_desc()?.dims().to_vec())
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
