//! Labelled images: where they lie, what they are, which belong together, how they are split.

mod capture;
mod centroids;
mod fingerprint;
mod groups;
mod layout;
mod load;
mod provenance;
mod published;
mod read_images;
mod split;
mod stratify;
mod table;

pub(crate) use capture::Capture;
#[cfg(test)]
pub(crate) use groups::Duplicates;
pub(crate) use groups::{Basis, Groups, SESSION_GAP};
pub(crate) use layout::{Layout, Listing, Source};
pub(crate) use load::{Dataset, Sample};
pub(crate) use provenance::Provenance;
pub(crate) use read_images::{Surveyed, Unusable, survey};
pub(crate) use split::{Holdout, Split, SplitPlan, TestPlan};
