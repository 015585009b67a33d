//! Reading files of unknown content, and their checksums.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// Name of the manifest in a model folder.
pub(crate) const MANIFEST_FILE: &str = "manifest.toml";

/// Reads the file at a path, if it has at most so many bytes.
pub(crate) type ReadFile<'a> = dyn Fn(&Path, u64) -> Result<Vec<u8>, Error> + 'a;

/// Reads a regular file of at most `max_bytes`. Never blocks on a pipe or device, and never reads more
/// than the limit.
///
/// # Errors
/// The system's error; [`ErrorKind::InvalidInput`] if it is not a regular file,
/// [`ErrorKind::FileTooLarge`] if it exceeds the limit.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Error> {
    // Checked before opening, because opening a pipe waits for its writer.
    require_regular(&path.metadata()?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    require_regular(&metadata)?;
    if metadata.len() > max_bytes {
        return Err(too_large(max_bytes));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(max_bytes));
    }
    Ok(bytes)
}

/// Like [`read_bounded`], for `files` in memory, which have names relative to `folder`.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no file of that name, [`ErrorKind::FileTooLarge`] if it exceeds the
/// limit.
pub(crate) fn read_from(
    files: &[(&str, &[u8])],
    folder: &Path,
    path: &Path,
    max_bytes: u64,
) -> Result<Vec<u8>, Error> {
    let (_, bytes) = files
        .iter()
        .find(|(name, _)| folder.join(name) == path)
        .ok_or(ErrorKind::NotFound)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(max_bytes));
    }
    Ok(bytes.to_vec())
}

fn require_regular(metadata: &std::fs::Metadata) -> Result<(), Error> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::InvalidInput, "not a regular file"))
    }
}

fn too_large(max_bytes: u64) -> Error {
    Error::new(
        ErrorKind::FileTooLarge,
        format!("larger than the {max_bytes} bytes allowed"),
    )
}

/// The SHA-256 of `bytes`, as 64 lower-case hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut sha256 = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        for nibble in [byte >> 4, byte & 15] {
            sha256.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
    sha256
}
