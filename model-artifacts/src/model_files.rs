//! The files of a model folder, read and verified.

use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::error::ArtifactError;
use crate::files::{ReadFile, read_bounded, read_from, sha256};
use crate::image::decode::{self, Limits};
use crate::manifest::schema::{FileEntry, Manifest};
use crate::signature::PublicKey;

/// Largest manifest and largest file of a network, in bytes.
const MAX_MANIFEST: u64 = 256 << 10;
const MAX_NETWORK: u64 = 256 << 20;
/// Golden samples are small images.
const GOLDEN_LIMITS: Limits = Limits {
    max_bytes: 4 << 20,
    max_pixels: 4_000_000,
};

const INSTALL_AGAIN: &str = "install the model again";

/// The manifest and files of a model folder. Each file is read once, and its checksum is verified on the
/// bytes in memory, so that the verified bytes are those that run.
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
    /// - [`ArtifactError::Unreadable`] if a file is missing, too large or not a regular file.
    /// - [`ArtifactError::Manifest`] if the manifest is invalid, or a golden sample is not an image.
    /// - [`ArtifactError::Checksum`] if a file's checksum differs from the manifest.
    pub fn open(folder: &Path) -> Result<Self, ArtifactError> {
        Self::open_signed(folder, None)
    }

    /// Like [`ModelFiles::open`], but verifies the manifest's signature with `key` first, if there is one.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open`], and [`ArtifactError::Signature`] if the manifest is not signed with
    /// that key.
    pub fn open_signed(folder: &Path, key: Option<&PublicKey>) -> Result<Self, ArtifactError> {
        Self::read(folder, &read_bounded, key)
    }

    /// Like [`ModelFiles::open_signed`], for a model that is part of the program: `files` are the names and
    /// contents of its files, and `place` stands for its folder in messages.
    ///
    /// # Errors
    /// Those of [`ModelFiles::open_signed`].
    pub fn from_memory(
        place: &Path,
        files: &[(&str, &[u8])],
        key: Option<&PublicKey>,
    ) -> Result<Self, ArtifactError> {
        let read = |path: &Path, max_bytes| read_from(files, place, path, max_bytes);
        Self::read(place, &read, key)
    }

    fn read(
        folder: &Path,
        read_file: &ReadFile<'_>,
        key: Option<&PublicKey>,
    ) -> Result<Self, ArtifactError> {
        let path = folder.join(Manifest::FILE_NAME);
        let bytes = read_file(&path, MAX_MANIFEST)
            .map_err(|source| unreadable(&path, "give the folder of a model", source))?;
        if let Some(key) = key {
            key.check(folder, &bytes, read_file)?;
        }
        let manifest_sha256 = sha256(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| ArtifactError::Manifest {
            path: path.clone(),
            field: "manifest".into(),
            problem: "must be UTF-8 text".into(),
            remedy: INSTALL_AGAIN.into(),
        })?;
        let manifest = Manifest::parse(&text, &path)?;

        let read = |entry: &FileEntry, max_bytes| {
            read_checked(&folder.join(&entry.path), entry, max_bytes, read_file)
        };
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

    /// The validated manifest, whose checksums the files match.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the manifest file, in lower-case hexadecimal digits. It identifies the model, because the
    /// manifest contains the checksums of all other files.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// Whether a signature was verified.
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

    /// The topology of the OpenVINO IR, if the model has one.
    pub fn ir_xml(&self) -> Option<&[u8]> {
        self.ir_xml.as_deref()
    }

    /// The weights of the OpenVINO IR, if the model has one.
    pub fn ir_bin(&self) -> Option<&[u8]> {
        self.ir_bin.as_deref()
    }

    /// The contents of the ONNX file, if the model has one.
    pub fn onnx(&self) -> Option<&[u8]> {
        self.onnx.as_deref()
    }
}

fn read_checked(
    path: &Path,
    entry: &FileEntry,
    max_bytes: u64,
    read_file: &ReadFile<'_>,
) -> Result<Vec<u8>, ArtifactError> {
    let bytes =
        read_file(path, max_bytes).map_err(|source| unreadable(path, INSTALL_AGAIN, source))?;
    let actual = FileEntry::for_bytes(&entry.path, &bytes).sha256;
    if actual == entry.sha256 {
        Ok(bytes)
    } else {
        Err(ArtifactError::Checksum {
            path: path.into(),
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
