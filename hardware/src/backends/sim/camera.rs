//! A camera that plays a folder of images.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::camera::frame::{Frame, Pixels};
use crate::error::HardwareError;
use crate::ports::Camera;

/// Larger files are refused: no camera delivers such frames.
const MAX_FILE_BYTES: u64 = 64 << 20;
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "bmp", "tif", "tiff"];

/// Plays the images of a folder in the order of their names, again and again. The folder is read
/// anew for each picture, so images may come and go. A named pipe is an image, too: until somebody
/// writes one into it, the camera stalls, as a real one may.
#[derive(Debug)]
pub struct FolderCamera {
    folder: PathBuf,
    /// The name shown last.
    last: Option<PathBuf>,
}

impl FolderCamera {
    /// Opens a folder that holds at least one image.
    ///
    /// # Errors
    /// [`HardwareError::Open`] if it cannot be read, [`HardwareError::NoImages`] if it holds none.
    pub fn open(folder: PathBuf) -> Result<Self, HardwareError> {
        images(&folder)?;
        Ok(Self { folder, last: None })
    }
}

impl FolderCamera {
    /// The image that follows the one shown last.
    fn next(&self) -> Result<PathBuf, HardwareError> {
        let images = images(&self.folder)?;
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
        // Also after a failure: one unreadable file must not stop the show.
        self.last = Some(next);
        Ok(Frame {
            pixels: Pixels::Encoded(bytes?),
            captured_at,
            earlier: None,
            source,
        })
    }

    /// The image that the next picture will show.
    fn glimpse(&mut self) -> Result<Pixels, HardwareError> {
        let next = self.next()?;
        if !next.is_file() {
            // What is read from a pipe is not there for the capture any more.
            return Err(HardwareError::DamagedFrame {
                reason: format!("{} is only read when it is captured", next.display()),
            });
        }
        read(&next).map(Pixels::Encoded)
    }

    fn describe(&self) -> String {
        format!("images of {}", self.folder.display())
    }
}

/// The folder's images in the order of their names; at least one.
fn images(folder: &Path) -> Result<Vec<PathBuf>, HardwareError> {
    let entries = std::fs::read_dir(folder).map_err(|error| HardwareError::Open {
        part: "camera",
        at: folder.display().to_string(),
        remedy: "name a folder of images".into(),
        source: Some(error.into()),
    })?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension().is_some_and(|extension| {
                EXTENSIONS
                    .iter()
                    .any(|known| extension.eq_ignore_ascii_case(known))
            }) && !path.is_dir()
        })
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
            remedy: format!("{} cannot be read; check its permissions", path.display()),
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

    fn sources(camera: &mut FolderCamera, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| camera.capture().unwrap().source)
            .collect()
    }

    #[test]
    fn images_play_by_name_in_a_loop_and_other_files_do_not() {
        let folder = folder(&["b.PNG", "a.jpg", "notes.txt", "c.tiff"]);
        let mut camera = FolderCamera::open(folder.path().into()).unwrap();
        assert_eq!(
            sources(&mut camera, 4),
            ["a.jpg", "b.PNG", "c.tiff", "a.jpg"]
        );
    }

    #[test]
    fn a_glimpse_shows_what_the_next_picture_will() {
        let folder = folder(&["a.jpg", "b.jpg"]);
        let mut camera = FolderCamera::open(folder.path().into()).unwrap();
        for name in ["a.jpg", "b.jpg", "a.jpg"] {
            for _ in 0..2 {
                let seen = camera.glimpse().unwrap();
                assert_eq!(seen, Pixels::Encoded(name.into()));
            }
            assert_eq!(camera.capture().unwrap().source, name);
        }
    }

    #[test]
    fn images_may_come_and_go() {
        let folder = folder(&["a.jpg", "b.jpg"]);
        let mut camera = FolderCamera::open(folder.path().into()).unwrap();
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
        let error = FolderCamera::open(folder.path().into()).unwrap_err();
        assert!(matches!(error, HardwareError::NoImages { .. }));
        assert!(error.to_string().contains(folder.path().to_str().unwrap()));
        let error = FolderCamera::open(folder.path().join("absent")).unwrap_err();
        assert!(matches!(error, HardwareError::Open { .. }), "{error}");
    }
}
