//! What a network must take and give, as the manifest declares it.

/// The input and the outputs that an engine must find in a network's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The manifest's table that describes the input.
    pub input_field: &'static str,
    /// The input's shape, batch first.
    pub input_shape: [usize; 4],
    /// The outputs that are wanted; the network may have others.
    pub outputs: Vec<WantedOutput>,
}

/// An output that a network must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedOutput {
    /// The manifest's field that names it.
    pub field: &'static str,
    /// Its name in the network.
    pub name: String,
    /// Its extents, outermost first; `None` for one that the network chooses.
    pub shape: Vec<Option<usize>>,
}
