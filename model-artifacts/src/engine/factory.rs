//! Chooses among the engines.

use super::config::{EngineChoice, EngineConfig};
use super::embedded::EmbeddedLoader;
#[cfg(not(all(feature = "ncs2", feature = "openvino")))]
use super::interface::Interface;
use super::kind::EngineKind;
use super::loader::LoadNetwork;
#[cfg(feature = "ncs2")]
use super::ncs2::{network::Ncs2Loader, search_path, usb};
#[cfg(feature = "openvino")]
use super::openvino::{library, network::OpenVinoLoader};
#[cfg(not(all(feature = "ncs2", feature = "openvino")))]
use super::{network::Network, network_files::NetworkFiles};
#[cfg(not(all(feature = "ncs2", feature = "openvino")))]
use crate::error::ArtifactError;

impl EngineConfig {
    /// Adds the folder of the configured [stick library](Self::stick_library) to the environment variable
    /// `LD_LIBRARY_PATH`, where the bindings for the stick find it. Call this at the start of a program: if
    /// the process has several threads, it does nothing, and starting the engine reports what is missing.
    /// Without the feature `ncs2` it does nothing.
    pub fn set_stick_library_path(&self) {
        #[cfg(feature = "ncs2")]
        search_path::add_configured(self);
    }
}

/// The engines to try, in order of preference; never empty.
pub(super) fn candidates(config: &EngineConfig) -> Vec<EngineKind> {
    if config.choice != EngineChoice::Auto {
        return vec![last_candidate(config.choice)];
    }
    let mut candidates = Vec::new();
    #[cfg(feature = "ncs2")]
    if usb::has_stick(config.usb_devices.as_deref()) {
        candidates.push(EngineKind::Ncs2);
    }
    candidates.extend([EngineKind::OpenVino, EngineKind::Embedded]);
    candidates.retain(|kind| kind.is_built_in());
    // Whoever names a library or devices is told why they cannot be used.
    #[cfg(feature = "openvino")]
    if config.devices.iter().all(|device| device == "CPU")
        && !library::is_named_or_installed(config.library.as_deref())
    {
        candidates.retain(|kind| *kind != EngineKind::OpenVino);
    }
    candidates
}

/// The last engine to try.
pub(super) fn last_candidate(choice: EngineChoice) -> EngineKind {
    match choice {
        EngineChoice::Ncs2 => EngineKind::Ncs2,
        EngineChoice::OpenVino => EngineKind::OpenVino,
        EngineChoice::Auto | EngineChoice::Embedded => EngineKind::Embedded,
    }
}

/// The engine that loads a model's networks. It starts when it loads the first one.
pub(super) fn loader(kind: EngineKind, config: &EngineConfig) -> Box<dyn LoadNetwork> {
    match kind {
        #[cfg(feature = "ncs2")]
        EngineKind::Ncs2 => Box::new(Ncs2Loader::new(config)),
        #[cfg(feature = "openvino")]
        EngineKind::OpenVino => Box::new(OpenVinoLoader::new(config)),
        EngineKind::Embedded => Box::new(EmbeddedLoader::new(config)),
        #[cfg(not(all(feature = "ncs2", feature = "openvino")))]
        missing => Box::new(NotBuiltIn(missing)),
    }
}

/// An engine that is not part of this program.
#[cfg(not(all(feature = "ncs2", feature = "openvino")))]
struct NotBuiltIn(EngineKind);

