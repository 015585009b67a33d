//! Which model the appliance uses, and what it falls back to if that model fails.
//!
//! - `roles`: the current and the previous model
//! - `store`: the installed models, and the file that stores their roles
//! - `shipped`: the model that comes with the program; a new store uses it
//! - `built_in`: the copy of that model in the program
//! - `location`: where a model's files are
//! - `error`: why there is no model to use
//!
//! A model's folder in the configuration overrides the store.

mod built_in;
mod error;
mod location;
mod roles;
mod shipped;
mod store;

use std::path::Path;

use smearscope_artifacts::{AnyModel, ArtifactError, Manifest, ModelFiles};
use smearscope_hardware::with_causes;

pub use error::{ModelError, StoreError};
pub use location::ModelLocation;
pub use roles::{ModelId, Roles};
pub use store::ModelStore;

use crate::config::Config;

/// Which model was loaded, and which could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOutcome {
    /// Where the loaded model is.
    pub(crate) location: ModelLocation,
    /// The models that were tried before it, each with its problem.
    pub(crate) failed: Vec<(ModelLocation, String)>,
}

/// A loaded model, and whether it is the one that was to be used.
#[derive(Debug)]
pub struct LoadedModel {
    /// Its files and golden samples are verified.
    pub model: AnyModel,
    /// Where it is, and what was tried before it.
    pub outcome: LoadOutcome,
    /// If this is not the current model: what happened, for the operator.
    pub rollback: Option<String>,
}

/// The models that a configuration allows.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a> {
    config: &'a Config,
}

impl<'a> Models<'a> {
    /// The models that `config` allows.
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// The folder that the configuration names, if any.
    pub(crate) fn configured_folder(&self) -> Option<&Path> {
        self.config.model.as_deref()
    }

    /// The installed models; `None` without a state folder.
    pub fn store(self) -> Option<ModelStore> {
        let state = self.config.state()?;
        Some(ModelStore::new(state.join("models")))
    }

    /// Where the model in use is: the current one of the store or, if the store cannot be read, the shipped one.
    pub fn location(self) -> ModelLocation {
        match (&self.config.model, self.store()) {
            (Some(folder), _) => ModelLocation::Folder(folder.clone()),
            (None, Some(store)) => match store.roles() {
                Ok(roles) => self.location_of(&roles.current),
                Err(error) => {
                    log::warn!("{}; using the shipped model", with_causes(&error));
                    shipped::find()
                }
            },
            (None, None) => shipped::find(),
        }
    }

    /// Why it is not known which of the installed models is in use; the shipped model is then used.
    pub fn store_problem(self) -> Option<StoreError> {
        let store = self.store().filter(|_| self.config.model.is_none())?;
        store.roles().err()
    }

    /// Where a model is.
    pub fn location_of(self, id: &ModelId) -> ModelLocation {
        match (id, self.store()) {
            (ModelId::Installed(name), Some(store)) => store.folder_of(name).into(),
            _ => shipped::find(),
        }
    }

    /// Reads a model and verifies its files and its signature.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open_signed`].
    pub fn open(self, location: &ModelLocation) -> Result<ModelFiles, ArtifactError> {
        let key = self.config.public_key.as_ref();
        match location {
            ModelLocation::Folder(folder) => ModelFiles::open_signed(folder, key),
            ModelLocation::BuiltIn => built_in::open(key),
        }
    }

    /// Opens a model and runs its golden samples on the configured engine.
    ///
    /// # Errors
    /// Those of [`Models::open`] and of [`AnyModel::from_files`].
    pub fn load(self, location: &ModelLocation) -> Result<AnyModel, ArtifactError> {
        AnyModel::from_files(self.open(location)?, &self.config.engine)
    }

