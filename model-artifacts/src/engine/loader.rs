//! The trait by which engines load networks.

use super::interface::Interface;
use super::network::Network;
use super::network_files::NetworkFiles;
use crate::error::ArtifactError;

/// An engine that loads networks. All networks of a model are loaded by one value, so that they share its device,
/// its library and its threads.
pub trait LoadNetwork {
    /// Loads a network and compares its inputs and outputs with the interface.
    ///
    /// # Errors
    /// [`ArtifactError::Engine`] if the engine cannot be used or does not run the network,
    /// [`ArtifactError::Manifest`] if the network has other inputs or outputs.
    fn load(
        &mut self,
        files: &NetworkFiles,
        interface: Interface,
    ) -> Result<Box<dyn Network>, ArtifactError>;
}
