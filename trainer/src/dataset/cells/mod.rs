//! Collections of labelled cells: fields with boxes or centres, and images of single cells, of several sources
//! with their own formats and words.

mod boxes_table;
mod class_map;
mod coco;
mod collection;
mod datasets_file;
mod format;
mod image_index;
mod layouts;
mod listing;
mod ruler;
mod shape;
mod split;
mod voc;
mod yolo;

pub(crate) use collection::{
    CellCollection, CellSource, ImageContent, LabelledCell, LabelledImage, scale_of_field,
};
pub(crate) use datasets_file::ImageOrigin;
pub(crate) use format::Format;
pub(crate) use ruler::{Scale, ScaleBasis, is_whole};
pub(crate) use split::{CellSplit, CellSplitPlan, Part};
