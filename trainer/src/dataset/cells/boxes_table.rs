//! Tables of cells: CSV files with the columns image, class, x, y and perhaps width and height.
//!
//! With width and height, x and y are the upper left corner of a box, else the centre of a cell. A row
//! without class and numbers says that an image was looked at and nothing was marked.

use std::fmt::Debug;
use std::path::Path;

use serde::Deserialize;

use super::super::table::{read_rows, refuse_control_characters};
use super::image_index::ImageIndex;
use super::listing::{Listing, ListingBuilder, Mark, Place};
use super::shape::Shape;
use crate::error::TrainError;

/// Columns that every table has.
const REQUIRED: [&str; 4] = ["image", "class", "x", "y"];
const REMEDY: &str = "correct the row; a table has the columns image, class, x, y, and perhaps width, height, slide and \
                      um_per_pixel";

#[derive(Debug, Deserialize)]
struct Row {
    image: String,
    class: Option<String>,
    x: Option<f64>,
    y: Option<f64>,
    width: Option<f64>,
    height: Option<f64>,
    #[serde(alias = "group", alias = "patient", alias = "subject")]
    slide: Option<String>,
    um_per_pixel: Option<f32>,
}

impl Row {
    /// The class and the mark; `None` if nothing was marked.
    fn marked(&self) -> Result<Option<(&str, Shape)>, String> {
        let class = self.class.as_deref().filter(|class| !class.is_empty());
        let shape = match [self.x, self.y, self.width, self.height] {
            [None, None, None, None] => None,
            [Some(x), Some(y), Some(width), Some(height)] => {
                Some(Shape::Box([x, y, width, height]))
            }
            [Some(x), Some(y), None, None] => Some(Shape::Centre([x, y])),
            _ => return Err("x, y, width and height are not complete".into()),
        };
        match (class, shape) {
            (None, None) => Ok(None),
            (Some(class), Some(shape)) => Ok(Some((class, shape))),
            (None, Some(_)) => Err("it has no class".into()),
            (Some(class), None) => Err(format!("`{class}` has no x and y")),
        }
    }
}

/// Whether a text is a table of cells, by its first line.
pub(super) fn is_table(text: &str) -> bool {
    let first = text.lines().find(|line| !line.starts_with("sep="));
    first.is_some_and(|line| {
        read_rows::<Row>(line.as_bytes(), &REQUIRED).is_ok_and(|rows| rows.is_empty())
    })
}

/// Reads the table at `path`, whose images are those of the index.
///
/// # Errors
/// [`TrainError::Data`] with the line, if a row is not one of the above.
pub(super) fn list(path: &Path, text: &str, index: &ImageIndex) -> Result<Listing, TrainError> {
    let rows = read_rows::<Row>(text.as_bytes(), &REQUIRED)
        .map_err(|problem| TrainError::data(path, problem, REMEDY))?;
    let mut builder = ListingBuilder::new(index);
    for (line, row) in rows {
        let refuse =
            |problem: String| TrainError::data(path, format!("line {line}: {problem}"), REMEDY);
        if row.image.is_empty() {
            return Err(refuse("it has no image".into()));
        }
        for text in [&row.class, &row.slide].into_iter().flatten() {
            refuse_control_characters(text).map_err(refuse)?;
        }
        let marked = row.marked().map_err(refuse)?;
        let mark = marked.map(|(class, shape)| Mark {
            class: builder.class(class),
            shape,
            place: Place::Line(line),
        });
        let Some(field) = builder.field(&row.image, path)? else {
            continue;
        };
        let slide = row.slide.filter(|slide| !slide.is_empty());
        agree(&mut field.group, slide, "slide").map_err(refuse)?;
        agree(&mut field.um_per_pixel, row.um_per_pixel, "um_per_pixel").map_err(refuse)?;
        if let Some(mark) = mark {
            field.mark(mark);
        }
    }
    Ok(builder.finish())
}

/// Sets a fact of an image, which all rows of it must agree on.
fn agree<T: PartialEq + Debug>(
    known: &mut Option<T>,
    stated: Option<T>,
    name: &str,
) -> Result<(), String> {
    match (&known, stated) {
        (Some(one), Some(other)) if *one != other => Err(format!(
            "{name} is {other:?}, and {one:?} in another row of the image"
        )),
        (None, stated) => {
            *known = stated;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::listing::ListedContent;
    use super::*;

    fn listed(text: &str) -> Result<Listing, String> {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.png", "b.png", "c.png"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let index = ImageIndex::of(root.path()).unwrap();
        let listing = list(Path::new("boxes.csv"), text, &index);
        listing.map_err(|error| error.to_string())
    }

    #[test]
    fn boxes_and_centres_are_read() {
        let text = "\u{feff}sep=;\r\nImage;slide;class;x;y;width;height;um_per_pixel\r\n\
                    b.png;S1;WBC;1.5;2;30;40;0.1\r\nb.png;S1;RBC;5;6;;;\r\na.png;S2;;;;;;\r\n\
                    gone.png;;RBC;1;1;1;1;\r\n";
        assert!(is_table("sep=;\nImage;class;x;y\n") && !is_table("path,label\n"));
        let listing = listed(text).unwrap();
        assert_eq!(listing.classes, ["WBC", "RBC"]);
        let mark = |class, shape, line| Mark {
            class,
            shape,
            place: Place::Line(line),
        };
        let [a, b] = &listing.images[..] else {
            panic!("{listing:?}");
        };
        assert_eq!(
            (a.path.file_name().unwrap(), &a.content),
            ("a.png".as_ref(), &ListedContent::Field(vec![]))
        );
        assert_eq!(a.group.as_deref(), Some("S2"));
        assert_eq!(
            b.content,
            ListedContent::Field(vec![
                mark(0, Shape::Box([1.5, 2.0, 30.0, 40.0]), 3),
                mark(1, Shape::Centre([5.0, 6.0]), 4),
            ])
        );
        assert_eq!(b.um_per_pixel, Some(0.1));
        assert_eq!(listing.missing, ["gone.png, listed in boxes.csv"]);
        assert!(listing.unlisted.len() == 1 && listing.unlisted[0].ends_with("c.png"));
    }

    #[test]
    fn rows_that_are_not_complete_are_refused_with_their_line() {
        for (row, word) in [
            ("a.png,S,WBC,1,2,3,", "line 2: x, y, width and height"),
            ("a.png,S,WBC,,,,", "`WBC` has no x and y"),
            ("a.png,S,,1,2,3,4", "no class"),
            (",S,WBC,1,2,3,4", "no image"),
            ("a.png,S,WBC,one,2,3,4", "line: 2"),
            ("../a.png,S,WBC,1,2,3,4", "is not in"),
            ("a.png,S,\"W\tBC\",1,2,3,4", "control character"),
            (
                "a.png,S,WBC,1,2,3,4\na.png,T,WBC,1,2,3,4",
                "line 3: slide is \"T\", and \"S\"",
            ),
        ] {
            let problem = listed(&format!("image,slide,class,x,y,width,height\n{row}\n"));
            let problem = problem.unwrap_err();
            assert!(problem.contains(word), "{row}: {problem}");
        }
        let problem = listed("image,class,x\na.png,WBC,1\n").unwrap_err();
        assert!(
            problem.contains("no column `y`, only: image, class, x"),
            "{problem}"
        );
    }
}
