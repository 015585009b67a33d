//! The commands of `smearscope-train`.

mod evaluate_cells;
mod fit;
mod inspect;
mod synth_to_verdict;