    /// Loads the model in use, and never another one in its place.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn load_current(self) -> Result<AnyModel, ModelError> {
        Ok(self.load(&self.location())?)
    }

    /// Refuses a model that is older than the model in use of the same name.
    ///
    /// # Errors
    /// [`ModelError::Older`].
    pub fn require_no_downgrade(self, offered: &Manifest) -> Result<(), ModelError> {
        // A model that cannot be read is to be replaced, whatever its version.
        let Ok(files) = self.open(&self.location()) else {
            return Ok(());
        };
        let Manifest { name, version, .. } = files.manifest();
        if *name == offered.name && offered.version < *version {
            return Err(ModelError::Older {
                name: name.clone(),
                current: version.clone(),
                offered: offered.version.clone(),
            });
        }
        Ok(())
    }

    /// Loads the model in use. If it fails, rolls back to the previous model, also for later starts. If that one fails,
    /// too, or the store cannot be read, loads the shipped model, which is then looked for again at each start. A model
    /// that the configuration names has none to fall back to. Every model must have the signature that the
    /// configuration demands.
    ///
    /// # Errors
    /// [`ModelError`] if no model works.
    pub fn load_or_roll_back(self) -> Result<LoadedModel, ModelError> {
        self.load_working(|store| {
            if let Err(error) = store.swap() {
                // The previous model works all the same; the next start rolls back again.
                log::error!("{}", with_causes(&error));
            }
        })
    }

    /// Loads the model that [`Models::load_or_roll_back`] would load, and changes nothing for later starts.
    ///
    /// # Errors
    /// [`ModelError`] if no model works.
    pub fn load_or_fall_back(self) -> Result<LoadedModel, ModelError> {
        self.load_working(|_| ())
    }

    /// Loads the first model that works, and calls `swap` if that is the previous one.
    fn load_working(self, swap: impl FnOnce(&ModelStore)) -> Result<LoadedModel, ModelError> {
        let mut failed = Vec::new();
        let (None, Some(store)) = (&self.config.model, self.store()) else {
            let location = self.location();
            return Ok(LoadedModel {
                model: self.load(&location)?,
                outcome: LoadOutcome { location, failed },
                rollback: None,
            });
        };
        let Roles { current, previous } = match store.roles() {
            Ok(roles) => roles,
            Err(error) => return self.load_shipped_instead(failed, error.into()),
        };
        let location = self.location_of(&current);
        let error = match self.load(&location) {
            Ok(model) => {
                return Ok(LoadedModel {
                    model,
                    outcome: LoadOutcome { location, failed },
                    rollback: None,
                });
            }
            Err(error) => ModelError::from(error),
        };
        let problem = with_causes(&error);
        failed.push((location, problem.clone()));
        let Some(previous) = previous else {
            return self.load_shipped_instead(failed, error);
        };
        log::error!("model {} failed: {problem}", current.label());
        let location = self.location_of(&previous);
        let model = match self.load(&location) {
            Ok(model) => model,
            Err(error) => {
                failed.push((location, with_causes(&error)));
                let error = ModelError::BothFailed {
                    ids: Box::new([current, previous]),
                    problem,
                    source: Box::new(error.into()),
                };
                return self.load_shipped_instead(failed, error);
            }
        };
        swap(&store);
        let (name, version) = (model.name(), model.version());
        let rollback = format!("{} failed, back to {name} {version}", current.label());
        log::error!("model {rollback}");
        Ok(LoadedModel {
            model,
            outcome: LoadOutcome { location, failed },
            rollback: Some(rollback),
        })
    }

    /// Loads the shipped model, or else the copy in the program, because no installed model can be used.
    ///
    /// # Errors
    /// `failure`, if neither can be used.
    fn load_shipped_instead(
        self,
        mut failed: Vec<(ModelLocation, String)>,
        failure: ModelError,
    ) -> Result<LoadedModel, ModelError> {
        let problem = with_causes(&failure);
        log::error!("{problem}");
        for location in [shipped::find(), ModelLocation::BuiltIn] {
            match self.load(&location) {
                Ok(model) => {
                    let (name, version) = (model.name(), model.version());
                    let rollback = format!("using the shipped model {name} {version}: {problem}");
                    log::error!("{rollback}");
                    // It may have failed as the previous model, for a moment.
                    failed.retain(|(tried, _)| *tried != location);
                    return Ok(LoadedModel {
                        model,
                        outcome: LoadOutcome { location, failed },
                        rollback: Some(rollback),
                    });
                }
                Err(error) => {
                    let problem = with_causes(&error);
                    log::error!("the shipped model ({location}): {problem}");
                    failed.push((location, problem));
                }
            }
        }
        Err(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Raw;

    #[test]
    fn another_reader_falls_back_as_the_appliance_does_and_changes_no_roles() {
        let state = tempfile::tempdir().unwrap();
        let mut raw = Raw::default();
        raw.storage.state = state.path().into();
        raw.model.engine = smearscope_artifacts::EngineChoice::Embedded;
        let config = raw.validate().unwrap();
        let models = Models::new(&config);
        let store = models.store().unwrap();
        std::fs::create_dir(state.path().join("models")).unwrap();
        let gone = |name: &str| ModelId::Installed(format!("gone-{name}-abcdef"));
        for (previous, expected, failures) in [
            (ModelId::Shipped, "gone-2.0.0 failed, back to smear-demo", 1),
            (gone("1.0.0"), "using the shipped model smear-demo", 2),
        ] {
            let roles = Roles {
                current: gone("2.0.0"),
                previous: Some(previous),
            };
            store.write_roles(&roles).unwrap();
            models.load_current().unwrap_err();
            let loaded = models.load_or_fall_back().unwrap();
            let told = loaded.rollback.unwrap();
            assert!(told.starts_with(expected), "{told}");
            assert_eq!(loaded.outcome.location, shipped::find());
            let failed = loaded.outcome.failed.iter();
            let failed: Vec<_> = failed.map(|(location, _)| location.clone()).collect();
            let tried = [gone("2.0.0"), gone("1.0.0")].map(|id| models.location_of(&id));
            assert_eq!(failed, tried[..failures]);
            assert_eq!(store.roles().unwrap(), roles);
        }
    }
}
