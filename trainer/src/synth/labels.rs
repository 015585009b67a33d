//! What a picture shows, as a line of `labels.jsonl`.

use serde::{Serialize, Serializer};

use super::kind::Lookalike;
use super::scene::View;
use super::stain::StainFamily;
use crate::cell_kind::CellKind;

/// A rectangle of whole pixels: left, top, width and height.
pub(crate) type PixelBox = [u32; 4];

/// One line: a picture and everything in it. Positions are in pixels from the upper left corner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Labels {
    /// Relative to the folder of the labels.
    pub(crate) file: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) um_per_pixel: Rounded<6>,
    /// Of the picture that a single cell was cropped from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_um_per_pixel: Option<Rounded<6>>,
    pub(crate) stain_family: StainFamily,
    pub(crate) view: View,
    /// What lies in the middle of the crop of a single cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<CellKind>,
    #[serde(flatten)]
    pub(crate) shown: Shown,
}

/// The objects in a picture.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Shown {
    pub(crate) leukocytes: Vec<LeukocyteLabel>,
    /// What may be taken for a white cell.
    pub(crate) artefacts: Vec<ArtefactLabel>,
    pub(crate) erythrocytes: Vec<ErythrocyteLabel>,
    pub(crate) platelets: Vec<PlateletLabel>,
}

/// The part of an object that is in the picture and not hidden.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Visible {
    /// Rectangle around it.
    #[serde(rename = "box")]
    pub(crate) bounds: PixelBox,
    /// Its area in pixels.
    #[serde(skip)]
    pub(crate) area: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LeukocyteLabel {
    pub(crate) kind: CellKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subtype: Option<&'static str>,
    /// Centroid of the whole cell, also of parts outside the picture.
    pub(crate) centre: [Rounded<2>; 2],
    #[serde(flatten)]
    pub(crate) visible: Visible,
    /// Diameter of the circle with the area of the whole cell, µm.
    pub(crate) diameter_um: Rounded<2>,
    /// The same of the nucleus.
    pub(crate) nucleus_um: Rounded<2>,
    /// Whether a part of the cell is outside the picture.
    pub(crate) cut: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ArtefactLabel {
    pub(crate) kind: CellKind,
    pub(crate) subtype: Lookalike,
    pub(crate) centre: [Rounded<2>; 2],
    #[serde(flatten)]
    pub(crate) visible: Visible,
    /// Diameter of the circle with the area of the whole object, µm.
    pub(crate) diameter_um: Rounded<2>,
    pub(crate) cut: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ErythrocyteLabel {
    pub(crate) centre: [Rounded<2>; 2],
    /// Diameter of the circle with the area of the whole cell, µm.
    pub(crate) diameter_um: Rounded<2>,
    /// Whether another cell overlaps it.
    pub(crate) overlapped: bool,
    pub(crate) cut: bool,
    #[serde(skip)]
    pub(crate) visible: Visible,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct PlateletLabel(#[serde(serialize_with = "bounds")] pub(crate) Visible);

fn bounds<S: Serializer>(visible: &Visible, serializer: S) -> Result<S::Ok, S::Error> {
    visible.bounds.serialize(serializer)
}

/// A number that is written with so many digits after the point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rounded<const DIGITS: i32>(pub(crate) f32);

impl<const DIGITS: i32> Serialize for Rounded<DIGITS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unit = 10_f64.powi(DIGITS);
        serializer.serialize_f64((f64::from(self.0) * unit).round() / unit)
    }
}
