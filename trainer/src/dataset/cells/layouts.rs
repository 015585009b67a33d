//! Collections whose folders and file names say what an image shows: ALL-IDB1's fields with the centroids of
//! blasts, and single cells.

use std::path::Path;

use super::super::layout::{Layout, Listed, Source};
use super::listing::{ListedContent, ListedImage, Listing, Mark, Place};
use super::shape::Shape;
use crate::cell_kind::CellKind;
use crate::error::TrainError;

/// Lists the images below a folder.
///
/// # Errors
/// Those of [`Source::list_any`].
pub(super) fn list(root: &Path, layout: Layout) -> Result<Listing, TrainError> {
    let source = Source {
        root: root.into(),
        layout,
        positive: Vec::new(),
        negative: Vec::new(),
        skip_unusable: false,
        limit: None,
    };
    let listed = source.list_any()?;
    let is_of_fields = layout == Layout::AllIdb1;
    let mut listing = Listing {
        classes: if is_of_fields {
            vec![CellKind::Lymphoblast.name().into()]
        } else {
            listed.classes.names().map(Into::into).collect()
        },
        unlisted: listed.ignored,
        passed_over: listed.passed_over.len(),
        ..Listing::default()
    };
    for file in listed.files {
        let content = if is_of_fields {
            centroids(&file).map(ListedContent::Field)
        } else {
            let class = listing
                .classes
                .iter()
                .position(|class| *class == file.class);
            class.map(ListedContent::Cell)
        };
        match content {
            None => listing.unlisted.push(file.path),
            Some(content) => listing.images.push(ListedImage {
                listed_in: if is_of_fields {
                    file.path.with_extension("xyc")
                } else {
                    root.into()
                },
                path: file.path,
                group: file.subject,
                um_per_pixel: None,
                size: None,
                content,
            }),
        }
    }
    Ok(listing)
}

/// The blasts of a field of ALL-IDB1; `None` if there are some and nobody marked them.
fn centroids(file: &Listed) -> Option<Vec<Mark>> {
    let centroids = match (&file.centroids, file.positive) {
        (Some(centroids), _) => &centroids[..],
        (None, false) => &[],
        (None, true) => return None,
    };
    let mark = |(number, centroid): (usize, &[u32; 2])| Mark {
        class: 0,
        shape: Shape::Centre(centroid.map(f64::from)),
        place: Place::Object(number + 1),
    };
    Some(centroids.iter().enumerate().map(mark).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn listed(files: &[(&str, &str)], layout: Layout) -> Listing {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        list(root.path(), layout).unwrap()
    }

    #[test]
    fn centroids_are_blasts_of_unknown_size() {
        let listing = listed(
            &[
                ("Im001_1.jpg", ""),
                ("Im001_1.xyc", "10 20\n30 40\n"),
                ("Im002_1.jpg", ""),
                ("Im034_0.jpg", ""),
            ],
            Layout::AllIdb1,
        );
        assert_eq!(listing.classes, ["lymphoblast"]);
        let [leukemia, healthy] = &listing.images[..] else {
            panic!("{listing:?}");
        };
        let ListedContent::Field(marks) = &leukemia.content else {
            panic!("{leukemia:?}");
        };
        let shapes: Vec<Shape> = marks.iter().map(|mark| mark.shape).collect();
        assert_eq!(
            shapes,
            [Shape::Centre([10.0, 20.0]), Shape::Centre([30.0, 40.0])]
        );
        assert_eq!(healthy.content, ListedContent::Field(Vec::new()));
        assert!(listing.unlisted.len() == 1 && listing.unlisted[0].ends_with("Im002_1.jpg"));
    }

    #[test]
    fn single_cells_have_a_class_and_perhaps_a_subject() {
        let cells = |listing: &Listing| -> Vec<(String, Option<String>)> {
            let class = |image: &ListedImage| match image.content {
                ListedContent::Cell(class) => listing.classes[class].clone(),
                ListedContent::Field(_) => panic!("{image:?}"),
            };
            let images = listing.images.iter();
            images
                .map(|image| (class(image), image.group.clone()))
                .collect()
        };
        let c_nmc = listed(
            &[
                ("fold_0/all/UID_11_5_1_all.bmp", ""),
                ("fold_0/hem/UID_H7_1_2_hem.bmp", ""),
            ],
            Layout::CNmc,
        );
        let some = |class: &str, group: &str| (class.into(), Some(group.into()));
        assert_eq!(cells(&c_nmc), [some("all", "11"), some("hem", "H7")]);
        let all_idb2 = listed(&[("Im001_1.tif", ""), ("Im131_0.tif", "")], Layout::AllIdb2);
        assert_eq!(
            cells(&all_idb2),
            [("leukemia".into(), None), ("healthy".into(), None)]
        );
        let folders = listed(
            &[
                ("monocyte/1.png", ""),
                ("basophil/p2/1.png", ""),
                ("monocyte/x.txt", ""),
            ],
            Layout::Folder,
        );
        assert_eq!(
            cells(&folders),
            [some("basophil", "p2"), ("monocyte".into(), None)]
        );
        assert_eq!(folders.passed_over, 1);
    }
}
