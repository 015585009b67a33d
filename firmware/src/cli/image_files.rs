//! The image files that paths on the command line name, and the files among them that are passed over.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use smearscope_artifacts::is_image_path;
use walkdir::WalkDir;

/// What is found at paths and in their folders. Every file is in one of the three lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ImageFiles {
    /// The images, each once.
    pub(crate) images: Vec<PathBuf>,
    /// Files that are passed over.
    pub(crate) omitted: Vec<Omitted>,
    /// What cannot be searched, and why.
    pub(crate) unsearchable: Vec<(PathBuf, String)>,
}

/// A file that is passed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Omitted {
    pub(crate) path: PathBuf,
    pub(crate) reason: Reason,
}

/// Why a file is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is in a folder, and its name is not that of an image.
    NotAnImage,
    /// It was named before, also through a folder.
    Repeated,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotAnImage => {
                "its name is not that of an image; name the file itself to classify it"
            }
            Self::Repeated => "it was named before and counts once",
        }
    }
}

impl ImageFiles {
    /// Searches folders, and follows symbolic links. A file that is named itself counts as an image whatever its
    /// name.
    pub(crate) fn find(paths: &[PathBuf]) -> Self {
        let mut found = Self::default();
        let mut seen = HashSet::new();
        for path in paths {
            if path.is_dir() {
                found.search(path, &mut seen);
            } else {
                found.add(path.clone(), &mut seen);
            }
        }
        found
    }

    fn search(&mut self, folder: &Path, seen: &mut HashSet<PathBuf>) {
        let mut is_empty = true;
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if is_image_path(entry.path()) => {
                    is_empty = false;
                    self.add(entry.into_path(), seen);
                }
                Ok(entry) => self.omitted.push(Omitted {
                    path: entry.into_path(),
                    reason: Reason::NotAnImage,
                }),
                Err(error) => {
                    is_empty = false;
                    let place = error.path().unwrap_or(folder).to_owned();
                    self.unsearchable.push((place, describe(&error)));
                }
            }
        }
        if is_empty {
            let problem = format!(
                "{} holds no images; name a folder with images",
                folder.display()
            );
            self.unsearchable.push((folder.into(), problem));
        }
    }

    fn add(&mut self, path: PathBuf, seen: &mut HashSet<PathBuf>) {
        if seen.insert(identity(&path)) {
            self.images.push(path);
        } else {
            self.omitted.push(Omitted {
                path,
                reason: Reason::Repeated,
            });
        }
    }
}

/// The same for two ways to write a path. Two links to one file differ: each has a name that may be a label.
fn identity(path: &Path) -> PathBuf {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match (
        folder.unwrap_or(Path::new(".")).canonicalize(),
        path.file_name(),
    ) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}

fn describe(error: &walkdir::Error) -> String {
    let is_broken_link = error.path().is_some_and(Path::is_symlink)
        && error.io_error().map(std::io::Error::kind) == Some(std::io::ErrorKind::NotFound);
    if is_broken_link {
        "the link leads to no file; restore the file or remove the link".into()
    } else {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Paths relative to `root`.
    fn relative(root: &Path, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        paths.iter().map(name).collect()
    }

    #[test]
    fn links_are_followed_and_broken_ones_named() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir(root.join("mixed")).unwrap();
        fs::create_dir(root.join("store")).unwrap();
        for file in ["store/x.jpg", "mixed/file.jpg"] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink("../store/x.jpg", root.join("mixed/link.jpg")).unwrap();
        symlink("../store", root.join("mixed/linked")).unwrap();
        symlink("/nowhere/gone.jpg", root.join("mixed/broken.jpg")).unwrap();
        let found = ImageFiles::find(&[root.join("mixed")]);
        assert_eq!(
            relative(root, &found.images),
            ["mixed/file.jpg", "mixed/link.jpg", "mixed/linked/x.jpg"]
        );
        assert_eq!(found.omitted, []);
        let [(broken, problem)] = &found.unsearchable[..] else {
            panic!("{found:?}");
        };
        assert_eq!(*broken, root.join("mixed/broken.jpg"));
        assert!(problem.contains("leads to no file"), "{problem}");
    }

    #[test]
    fn a_loop_of_links_is_named() {
        let root = tempfile::tempdir().unwrap();
        symlink(".", root.path().join("loop")).unwrap();
        let found = ImageFiles::find(&[root.path().into()]);
        assert_eq!((found.images.len(), found.unsearchable.len()), (0, 1));
    }

    #[test]
    fn every_file_is_an_image_or_passed_over_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for file in ["a.JPG", "b.jfif", "c.jpe", "d.dib", "notes.txt", "raw"] {
            fs::write(root.join(file), "").unwrap();
        }
        let paths = ["a.JPG", "raw", ".", "raw", "./c.jpe"].map(|name| root.join(name));
        let found = ImageFiles::find(&paths);
        assert_eq!(
            relative(root, &found.images),
            ["a.JPG", "raw", "b.jfif", "c.jpe", "d.dib"]
        );
        let omitted = found.omitted.iter().map(|file| {
            let name = file.path.file_name().unwrap().to_str().unwrap();
            (name, file.reason)
        });
        assert_eq!(
            omitted.collect::<Vec<_>>(),
            [
                ("a.JPG", Reason::Repeated),
                ("notes.txt", Reason::NotAnImage),
                ("raw", Reason::NotAnImage),
                ("raw", Reason::Repeated),
                ("c.jpe", Reason::Repeated),
            ]
        );
        assert_eq!(found.unsearchable, []);
    }

    #[test]
    fn a_folder_without_images_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("notes.txt"), "").unwrap();
        let found = ImageFiles::find(&[root.path().into()]);
        assert_eq!((found.omitted.len(), found.unsearchable.len()), (1, 1));
    }
}
