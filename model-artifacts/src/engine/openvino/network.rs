//! A network that OpenVINO compiled for a device.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use openvino::{
    CompiledModel, Core, DeviceType, ElementType, InferRequest, InferenceError, Model, Node,
    RwPropertyKey, Shape,
};

use super::library;
use crate::engine::config::EngineConfig;
use crate::engine::interface::Interface;
use crate::engine::io_check::{self, Port};
use crate::engine::kind::EngineKind;
use crate::engine::loader::LoadNetwork;
use crate::engine::network::{EngineInfo, Network, Output, Outputs};
use crate::engine::network_files::NetworkFiles;
use crate::error::ArtifactError;
use crate::image::tensor::Tensor;

const KIND: EngineKind = EngineKind::OpenVino;

/// Virtual devices, which choose among other devices at run time without reporting which one runs.
const VIRTUAL_DEVICES: [&str; 3] = ["AUTO", "MULTI", "BATCH"];

/// Compiles networks for one device.
pub(crate) struct OpenVinoLoader {
    config: EngineConfig,
    /// The runtime, once a network needs it.
    core: Option<Arc<Mutex<Core>>>,
}

impl OpenVinoLoader {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        Self {
            config: config.clone(),
            core: None,
        }
    }

    fn core(&mut self) -> Result<Arc<Mutex<Core>>, ArtifactError> {
        if let Some(core) = &self.core {
            return Ok(Arc::clone(core));
        }
        library::load(self.config.library.as_deref())?;
        let core = Core::new().map_err(|error| {
            KIND.unusable(
                format!(
                    "the runtime does not start: {}",
                    one_line(&error.to_string())
                ),
                "run scripts/setup to install its libraries again",
            )
        })?;
        Ok(Arc::clone(self.core.insert(Arc::new(Mutex::new(core)))))
    }
}

impl LoadNetwork for OpenVinoLoader {
    fn load(
        &mut self,
        files: &NetworkFiles,
        interface: Interface,
    ) -> Result<Box<dyn Network>, ArtifactError> {
        let ir = files.ir(KIND)?;
        let core = self.core()?;
        let network = OpenVino::start(files, ir, interface, core, &self.config)?;
        // The other networks of the model run on the same device, or not at all.
        self.config.devices = vec![network.info.device.clone()];
        Ok(Box::new(network))
    }
}

/// A network compiled for one device.
struct OpenVino {
    // Fields are dropped in this order: each one belongs to the next.
    /// The outputs of the last run, in the order of the interface.
    outputs: Vec<openvino::Tensor>,
    request: InferRequest,
    input: openvino::Tensor,
    _network: CompiledModel,
    _core: Arc<Mutex<Core>>,
    interface: Interface,
    info: EngineInfo,
}

impl OpenVino {
    /// Compiles an IR for the first configured device that is present and compiles it.
    fn start(
        files: &NetworkFiles,
        (xml, bin): (&[u8], &[u8]),
        interface: Interface,
        shared: Arc<Mutex<Core>>,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let mut core = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let network = read_network(&mut core, xml, bin).map_err(|error| {
            KIND.unusable(
                format!(
                    "{} with {}: {}",
                    files.entry("ir_xml"),
                    files.entry("ir_bin"),
                    describe(&error)
                ),
                "export the model again",
            )
        })?;

        let (mut compiled, device, fallbacks) = compile(&mut core, &network, config)?;
        drop(core);
        check_declared(files, &interface, &compiled)?;
        let failed = |error: InferenceError| {
            KIND.unusable(
                format!("{device} allocates no buffers: {}", describe(&error)),
                "use another device",
            )
        };
        let mut request = compiled.create_infer_request().map_err(failed)?;
        let shape = interface.input_shape.map(|extent| extent as i64);
        let input = Shape::new(&shape)
            .and_then(|shape| openvino::Tensor::new(ElementType::F32, &shape))
            .map_err(failed)?;
        request.set_input_tensor(&input).map_err(failed)?;

        let version = openvino::version().build_number;
        Ok(Self {
            outputs: Vec::new(),
            request,
            input,
            _network: compiled,
            _core: shared,
            interface,
            info: EngineInfo {
                engine: KIND.name(),
                version: version.split('-').next().unwrap_or(&version).to_owned(),
                device,
                fallbacks,
            },
        })
    }

