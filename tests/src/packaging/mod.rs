//! The Debian package.

mod debian;
