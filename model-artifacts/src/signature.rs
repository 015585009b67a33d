//! Signatures of models, in minisign's format. The manifest is signed; it contains the checksums of all
//! other files.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use minisign_verify::{Error, Signature};

use crate::error::ArtifactError;
use crate::files::{MANIFEST_FILE, ReadFile, without_byte_order_mark};

/// Largest signature file, in bytes; a signature is four short lines.
const MAX_SIGNATURE: u64 = 4 << 10;

/// The public key that verifies the signatures of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(minisign_verify::PublicKey);

/// A text is not a public key in minisign's format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a minisign public key; use the second line of minisign.pub, which starts with RW"
)]
pub struct InvalidPublicKey {
    text: String,
}

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    /// Parses the key alone, which is the second line of `minisign.pub`.
    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        let key = without_byte_order_mark(text).trim();
        match minisign_verify::PublicKey::from_base64(key) {
            Ok(key) => Ok(Self(key)),
            Err(_) => Err(InvalidPublicKey { text: text.into() }),
        }
    }
}

impl PublicKey {
    /// Name of the signature in a model folder, as `minisign -S -m manifest.toml` creates it.
    pub const SIGNATURE_FILE: &str = "manifest.toml.minisig";

    /// Verifies the signature of the manifest in `folder`, whose contents are `manifest`.
    pub(crate) fn check(
        &self,
        folder: &Path,
        manifest: &[u8],
        read_file: &ReadFile<'_>,
    ) -> Result<(), ArtifactError> {
        let path = folder.join(Self::SIGNATURE_FILE);
        let refused = |problem: &str, path: PathBuf| ArtifactError::Signature {
            path,
            problem: problem.into(),
        };
        let bytes = match read_file(&path, MAX_SIGNATURE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(refused(
                    "the model is not signed",
                    folder.join(MANIFEST_FILE),
                ));
            }
            Err(error) => return Err(refused(&error.to_string(), path)),
        };
        let signature = str::from_utf8(&bytes)
            .map_err(|_| Error::InvalidEncoding)
            .and_then(Signature::decode);
        // `true` accepts signatures of minisign before 0.10, which sign the bytes instead of their hash.
        match signature.and_then(|signature| self.0.verify(manifest, &signature, true)) {
            Ok(()) => Ok(()),
            Err(Error::UnexpectedKeyId) => Err(refused("it was made with another key", path)),
            Err(Error::InvalidSignature) => Err(refused(
                "the manifest was changed after it was signed",
                path,
            )),
            Err(error) => Err(refused(&error.to_string(), path)),
        }
    }
}
