//! Standard output.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a text as it is. A closed pipe, as of `head`, is no error: `println!` would panic.
pub(crate) fn print(text: impl Display) {
    let _ = write!(io::stdout().lock(), "{text}");
}
