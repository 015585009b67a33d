//! Which model the appliance uses, and what it does when that one fails.
//!
//! A model's folder may be named in the configuration; else the `store` says which is in use, and in
//! a new store that is the one that comes with the program.

mod store;

use std::path::{Path, PathBuf};

use smearscope_artifacts::{ArtifactError, Manifest, Model, ModelFiles};
use smearscope_hardware::with_causes;

pub use store::{ModelStore, Roles, Slot, StoreError};

use crate::config::Config;

/// The model that comes with the program: installed, or relative to the source tree.
const INSTALLED_MODEL: &str = "/usr/share/smearscope/models/smear-demo";
const SOURCE_TREE_MODEL: &str = "model-artifacts/smear-demo";

/// Why there is no model to classify with.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The model may not be used.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model that comes with the program is not there.
    #[error(
        "no model is installed: neither {INSTALLED_MODEL} nor {SOURCE_TREE_MODEL} above the program or \
         the working directory; name one with --model"
    )]
    NoneShipped,
    /// Nothing is kept, so nothing can be installed.
    #[error("no models can be installed, since storage.state is empty; name a folder there")]
    NoStore,
    /// The current model failed, and so did the one before it.
    #[error("{current} failed: {problem}; {previous} failed too; install a model", current = .slots[0].label(), previous = .slots[1].label())]
    Both {
        /// The current one and the previous.
        slots: Box<[Slot; 2]>,
        /// What the current one failed for.
        problem: String,
        /// What the previous one failed for.
        #[source]
        source: Box<ModelError>,
    },
}

/// A model that is ready, and why it is not the one that was in use.
#[derive(Debug)]
pub struct Ready {
    /// The model.
    pub model: Model,
    /// In the operator's words, if the model in use failed and this is the one before it.
    pub rollback: Option<String>,
}

/// The models that a configuration allows.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a> {
    config: &'a Config,
}

impl<'a> Models<'a> {
    /// Those of `config`.
    pub fn new(config: &'a Config) -> Self {
        Self { config }
    }

    /// The model's folder that the configuration names, if it names one.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.config.model.as_deref()
    }

    /// Where models are installed, if the appliance has a place for what it keeps.
    pub fn store(self) -> Option<ModelStore> {
        let state = self.config.state()?;
        Some(ModelStore::new(state.join("models")))
    }

    /// The folder of the model in use.
    ///
    /// # Errors
    /// [`ModelError::NoneShipped`] and [`ModelError::Store`].
    pub fn folder(self) -> Result<PathBuf, ModelError> {
        match (&self.config.model, self.store()) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, Some(store)) => self.folder_of(&store.roles()?.current),
            (None, None) => self.folder_of(&Slot::Shipped),
        }
    }

    /// The folder of a model.
    ///
    /// # Errors
    /// [`ModelError::NoneShipped`].
    pub fn folder_of(self, slot: &Slot) -> Result<PathBuf, ModelError> {
        match (slot, self.store()) {
            (Slot::Installed(name), Some(store)) => Ok(store.folder_of(name)),
            _ => shipped(),
        }
    }

    /// Reads the model in `folder`, and checks it and its signature.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open_signed`].
    pub fn open(self, folder: &Path) -> Result<ModelFiles, ArtifactError> {
        ModelFiles::open_signed(folder, self.config.public_key.as_ref())
    }

    /// The same, and proves it on the engine that the configuration asks for.
    ///
    /// # Errors
    /// Those of [`Models::open`] and of [`Model::from_files`].
    pub fn load(self, folder: &Path) -> Result<Model, ArtifactError> {
        Model::from_files(self.open(folder)?, &self.config.engine)
    }

    /// Loads the model in use. If it fails, the one before it takes its place, for good.
    ///
    /// # Errors
    /// [`ModelError`] if there is none that works. A model that the configuration names has none
    /// before it.
    pub fn boot(self) -> Result<Ready, ModelError> {
        let (None, Some(store)) = (&self.config.model, self.store()) else {
            return Ok(Ready {
                model: self.load(&self.folder()?)?,
                rollback: None,
            });
        };
        let Roles { current, previous } = store.roles()?;
        let load = |slot: &Slot| Ok::<_, ModelError>(self.load(&self.folder_of(slot)?)?);
        let (error, previous) = match (load(&current), previous) {
            (Ok(model), _) => {
                return Ok(Ready {
                    model,
                    rollback: None,
                });
            }
            (Err(error), None) => return Err(error),
            (Err(error), Some(previous)) => (error, previous),
        };
        let problem = with_causes(&error);
        log::error!("model {} failed: {problem}", current.label());
        let model = load(&previous).map_err(|error| ModelError::Both {
            slots: Box::new([current.clone(), previous]),
            problem,
            source: error.into(),
        })?;
        if let Err(error) = store.swap() {
            // It works all the same; the next start will find out again.
            log::error!("{}", with_causes(&error));
        }
        let Manifest { name, version, .. } = model.manifest();
        let rollback = format!("{} failed, back to {name} {version}", current.label());
        log::error!("model {rollback}");
        Ok(Ready {
            model,
            rollback: Some(rollback),
        })
    }
}

/// The folder of the model that comes with the program.
fn shipped() -> Result<PathBuf, ModelError> {
    let starts = [std::env::current_exe(), std::env::current_dir()];
    let above = starts.iter().flatten().flat_map(|start| {
        start
            .ancestors()
            .map(|folder| folder.join(SOURCE_TREE_MODEL))
    });
    std::iter::once(PathBuf::from(INSTALLED_MODEL))
        .chain(above)
        .find(|place| place.join(Manifest::FILE_NAME).is_file())
        .ok_or(ModelError::NoneShipped)
}
