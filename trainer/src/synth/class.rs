//! The class of a field.

/// Whether a field shows lymphoblasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Normal white cells only.
    Negative,
    /// Lymphoblasts, perhaps with normal white cells beside them.
    Positive,
}

impl Class {
    /// Name of the folder that holds the class's fields.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Positive => "positive",
        }
    }
}