    fn compute(&mut self, input: &Tensor) -> Result<Outputs<'_>, String> {
        io_check::check_input(&self.interface, input)?;
        let failed = |error: InferenceError| describe(&error);
        self.input
            .get_data_mut::<f32>()
            .map_err(failed)?
            .copy_from_slice(&input.data);
        self.request.infer().map_err(failed)?;

        let wanted = &self.interface.outputs;
        self.outputs.clear();
        for output in wanted {
            let tensor = self.request.get_tensor(&output.name).map_err(failed)?;
            self.outputs.push(tensor);
        }
        let outputs = wanted.iter().zip(&self.outputs);
        let outputs = outputs.map(|(wanted, tensor)| output(&wanted.name, tensor));
        Ok(Outputs::new(
            outputs.collect::<Result<_, _>>().map_err(failed)?,
        ))
    }
}

impl Network for OpenVino {
    fn run(&mut self, input: &Tensor) -> Result<Outputs<'_>, ArtifactError> {
        self.compute(input)
            .map_err(|problem| KIND.inference_failed(problem))
    }

    fn info(&self) -> &EngineInfo {
        &self.info
    }
}

fn read_network(core: &mut Core, xml: &[u8], bin: &[u8]) -> Result<Model, InferenceError> {
    let mut weights = openvino::Tensor::new(ElementType::U8, &Shape::new(&[bin.len() as i64])?)?;
    weights.get_raw_data_mut()?.copy_from_slice(bin);
    core.read_model_from_buffer(xml, Some(&weights))
}

/// The network on the first configured device that is present and compiles it, that device, and why the
/// devices before it are not used.
fn compile(
    core: &mut Core,
    network: &Model,
    config: &EngineConfig,
) -> Result<(CompiledModel, String, Vec<String>), ArtifactError> {
    let present: Vec<String> = core
        .available_devices()
        .map_err(|error| KIND.unusable(describe(&error), "run scripts/setup"))?
        .iter()
        .map(ToString::to_string)
        .collect();
    let default = ["CPU".to_owned()];
    let devices = match config.devices.as_slice() {
        [] => &default,
        devices => devices,
    };
    let mut fallbacks = Vec::new();
    for device in devices {
        let compiled = require_present(device, &present)
            .and_then(|()| compile_for(core, network, device, config));
        match compiled {
            Ok(compiled) => return Ok((compiled, device.clone(), fallbacks)),
            Err(reason) => fallbacks.push(reason),
        }
    }
    Err(KIND.unusable(
        fallbacks.join("; "),
        format!(
            "name a device that is present: {}; for another one, run scripts/setup --all-devices, which also installs \
             the plugins for GPU and NPU, and install the device's driver",
            present.join(", ")
        ),
    ))
}

/// Refuses a device that is absent or that hides which device runs. OpenVINO itself silently ignores an
/// absent device if another one is named with it.
fn require_present(device: &str, present: &[String]) -> Result<(), String> {
    let kind = device.split(':').next().unwrap_or(device);
    if VIRTUAL_DEVICES.contains(&kind) {
        return Err(format!(
            "{device} hides which device runs; name the devices themselves, the preferred one first"
        ));
    }
    for name in members(device) {
        let is_present = present.iter().any(|found| {
            // `GPU` means the first of `GPU.0`, `GPU.1`.
            found == name
                || found
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.'))
        });
        if name.is_empty() || !is_present {
            return Err(format!(
                "{device} is not present; OpenVINO sees {}",
                present.join(", ")
            ));
        }
    }
    Ok(())
}

