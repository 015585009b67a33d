//! The modules of each crate and what they import: rings between files, and imports that
//! the design forbids.
//!
//! [`Package`] reads the sources of one package, [`imports()`] resolves every path in them to the
//! file that defines the item, [`rings()`] finds the files that import one another around a loop,
//! and [`rules`] holds the direction of dependency between rooms and between crates.
//!
//! Code behind `cfg(test)`, `cfg(fuzzing)` or the feature `test-support` does not count. Two kinds of
//! dependency stay unseen: a method that is called without an import of its trait, and a
//! `macro_rules!` macro that is called by textual scope.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

mod imports;
mod package;
mod rings;
pub mod rules;
mod syntax;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod workspace;

pub use imports::{Import, imports};
pub use package::{Package, PackageError};
pub use rings::{Ring, rings};

/// The folders of the packages that are checked, and whether all code of a package is test code.
pub const PACKAGES: [(&str, bool); 5] = [
    ("firmware", false),
    ("hardware", false),
    ("model-artifacts", false),
    ("trainer", false),
    ("tests", true),
];

/// Why a package could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Its sources could not be read.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its Cargo.toml could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Its Cargo.toml is no TOML.
    #[error("cannot parse {}: {source}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<toml::de::Error>,
    },
}

/// What is wrong with one package.
#[derive(Debug)]
pub struct Findings {
    /// The package's folder.
    pub folder: String,
    /// How many files it has.
    pub files: usize,
    /// Its rings of modules, shortest first.
    pub rings: Vec<Ring>,
    /// Imports and dependencies that the design forbids.
    pub forbidden: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.rings.is_empty() && self.forbidden.is_empty()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tied: BTreeSet<_> = self.rings.iter().flat_map(Ring::files).collect();
        let (rings, tied, forbidden) = (self.rings.len(), tied.len(), self.forbidden.len());
        writeln!(
            f,
            "{}: {} files, {tied} of them in rings; {rings} rings, {forbidden} forbidden imports",
            self.folder, self.files,
        )?;
        for ring in &self.rings {
            writeln!(f, "  {ring}")?;
        }
        for sentence in &self.forbidden {
            writeln!(f, "  {sentence}")?;
        }
        Ok(())
    }
}

/// Checks the package in `folder` of `checkout`.
///
/// # Errors
///
/// When its sources or its Cargo.toml cannot be read.
pub fn check(checkout: &Path, folder: &str, with_tests: bool) -> Result<Findings, CheckError> {
    let path = checkout.join(folder).join("Cargo.toml");
    let manifest = std::fs::read_to_string(&path).map_err(|source| CheckError::Read {
        path: path.clone(),
        source,
    })?;
    let manifest: toml::Table = toml::from_str(&manifest).map_err(|source| CheckError::Parse {
        path,
        source: Box::new(source),
    })?;
    let name = rules::package_name(&manifest);
    let package = Package::read(&checkout.join(folder), name, with_tests)?;
    let imports = imports(&package);
    let mut forbidden = rules::forbidden_imports(name, &imports);
    forbidden.extend(rules::forbidden_dependencies(&manifest));
    forbidden.extend(rules::missing_rooms(name, &package));
    Ok(Findings {
        folder: folder.to_owned(),
        files: package.file_count(),
        rings: rings(&imports),
        forbidden,
    })
}
