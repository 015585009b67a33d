//! A writer that fails once.

use std::io::{self, Seek, SeekFrom, Write};

/// Passes everything on until the first error, which it remembers. Afterwards, it ignores what is written: `ZipWriter`
/// completes its archive when it is dropped, and would print a second error.
pub(crate) struct FirstError<W> {
    inner: W,
    position: u64,
    error: Option<io::ErrorKind>,
}

impl<W> FirstError<W> {
    /// Wraps a writer that is at its beginning.
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            position: 0,
            error: None,
        }
    }

    /// The kind of the first error.
    pub(crate) fn error(&self) -> Option<io::ErrorKind> {
        self.error
    }
}

impl<W: Write> Write for FirstError<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.error.is_some() {
            bytes.len()
        } else {
            let written = self.inner.write(bytes);
            written.inspect_err(|error| {
                if error.kind() != io::ErrorKind::Interrupted {
                    self.error = Some(error.kind());
                }
            })?
        };
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.error.is_some() {
            return Ok(());
        }
        self.inner.flush()
    }
}

impl<W: Seek> Seek for FirstError<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match (self.error, to) {
            (None, to) => self.inner.seek(to)?,
            (Some(_), SeekFrom::Start(position)) => position,
            (Some(_), SeekFrom::Current(offset) | SeekFrom::End(offset)) => {
                self.position.saturating_add_signed(offset)
            }
        };
        Ok(self.position)
    }
}
