//! A model folder, checked, and the model it becomes.

use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::decode::{self, Limits};
use crate::files::read_bounded;
use crate::running::Running;
use crate::{
    ArtifactError, Classifier, Descriptor, EngineConfig, EngineInfo, FileEntry, GoldenResult,
    Inference, Manifest, Preprocessor, PublicKey, Tensor, sha256,
};

/// Largest manifest, largest file of a network, in bytes.
const MAX_MANIFEST: u64 = 256 << 10;
const MAX_NETWORK: u64 = 256 << 20;
/// Golden samples are small by definition.
const GOLDEN_LIMITS: Limits = Limits {
    max_bytes: 4 << 20,
    max_pixels: 4_000_000,
};

const INSTALL_AGAIN: &str = "install the model again";

/// A model folder's manifest and files. Each file is read once, and its checksum is that of the
/// bytes in memory: what was checked is what runs.
#[derive(Debug)]
pub struct ModelFiles {
    folder: PathBuf,
    manifest: Manifest,
    manifest_sha256: String,
    is_signed: bool,
    ir_xml: Option<Vec<u8>>,
    ir_bin: Option<Vec<u8>>,
    onnx: Option<Vec<u8>>,
    /// The image of each golden sample, in the manifest's order.
    golden: Vec<RgbImage>,
}

impl ModelFiles {
    /// Reads the manifest and every file that it names.
    ///
    /// # Errors
    /// [`ArtifactError::Unreadable`] for a file that is absent, too large or not a file,
    /// [`ArtifactError::Manifest`] for a manifest with impossible contents, and
    /// [`ArtifactError::Checksum`] for a file that is not the one the manifest means.
    pub fn open(folder: &Path) -> Result<Self, ArtifactError> {
        Self::open_signed(folder, None)
    }

    /// The same, after the manifest's signature was checked with `key`, if there is one.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open`], and [`ArtifactError::Signature`] if the key's holder did not sign
    /// the manifest.
    pub fn open_signed(folder: &Path, key: Option<&PublicKey>) -> Result<Self, ArtifactError> {
        let path = folder.join(Manifest::FILE_NAME);
        let bytes = read_bounded(&path, MAX_MANIFEST)
            .map_err(|source| unreadable(&path, "give the folder of a model", source))?;
        if let Some(key) = key {
            key.check(folder, &bytes)?;
        }
        let manifest_sha256 = sha256(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| ArtifactError::Manifest {
            path: path.clone(),
            field: "manifest".into(),
            problem: "it is not UTF-8 text".into(),
            remedy: INSTALL_AGAIN.into(),
        })?;
        let manifest = Manifest::parse(&text, &path)?;

        let read = |entry: &FileEntry, max_bytes| read_checked(folder, entry, max_bytes);
        let network = |entry: &Option<FileEntry>| {
            entry
                .as_ref()
                .map(|entry| read(entry, MAX_NETWORK))
                .transpose()
        };
        Ok(Self {
            ir_xml: network(&manifest.files.ir_xml)?,
            ir_bin: network(&manifest.files.ir_bin)?,
            onnx: network(&manifest.files.onnx)?,
            golden: manifest
                .golden
                .iter()
                .enumerate()
                .map(|(index, sample)| {
                    let bytes = read(&sample.image, GOLDEN_LIMITS.max_bytes)?;
                    decode::decode(&bytes, &GOLDEN_LIMITS).map_err(|error| {
                        ArtifactError::Manifest {
                            path: path.clone(),
                            field: format!("golden[{index}].image"),
                            problem: format!("{}: {error}", sample.image.path.display()),
                            remedy: "export the model again".into(),
                        }
                    })
                })
                .collect::<Result<_, _>>()?,
            folder: folder.into(),
            manifest,
            manifest_sha256,
            is_signed: key.is_some(),
        })
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest, which holds that of every other file: what identifies the model.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// Whether a signature was checked.
    pub fn is_signed(&self) -> bool {
        self.is_signed
    }

    /// The image of each golden sample, in the manifest's order.
    pub fn golden_images(&self) -> &[RgbImage] {
        &self.golden
    }

    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.folder.join(Manifest::FILE_NAME)
    }

    pub(crate) fn ir_xml(&self) -> Option<&[u8]> {
        self.ir_xml.as_deref()
    }

    pub(crate) fn ir_bin(&self) -> Option<&[u8]> {
        self.ir_bin.as_deref()
    }

    /// The network as ONNX, if the model has it.
    pub fn onnx(&self) -> Option<&[u8]> {
        self.onnx.as_deref()
    }
}

