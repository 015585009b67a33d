//! COCO's instances (Lin et al. 2014): a JSON file of images, annotations with boxes, and categories.
//!
//! An image may also have `um_per_pixel` and `group` (patient or slide). A crowd, a region of several objects
//! in one box, counts as the class `NAME (crowd)`.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::image_index::ImageIndex;
use super::listing::{Listing, ListingBuilder, Mark, Place};
use super::shape::Shape;
use crate::error::TrainError;

const REMEDY: &str = "give a file of COCO's instances, with images, annotations and categories";

#[derive(Debug, Deserialize)]
struct Instances {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: Option<u32>,
    height: Option<u32>,
    um_per_pixel: Option<f32>,
    group: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Annotation {
    id: i64,
    image_id: i64,
    category_id: i64,
    /// Left, top, width and height in pixels.
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Debug, Deserialize)]
struct Category {
    id: i64,
    name: String,
}

/// Whether a text looks like COCO's instances; its annotations are not read.
pub(super) fn is_instances(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && ["\"images\"", "\"annotations\"", "\"categories\""]
            .iter()
            .all(|key| text.contains(key))
}

/// Reads the file at `path`, whose images are those of the index.
///
/// # Errors
/// [`TrainError::Data`] if it is not as above, if an annotation belongs to no image or category, or if a
/// name or number occurs twice.
pub(super) fn list(path: &Path, text: &str, index: &ImageIndex) -> Result<Listing, TrainError> {
    let refuse = |problem: String| TrainError::data(path, problem, REMEDY);
    let instances: Instances =
        serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    let mut builder = ListingBuilder::new(index);
    let mut names: HashMap<i64, &str> = HashMap::new();
    for category in &instances.categories {
        if names.insert(category.id, &category.name).is_some() {
            return Err(refuse(format!("category {} occurs twice", category.id)));
        }
    }
    // Annotations of images that are missing are left out with them.
    let mut path_of = HashMap::new();
    for image in instances.images {
        let Image { id, file_name, .. } = image;
        let size = image.width.zip(image.height);
        let found = builder.field(&file_name, path)?.map(|field| {
            field.group = image.group;
            field.um_per_pixel = image.um_per_pixel;
            field.size = size;
            field.path.clone()
        });
        if path_of.insert(id, found).is_some() {
            return Err(refuse(format!("image {id} occurs twice")));
        }
    }
    for annotation in instances.annotations {
        let Annotation {
            id,
            image_id,
            category_id,
            ..
        } = annotation;
        let name = names.get(&category_id).ok_or_else(|| {
            refuse(format!(
                "annotation {id} has category {category_id}, which is not listed"
            ))
        })?;
        let image = path_of.get(&image_id).ok_or_else(|| {
            refuse(format!(
                "annotation {id} has image {image_id}, which is not listed"
            ))
        })?;
        let Some(image) = image else {
            continue;
        };
        let class = match annotation.iscrowd {
            0 => builder.class(name),
            _ => builder.class(&format!("{name} (crowd)")),
        };
        builder.field_at(image.clone(), path).mark(Mark {
            class,
            shape: Shape::Box(annotation.bbox),
            place: Place::Annotation(id),
        });
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::super::listing::ListedContent;
    use super::*;

    fn listed(text: &str) -> Result<Listing, String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("images")).unwrap();
        for name in ["images/a.png", "images/b.png"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let index = ImageIndex::of(root.path()).unwrap();
        list(Path::new("i.json"), text, &index).map_err(|error| error.to_string())
    }

    fn instances() -> Value {
        json!({
            "info": {"year": 2026},
            "images": [
                {"id": 7, "file_name": "a.png", "width": 64, "height": 48, "um_per_pixel": 0.1, "group": "p1"},
                {"id": 9, "file_name": "images/b.png"},
                {"id": 11, "file_name": "gone.png"},
            ],
            "annotations": [
                {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2.5, 10, 11], "iscrowd": 0, "area": 110},
                {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 60, 40], "iscrowd": 1},
                {"id": 3, "image_id": 11, "category_id": 4, "bbox": [0, 0, 6, 4]},
            ],
            "categories": [{"id": 3, "name": "monocyte"}, {"id": 4, "name": "erythrocyte"}],
        })
    }

    #[test]
    fn instances_are_read() {
        let text = instances().to_string();
        assert!(is_instances(&text) && !is_instances("{\"images\": []}"));
        let listing = listed(&text).unwrap();
        assert_eq!(listing.classes, ["monocyte", "erythrocyte (crowd)"]);
        let [a, b] = &listing.images[..] else {
            panic!("{listing:?}");
        };
        assert_eq!((a.size, a.um_per_pixel), (Some((64, 48)), Some(0.1)));
        assert_eq!(a.group.as_deref(), Some("p1"));
        let ListedContent::Field(marks) = &a.content else {
            panic!("{a:?}");
        };
        assert_eq!(marks[0].shape, Shape::Box([1.0, 2.5, 10.0, 11.0]));
        assert_eq!(marks[1].place.to_string(), "annotation 2");
        assert_eq!(b.content, ListedContent::Field(Vec::new()));
        assert_eq!(listing.missing, ["gone.png, listed in i.json"]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let with = |pointer: &str, value: Value| {
            let mut instances = instances();
            *instances.pointer_mut(pointer).unwrap() = value;
            listed(&instances.to_string()).unwrap_err()
        };
        for (pointer, value, word) in [
            (
                "/annotations/1/category_id",
                json!(5),
                "annotation 2 has category 5",
            ),
            (
                "/annotations/0/image_id",
                json!(8),
                "annotation 1 has image 8",
            ),
            ("/annotations/0/bbox", json!([1, 2, 3]), "invalid length 3"),
            ("/images/1/id", json!(7), "image 7 occurs twice"),
            ("/categories/1/id", json!(3), "category 3 occurs twice"),
            ("/images/0/file_name", json!("../a.png"), "is not in"),
        ] {
            let problem = with(pointer, value);
            assert!(problem.contains(word), "{pointer}: {problem}");
        }
        let text = instances().to_string();
        for end in 0..text.len() {
            assert!(listed_prefix(&text[..end]), "{end}");
        }
    }

    /// Whether a truncated file is refused.
    fn listed_prefix(text: &str) -> bool {
        serde_json::from_str::<Instances>(text).is_err()
    }
}
