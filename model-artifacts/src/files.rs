//! Reading files that may be anything.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// Reads a regular file of at most `max_bytes`; never blocks on a pipe or device, never reads more.
///
/// # Errors
/// The system's error; [`ErrorKind::InvalidInput`] for what is not a regular file,
/// [`ErrorKind::FileTooLarge`] for a file above the limit.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Error> {
    // Looked at before it is opened: opening a pipe waits for its writer.
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
