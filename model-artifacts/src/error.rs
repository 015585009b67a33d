//! Errors of models, their files, and images.

use std::path::PathBuf;

/// A model or an image cannot be used. Messages name the file, the field and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// A file of the model cannot be read.
    #[error("{path} cannot be read; {remedy}", path = .path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// How to solve the problem.
        remedy: String,
        /// The system's error: missing, not readable, or not a file.
        #[source]
        source: std::io::Error,
    },
    /// The manifest is invalid, or the network is not the one that it describes.
    #[error("{path}: {field}: {problem}; {remedy}", path = .path.display())]
    Manifest {
        /// Path of the manifest.
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
        /// Path of the file.
        path: PathBuf,
        /// SHA-256 in the manifest, 64 hexadecimal digits.
        expected: String,
        /// SHA-256 of the file as it is, 64 hexadecimal digits.
        actual: String,
    },
    /// A public key is configured, and the model is not signed with it.
    #[error("{path}: {problem}; install a model that is signed with the configured key", path = .path.display())]
    Signature {
        /// The signature file, or the manifest if there is no signature.
        path: PathBuf,
        /// What is wrong, as a clause for the message.
        problem: String,
    },
    /// The probability of a golden sample is outside its tolerance.
    #[error("golden sample {sample} gives {actual} on {engine}, expected {expected} ± {tolerance}; this model must not be used on this engine", sample = .sample.display())]
    Golden {
        /// Path of the sample's image, relative to the manifest.
        sample: PathBuf,
        /// Engine and device, such as `openvino CPU`.
        engine: String,
        /// Probability from the manifest, 0 to 1.
        expected: f32,
        /// Probability that the network gave on this engine, 0 to 1.
        actual: f32,
        /// Largest difference that the manifest allows between the two.
        tolerance: f32,
    },
    /// An engine cannot be started.
    #[error("engine {engine} cannot be used: {problem}; {remedy}")]
    Engine {
        /// `ncs2`, `openvino`, `embedded`, or `model` if none is in use.
        engine: &'static str,
        /// What is wrong, as a clause for the message.
        problem: String,
        /// How to solve the problem.
        remedy: String,
    },
    /// An engine failed on an input, or its outputs are invalid.
    #[error("inference failed on {engine}: {problem}")]
    Inference {
        /// `ncs2`, `openvino`, `embedded`, or `model` if none is in use.
        engine: &'static str,
        /// What is wrong, as a clause for the message.
        problem: String,
    },
    /// The bytes are not an image that can be analysed.
    #[error("not a usable image: {problem}; {remedy}")]
    Image {
        /// What is wrong, as a clause for the message.
        problem: String,
        /// How to solve the problem.
        remedy: String,
    },
}
