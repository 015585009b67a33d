//! Where pictures are kept: a folder a slide, with every field as the camera gave it and its evidence
//! beside it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};

/// A folder of slides.
#[derive(Debug, Clone)]
pub struct Gallery {
    folder: PathBuf,
}

/// Which field of which slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The slide's own folder.
    pub slide: String,
    /// From 1.
    pub field: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {} of slide {}", self.field, self.slide)
    }
}

/// What is kept of a field.
pub struct Exposure<'a> {
    /// The file that the camera gave, if it gave one.
    pub encoded: Option<&'a [u8]>,
    /// What it shows.
    pub image: &'a RgbImage,
    /// Its evidence, if there is any.
    pub overlay: Option<&'a RgbImage>,
}

impl Gallery {
    /// A gallery in `folder`, which is made when it is first needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps a field as `<slide>/field-001.jpg`, or with the extension of its kind, and its evidence as
    /// `<slide>/field-001-evidence.png`. Once it returns, both are on the disk, whole.
    ///
    /// # Errors
    /// Those of the file system; also if the field is there already.
    pub fn keep(&self, place: &Place, exposure: &Exposure<'_>) -> io::Result<()> {
        let folder = self.folder.join(&place.slide);
        fs::create_dir_all(&folder)?;
        let name = format!("field-{:03}", place.field);
        if let Some(overlay) = exposure.overlay {
            write(&folder, &format!("{name}-evidence.png"), &png(overlay)?)?;
        }
        match exposure.encoded {
            Some(bytes) => {
                let format = image::guess_format(bytes).map_err(io::Error::other)?;
                let extension = format.extensions_str().first().unwrap_or(&"image");
                write(&folder, &format!("{name}.{extension}"), bytes)
            }
            None => write(&folder, &format!("{name}.png"), &png(exposure.image)?),
        }
    }
}

fn png(image: &RgbImage) -> io::Result<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    image
        .write_to(&mut png, ImageFormat::Png)
        .map_err(io::Error::other)?;
    Ok(png.into_inner())
}

/// Under a temporary name first: a power cut leaves the whole file or none.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    if path.exists() {
        let problem = format!("{} is there already", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    // The name itself lies in the folder.
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(field: u32) -> Place {
        Place {
            slide: "slide".into(),
            field,
        }
    }

    #[test]
    fn fields_are_kept_as_they_came_with_their_evidence() {
        let folder = tempfile::tempdir().unwrap();
        let gallery = Gallery::new(folder.path().join("new"));
        let image = RgbImage::from_fn(12, 8, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let mut jpeg = Cursor::new(Vec::new());
        image.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        let jpeg = jpeg.into_inner();
        let exposure = Exposure {
            encoded: Some(&jpeg),
            image: &image,
            overlay: Some(&image),
        };
        gallery.keep(&place(1), &exposure).unwrap();
        let raw = Exposure {
            encoded: None,
            overlay: None,
            ..exposure
        };
        gallery.keep(&place(2), &raw).unwrap();
        let slide = folder.path().join("new/slide");
        assert_eq!(fs::read(slide.join("field-001.jpg")).unwrap(), jpeg);
        for name in ["field-001-evidence.png", "field-002.png"] {
            assert_eq!(image::open(slide.join(name)).unwrap().to_rgb8(), image);
        }
        assert_eq!(fs::read_dir(&slide).unwrap().count(), 3, "nothing else");
        let error = gallery.keep(&place(2), &raw).unwrap_err();
        assert!(error.to_string().contains("field-002.png is there already"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let image = RgbImage::new(1, 1);
        let exposure = Exposure {
            encoded: None,
            image: &image,
            overlay: None,
        };
        assert!(Gallery::new(file).keep(&place(1), &exposure).is_err());
    }
}
