//! Smearscope models for everything except training: describe, prepare, run and verify them, and judge
//! with them.
//!
//! 1. [`Manifest`] describes a model folder, and [`ModelFiles`] reads and verifies its files.
//! 2. [`decode`] turns untrusted bytes into pixels, and [`Preprocessor`] turns pixels into a [`Tensor`].
//! 3. [`Network`] runs a tensor on an engine: a Neural Compute Stick 2, OpenVINO, or the embedded one.
//! 4. [`Model::load`] does all of it, and verifies the golden samples before the first inference.
//! 5. [`DecisionRule`] turns the result of a field into a [`Verdict`], and [`SlideRule`] combines fields. [`CountRule`]
//!    turns a count of cells into one.
//!
//! # Cargo features
//! - `openvino` (default): the engine OpenVINO.
//! - `ncs2` (default): the engine for the Neural Compute Stick 2, with bindings to older OpenVINO runtimes.
//! - `clap`, `rusqlite`, `utoipa`: [`Verdict`] as a command-line argument, SQL value and OpenAPI schema; the first also
//!   for the enumerations of [`InputContract`], the last for [`ImagePosition`].
//! - `test-support`: helpers for tests of other crates.
//!
//! An engine that is not built in gives an error if it is configured, and `auto` leaves it out. The
//! embedded engine is always built in.

mod any_model;
mod cells;
mod engine;
mod error;
mod field;
mod files;
mod image;
mod judgement;
mod loaded_model;
mod manifest;
mod model;
mod model_files;
mod signature;
mod suggestion;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
mod validation;

pub use crate::any_model::AnyModel;
pub use crate::cells::analysis::{
    COARSEST_UM_PER_PIXEL, Cell, CellCall, FieldCells, NoScale, Scale,
};
pub use crate::cells::cell_site::CellSite;
pub use crate::cells::crop::{CellCrop, Cropper};
pub use crate::cells::figures::CellFigures;
pub use crate::cells::model::CellCounter;
pub use crate::cells::peaks::CentreMap;
pub use crate::cells::ruler::{MeasuredScale, ScaleUnknown};
pub use crate::cells::slide_cells::{AddedField, SlideCells};
pub use crate::image::all_idb::all_idb_label;
pub use crate::image::background::Background;
pub use crate::image::contract::{ChannelOrder, Colour, InputContract, Layout, ResizeFilter};
pub use crate::image::decode;
pub use crate::image::density::DensityField;
pub use crate::image::extensions::{IMAGE_EXTENSIONS, is_image_path};
pub use crate::image::flat_field::{FlatField, NotFlat};
pub use crate::image::preprocess::Preprocessor;
pub use crate::image::resample::{Resampler, resized};
pub use crate::image::tensor::Tensor;
pub use crate::image::weighted_sum::weighted_sum;
pub use engine::config::{EngineChoice, EngineConfig};
pub use engine::failover::GoldenResult;
pub use engine::interface::{Interface, WantedOutput};
pub use engine::network::{EngineInfo, Network, Output, Outputs};
pub use engine::network_files::NetworkFiles;
pub use error::ArtifactError;
pub use field::inference::Inference;
pub use files::{read_text, sha256};
pub use judgement::count::{BlastCalls, CellCount, CountDecision, CountRule};
pub use judgement::decision::{Decision, DecisionRule};
pub use judgement::domain::{Descriptor, Domain, FEATURES};
pub use judgement::evidence::{EvidenceMap, ImagePosition};
pub use judgement::novelty::Novelty;
pub use judgement::share::Share;
pub use judgement::slide::{MAX_LOG_ODDS, SlideRule};
pub use judgement::verdict::{InvalidVerdict, Verdict};
pub use loaded_model::LoadedModel;
pub use manifest::cells::{
    CellClass, CellGolden, CellNetwork, CellOutputs, CellsModel, ChainGolden, CropInput,
    FiguresRule, Finder, FinderGolden, FinderOutputs, Ruler, Thresholds, TileInput,
};
pub use manifest::evaluation::Evaluation;
pub use manifest::field::{FieldModel, FieldOutputs, GoldenSample, Labels};
pub use manifest::files::{FileEntry, Files};
pub use manifest::schema::{Manifest, ModelKind};
pub use model::{Model, Prepared};
pub use model_files::ModelFiles;
pub use signature::{InvalidPublicKey, PublicKey};
pub use suggestion::{did_you_mean, most_similar};