fn compile_for(
    core: &mut Core,
    network: &Model,
    device: &str,
    config: &EngineConfig,
) -> Result<CompiledModel, String> {
    let cache = config.cache_dir.as_deref().and_then(usable_cache);
    for member in members(device) {
        let member = DeviceType::from(member);
        let mut properties = vec![(RwPropertyKey::HintPerformanceMode, Cow::from("LATENCY"))];
        if let Some(folder) = &cache {
            properties.push((RwPropertyKey::CacheDir, folder.clone()));
        }
        if member == DeviceType::CPU {
            // By default, processors with bf16 or fp16 arithmetic use it, which changes results.
            properties.push((RwPropertyKey::HintInferencePrecision, "f32".into()));
            // By default, all networks of a process are pinned to the first cores, and wait for each
            // other while the other cores are idle.
            properties.push((RwPropertyKey::HintEnableCpuPinning, "NO".into()));
            if let Some(threads) = config.threads {
                let threads = threads.to_string().into();
                properties.push((RwPropertyKey::InferenceNumThreads, threads));
            }
        }
        for (key, value) in &properties {
            core.set_property(&member, key, value).map_err(|error| {
                format!("{member} refuses {}: {}", key.as_ref(), describe(&error))
            })?;
        }
    }
    core.compile_model(network, DeviceType::from(device))
        .map_err(|error| {
            format!(
                "{device} does not compile the network: {}",
                describe(&error)
            )
        })
}

/// The devices of a combination such as `HETERO:GPU,CPU`, or the one device.
fn members(device: &str) -> impl Iterator<Item = &str> {
    device.strip_prefix("HETERO:").unwrap_or(device).split(',')
}

/// The cache folder, created if it is missing. Without a cache, starting takes longer and nothing else
/// changes, so that a failure is only logged.
fn usable_cache(folder: &Path) -> Option<Cow<'_, str>> {
    match (std::fs::create_dir_all(folder), folder.to_str()) {
        (Ok(()), Some(text)) if !text.contains('\0') => Some(text.into()),
        (result, _) => {
            log::warn!(
                "{}: compiled networks cannot be cached here ({}); every start compiles the network again",
                folder.display(),
                result
                    .err()
                    .map_or_else(|| "its name is not UTF-8".into(), |error| error.to_string())
            );
            None
        }
    }
}

fn check_declared(
    files: &NetworkFiles,
    interface: &Interface,
    network: &CompiledModel,
) -> Result<(), ArtifactError> {
    let unreadable = |error: InferenceError| {
        KIND.unusable(
            format!("the network's inputs cannot be read: {}", describe(&error)),
            "export the model again",
        )
    };
    let count = network.get_input_size().map_err(unreadable)?;
    let inputs = (0..count)
        .map(|index| port(&network.get_input_by_index(index)?))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    let file = files.entry("ir_xml");
    io_check::check_declared(files, interface, &file, &inputs, |name| {
        port(&network.get_output_by_name(name).ok()?).ok()
    })
}

fn port(node: &Node) -> Result<Port, InferenceError> {
    let shape = node.get_partial_shape()?;
    Ok(Port {
        shape: shape
            .get_dimensions()
            .iter()
            .map(|extent| (extent.get_min() == extent.get_max()).then(|| extent.get_min() as usize))
            .collect(),
        is_f32: node.get_element_type()? == ElementType::F32,
    })
}

fn output<'a>(name: &'a str, tensor: &'a openvino::Tensor) -> Result<Output<'a>, InferenceError> {
    let shape = tensor.get_shape()?;
    Ok(Output {
        name,
        shape: shape
            .get_dimensions()
            .iter()
            .map(|extent| *extent as usize)
            .collect(),
        values: tensor.get_data()?,
    })
}

fn describe(error: &InferenceError) -> String {
    one_line(error.message.as_deref().unwrap_or(&error.kind.to_string()))
}

/// The beginning of a message of OpenVINO, which has many lines, mostly positions in its source code.
fn one_line(message: &str) -> String {
    const MAX_CHARS: usize = 240;
    let words: Vec<&str> = message.split_whitespace().collect();
    words.join(" ").chars().take(MAX_CHARS).collect()
}
