//! What the pixels of a mask stand for.

/// What a pixel of a mask shows; the number is its value in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Region {
    #[default]
    Background = 0,
    RedCell = 1,
    /// Of a white cell.
    Cytoplasm = 2,
    /// Of a white cell.
    Nucleus = 3,
}
