//! Labelled images: how they are stored, what they are, which belong together, how they are split.

mod appearance;
mod capture;
mod cells;
mod centroids;
mod classes;
mod details;
mod files;
mod fingerprint;
mod fourier;
mod groups;
mod holdout;
mod layout;
mod load;
mod masks;
mod origin;
mod overlap;
mod path_within;
mod provenance;
mod published;
mod read_images;
mod sample;
mod split;
mod stratify;
mod table;
mod test_plan;
mod trained_on;

pub(crate) use appearance::look_of_margin;
#[cfg(test)]
pub(crate) use capture::Capture;
pub(crate) use cells::{
    CellCollection, CellSource, CellSplit, CellSplitPlan, Format, ImageContent, ImageOrigin,
    LabelledCell, LabelledImage, Part, Scale, ScaleBasis, is_whole, scale_of_field,
};
pub(crate) use classes::Classes;
#[cfg(test)]
pub(crate) use groups::Duplicates;
pub(crate) use groups::{Basis, Groups};
pub(crate) use layout::{Layout, Listing, Source};
pub(crate) use load::Dataset;
pub(crate) use origin::Origin;
pub(crate) use overlap::{Overlap, Thumbnail, compared_neighbours, find_overlaps};
pub(crate) use path_within::path_within;
pub(crate) use provenance::Provenance;
pub(crate) use read_images::{ImageInfo, Unusable, read_images};
pub(crate) use sample::Sample;
pub(crate) use split::Split;
pub(crate) use stratify::stratify;
pub(crate) use test_plan::{SplitPlan, TestPlan};
pub(crate) use trained_on::TrainedOn;
