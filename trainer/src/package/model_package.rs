//! A trained network as a model folder, compared on each engine with the network it was made from.

use std::fmt;
use std::path::Path;

use image::RgbImage;
use smearscope_artifacts::{
    DecisionRule, EngineChoice, EngineConfig, EngineInfo, FieldModel, Files, GoldenSample,
    Manifest, Model,
};

use super::engines::on_each_engine;
use super::files::{IR_BIN, IR_XML, ONNX, save, save_manifest};
use super::golden::{Expected, Golden};

use crate::error::TrainError;
use crate::graph::{ir, onnx};
use crate::networks::Network;

/// Largest absolute difference between the trained network and an exported one, of probability
/// and of evidence.
pub(crate) const AGREEMENT: f32 = 1e-4;
/// Tolerance of golden samples, with room for half-precision devices.
pub(crate) const GOLDEN_TOLERANCE: f32 = 0.01;

/// A decision rule that is not fitted to any images.
pub(crate) const UNCALIBRATED: DecisionRule = DecisionRule {
    threshold: 0.5,
    inconclusive: [0.2, 0.8],
    offset: 0.0,
    temperature: 1.0,
};

/// The contents of a model folder. Writing it completes the manifest's files and golden samples.
#[derive(Debug)]
pub(crate) struct ModelPackage<'a> {
    pub(crate) network: &'a Network,
    pub(crate) golden: &'a [Golden],
    pub(crate) manifest: Manifest<FieldModel>,
}

/// How closely an engine reproduces the trained network.
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
            "{} reproduces the trained network within {:.1e} (probability) and {:.1e} (evidence) on {} images",
            self.engine.engine, self.probability, self.evidence, self.images
        )
    }
}

impl ModelPackage<'_> {
    /// Writes network, golden samples and manifest into a folder; returns the completed manifest.
    pub(crate) fn write(&self, folder: &Path) -> Result<Manifest<FieldModel>, TrainError> {
        let graph = self.network.graph();
        let ir = ir::write(&graph, &self.manifest.name).map_err(|error| TrainError::Export {
            problem: format!("{IR_XML}: {error}"),
        })?;
        let onnx =
            onnx::write(&graph, &self.manifest.name).map_err(|problem| TrainError::Export {
                problem: format!("{ONNX}: {problem}"),
            })?;

        let mut manifest = self.manifest.clone();
        manifest.model.files = Files {
            ir_xml: Some(save(folder, IR_XML, &ir.xml)?),
            ir_bin: Some(save(folder, IR_BIN, &ir.bin)?),
            onnx: Some(save(folder, ONNX, &onnx)?),
        };
        manifest.model.golden = self
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
        save_manifest(folder, &manifest)?;
        Ok(manifest)
    }

    /// Loads the written folder on an engine, as the appliance does, and compares the outputs.
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
                        "{} returns {} evidence values and the network {}",
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
                    "on {} the probability differs by {:.1e} and the evidence by {:.1e}; \
                     {AGREEMENT:.0e} is allowed",
                    agreement.engine.engine, agreement.probability, agreement.evidence
                ),
            });
        }
        Ok(agreement)
    }

    /// The engines that run the written folder. The embedded engine must run it; OpenVINO may be
    /// missing.
    pub(crate) fn usable_engines(
        &self,
        folder: &Path,
        images: &[RgbImage],
    ) -> Result<Vec<EngineChoice>, TrainError> {
        on_each_engine(|choice| self.compare(folder, choice, images).map(|_| choice))
    }
}
