//! What was measured, for scripts and for people.

pub(crate) mod card;
pub(crate) mod cases;
pub(crate) mod contact_sheet;
pub(crate) mod image_grid;
pub(crate) mod plots;
pub(crate) mod results;
pub(crate) mod shortcuts;
