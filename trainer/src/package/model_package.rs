//! A model folder: manifest, network files, golden samples and model card.

use std::fmt;
use std::fs;
use std::path::Path;

use clap::Args;
use image::RgbImage;
use log::warn;
use semver::Version;
use smearscope_artifacts::{
    ArtifactError, EngineChoice, EngineConfig, EngineInfo, FileEntry, Files, GoldenSample,
    Manifest, Model,
};

use crate::error::TrainError;
use crate::graph::{ir, onnx};
use crate::networks::Network;
use crate::package::golden::{Expected, Golden};

/// Largest absolute difference between the trained network and an exported one, of probability
/// and of evidence.
pub(crate) const AGREEMENT: f32 = 1e-4;
/// Largest difference that a golden sample allows: room for half-precision devices.
pub(crate) const GOLDEN_TOLERANCE: f32 = 0.01;

pub(crate) const IR_XML: &str = "model.xml";
pub(crate) const IR_BIN: &str = "model.bin";
const ONNX: &str = "model.onnx";

/// What a model is called, and on which terms it is passed on.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Identity {
    /// The model's name: a-z, 0-9 and -
    #[arg(long, default_value = "smear-demo")]
    pub(crate) name: String,
    /// The model's version
    #[arg(long = "model-version", default_value = "0.1.0", value_name = "SEMVER")]
    pub(crate) version: Version,
    /// SPDX expression of the weights' licence
    #[arg(long, default_value = "MIT")]
    pub(crate) license: String,
}

/// What goes into a model folder. The manifest's files and golden samples are filled in when it
/// is written.
#[derive(Debug)]
pub(crate) struct Package<'a> {
    pub(crate) network: &'a Network,
    pub(crate) golden: &'a [Golden],
    pub(crate) manifest: Manifest,
}

/// How closely an engine follows the trained network.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) engine: EngineInfo,
    pub(crate) images: usize,
    /// Largest absolute difference of the probability.
    pub(crate) probability: f32,
    /// Largest absolute difference of the evidence.
    pub(crate) evidence: f32,
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} follows the trained network within {:.1e} (probability) and {:.1e} (evidence) on {} images",
            self.engine.engine, self.probability, self.evidence, self.images
        )
    }
}

impl Package<'_> {
    /// Writes network, golden samples and manifest into a folder; gives the completed manifest.
    pub(crate) fn write(&self, folder: &Path) -> Result<Manifest, TrainError> {
        let graph = self.network.graph();
        let ir = ir::write(&graph, &self.manifest.name).map_err(|error| TrainError::Export {
            problem: format!("{IR_XML}: {error}"),
        })?;
        let onnx =
            onnx::write(&graph, &self.manifest.name).map_err(|problem| TrainError::Export {
                problem: format!("{ONNX}: {problem}"),
            })?;

        let mut manifest = self.manifest.clone();
        manifest.files = Files {
            ir_xml: Some(save(folder, IR_XML, &ir.xml)?),
            ir_bin: Some(save(folder, IR_BIN, &ir.bin)?),
            onnx: Some(save(folder, ONNX, &onnx)?),
        };
        manifest.golden = self
            .golden
            .iter()
            .map(|golden| {
                let expected = Expected::of(self.network, &golden.image)?;
                Ok(GoldenSample {
                    image: save(folder, &golden.path, &golden.png)?,
                    probability: expected.probability,
                    tolerance: GOLDEN_TOLERANCE,
                })
            })
            .collect::<Result<_, TrainError>>()?;
        save(folder, Manifest::FILE_NAME, manifest.to_toml()?.as_bytes())?;
        Ok(manifest)
    }

    /// Loads the written folder on an engine, as the appliance would, and compares.
    pub(crate) fn compare(
        &self,
        folder: &Path,
        choice: EngineChoice,
        images: &[RgbImage],
    ) -> Result<Agreement, TrainError> {
        let config = EngineConfig {
            choice,
            ..EngineConfig::default()
        };
        let mut model = Model::load(folder, &config)?;
        let mut agreement = Agreement {
            engine: model.engine().clone(),
            images: images.len(),
            probability: 0.0,
            evidence: 0.0,
        };
        for image in images {
            let expected = Expected::of(self.network, image)?;
            let actual = model.infer(image)?;
            let evidence = actual.evidence.map(|map| map.values).unwrap_or_default();
            if evidence.len() != expected.evidence.len() {
                return Err(TrainError::Export {
                    problem: format!(
                        "{} gives {} evidence values where the network gives {}",
                        agreement.engine.engine,
                        evidence.len(),
                        expected.evidence.len()
                    ),
                });
            }
            let evidence = evidence
                .iter()
                .zip(&expected.evidence)
                .map(|(actual, expected)| (actual - expected).abs());
            agreement.evidence = evidence.fold(agreement.evidence, f32::max);
            let difference = (actual.probability - expected.probability).abs();
            agreement.probability = agreement.probability.max(difference);
        }
        if agreement.probability > AGREEMENT || agreement.evidence > AGREEMENT {
            return Err(TrainError::Export {
                problem: format!(
                    "on {} its probability is off by {:.1e} and its evidence by {:.1e}, \
                     where {AGREEMENT:.0e} is allowed",
                    agreement.engine.engine, agreement.probability, agreement.evidence
                ),
            });
        }
        Ok(agreement)
    }

    /// The engines that run this written folder. The embedded one must; OpenVINO may be absent.
    pub(crate) fn usable_engines(
        &self,
        folder: &Path,
        images: &[RgbImage],
    ) -> Result<Vec<EngineChoice>, TrainError> {
        let mut usable = Vec::new();
        for choice in [EngineChoice::OpenVino, EngineChoice::Embedded] {
            match self.compare(folder, choice, images) {
                Ok(_) => usable.push(choice),
                Err(TrainError::Artifact(error @ ArtifactError::Engine { .. }))
                    if choice == EngineChoice::OpenVino =>
                {
                    warn!("the export will not be compared on OpenVINO: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(usable)
    }
}

/// Writes a file of the model folder.
pub(crate) fn save(folder: &Path, name: &str, bytes: &[u8]) -> Result<FileEntry, TrainError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| TrainError::output(parent, source))?;
    }
    fs::write(&path, bytes).map_err(|source| TrainError::output(&path, source))?;
    Ok(FileEntry::for_bytes(name, bytes))
}