#[cfg(not(all(feature = "ncs2", feature = "openvino")))]
impl LoadNetwork for NotBuiltIn {
    fn load(&mut self, _: &NetworkFiles, _: Interface) -> Result<Box<dyn Network>, ArtifactError> {
        let name = self.0.name();
        Err(self.0.unusable(
            "it was not built into this program",
            format!("build smearscope with the feature `{name}`, or use another engine"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::engine::interface::Interface;
    use crate::image::tensor::Tensor;
    use crate::manifest::files::Files;
    use crate::manifest::schema::ModelKind;
    use crate::model_files::ModelFiles;
    use crate::testing::skip;

    /// An output as NumPy computes it.
    #[derive(Deserialize)]
    struct Expected {
        shape: Vec<usize>,
        values: Vec<f32>,
    }

    /// The outputs of each network of the fixture, by name.
    type ExpectedOutputs = BTreeMap<String, BTreeMap<String, Expected>>;

    /// The input that the fixture was computed for.
    fn input(shape: [usize; 4]) -> Tensor {
        let elements = 0..shape.iter().product::<usize>();
        Tensor {
            shape,
            data: elements
                .map(|element| (37 * element % 101) as f32 / 101.0 - 0.5)
                .collect(),
        }
    }

    #[test]
    fn engines_run_networks_of_any_interface() {
        let files = ModelFiles::open("tests/fixtures/cells".as_ref()).unwrap();
        let ModelKind::Cells(model) = &files.manifest().model else {
            panic!("it counts cells");
        };
        let expected: ExpectedOutputs =
            serde_json::from_str(include_str!("../../tests/fixtures/cells/outputs.json")).unwrap();
        for kind in [EngineKind::Embedded, EngineKind::OpenVino] {
            let mut loader = loader(kind, &EngineConfig::default());
            let mut load = |field, names: &Files, interface: &Interface| {
                loader.load(&files.network_files(field, names), interface.clone())
            };
            let networks = [
                (
                    "finder",
                    load(
                        "finder.files",
                        &model.finder.files,
                        &model.finder.interface(),
                    ),
                    model.finder.interface(),
                ),
                (
                    "cell",
                    load("cell.files", &model.cell.files, &model.cell.interface()),
                    model.cell.interface(),
                ),
            ];
            for (name, network, interface) in networks {
                let mut network = match network {
                    Err(error) if kind == EngineKind::OpenVino => {
                        skip(error);
                        return;
                    }
                    network => network.unwrap(),
                };
                // Twice, because buffers are used again.
                for _ in 0..2 {
                    let outputs = network.run(&input(interface.input_shape)).unwrap();
                    for (name, expected) in &expected[name] {
                        let output = outputs.get(name).unwrap();
                        assert_eq!(output.shape, expected.shape);
                        assert_eq!(output.values.len(), expected.values.len());
                        for (actual, expected) in output.values.iter().zip(&expected.values) {
                            // NumPy computes in f64; f32 rounding of sums of 16 products is all that may differ.
                            assert!(
                                (actual - expected).abs() < 2e-6,
                                "{name}: {actual} for {expected}"
                            );
                        }
                    }
                }
                let [batch, ..] = interface.input_shape;
                let error = network.run(&input([batch + 1, 1, 8, 8])).unwrap_err();
                assert!(error.to_string().contains("the model takes"), "{error}");
            }
        }
    }

    #[test]
    fn an_interface_that_the_network_lacks_is_refused_by_field() {
        let files = ModelFiles::open("tests/fixtures/cells".as_ref()).unwrap();
        let ModelKind::Cells(model) = &files.manifest().model else {
            panic!("it counts cells");
        };
        let source = files.network_files("cell.files", &model.cell.files);
        let mut loader = EmbeddedLoader::new(&EngineConfig::default());
        let mut refusal = |interface| {
            let refused = loader.load(&source, interface);
            refused.map(|_| ()).unwrap_err().to_string()
        };
        let mut larger = model.cell.interface();
        larger.input_shape[0] = 4;
        let message = refusal(larger);
        assert!(
            message.contains("cell.input: the network has shape [3, 1, 8, 8], not [4, 1, 8, 8]"),
            "{message}"
        );
        assert!(
            message.contains("the network in cell.files.onnx is not"),
            "{message}"
        );
        let mut more = model.cell.interface();
        more.outputs[1].shape[1] = Some(5);
        let message = refusal(more);
        assert!(
            message.contains("cell.outputs.features: the network has shape [3, 4], not [3, 5]"),
            "{message}"
        );
    }
}
