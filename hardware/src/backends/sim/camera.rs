//! A camera that plays the images of a folder.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::camera::frame::{CaptureSettings, Frame, Pixels};
use crate::camera::preview::{Preview, PreviewMode};
use crate::error::HardwareError;
use crate::ports::Camera;

/// Size limit of an image file, larger than any frame of a camera.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Whether a file is an image, by its name.
pub type IsImage = fn(&Path) -> bool;

/// Plays the images of a folder in a loop, sorted by name. The folder is read again for each picture, so
/// images may be added and removed. A named pipe counts as an image: the camera stalls until an image is
/// written into it, as a real camera may stall.
#[derive(Debug)]
pub struct FolderCamera {
    folder: PathBuf,
    is_image: IsImage,
    /// Path of the last picture.
    last: Option<PathBuf>,
}

impl FolderCamera {
    /// Opens a folder that holds at least one image, as `is_image` tells them from other files.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if it cannot be read, [`HardwareError::NoImages`] if it holds none.
    pub fn open(folder: PathBuf, is_image: IsImage) -> Result<Self, HardwareError> {
        images(&folder, is_image)?;
        Ok(Self {
            folder,
            is_image,
            last: None,
        })
    }

    /// The image after the last picture.
    fn next(&self) -> Result<PathBuf, HardwareError> {
        let images = images(&self.folder, self.is_image)?;
        images
            .iter()
            .find(|path| Some(*path) > self.last.as_ref())
            .or(images.first())
            .cloned()
            .ok_or_else(|| no_images(&self.folder))
    }
}

impl Camera for FolderCamera {
    fn capture(&mut self) -> Result<Frame, HardwareError> {
        let next = self.next()?;
        let captured_at = Instant::now();
        let bytes = read(&next);
        let source = next
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        // Also after a failure, so that an unreadable file is skipped.
        self.last = Some(next);
        Ok(Frame {
            pixels: Pixels::Encoded(bytes?),
            captured_at,
            earlier: None,
            source,
            um_per_pixel: None,
            settings: CaptureSettings::default(),
        })
    }

    /// The image that the next capture will return.
    fn preview(&mut self, _: PreviewMode) -> Result<Preview, HardwareError> {
        let next = self.next()?;
        if !next.is_file() {
            // A preview would take the image out of the pipe before the capture.
            return Err(HardwareError::Unsupported {
                part: "camera",
                wanted: format!("a preview of the pipe {}", next.display()),
                offers: "captures only".into(),
            });
        }
        Ok(Pixels::Encoded(read(&next)?).into())
    }

    fn describe(&self) -> String {
        format!("images of {}", self.folder.display())
    }
}

/// The images of the folder, sorted by name; at least one.
fn images(folder: &Path, is_image: IsImage) -> Result<Vec<PathBuf>, HardwareError> {
    let entries = std::fs::read_dir(folder).map_err(|error| HardwareError::Open {
        part: "camera",
        at: folder.display().to_string(),
        remedy: "name a folder that holds images".into(),
        source: Some(error.into()),
    })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_image(path) && !path.is_dir())
        .collect();
    if paths.is_empty() {
        return Err(no_images(folder));
    }
    paths.sort();
    Ok(paths)
}

fn no_images(folder: &Path) -> HardwareError {
    HardwareError::NoImages {
        folder: folder.into(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, HardwareError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| HardwareError::Lost {
            part: "camera",
            remedy: format!("check the permissions of {}", path.display()),
            source: Some(error.into()),
        })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(HardwareError::DamagedFrame {
            reason: format!("{} is larger than {MAX_FILE_BYTES} bytes", path.display()),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    fn is_image(path: &Path) -> bool {
        let known = ["jpg", "PNG", "tiff"].map(Some);
        known.contains(&path.extension().and_then(|extension| extension.to_str()))
    }

    fn sources(camera: &mut FolderCamera, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| camera.capture().unwrap().source)
            .collect()
    }

    #[test]
    fn images_play_in_a_loop_by_name_and_other_files_are_ignored() {
        let folder = folder(&["b.PNG", "a.jpg", "notes.txt", "c.tiff"]);
        let mut camera = FolderCamera::open(folder.path().into(), is_image).unwrap();
        assert_eq!(
            sources(&mut camera, 4),
            ["a.jpg", "b.PNG", "c.tiff", "a.jpg"]
        );
    }

    #[test]
    fn a_preview_shows_the_next_picture() {
        let folder = folder(&["a.jpg", "b.jpg"]);
        let mut camera = FolderCamera::open(folder.path().into(), is_image).unwrap();
        for name in ["a.jpg", "b.jpg", "a.jpg"] {
            for _ in 0..2 {
                let seen = camera.preview(PreviewMode::Full).unwrap();
                assert_eq!(seen, Pixels::Encoded(name.into()).into());
            }
            assert_eq!(camera.capture().unwrap().source, name);
        }
    }

    #[test]
    fn images_may_be_added_and_removed() {
        let folder = folder(&["a.jpg", "b.jpg"]);
        let mut camera = FolderCamera::open(folder.path().into(), is_image).unwrap();
        assert_eq!(sources(&mut camera, 1), ["a.jpg"]);
        std::fs::remove_file(folder.path().join("b.jpg")).unwrap();
        std::fs::write(folder.path().join("c.jpg"), "c").unwrap();
        assert_eq!(sources(&mut camera, 2), ["c.jpg", "a.jpg"]);
        std::fs::remove_file(folder.path().join("a.jpg")).unwrap();
        std::fs::remove_file(folder.path().join("c.jpg")).unwrap();
        assert!(matches!(
            camera.capture(),
            Err(HardwareError::NoImages { .. })
        ));
    }

    #[test]
    fn a_folder_without_images_is_refused_and_named() {
        let folder = folder(&["notes.txt"]);
        let error = FolderCamera::open(folder.path().into(), is_image).unwrap_err();
        assert!(matches!(error, HardwareError::NoImages { .. }));
        assert!(error.to_string().contains(folder.path().to_str().unwrap()));
        let error = FolderCamera::open(folder.path().join("absent"), is_image).unwrap_err();
        assert!(matches!(error, HardwareError::Open { .. }), "{error}");
    }
}
