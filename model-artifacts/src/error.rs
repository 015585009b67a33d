//! Errors of models, their files, and images.

use std::path::PathBuf;

/// A model or an image cannot be used. Messages name the file, the field and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// A file of the model cannot be read.
    #[error("{path} cannot be read; {remedy}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// How to solve the problem.
        remedy: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The manifest is invalid, or the network is not the one that it describes.
    #[error("{path}: {field}: {problem}; {remedy}", path = .path.display())]
    Manifest {
        /// The manifest file.
        path: PathBuf,
        /// Dotted name of the field, such as `input.width`.
        field: String,
        /// What is wrong with its value.
        problem: String,
        /// How to solve the problem.
        remedy: String,
    },
    /// A file's checksum differs from the manifest.
    #[error("{path} is damaged: SHA-256 is {actual}, the manifest says {expected}; install the model again", path = .path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// SHA-256 in the manifest.
        expected: String,
        /// SHA-256 of the file.
        actual: String,
    },
    /// A public key is configured, and the model is not signed with it.
    #[error("{path}: {problem}; install a model that is signed with the configured key", path = .path.display())]
    Signature {
        /// The signature file, or the manifest if there is no signature.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The probability of a golden sample is outside its tolerance.
    #[error("golden sample {sample} gives {actual} on {engine}, expected {expected} ± {tolerance}; this model must not be used on this engine", sample = .sample.display())]
    Golden {
        /// The sample's image.
        sample: PathBuf,
        /// Engine and device.
        engine: String,
        /// Probability from the manifest.
        expected: f32,
        /// Probability from the network.
        actual: f32,
        /// Largest allowed difference.
        tolerance: f32,
    },
    /// An engine cannot be started.
    #[error("engine {engine} cannot be used: {problem}; {remedy}")]
    Engine {
        /// Name of the engine.
        engine: &'static str,
        /// What is wrong.
        problem: String,
        /// How to solve the problem.
        remedy: String,
    },
    /// An engine failed on an input, or its outputs are invalid.
    #[error("inference failed on {engine}: {problem}")]
    Inference {
        /// Name of the engine.
        engine: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The bytes are not an image that can be analysed.
    #[error("not a usable image: {problem}; {remedy}")]
    Image {
        /// What is wrong.
        problem: String,
        /// How to solve the problem.
        remedy: String,
    },
}
