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

use smearscope_artifacts::{ArtifactError, Manifest, Model, ModelFiles};
use smearscope_hardware::with_causes;

pub use error::ModelError;
pub use location::ModelLocation;
pub use roles::{ModelId, Roles};
pub use store::ModelStore;

use crate::config::Config;

/// A loaded model, and whether it is the one that was to be used.
#[derive(Debug)]
pub struct LoadedModel {
    /// The model.
    pub model: Model,
    /// If the current model failed and this is the previous one: what happened, for the operator.
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

    /// Where the model in use is.
    ///
    /// # Errors
    /// [`ModelError::Store`].
    pub fn location(self) -> Result<ModelLocation, ModelError> {
        Ok(match (&self.config.model, self.store()) {
            (Some(folder), _) => ModelLocation::Folder(folder.clone()),
            (None, Some(store)) => self.location_of(&store.roles()?.current),
            (None, None) => shipped::find(),
        })
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
    /// Those of [`Models::open`] and of [`Model::from_files`].
    pub fn load(self, location: &ModelLocation) -> Result<Model, ArtifactError> {
        Model::from_files(self.open(location)?, &self.config.engine)
    }

    /// Loads the model in use, and never another one in its place.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn load_current(self) -> Result<Model, ModelError> {
        Ok(self.load(&self.location()?)?)
    }

    /// Loads the model in use. If it fails, rolls back to the previous model, also for later starts. A model that
    /// the configuration names has no previous one.
    ///
    /// # Errors
    /// [`ModelError`] if no model works.
    pub fn load_or_roll_back(self) -> Result<LoadedModel, ModelError> {
        let (None, Some(store)) = (&self.config.model, self.store()) else {
            return Ok(LoadedModel {
                model: self.load_current()?,
                rollback: None,
            });
        };
        let Roles { current, previous } = store.roles()?;
        let load = |id: &ModelId| Ok::<_, ModelError>(self.load(&self.location_of(id))?);
        let (error, previous) = match (load(&current), previous) {
            (Ok(model), _) => {
                return Ok(LoadedModel {
                    model,
                    rollback: None,
                });
            }
            (Err(error), None) => return Err(error),
            (Err(error), Some(previous)) => (error, previous),
        };
        let problem = with_causes(&error);
        log::error!("model {} failed: {problem}", current.label());
        let model = load(&previous).map_err(|error| ModelError::BothFailed {
            ids: Box::new([current.clone(), previous]),
            problem,
            source: error.into(),
        })?;
        if let Err(error) = store.swap() {
            // The previous model works all the same; the next start rolls back again.
            log::error!("{}", with_causes(&error));
        }
        let Manifest { name, version, .. } = model.manifest();
        let rollback = format!("{} failed, back to {name} {version}", current.label());
        log::error!("model {rollback}");
        Ok(LoadedModel {
            model,
            rollback: Some(rollback),
        })
    }
}