fn read_checked(
    folder: &Path,
    entry: &FileEntry,
    max_bytes: u64,
) -> Result<Vec<u8>, ArtifactError> {
    let path = folder.join(&entry.path);
    let bytes = read_bounded(&path, max_bytes)
        .map_err(|source| unreadable(&path, INSTALL_AGAIN, source))?;
    let actual = FileEntry::for_bytes(&entry.path, &bytes).sha256;
    if actual == entry.sha256 {
        Ok(bytes)
    } else {
        Err(ArtifactError::Checksum {
            path,
            expected: entry.sha256.clone(),
            actual,
        })
    }
}

fn unreadable(path: &Path, remedy: &str, source: std::io::Error) -> ArtifactError {
    ArtifactError::Unreadable {
        path: path.into(),
        remedy: remedy.into(),
        source,
    }
}

/// A verified model on an engine, ready to classify.
pub struct Model {
    manifest: Manifest,
    manifest_sha256: String,
    preprocessor: Preprocessor,
    running: Running,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("name", &self.manifest.name)
            .field("engine", self.engine())
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Opens a model folder, starts an engine and proves the golden samples on it.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open`]; [`ArtifactError::Engine`] if no engine of the configuration can
    /// be started; [`ArtifactError::Golden`] or [`ArtifactError::Inference`] if a
    /// golden sample fails on the last one. A model that fails is
    /// never usable.
    pub fn load(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        Self::from_files(ModelFiles::open(folder)?, config)
    }

    /// The same for a folder that is open.
    ///
    /// # Errors
    /// As [`Model::load`], but for those of [`ModelFiles::open`].
    pub fn from_files(files: ModelFiles, config: &EngineConfig) -> Result<Self, ArtifactError> {
        Ok(Self {
            manifest: files.manifest.clone(),
            manifest_sha256: files.manifest_sha256.clone(),
            preprocessor: Preprocessor::new(files.manifest.input.clone())?,
            running: Running::first(files, config)?,
        })
    }

    /// The same on the last engine of the configuration and without the proof: for tools that find
    /// out what a model's golden samples are, never for a verdict.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open`], and [`ArtifactError::Engine`].
    pub fn unproved(folder: &Path, config: &EngineConfig) -> Result<Self, ArtifactError> {
        let files = ModelFiles::open(folder)?;
        Ok(Self {
            manifest: files.manifest.clone(),
            manifest_sha256: files.manifest_sha256.clone(),
            preprocessor: Preprocessor::new(files.manifest.input.clone())?,
            running: Running::unproved(&files, config.choice.last(), config)?,
        })
    }

    /// The same with something between it and its engine, such as one that fails when a test says so.
    #[must_use]
    pub fn through(self, wrap: impl FnOnce(Box<dyn Classifier>) -> Box<dyn Classifier>) -> Self {
        Self {
            running: self.running.through(wrap),
            ..self
        }
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest's file, which has those of all others: it names this very model.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// The engine and device that really run; after an inference, those that ran it.
    pub fn engine(&self) -> &EngineInfo {
        self.running.info()
    }

    /// How the golden samples came out when the engine was started.
    pub fn golden(&self) -> &[GoldenResult] {
        self.running.golden()
    }

    /// Prepares an image and runs the network on it.
    ///
    /// # Errors
    /// Those of [`Model::prepare`] and of [`Prepared::infer`].
    pub fn infer(&mut self, image: &RgbImage) -> Result<Inference, ArtifactError> {
        self.prepare(image)?.infer()
    }

    /// Makes an image the network's input.
    ///
    /// # Errors
    /// [`ArtifactError::Image`] if the image has no pixels.
    pub fn prepare(&mut self, image: &RgbImage) -> Result<Prepared<'_>, ArtifactError> {
        Ok(Prepared {
            input: self.preprocessor.prepare(image)?,
            manifest: &self.manifest,
            running: &mut self.running,
        })
    }
}

/// An image as a model's input.
pub struct Prepared<'a> {
    input: &'a Tensor,
    manifest: &'a Manifest,
    running: &'a mut Running,
}

impl Prepared<'_> {
    /// How far the image lies from those that the network was trained on, 0 and more; `None` where the
    /// model does not know. Its manifest's [`Domain`](crate::Domain) has the limit.
    pub fn distance(&self) -> Option<f32> {
        let domain = self.manifest.domain.as_ref()?;
        let descriptor = Descriptor::of(self.input, &self.manifest.input);
        Some(domain.distance(&descriptor))
    }

    /// Runs the network. If the engine fails, the next of the configuration takes its place for good, once
    /// the golden samples are right on it, and runs it: [`Model::engine`] says which one did.
    ///
    /// # Errors
    /// [`ArtifactError::Inference`] if the engine fails, and so does each behind it.
    pub fn infer(self) -> Result<Inference, ArtifactError> {
        self.running.infer(self.input)
    }
}
