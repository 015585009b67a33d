//! A loaded model of either kind.

use semver::Version;

use crate::cells::model::CellCounter;
use crate::engine::config::EngineConfig;
use crate::engine::failover::GoldenResult;
use crate::engine::network::EngineInfo;
use crate::error::ArtifactError;
use crate::loaded_model::LoadedModel;
use crate::manifest::schema::ModelKind;
use crate::model::Model;
use crate::model_files::ModelFiles;

/// A verified model on an engine: what it does with a field depends on its kind.
#[derive(Debug)]
pub enum AnyModel {
    /// It judges whole fields.
    Field(Box<Model>),
    /// It counts cells.
    Cells(Box<CellCounter>),
}

/// The same call on the model of either kind.
macro_rules! either {
    ($any:expr, $model:ident => $call:expr) => {
        match $any {
            Self::Field($model) => $call,
            Self::Cells($model) => $call,
        }
    };
}

impl AnyModel {
    /// Starts the first configured engine that runs the model, and verifies the golden samples on it.
    ///
    /// # Errors
    /// Those of [`LoadedModel::from_files`].
    pub fn from_files(files: ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        Ok(match files.manifest().model {
            ModelKind::Field(_) => LoadedModel::from_files(files.into_field()?, config)
                .map(Box::new)
                .map(Self::Field)?,
            ModelKind::Cells(_) => LoadedModel::from_files(files.into_cells()?, config)
                .map(Box::new)
                .map(Self::Cells)?,
        })
    }

    /// The model's name, such as `smear-cells`.
    pub fn name(&self) -> &str {
        either!(self, model => &model.manifest().name)
    }

    /// The model's version.
    pub fn version(&self) -> &Version {
        either!(self, model => &model.manifest().version)
    }

    /// Whether it is a demonstration model, whose verdicts mean nothing.
    pub fn is_demo(&self) -> bool {
        either!(self, model => model.manifest().demo)
    }

    /// SHA-256 of the manifest file; see [`ModelFiles::manifest_sha256`].
    pub fn manifest_sha256(&self) -> &str {
        either!(self, model => model.manifest_sha256())
    }

    /// The engine and device in use; after an inference, those that ran it.
    pub fn engine(&self) -> &EngineInfo {
        either!(self, model => model.engine())
    }

    /// The results of the golden samples on the engine in use, in the manifest's order.
    pub fn golden(&self) -> &[GoldenResult] {
        either!(self, model => model.golden())
    }
}

impl From<Model> for AnyModel {
    fn from(model: Model) -> Self {
        Self::Field(Box::new(model))
    }
}

impl From<CellCounter> for AnyModel {
    fn from(model: CellCounter) -> Self {
        Self::Cells(Box::new(model))
    }
}
