//! The tree of modules of one package, read from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::syntax::{self, Contents, Use};

/// Why the sources of a package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file or folder could not be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// A file is no Rust.
    #[error("cannot parse {}", .0.display())]
    Parse(PathBuf, #[source] syn::Error),
    /// A `mod name;` without a file.
    #[error("{} declares the module {name}, which has no file", .file.display())]
    Missing {
        /// The file with the declaration.
        file: PathBuf,
        /// The module's name.
        name: String,
    },
}

/// One module: the root, a file or an inline `mod name { … }`.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) file: PathBuf,
    /// Its names from the root on; empty for the root.
    pub(super) path: Vec<String>,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: BTreeSet<String>,
    pub(super) uses: Vec<Use>,
    pub(super) paths: BTreeSet<Vec<String>>,
    /// The module at the root of its library or program.
    pub(super) root: usize,
}

/// The modules of a package: of its library and of its program.
#[derive(Debug)]
pub struct Package {
    pub(super) modules: Vec<Module>,
    /// The root of the library and the name by which the program imports it.
    pub(super) library: Option<(usize, String)>,
}

impl Package {
    /// Reads `folder`/src. `name` is the package's name, and `with_tests` counts test code, too.
    ///
    /// # Errors
    ///
    /// When a file is absent or no Rust.
    pub fn read(folder: &Path, name: &str, with_tests: bool) -> Result<Self, PackageError> {
        let mut sources = BTreeMap::new();
        collect(&folder.join("src"), Path::new(""), &mut sources)?;
        Self::parse(&sources, name, with_tests)
    }

    /// Reads the package from `sources`, whose keys are paths below `src`.
    ///
    /// # Errors
    ///
    /// When a file is absent or no Rust.
    pub fn parse(
        sources: &BTreeMap<PathBuf, String>,
        name: &str,
        with_tests: bool,
    ) -> Result<Self, PackageError> {
        let mut builder = Builder {
            sources,
            with_tests,
            modules: Vec::new(),
        };
        let mut library = None;
        for file in ["lib.rs", "main.rs"] {
            if sources.contains_key(Path::new(file)) {
                let root = builder.modules.len();
                builder.file(Path::new(file), Place::root(root))?;
                if file == "lib.rs" {
                    library = Some((root, name.replace('-', "_")));
                }
            }
        }
        Ok(Self {
            modules: builder.modules,
            library,
        })
    }

    /// Whether the package has a module of this name at its root.
    pub fn has_room(&self, name: &str) -> bool {
        self.modules.iter().any(|module| module.path == [name])
    }

    /// How many files its modules lie in.
    pub fn file_count(&self) -> usize {
        let files: BTreeSet<_> = self.modules.iter().map(|module| &module.file).collect();
        files.len()
    }

    pub(super) fn is_below(&self, module: usize, ancestor: usize) -> bool {
        std::iter::successors(Some(module), |module| self.modules[*module].parent)
            .any(|module| module == ancestor)
    }
}

/// Reads the Rust files of `folder` into `sources`, by their paths below it.
fn collect(
    folder: &Path,
    below: &Path,
    sources: &mut BTreeMap<PathBuf, String>,
) -> Result<(), PackageError> {
    let read = |error| PackageError::Read(folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let (path, below) = (entry.path(), below.join(entry.file_name()));
        if path.is_dir() {
            collect(&path, &below, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| PackageError::Read(path.clone(), error))?;
            sources.insert(below, text);
        }
    }
    Ok(())
}

/// Where a module stands in the tree.
struct Place {
    path: Vec<String>,
    parent: Option<usize>,
    root: usize,
}

impl Place {
    fn root(root: usize) -> Self {
        Self {
            path: Vec::new(),
            parent: None,
            root,
        }
    }
}

struct Builder<'a> {
    sources: &'a BTreeMap<PathBuf, String>,
    with_tests: bool,
    modules: Vec<Module>,
}

impl Builder<'_> {
    fn file(&mut self, file: &Path, place: Place) -> Result<(), PackageError> {
        let text = self.sources.get(file).map_or("", String::as_str);
        let syntax =
            syn::parse_file(text).map_err(|error| PackageError::Parse(file.to_owned(), error))?;
        if syntax::is_left_out(&syntax.attrs, self.with_tests) {
            return Ok(());
        }
        let contents = syntax::contents(&syntax.items, self.with_tests);
        let owns_folder = ["lib.rs", "main.rs", "mod.rs"]
            .iter()
            .any(|name| file.ends_with(name));
        let folder = if owns_folder {
            file.parent().map(Path::to_owned).unwrap_or_default()
        } else {
            file.with_extension("")
        };
        self.module(file, &folder, contents, place)
    }

    /// Adds a module and those below it, whose files are in `folder`.
    fn module(
        &mut self,
        file: &Path,
        folder: &Path,
        contents: Contents,
        place: Place,
    ) -> Result<(), PackageError> {
        let index = self.modules.len();
        let Place { path, parent, root } = place;
        if let (Some(parent), Some(name)) = (parent, path.last()) {
            self.modules[parent].children.insert(name.clone(), index);
        }
        self.modules.push(Module {
            file: file.to_owned(),
            path: path.clone(),
            parent,
            children: BTreeMap::new(),
            items: contents.items.into_iter().collect(),
            uses: contents.uses,
            paths: contents.paths.into_iter().collect(),
            root,
        });
        self.modules[root].items.extend(contents.exported_macros);
        for declaration in contents.modules {
            let place = Place {
                path: path.iter().chain([&declaration.name]).cloned().collect(),
                parent: Some(index),
                root,
            };
            let below = folder.join(&declaration.name);
            if let Some(contents) = declaration.inline {
                self.module(file, &below, contents, place)?;
                continue;
            }
            let candidates = match &declaration.path {
                Some(path) => vec![file.with_file_name(path)],
                None => vec![below.with_extension("rs"), below.join("mod.rs")],
            };
            let child = candidates
                .into_iter()
                .find(|candidate| self.sources.contains_key(candidate))
                .ok_or_else(|| PackageError::Missing {
                    file: file.to_owned(),
                    name: declaration.name,
                })?;
            self.file(&child, place)?;
        }
        Ok(())
    }
}
