//! The model in use, as it is shown to people.

/// Shown with every verdict of a demonstration model.
pub const DEMO_NOTICE: &str = "demo model, not for diagnosis";

/// What every verdict of a model is shown with.
pub fn notice(is_demo: bool) -> &'static str {
    if is_demo {
        DEMO_NOTICE
    } else {
        "research use only, not for diagnosis"
    }
}

/// The model and engine in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name and version of the model.
    pub model: String,
    /// Engine and device that run the model.
    pub engine: String,
    /// Whether it is a demonstration model.
    pub is_demo: bool,
}
