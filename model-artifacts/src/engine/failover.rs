//! The engine that runs a network, and the engines that replace it if it fails. Each engine has to pass
//! the golden samples first.

use std::path::PathBuf;

use image::RgbImage;

use super::classifier::{Classifier, EngineInfo, Inference};
use super::config::EngineConfig;
use super::factory;
use super::kind::EngineKind;
use crate::error::ArtifactError;
use crate::image::preprocess::Preprocessor;
use crate::image::tensor::Tensor;
use crate::manifest::schema::GoldenSample;
use crate::model_files::ModelFiles;

/// The result of a golden sample that passed.
#[derive(Debug, Clone, PartialEq)]
pub struct GoldenResult {
    /// The sample's image, relative to the model folder.
    pub image: PathBuf,
    /// Probability from the manifest, 0 to 1.
    pub expected: f32,
    /// Probability that the network gave at the start, 0 to 1.
    pub actual: f32,
}

/// The engine in use, with the engines that can replace it.
pub(crate) struct Failover {
    classifier: Box<dyn Classifier>,
    info: EngineInfo,
    golden: Vec<GoldenResult>,
    /// The engines that can replace it, if there are any.
    standby: Option<Box<Standby>>,
}

/// The engines to start next, and the files to start them from: those in memory, whose checksums were
/// verified.
struct Standby {
    files: ModelFiles,
    config: EngineConfig,
    /// In order of preference.
    engines: Vec<EngineKind>,
}

impl Failover {
    /// Starts the first configured engine on which all golden samples pass.
    ///
    /// # Errors
    /// That of the last engine, which mentions the problems of the engines before it.
    pub(crate) fn start(files: ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let configured = Box::new(Standby {
            files,
            config: config.clone(),
            engines: factory::candidates(config),
        });
        let mut errors = match configured.start_next() {
            Ok(started) => return Ok(started),
            Err((_, errors)) => errors,
        };
        // The last engine's error has the remedy; the engines before it are optional.
        let last = errors.pop();
        Err(match last {
            Some(ArtifactError::Engine {
                engine,
                problem,
                remedy,
            }) if !errors.is_empty() => ArtifactError::Engine {
                engine,
                problem: format!("{problem} ({})", joined(&errors)),
                remedy,
            },
            Some(error) => error,
            None => EngineKind::Embedded.unusable("no engine is configured", "use `auto`"),
        })
    }

    /// Starts the last configured engine without verifying the golden samples, and without engines that
    /// can replace it.
    pub(crate) fn start_unverified(
        files: &ModelFiles,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        Self::unverified(files, factory::last_candidate(config.choice), config)
    }

    /// Replaces the engine in use by one that wraps it.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn wrap_engine(
        self,
        wrap: impl FnOnce(Box<dyn Classifier>) -> Box<dyn Classifier>,
    ) -> Self {
        Self {
            classifier: wrap(self.classifier),
            ..self
        }
    }

    /// The engine in use, and why it is not the preferred one.
    pub(crate) fn info(&self) -> &EngineInfo {
        &self.info
    }

    /// The results of the golden samples on the engine in use.
    pub(crate) fn golden(&self) -> &[GoldenResult] {
        &self.golden
    }

    fn unverified(
        files: &ModelFiles,
        engine: EngineKind,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let classifier = factory::start(engine, files, config)?;
        Ok(Self {
            info: classifier.info().clone(),
            classifier,
            golden: Vec::new(),
            standby: None,
        })
    }

    fn verified(
        files: &ModelFiles,
        engine: EngineKind,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let mut started = Self::unverified(files, engine, config)?;
        let mut preprocessor = Preprocessor::new(files.manifest().input.clone())?;
        for (sample, image) in files.manifest().golden.iter().zip(files.golden_images()) {
            let result = started.verify(sample, image, &mut preprocessor)?;
            started.golden.push(result);
        }
        Ok(started)
    }

    fn verify(
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

    /// Runs the network on the engine in use, or, if it fails, on the next engine that does not.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if all of them fail.
    pub(crate) fn infer(&mut self, input: &Tensor) -> Result<Inference, ArtifactError> {
        loop {
            match self.classifier.classify(input) {
                Ok(inference) => return Ok(inference),
                // Each call leaves fewer engines, so that the loop ends.
                Err(error) => self.fall_back(error)?,
            }
        }
    }

    /// Replaces the engine in use, which failed with `error`, by the next engine that passes the golden
    /// samples. If none does, the engine in use stays, and the next inference tries again.
    fn fall_back(&mut self, error: ArtifactError) -> Result<(), ArtifactError> {
        let Some(standby) = self.standby.take() else {
            return Err(error);
        };
        match standby.start_next() {
            Ok(mut next) => {
                let known = self.info.fallbacks.len();
                let earlier = self.info.fallbacks.drain(..).chain([error.to_string()]);
                next.info.fallbacks.splice(..0, earlier);
                for reason in &next.info.fallbacks[known..] {
                    log::warn!("{reason}");
                }
                log::warn!("from now on {} runs the model", next.info.name());
                *self = next;
                Ok(())
            }
            Err((standby, errors)) => {
                self.standby = Some(standby);
                let problem = match error {
                    ArtifactError::Inference { problem, .. } => problem,
                    other => other.to_string(),
                };
                Err(ArtifactError::Inference {
                    engine: self.info.engine,
                    problem: format!(
                        "{problem}; no other engine can replace it: {}",
                        joined(&errors)
                    ),
                })
            }
        }
    }
}

impl Standby {
    /// Starts the first engine on which all golden samples pass; the engines after it stay on standby, and
    /// the errors of the engines before it are its fallbacks.
    ///
    /// # Errors
    /// The unchanged standby, and the error of each engine, if none passes.
    fn start_next(self: Box<Self>) -> Result<Failover, (Box<Self>, Vec<ArtifactError>)> {
        let mut errors = Vec::new();
        for (index, engine) in self.engines.iter().enumerate() {
            match Failover::verified(&self.files, *engine, &self.config) {
                Ok(mut started) => {
                    let reasons = errors.iter().map(ToString::to_string);
                    started.info.fallbacks.splice(..0, reasons);
                    let engines = self.engines[index + 1..].to_vec();
                    if !engines.is_empty() {
                        started.standby = Some(Box::new(Self { engines, ..*self }));
                    }
                    return Ok(started);
                }
                Err(error) => errors.push(error),
            }
        }
        Err((self, errors))
    }
}

fn joined(errors: &[ArtifactError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}
