//! From what a network says to a verdict on a field or a slide.

pub(crate) mod count;
pub(crate) mod decision;
pub(crate) mod domain;
pub(crate) mod evidence;
mod mahalanobis;
pub(crate) mod novelty;
pub(crate) mod overlay;
pub(crate) mod share;
pub(crate) mod slide;
pub(crate) mod verdict;
