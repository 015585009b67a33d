//! Pascal VOC (Everingham et al. 2010), as labelImg and other programs write it: an XML file for each image, with
//! objects and the corners of their boxes.
//!
//! Whether corners count from 0 or 1 and are inclusive differs between programs; the width is `xmax − xmin`, which is at
//! most a pixel off.

use std::path::Path;

use serde::Deserialize;
use smearscope_artifacts::{IMAGE_EXTENSIONS, read_text};

use super::image_index::ImageIndex;
use super::listing::{Listing, ListingBuilder, Mark, Place};
use super::shape::Shape;
use crate::error::TrainError;

/// Largest annotation of an image, in bytes.
const MAX_ANNOTATION: u64 = 16 << 20;
const REMEDY: &str = "restore the file, or remove it";

#[derive(Debug, Deserialize)]
struct Annotation {
    filename: String,
    size: Option<Size>,
    #[serde(default)]
    object: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Size {
    width: u32,
    height: u32,
}

#[derive(Debug, Deserialize)]
struct Object {
    name: String,
    bndbox: Corners,
}

#[derive(Debug, Deserialize)]
struct Corners {
    xmin: f64,
    ymin: f64,
    xmax: f64,
    ymax: f64,
}

/// Reads all annotations, whose images are those of the index.
///
/// # Errors
/// [`TrainError::Data`] if an XML file is no annotation.
pub(super) fn list(index: &ImageIndex) -> Result<Listing, TrainError> {
    let mut builder = ListingBuilder::new(index);
    for path in index.with_extension("xml") {
        let text = read_text(path, MAX_ANNOTATION)
            .map_err(|error| TrainError::unreadable(path, &error))?;
        let annotation = parse(&text).map_err(|problem| TrainError::data(path, problem, REMEDY))?;
        add(&mut builder, path, annotation)?;
    }
    Ok(builder.finish())
}

fn parse(text: &str) -> Result<Annotation, String> {
    quick_xml::de::from_str(text)
        .map_err(|error| format!("it is no annotation of Pascal VOC: {error}"))
}

fn add(
    builder: &mut ListingBuilder<'_>,
    path: &Path,
    annotation: Annotation,
) -> Result<(), TrainError> {
    let marks: Vec<Mark> = annotation
        .object
        .iter()
        .enumerate()
        .map(|(number, Object { name, bndbox })| Mark {
            class: builder.class(name),
            shape: Shape::Box([
                bndbox.xmin,
                bndbox.ymin,
                bndbox.xmax - bndbox.xmin,
                bndbox.ymax - bndbox.ymin,
            ]),
            place: Place::Object(number + 1),
        })
        .collect();
    // Some programs leave the extension out.
    let mut name = annotation.filename;
    if Path::new(&name).extension().is_none() {
        let mut names = IMAGE_EXTENSIONS
            .iter()
            .map(|extension| format!("{name}.{extension}"));
        if let Some(found) = names.find(|name| builder.has(name)) {
            name = found;
        }
    }
    let Some(field) = builder.field(&name, path)? else {
        return Ok(());
    };
    if field.listed_in != path {
        return Err(TrainError::data(
            path,
            format!("{} is listed by {}, too", name, field.listed_in.display()),
            "keep one of them",
        ));
    }
    field.size = annotation.size.map(|size| (size.width, size.height));
    for mark in marks {
        field.mark(mark);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::listing::ListedContent;
    use super::*;

    const ANNOTATION: &str = "<?xml version=\"1.0\"?>\n<annotation verified=\"yes\">\n<folder>JPEGImages</folder>\
        <filename>a.jpg</filename><source><database>Unknown</database></source>\
        <size><width>640</width><height>480</height><depth>3</depth></size>\
        <object><name>WBC</name><pose>Unspecified</pose><bndbox><xmin>260</xmin><ymin>177</ymin>\
        <xmax>491.5</xmax><ymax>376</ymax></bndbox></object><segmented>0</segmented>\
        <object><name>R &amp; BC</name><bndbox><xmin> 78 </xmin><ymin>336</ymin><xmax>184</xmax>\
        <ymax>435</ymax></bndbox></object></annotation>";

    fn listed(xml: &str) -> Result<Listing, String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("JPEGImages/a.jpg", ""),
            ("b.jpg", ""),
            ("Annotations/a.xml", xml),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let index = ImageIndex::of(root.path()).unwrap();
        list(&index).map_err(|error| error.to_string())
    }

    #[test]
    fn annotations_are_read() {
        for xml in [ANNOTATION, &ANNOTATION.replace("a.jpg", "a")] {
            let listing = listed(xml).unwrap();
            assert_eq!(listing.classes, ["WBC", "R & BC"]);
            assert_eq!(listing.images.len(), 1);
            assert_eq!(listing.images[0].size, Some((640, 480)));
            let ListedContent::Field(marks) = &listing.images[0].content else {
                panic!("{listing:?}");
            };
            assert_eq!(marks[0].shape, Shape::Box([260.0, 177.0, 231.5, 199.0]));
            assert_eq!(marks[1].shape, Shape::Box([78.0, 336.0, 106.0, 99.0]));
            assert!(listing.unlisted[0].ends_with("b.jpg"));
        }
        let missing = listed(&ANNOTATION.replace("a.jpg", "c.jpg"))
            .unwrap()
            .missing;
        assert!(missing[0].starts_with("c.jpg, listed in "), "{missing:?}");
    }

    #[test]
    fn other_files_are_refused() {
        for (from, to, word) in [
            (ANNOTATION, "<html></html>", "missing field `filename`"),
            (ANNOTATION, "", "no annotation"),
            ("260", "left", "a.xml"),
            ("<xmax>491.5</xmax>", "", "missing field `xmax`"),
            ("a.jpg", "../../a.jpg", "is not in"),
        ] {
            let problem = listed(&ANNOTATION.replace(from, to)).unwrap_err();
            assert!(problem.contains(word), "{to}: {problem}");
        }
    }

    #[test]
    fn truncated_files_are_no_annotations() {
        for end in (0..ANNOTATION.len()).filter(|end| ANNOTATION.is_char_boundary(*end)) {
            assert!(parse(&ANNOTATION[..end]).is_err(), "{end}");
        }
    }
}
