//! The images below a folder, and which of them a name in a list means.

use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use super::super::files::{
    ARCHIVE_FOLDER, check_name, has_extension, is_named_like_an_image, name, walk,
};
use crate::error::TrainError;

/// The files below a folder.
#[derive(Debug)]
pub(super) struct ImageIndex {
    pub(super) root: PathBuf,
    /// Paths of images relative to the root.
    images: BTreeSet<PathBuf>,
    /// The same by file name.
    by_name: HashMap<String, Vec<PathBuf>>,
    /// Other files, with their whole paths.
    others: Vec<PathBuf>,
    /// How many of the others are no lists by their names.
    pub(super) passed_over: usize,
}

/// Extensions of files that may list cells.
const LISTS: [&str; 7] = ["csv", "tsv", "json", "txt", "xml", "yaml", "yml"];

impl ImageIndex {
    /// Lists the files below a folder, without hidden ones.
    ///
    /// # Errors
    /// [`TrainError::Data`] if it cannot be read, or if a name could not be shown.
    pub(super) fn of(root: &Path) -> Result<Self, TrainError> {
        let mut images = BTreeSet::new();
        let mut by_name: HashMap<String, Vec<PathBuf>> = HashMap::new();
        let mut others = Vec::new();
        for path in walk(root)? {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            if relative.starts_with(ARCHIVE_FOLDER) {
                continue;
            }
            check_name(&path, root)?;
            if is_named_like_an_image(&path) {
                by_name
                    .entry(name(&path))
                    .or_default()
                    .push(relative.clone());
                images.insert(relative);
            } else {
                others.push(path);
            }
        }
        let is_list = |path: &&PathBuf| LISTS.iter().any(|known| has_extension(path, known));
        let passed_over = others.len() - others.iter().filter(is_list).count();
        Ok(Self {
            root: root.into(),
            images,
            by_name,
            others,
            passed_over,
        })
    }

    /// The whole paths of all images.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.images.iter().map(|image| self.root.join(image))
    }

    /// The paths of images relative to the root.
    pub(super) fn relative_paths(&self) -> impl Iterator<Item = &Path> {
        self.images.iter().map(PathBuf::as_path)
    }

    /// Files with this extension.
    pub(super) fn with_extension<'a>(
        &'a self,
        extension: &'a str,
    ) -> impl Iterator<Item = &'a Path> {
        let others = self.others.iter().map(PathBuf::as_path);
        others.filter(move |path| has_extension(path, extension))
    }

    /// Files in the root itself with this extension.
    pub(super) fn in_root<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a Path> {
        self.with_extension(extension)
            .filter(|path| path.parent() == Some(&self.root))
    }

    /// The whole path of the image with this name: its path relative to the root, or the end of that path.
    /// `None` if there is none.
    ///
    /// # Errors
    /// A message, if the name leads out of the folder or fits several images.
    pub(super) fn find(&self, name: &str) -> Result<Option<PathBuf>, String> {
        // Lists written on Windows have backslashes.
        let path = PathBuf::from(name.replace('\\', "/"));
        let is_within =
            |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        let shown = name.escape_debug();
        if !path.components().all(is_within) {
            return Err(format!("`{shown}` is not in {}", self.root.display()));
        }
        // Without `.` parts.
        let path: PathBuf = path
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        if self.images.contains(&path) {
            return Ok(Some(self.root.join(path)));
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let same_name = self.by_name.get(&*file).map_or(&[][..], Vec::as_slice);
        let mut fitting = same_name.iter().filter(|image| image.ends_with(&path));
        match (fitting.next(), fitting.next()) {
            (None, _) => Ok(None),
            (Some(image), None) => Ok(Some(self.root.join(image))),
            (Some(one), Some(other)) => Err(format!(
                "`{shown}` may be {} or {}",
                one.display(),
                other.display()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_found_within_the_folder_only() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "a/1.png",
            "b/1.png",
            "b/c/2.jpg",
            "x.csv",
            "LICENSE",
            "__MACOSX/3.png",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let index = ImageIndex::of(root.path()).unwrap();
        let find = |name: &str| {
            let found = index.find(name)?;
            Ok(found.map(|path| {
                path.strip_prefix(root.path())
                    .unwrap()
                    .display()
                    .to_string()
            }))
        };
        for (name, expected) in [
            ("a/1.png", Some("a/1.png")),
            ("./a/1.png", Some("a/1.png")),
            ("b\\c\\2.jpg", Some("b/c/2.jpg")),
            ("2.jpg", Some("b/c/2.jpg")),
            ("c/2.jpg", Some("b/c/2.jpg")),
            ("d/2.jpg", None),
            ("3.png", None),
            ("", None),
        ] {
            assert_eq!(find(name), Ok(expected.map(Into::into)), "{name}");
        }
        let several: Result<_, String> = find("1.png");
        assert!(several.unwrap_err().contains("a/1.png or b/1.png"));
        for outside in ["../x.png", "/etc/passwd", "a/../../1.png", "..\\1.png"] {
            assert!(
                find(outside).unwrap_err().contains("is not in"),
                "{outside}"
            );
        }
        assert_eq!(index.passed_over, 1);
    }
}
