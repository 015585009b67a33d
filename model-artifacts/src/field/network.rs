//! The network of a model that judges whole fields, on one engine.

use super::inference::{Inference, OutputReader};
use crate::engine::failover::{GoldenResult, NetworkSet};
use crate::engine::loader::LoadNetwork;
use crate::engine::network::{EngineInfo, Network};
use crate::error::ArtifactError;
use crate::image::preprocess::Preprocessor;
use crate::image::tensor::Tensor;
use crate::manifest::field::FieldModel;
use crate::model_files::ModelFiles;

/// A loaded network that looks at whole fields.
pub struct FieldNetwork {
    network: Box<dyn Network>,
    reader: OutputReader,
}

impl FieldNetwork {
    /// Runs the network on one prepared field.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the engine fails, or if the outputs are not a softmax and a finite map.
    pub(crate) fn infer(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        let engine = self.network.info().engine;
        let outputs = self.network.run(input)?;
        self.reader
            .read(&outputs)
            .map_err(|problem| ArtifactError::Inference { engine, problem })
    }

    /// Replaces the engine by one that wraps it.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn wrap(self, wrap: impl FnOnce(Box<dyn Network>) -> Box<dyn Network>) -> Self {
        Self {
            network: wrap(self.network),
            reader: self.reader,
        }
    }
}

impl NetworkSet for FieldNetwork {
    type Model = FieldModel;
    type Preprocessor = Preprocessor;

    fn of_kind(files: ModelFiles) -> Result<ModelFiles<FieldModel>, ArtifactError> {
        files.into_field()
    }

    fn preprocessor(model: &FieldModel) -> Result<Preprocessor, ArtifactError> {
        Preprocessor::new(model.input.clone())
    }

    fn load(
        loader: &mut dyn LoadNetwork,
        files: &ModelFiles<FieldModel>,
    ) -> Result<Self, ArtifactError> {
        let model = &files.manifest().model;
        Ok(Self {
            network: loader.load(&files.network(), model.interface())?,
            reader: OutputReader::new(model),
        })
    }

    fn info(&self) -> &EngineInfo {
        self.network.info()
    }

    fn verify(
        &mut self,
        files: &ModelFiles<FieldModel>,
    ) -> Result<Vec<GoldenResult>, ArtifactError> {
        let model = &files.manifest().model;
        let mut preprocessor = Self::preprocessor(model)?;
        let samples = model.golden.iter();
        samples
            .map(|sample| {
                let input = preprocessor.prepare(files.golden_image(&sample.image)?)?;
                let actual = self.infer(input)?.probability;
                if (actual - sample.probability).abs() > sample.tolerance {
                    return Err(ArtifactError::Golden {
                        sample: sample.image.path.clone(),
                        engine: self.info().name(),
                        expected: sample.probability,
                        actual,
                        tolerance: sample.tolerance,
                    });
                }
                Ok(GoldenResult {
                    image: sample.image.path.clone(),
                    expected: sample.probability,
                    actual,
                })
            })
            .collect()
    }
}
