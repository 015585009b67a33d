//! The commands of `smearscope-train`.

mod fit;
mod inspect;
mod synth_to_verdict;
