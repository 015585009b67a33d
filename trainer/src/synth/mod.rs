//! Labelled synthetic smear fields and single cells.
//!
//! A field is painted as optical density on a slide measured in micrometres and then photographed.
//! Everything but the kinds of its white cells is drawn without knowledge of the class, and varies
//! widely, to stand in for the microscopes, stains and cameras of which there are no pictures.
//! [`differential`] gives the label and the shares of the kinds; the number of white cells does not
//! depend on the class.

mod annotations;
mod canvas;
mod class;
mod collection;
mod debris;
mod differential;
mod erythrocytes;
mod field;
mod jpeg;
mod kind;
mod labels;
mod leukocytes;
mod morphology;
mod optics;
mod outline;
mod plasma;
mod platelets;
mod random;
mod recipe;
mod regions;
mod scene;
mod shares;
mod single_cell;
mod smear;
mod stain;
mod texture;

pub(crate) use collection::Collection;

use class::Class;
use field::FieldId;

/// An example of a field; odd numbers are positive.
pub(crate) fn example_field(index: u64, width: usize, height: usize) -> image::RgbImage {
    let id = FieldId { seed: 4, index };
    let class = [Class::Negative, Class::Positive][index as usize % 2];
    id.photograph(class, &id.scene(width, height, &[]), width, height)
}
