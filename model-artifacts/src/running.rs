//! The engine that runs a network, proved, and the engines that take its place when it fails.

use std::path::PathBuf;

use image::RgbImage;

use crate::engine::Engine;
use crate::{
    ArtifactError, Classifier, EngineConfig, EngineInfo, GoldenSample, Inference, ModelFiles,
    Preprocessor, Tensor,
};

/// How a golden sample came out.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenResult {
    /// The sample's image, relative to the model folder.
    pub image: PathBuf,
    /// Probability from the manifest.
    pub expected: f32,
    /// Probability that came out.
    pub actual: f32,
}

/// An engine at work.
pub(crate) struct Running {
    classifier: Box<dyn Classifier>,
    info: EngineInfo,
    golden: Vec<GoldenResult>,
    /// What takes its place, if anything can.
    spare: Option<Spare>,
}

/// What the next engines are started from: the very bytes that were checked, in memory.
struct Spare {
    files: ModelFiles,
    config: EngineConfig,
    /// In order; never empty.
    engines: Vec<Engine>,
}

impl Running {
    /// The first engine of the configuration on which the golden samples are right.
    pub(crate) fn first(files: ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let engines = config.engines();
        let mut reasons = Vec::new();
        let mut last = None;
        for (index, engine) in engines.iter().enumerate() {
            match Self::proved(&files, *engine, config) {
                Ok(mut running) => {
                    running.info.fallbacks.splice(..0, reasons);
                    running.spare = Spare::of(files, config, &engines[index + 1..]);
                    return Ok(running);
                }
                Err(error) => {
                    reasons.push(error.to_string());
                    last = Some(error);
                }
            }
        }
        // That of the last engine is the one to act on; those before it were not needed.
        reasons.pop();
        Err(match last {
            Some(ArtifactError::Engine {
                engine,
                problem,
                remedy,
            }) if !reasons.is_empty() => ArtifactError::Engine {
                engine,
                problem: format!("{problem} ({})", reasons.join("; ")),
                remedy,
            },
            Some(error) => error,
            None => ArtifactError::Engine {
                engine: "none",
                problem: "the configuration allows no engine".into(),
                remedy: "use the engine auto".into(),
            },
        })
    }

    /// An engine without the proof, and without others behind it.
    pub(crate) fn unproved(
        files: &ModelFiles,
        engine: Engine,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let classifier = engine.start(files, config)?;
        Ok(Self {
            info: classifier.info().clone(),
            classifier,
            golden: Vec::new(),
            spare: None,
        })
    }

    /// With something between it and whoever asks.
    pub(crate) fn through(
        self,
        wrap: impl FnOnce(Box<dyn Classifier>) -> Box<dyn Classifier>,
    ) -> Self {
        Self {
            classifier: wrap(self.classifier),
            ..self
        }
    }

    /// The engine at work, and why it is not the one that was asked for first.
    pub(crate) fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// How the golden samples came out on it.
    pub(crate) fn golden(&self) -> &[GoldenResult] {
        &self.golden
    }

    fn proved(
        files: &ModelFiles,
        engine: Engine,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let mut running = Self::unproved(files, engine, config)?;
        let mut preprocessor = Preprocessor::new(files.manifest().input.clone())?;
        for (sample, image) in files.manifest().golden.iter().zip(files.golden_images()) {
            let result = running.prove(sample, image, &mut preprocessor)?;
            running.golden.push(result);
        }
        Ok(running)
    }

    fn prove(
        &mut self,
        sample: &GoldenSample,
        image: &RgbImage,
        preprocessor: &mut Preprocessor,
    ) -> Result<GoldenResult, ArtifactError> {
        let input = preprocessor.prepare(image)?;
        let actual = self.classifier.classify(input)?.probability;
        if (actual - sample.probability).abs() > sample.tolerance {
            return Err(ArtifactError::Golden {
                sample: sample.image.path.clone(),
                engine: self.info.name(),
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
    }

    /// Runs the network on the engine, or, if that fails, on the next one that does not.
    pub(crate) fn infer(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        loop {
            match self.classifier.classify(input) {
                Ok(inference) => return Ok(inference),
                // Each time there are fewer engines, so that this ends.
                Err(error) => self.fall_back(error)?,
            }
        }
    }

    /// Puts the next engine that passes in the place of this one, which failed with `error`. Where none
    /// does, all stays as it is, so that the next inference tries again.
    fn fall_back(&mut self, error: ArtifactError) -> Result<(), ArtifactError> {
        let Some(spare) = self.spare.take() else {
            return Err(error);
        };
        let failed = error.to_string();
        let mut reasons = Vec::new();
        for (index, engine) in spare.engines.iter().enumerate() {
            match Self::proved(&spare.files, *engine, &spare.config) {
                Ok(mut next) => {
                    reasons.insert(0, failed);
                    for reason in &reasons {
                        log::warn!("{reason}");
                    }
                    log::warn!("from now on {} runs the model", next.info.name());
                    let earlier = self.info.fallbacks.drain(..).chain(reasons);
                    next.info.fallbacks.splice(..0, earlier);
                    let rest = &spare.engines[index + 1..];
                    next.spare = Spare::of(spare.files, &spare.config, rest);
                    *self = next;
                    return Ok(());
                }
                Err(error) => reasons.push(error.to_string()),
            }
        }
        self.spare = Some(spare);
        let problem = match error {
            ArtifactError::Inference { problem, .. } => problem,
            _ => failed,
        };
        Err(ArtifactError::Inference {
            engine: self.info.engine,
            problem: format!(
                "{problem}; no other takes its place: {}",
                reasons.join("; ")
            ),
        })
    }
}

impl Spare {
    fn of(files: ModelFiles, config: &EngineConfig, engines: &[Engine]) -> Option<Self> {
        (!engines.is_empty()).then(|| Self {
            files,
            config: config.clone(),
            engines: engines.to_vec(),
        })
    }
}
