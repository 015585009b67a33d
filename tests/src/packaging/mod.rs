//! The Debian package and its service.

mod confined;
mod debian;
