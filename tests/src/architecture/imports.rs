//! Which file of a package imports which, and what it imports.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::package::Package;
use super::syntax::{Binding, Use};

/// One file's use of another's item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The importing file, below `src`.
    pub from: PathBuf,
    /// The file that defines the item.
    pub to: PathBuf,
    /// The item, or `*`.
    pub name: String,
    /// The importing module's room: the first name of its path, empty at the root.
    pub room: String,
    /// The rooms that the path leads through, the item's own included.
    pub through: BTreeSet<String>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Module(usize),
    Item {
        module: usize,
        name: String,
    },
    /// Another crate, a local name or a primitive type.
    Outside,
}

/// All imports between different files of `package`.
///
/// A path that leads through re-exports counts as an import of the file that defines the item.
/// A module that re-exports an item of a module below it does not import that item by this.
pub fn imports(package: &Package) -> BTreeSet<Import> {
    let resolver = Resolver { package };
    (0..package.modules.len())
        .flat_map(|module| resolver.imports_of(module))
        .filter(|import| import.from != import.to)
        .collect()
}

struct Resolver<'a> {
    package: &'a Package,
}

/// The modules that a path leads through, and the lookups under way, so that a ring of
/// re-exports ends.
#[derive(Default)]
struct Walk {
    through: Vec<usize>,
    visited: BTreeSet<(usize, String)>,
}

impl Resolver<'_> {
    fn imports_of(&self, from: usize) -> Vec<Import> {
        let module = &self.package.modules[from];
        let mut found = Vec::new();
        for declaration in &module.uses {
            let mut walk = Walk::default();
            let target = self.resolve(from, &declaration.path, &mut walk);
            let (to, name) = match target {
                Target::Outside => continue,
                Target::Item { module, name } => (module, name),
                Target::Module(module) if declaration.binding == Binding::Glob => {
                    (module, "*".to_owned())
                }
                // Resolved further where the module's name leads a path in the code.
                Target::Module(_) if self.leads_a_path(from, declaration) => continue,
                Target::Module(module) => (module, last(&declaration.path)),
            };
            let facade = declaration.reexport && self.package.is_below(to, from);
            if !facade {
                found.push(self.import(from, to, name, &walk));
            }
        }
        for path in &module.paths {
            let mut walk = Walk::default();
            match self.resolve(from, path, &mut walk) {
                Target::Item { module, name } => found.push(self.import(from, module, name, &walk)),
                // A module by its path: `#[serde(with = "crate::time")]`.
                Target::Module(module) if path.len() > 1 => {
                    found.push(self.import(from, module, last(path), &walk));
                }
                Target::Module(_) | Target::Outside => {}
            }
        }
        found
    }

    fn leads_a_path(&self, from: usize, declaration: &Use) -> bool {
        let Binding::Name(name) = &declaration.binding else {
            return false;
        };
        let paths = &self.package.modules[from].paths;
        declaration.reexport
            || paths
                .iter()
                .any(|path| path.len() > 1 && path.first() == Some(name))
    }

    fn import(&self, from: usize, to: usize, name: String, walk: &Walk) -> Import {
        let modules = &self.package.modules;
        let room = |module: usize| modules[module].path.first().cloned().unwrap_or_default();
        Import {
            from: modules[from].file.clone(),
            to: modules[to].file.clone(),
            name,
            room: room(from),
            through: walk.through.iter().chain([&to]).map(|m| room(*m)).collect(),
        }
    }

    fn resolve(&self, from: usize, path: &[String], walk: &mut Walk) -> Target {
        let modules = &self.package.modules;
        let mut segments = path.iter();
        let Some(first) = segments.next() else {
            return Target::Outside;
        };
        let library = self.package.library.as_ref();
        let mut target = match first.as_str() {
            "crate" => Target::Module(modules[from].root),
            "self" => Target::Module(from),
            "super" => modules[from].parent.map_or(Target::Outside, Target::Module),
            name => match (self.lookup(from, name, walk), library) {
                (Some(target), _) => target,
                (None, Some((root, library))) if name == library && modules[from].root != *root => {
                    Target::Module(*root)
                }
                (None, _) => Target::Outside,
            },
        };
        for segment in segments {
            let Target::Module(module) = target else {
                break;
            };
            target = if segment == "super" {
                modules[module]
                    .parent
                    .map_or(Target::Outside, Target::Module)
            } else {
                let found = self.lookup(module, segment, walk);
                // What is not found here is made by a macro.
                let target = found.unwrap_or_else(|| Target::Item {
                    module,
                    name: segment.clone(),
                });
                // A re-export by the root or by a room is a way through it.
                walk.through.push(module);
                target
            };
        }
        target
    }

    /// What `name` means in `module`; `None` where nothing there has this name.
    fn lookup(&self, module: usize, name: &str, walk: &mut Walk) -> Option<Target> {
        let here = &self.package.modules[module];
        if let Some(child) = here.children.get(name) {
            return Some(Target::Module(*child));
        }
        if here.items.contains(name) {
            return Some(Target::Item {
                module,
                name: name.to_owned(),
            });
        }
        if !walk.visited.insert((module, name.to_owned())) {
            return None;
        }
        let named = here.uses.iter().find(
            |declaration| matches!(&declaration.binding, Binding::Name(bound) if bound == name),
        );
        let found = if let Some(declaration) = named {
            Some(self.resolve(module, &declaration.path, walk))
        } else {
            here.uses
                .iter()
                .filter(|declaration| declaration.binding == Binding::Glob)
                .find_map(|declaration| {
                    let way = walk.through.len();
                    let found = match self.resolve(module, &declaration.path, walk) {
                        Target::Module(source) => self.lookup(source, name, walk),
                        Target::Item { .. } | Target::Outside => None,
                    };
                    if found.is_none() {
                        walk.through.truncate(way);
                    }
                    found
                })
        };
        walk.visited.remove(&(module, name.to_owned()));
        found
    }
}

fn last(path: &[String]) -> String {
    path.last().cloned().unwrap_or_default()
}
