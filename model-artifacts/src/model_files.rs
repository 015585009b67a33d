//! The files of a model folder, read and verified.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::engine::network_files::NetworkFiles;
use crate::error::ArtifactError;
use crate::files::{ReadFile, read_bounded, read_from, sha256};
use crate::image::decode::{self, Limits};
use crate::manifest::cells::CellsModel;
use crate::manifest::field::FieldModel;
use crate::manifest::files::{FileEntry, Files};
use crate::manifest::schema::{Manifest, ModelKind};
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
/// bytes in memory, so that the verified bytes are those that run. `M` is the kind of model, as in [`Manifest`].
#[derive(Debug)]
pub struct ModelFiles<M = ModelKind> {
    folder: PathBuf,
    manifest: Manifest<M>,
    manifest_sha256: String,
    is_signed: bool,
    /// The contents of the networks' files, by the paths of their entries.
    networks: BTreeMap<PathBuf, Vec<u8>>,
    /// The images of the golden samples, by the paths of their entries.
    golden: BTreeMap<PathBuf, RgbImage>,
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
        let networks = manifest
            .network_files()
            .map(|entry| Ok((entry.path.clone(), read(entry, MAX_NETWORK)?)))
            .collect::<Result<_, ArtifactError>>()?;
        let mut golden = BTreeMap::new();
        for (field, entry) in manifest.golden_images() {
            let bytes = read(entry, GOLDEN_LIMITS.max_bytes)?;
            let image = decode::decode(&bytes, &GOLDEN_LIMITS).map_err(|error| {
                ArtifactError::Manifest {
                    path: path.clone(),
                    field,
                    problem: format!("{}: {error}", entry.path.display()),
                    remedy: "export the model again".into(),
                }
            })?;
            golden.insert(entry.path.clone(), image);
        }
        Ok(Self {
            folder: folder.into(),
            manifest,
            manifest_sha256,
            is_signed: key.is_some(),
            networks,
            golden,
        })
    }

    /// The files of a model that judges whole fields.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if it is a model that counts cells.
    pub fn into_field(self) -> Result<ModelFiles<FieldModel>, ArtifactError> {
        self.try_map(|model| match model {
            ModelKind::Field(model) => Ok(*model),
            ModelKind::Cells(_) => Err((
                "it is `cells`, and whole fields are to be judged",
                "use a model with kind = \"field\"",
            )),
        })
    }

    /// The files of a model that counts cells.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if it is a model that judges whole fields.
    pub fn into_cells(self) -> Result<ModelFiles<CellsModel>, ArtifactError> {
        self.try_map(|model| match model {
            ModelKind::Cells(model) => Ok(*model),
            ModelKind::Field(_) => Err((
                "it is `field`, and cells are wanted",
                "use a model with kind = \"cells\"",
            )),
        })
    }

    /// The same files with another kind of model, or what is wrong with the kind, and the remedy.
    fn try_map<M>(
        self,
        kind: impl FnOnce(ModelKind) -> Result<M, (&'static str, &'static str)>,
    ) -> Result<ModelFiles<M>, ArtifactError> {
        let path = self.manifest_path();
        let manifest = self.manifest.try_map(|model| {
            kind(model).map_err(|(problem, remedy)| ArtifactError::Manifest {
                path,
                field: "kind".into(),
                problem: problem.into(),
                remedy: remedy.into(),
            })
        })?;
        Ok(ModelFiles {
            folder: self.folder,
            manifest,
            manifest_sha256: self.manifest_sha256,
            is_signed: self.is_signed,
            networks: self.networks,
            golden: self.golden,
        })
    }
}

impl<M> ModelFiles<M> {
    /// The validated manifest, whose checksums the files match.
    pub fn manifest(&self) -> &Manifest<M> {
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

    fn manifest_path(&self) -> PathBuf {
        self.folder.join(Manifest::FILE_NAME)
    }

    /// The contents of the files of one of its networks; `field` is the manifest's table that names them.
    pub(crate) fn network_files(&self, field: &'static str, files: &Files) -> NetworkFiles<'_> {
        let contents = |entry: &Option<FileEntry>| {
            let contents = self.networks.get(&entry.as_ref()?.path)?;
            Some(contents.as_slice())
        };
        NetworkFiles {
            manifest: self.manifest_path(),
            field,
            ir_xml: contents(&files.ir_xml),
            ir_bin: contents(&files.ir_bin),
            onnx: contents(&files.onnx),
        }
    }

    /// The image of one of its golden samples.
    ///
    /// # Errors
    /// [`ArtifactError::Manifest`] if the entry is that of another model.
    pub fn golden_image(&self, entry: &FileEntry) -> Result<&RgbImage, ArtifactError> {
        self.golden
            .get(&entry.path)
            .ok_or_else(|| ArtifactError::Manifest {
                path: self.manifest_path(),
                field: "golden".into(),
                problem: format!("{} is not one of its images", entry.path.display()),
                remedy: INSTALL_AGAIN.into(),
            })
    }
}

impl ModelFiles<FieldModel> {
    /// The contents of the network's files.
    pub fn network(&self) -> NetworkFiles<'_> {
        self.network_files(FieldModel::FILES, &self.manifest.model.files)
    }
}

impl ModelFiles<CellsModel> {
    /// The contents of the finder's files.
    pub fn finder(&self) -> NetworkFiles<'_> {
        self.network_files("finder.files", &self.manifest.model.finder.files)
    }

    /// The contents of the cell network's files.
    pub fn cell(&self) -> NetworkFiles<'_> {
        self.network_files("cell.files", &self.manifest.model.cell.files)
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
