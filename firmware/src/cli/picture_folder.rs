//! A folder in which a command saves pictures of the images that it looks at.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use image::RgbImage;

/// Saves pictures as `NAME-SUFFIX.png`, where `NAME` is that of the image; a further image of that name is `NAME-2`.
pub(crate) struct PictureFolder<'a> {
    folder: &'a Path,
    /// The name of each image that has pictures.
    names: HashMap<PathBuf, String>,
    taken: HashSet<String>,
}

impl<'a> PictureFolder<'a> {
    /// Creates the folder, if it is missing, and checks that it can be written to. `option` is what named it, `images` what is
    /// searched for images.
    ///
    /// # Errors
    /// If no files can be created there, or if they would be found as images the next time.
    pub(crate) fn create(option: &str, folder: &'a Path, images: &[PathBuf]) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .and_then(|()| tempfile::tempfile_in(folder))
            .with_context(|| {
                format!(
                    "{option}: no files can be created in {}; name a folder that you may write to",
                    folder.display()
                )
            })?;
        let canonical = folder.canonicalize()?;
        let searched = images
            .iter()
            .filter_map(|path| path.canonicalize().ok())
            .find(|path| canonical.starts_with(path));
        if let Some(searched) = searched {
            bail!(
                "{option}: {} lies in {}, which is searched for images, so that its pictures would be images of the next time; name \
                 another folder",
                folder.display(),
                searched.display()
            );
        }
        Ok(Self {
            folder,
            names: HashMap::new(),
            taken: HashSet::new(),
        })
    }

    /// Saves a picture of an image.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&mut self, image: &Path, suffix: &str, picture: &RgbImage) -> Result<()> {
        let name = self.reserve(image);
        let path = self.folder.join(format!("{name}-{suffix}.png"));
        picture
            .save(&path)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The name of an image's pictures. Where pictures of only some images are saved, reserving a name for each image makes
    /// it the same in all folders.
    pub(crate) fn reserve(&mut self, image: &Path) -> String {
        if let Some(name) = self.names.get(image) {
            return name.clone();
        }
        let stem = image.file_stem().unwrap_or_default().to_string_lossy();
        let mut name = stem.to_string();
        let mut number = 1;
        while self.taken.contains(&name) {
            number += 1;
            name = format!("{stem}-{number}");
        }
        self.taken.insert(name.clone());
        self.names.insert(image.into(), name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_one_name_do_not_overwrite_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new");
        let mut pictures = PictureFolder::create("--overlays", &out, &[]).unwrap();
        // Nothing is saved of it.
        pictures.reserve(Path::new("c/f.jpg"));
        for (path, red) in [("a/f.jpg", 1), ("b/f.jpg", 2), ("f.png", 3)] {
            for (suffix, green) in [("cells", 0), ("01-lymphoblast", 1)] {
                let picture = RgbImage::from_pixel(2, 2, image::Rgb([red, green, 0]));
                pictures.save(Path::new(path), suffix, &picture).unwrap();
            }
        }
        for (name, red) in [("f-2", 1), ("f-3", 2), ("f-4", 3)] {
            for (suffix, green) in [("cells", 0), ("01-lymphoblast", 1)] {
                let saved = image::open(out.join(format!("{name}-{suffix}.png"))).unwrap();
                assert_eq!(saved.to_rgb8().get_pixel(0, 0).0, [red, green, 0]);
            }
        }
    }

    #[test]
    fn the_folder_is_checked_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for wrong in [&file, &file.join("below")] {
            let error = PictureFolder::create("--crops", wrong, &[]).err().unwrap();
            let error = error.to_string();
            assert!(
                error.starts_with("--crops") && error.contains(wrong.to_str().unwrap()),
                "{error}"
            );
        }
        let new = folder.path().join("new");
        PictureFolder::create("--overlays", &new, &[file]).unwrap();
        assert_eq!(new.read_dir().unwrap().count(), 0);
        let searched = [folder.path().to_path_buf()];
        let error = PictureFolder::create("--overlays", &new, &searched);
        let error = error.err().unwrap().to_string();
        assert!(error.contains("images of the next time"), "{error}");
    }
}
