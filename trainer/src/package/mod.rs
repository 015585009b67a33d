//! Model folders.

mod cells_golden;
mod cells_package;
mod destination;
mod engines;
mod files;
mod golden;
mod identity;
mod model_package;

pub(crate) use cells_golden::GoldenPicture;
pub(crate) use cells_package::{
    CellsAgreement, GoldenPictures, TrainedNetworks, cell_model, finder_model, write_networks,
};
pub(crate) use destination::Destination;
pub(crate) use files::{IR_BIN, IR_XML, ONNX, save, save_manifest};
pub(crate) use golden::Golden;
pub(crate) use identity::Identity;
pub(crate) use model_package::{
    AGREEMENT, Agreement, GOLDEN_TOLERANCE, ModelPackage, UNCALIBRATED,
};
