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

/// Reads a text that a person wrote, such as a configuration, a list or a password file, of at most `max_bytes`. A byte
/// order mark, which editors of Windows write, is left out.
///
/// # Errors
/// The system's error; [`ErrorKind::InvalidData`] if it is not UTF-8, [`ErrorKind::FileTooLarge`] if it exceeds the limit.
pub fn read_text(path: &Path, max_bytes: u64) -> Result<String, Error> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(max_bytes + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(too_large(max_bytes));
    }
    match str::from_utf8(&bytes) {
        Ok(text) => Ok(without_byte_order_mark(text).to_owned()),
        Err(_) => Err(Error::new(
            ErrorKind::InvalidData,
            "it is not UTF-8 text; save it as UTF-8",
        )),
    }
}

/// The text without the byte order mark that editors of Windows write at its beginning.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String, Error> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(&file, bytes)?;
        read_text(file.path(), 16)
    }

    #[test]
    fn a_text_is_read_without_its_byte_order_mark() {
        assert_eq!(read(b"\xef\xbb\xbfsecret\r\n").unwrap(), "secret\r\n");
        assert_eq!(read(b"secret").unwrap(), "secret");
    }

    #[test]
    fn what_is_no_text_or_too_long_is_refused() {
        // Windows calls UTF-16 "Unicode".
        let error = read(b"\xff\xfes\0e\0").unwrap_err();
        assert_eq!(error.to_string(), "it is not UTF-8 text; save it as UTF-8");
        assert_eq!(
            read(&[b'x'; 17]).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
    }
}
