//! What can be wrong with a model, its files, or an image given to it.

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
        /// What to do about it.
        remedy: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The manifest is not what it must be.
    #[error("{path}: {field}: {problem}; {remedy}", path = .path.display())]
    Manifest {
        /// The manifest file.
        path: PathBuf,
        /// Dotted name of the field.
        field: String,
        /// What is wrong with its value.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file's contents are not those the manifest promises.
    #[error("{path} is damaged: SHA-256 is {actual}, the manifest says {expected}; install the model again", path = .path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What the file has.
        actual: String,
    },
    /// A key is configured, and its holder did not sign this model.
    #[error("{path}: {problem}; install a model that the holder of the configured key signed", path = .path.display())]
    Signature {
        /// The signature, or the manifest that has none.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A golden sample did not come out as it must.
    #[error("golden sample {sample} gives {actual} on {engine}, expected {expected} ± {tolerance}; this model must not be used on this engine", sample = .sample.display())]
    Golden {
        /// The sample's image.
        sample: PathBuf,
        /// Engine and device.
        engine: String,
        /// Probability from the manifest.
        expected: f32,
        /// Probability that came out.
        actual: f32,
        /// Largest difference allowed.
        tolerance: f32,
    },
    /// An engine cannot be started.
    #[error("engine {engine} cannot be used: {problem}; {remedy}")]
    Engine {
        /// The engine.
        engine: &'static str,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// An engine failed on an input, or gave values that are not finite.
    #[error("inference failed on {engine}: {problem}")]
    Inference {
        /// The engine.
        engine: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The bytes are not an image that may be analysed.
    #[error("not a usable image: {problem}; {remedy}")]
    Image {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
}
