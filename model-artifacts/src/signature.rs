//! Signatures of models, in minisign's format: of the manifest, which in turn vouches for every file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use minisign_verify::{Error, Signature};

use crate::files::read_bounded;
use crate::{ArtifactError, Manifest};

/// A signature is four short lines.
const MAX_SIGNATURE: u64 = 4 << 10;

/// The key whose holder signs models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(minisign_verify::PublicKey);

/// A text is no public key of minisign's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no minisign public key; use the second line of minisign.pub, which starts with RW"
)]
pub struct NoPublicKey {
    text: String,
}

impl FromStr for PublicKey {
    type Err = NoPublicKey;

    /// Takes the key alone, as on the second line of `minisign.pub`.
    fn from_str(text: &str) -> Result<Self, NoPublicKey> {
        match minisign_verify::PublicKey::from_base64(text.trim()) {
            Ok(key) => Ok(Self(key)),
            Err(_) => Err(NoPublicKey { text: text.into() }),
        }
    }
}

impl PublicKey {
    /// The signature's file in a model folder, as `minisign -S -m manifest.toml` names it.
    pub const SIGNATURE_FILE: &str = "manifest.toml.minisig";

    /// Checks that the key's holder signed the manifest of the model in `folder`.
    pub(crate) fn check(&self, folder: &Path, manifest: &[u8]) -> Result<(), ArtifactError> {
        let path = folder.join(Self::SIGNATURE_FILE);
        let refused = |problem: &str, path: PathBuf| ArtifactError::Signature {
            path,
            problem: problem.into(),
        };
        let bytes = match read_bounded(&path, MAX_SIGNATURE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(refused(
                    "the model is not signed",
                    folder.join(Manifest::FILE_NAME),
                ));
            }
            Err(error) => return Err(refused(&error.to_string(), path)),
        };
        let signature = str::from_utf8(&bytes)
            .map_err(|_| Error::InvalidEncoding)
            .and_then(Signature::decode);
        // Signatures of minisign before 0.10, which are over the bytes and not over their hash, count.
        match signature.and_then(|signature| self.0.verify(manifest, &signature, true)) {
            Ok(()) => Ok(()),
            Err(Error::UnexpectedKeyId) => Err(refused("it was made with another key", path)),
            Err(Error::InvalidSignature) => {
                Err(refused("the manifest is not the one that was signed", path))
            }
            Err(error) => Err(refused(&error.to_string(), path)),
        }
    }
}
