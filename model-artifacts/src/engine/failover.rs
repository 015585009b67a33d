//! The engine that runs a network, and the engines that replace it if it fails. Each engine has to pass
//! the golden samples first.

use std::path::PathBuf;

use super::config::EngineConfig;
use super::factory;
use super::kind::EngineKind;
use super::loader::LoadNetwork;
use super::network::EngineInfo;
use crate::error::ArtifactError;
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

/// The networks of one kind of model, all on the same engine.
pub trait NetworkSet: Sized {
    /// What the manifest says about models of this kind.
    type Model: Clone;
    /// What prepares images for the networks, whichever engine runs them.
    type Preprocessor;

    /// The files of a model of this kind.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if it is a model of another kind.
    fn of_kind(files: ModelFiles) -> Result<ModelFiles<Self::Model>, ArtifactError>;

    /// What prepares images for a model.
    ///
    /// # Errors
    /// Those of [`Preprocessor::new`](crate::Preprocessor::new).
    fn preprocessor(model: &Self::Model) -> Result<Self::Preprocessor, ArtifactError>;

    /// Loads all networks of a model.
    ///
    /// # Errors
    /// Those of [`LoadNetwork::load`].
    fn load(
        loader: &mut dyn LoadNetwork,
        files: &ModelFiles<Self::Model>,
    ) -> Result<Self, ArtifactError>;

    /// The engine and device that run the networks.
    fn info(&self) -> &EngineInfo;

    /// Runs all golden samples.
    ///
    /// # Errors
    /// [`ArtifactError::Golden`] if a sample's result is outside its tolerance, [`ArtifactError::Inference`] if the
    /// engine fails.
    fn verify(
        &mut self,
        files: &ModelFiles<Self::Model>,
    ) -> Result<Vec<GoldenResult>, ArtifactError>;
}

/// The networks in use, with the engines that can replace theirs.
pub(crate) struct Failover<N: NetworkSet> {
    networks: N,
    info: EngineInfo,
    golden: Vec<GoldenResult>,
    /// The engines that can replace it, if there are any.
    standby: Option<Box<Standby<N>>>,
}

/// The engines to start next, and the files to start them from: those in memory, whose checksums were
/// verified.
struct Standby<N: NetworkSet> {
    files: ModelFiles<N::Model>,
    config: EngineConfig,
    /// In order of preference.
    engines: Vec<EngineKind>,
}

impl<N: NetworkSet> Failover<N> {
    /// Starts the first configured engine on which all golden samples pass.
    ///
    /// # Errors
    /// That of the last engine, which mentions the problems of the engines before it.
    pub(crate) fn start(
        files: ModelFiles<N::Model>,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
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
        files: &ModelFiles<N::Model>,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        Self::unverified(files, factory::last_candidate(config.choice), config)
    }

    /// Changes the networks in use.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn map_networks(self, change: impl FnOnce(N) -> N) -> Self {
        Self {
            networks: change(self.networks),
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
        files: &ModelFiles<N::Model>,
        engine: EngineKind,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let networks = N::load(factory::loader(engine, config).as_mut(), files)?;
        Ok(Self {
            info: networks.info().clone(),
            networks,
            golden: Vec::new(),
            standby: None,
        })
    }

    fn verified(
        files: &ModelFiles<N::Model>,
        engine: EngineKind,
        config: &EngineConfig,
    ) -> Result<Self, ArtifactError> {
        let mut started = Self::unverified(files, engine, config)?;
        started.golden = started.networks.verify(files)?;
        Ok(started)
    }

    /// Runs a task on the networks in use, or, if an inference fails, again on those of the next engine on which
    /// none does.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if inferences fail on all of them, and any other error of the task.
    pub(crate) fn run<T>(
        &mut self,
        mut task: impl FnMut(&mut N) -> Result<T, ArtifactError>,
    ) -> Result<T, ArtifactError> {
        loop {
            match task(&mut self.networks) {
                // Each call leaves fewer engines, so that the loop ends.
                Err(error @ ArtifactError::Inference { .. }) => self.fall_back(error)?,
                result => return result,
            }
        }
    }

    /// Replaces the engine in use, which failed with `error`, by the next engine that passes the golden
    /// samples, for all networks. If none does, the engine in use stays, and the next inference tries again.
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

impl<N: NetworkSet> Standby<N> {
    /// Starts the first engine on which all golden samples pass; the engines after it stay on standby, and
    /// the errors of the engines before it are its fallbacks.
    ///
    /// # Errors
    /// The unchanged standby, and the error of each engine, if none passes.
    fn start_next(self: Box<Self>) -> Result<Failover<N>, (Box<Self>, Vec<ArtifactError>)> {
        let mut errors = Vec::new();
        for (index, engine) in self.engines.iter().enumerate() {
            match Failover::<N>::verified(&self.files, *engine, &self.config) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::EngineChoice;
    use crate::engine::network::Network;
    use crate::manifest::schema::ModelKind;
    use crate::testing::skip;

    /// Both networks of a model that counts cells.
    struct Pair {
        finder: Box<dyn Network>,
        cell: Box<dyn Network>,
        verified: usize,
    }

    impl NetworkSet for Pair {
        type Model = ModelKind;
        type Preprocessor = ();

        fn of_kind(files: ModelFiles) -> Result<ModelFiles, ArtifactError> {
            Ok(files)
        }

        fn preprocessor(_: &ModelKind) -> Result<(), ArtifactError> {
            Ok(())
        }

        fn load(
            loader: &mut dyn LoadNetwork,
            files: &ModelFiles<ModelKind>,
        ) -> Result<Self, ArtifactError> {
            let ModelKind::Cells(model) = &files.manifest().model else {
                panic!("it counts cells");
            };
            let finder = files.network_files("finder.files", &model.finder.files);
            let cell = files.network_files("cell.files", &model.cell.files);
            Ok(Self {
                finder: loader.load(&finder, model.finder.interface())?,
                cell: loader.load(&cell, model.cell.interface())?,
                verified: 0,
            })
        }

        fn info(&self) -> &EngineInfo {
            self.finder.info()
        }

        fn verify(
            &mut self,
            _: &ModelFiles<ModelKind>,
        ) -> Result<Vec<GoldenResult>, ArtifactError> {
            self.verified += 1;
            Ok(Vec::new())
        }
    }

    #[test]
    fn all_networks_move_to_the_next_engine_together() {
        let files = ModelFiles::open("tests/fixtures/cells".as_ref()).unwrap();
        let config = EngineConfig::default();
        assert_eq!(config.choice, EngineChoice::Auto);
        let mut failover = Failover::<Pair>::start(files, &config).unwrap();
        if failover.info().engine != "openvino" {
            skip("OpenVINO is not installed, so there is only one engine");
            return;
        }
        // The cell network fails on the first engine.
        let engines = failover
            .run(|pair| {
                let engines = [pair.finder.info(), pair.cell.info()].map(|info| info.engine);
                match engines[1] {
                    "openvino" => Err(EngineKind::OpenVino.inference_failed("it is gone".into())),
                    _ => Ok((engines, pair.verified)),
                }
            })
            .unwrap();
        assert_eq!(engines, (["embedded"; 2], 1));
        assert_eq!(failover.info().engine, "embedded");
        assert_eq!(
            failover.info().fallbacks,
            ["inference failed on openvino: it is gone"]
        );
    }
}
