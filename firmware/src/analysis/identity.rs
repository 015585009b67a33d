//! Which model gives the verdicts, as people are shown it.

/// What a verdict of a demonstration model is always shown with.
pub const DEMO_NOTICE: &str = "demo model, not for diagnosis";

/// What the screen says about the model, whatever the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name and version of the model.
    pub model: String,
    /// Engine and device that really run.
    pub engine: String,
    /// Whether it is a demonstration model.
    pub is_demo: bool,
}
