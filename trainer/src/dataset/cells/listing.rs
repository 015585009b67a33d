//! What a source lists: images with marks of cells in the source's own words, before the images are read.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::image_index::ImageIndex;
use super::shape::Shape;
use crate::error::TrainError;

/// Largest file that lists cells, in bytes.
pub(super) const MAX_LIST: u64 = 1 << 30;

/// The images of a source.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Names of classes, in the words of the source; marks have their positions.
    pub(super) classes: Vec<String>,
    pub(super) images: Vec<ListedImage>,
    /// Images that exist and are not listed.
    pub(super) unlisted: Vec<PathBuf>,
    /// Names of images that are listed and do not exist, with the file that lists them.
    pub(super) missing: Vec<String>,
    /// Files that are neither images nor lists.
    pub(super) passed_over: usize,
}

/// An image with what is said about it.
#[derive(Debug, PartialEq)]
pub(super) struct ListedImage {
    pub(super) path: PathBuf,
    /// The file that lists it, for messages.
    pub(super) listed_in: PathBuf,
    /// Patient, animal or slide.
    pub(super) group: Option<String>,
    pub(super) um_per_pixel: Option<f32>,
    /// Width and height in pixels, as listed.
    pub(super) size: Option<(u32, u32)>,
    pub(super) content: ListedContent,
}

#[derive(Debug, PartialEq)]
pub(super) enum ListedContent {
    /// A field of view with marks.
    Field(Vec<Mark>),
    /// A single cell of this class.
    Cell(usize),
}

impl ListedContent {
    /// The class of each cell.
    pub(super) fn classes(&self) -> impl Iterator<Item = usize> {
        let (marks, single) = match self {
            Self::Field(marks) => (&marks[..], None),
            Self::Cell(class) => (&[][..], Some(*class)),
        };
        marks.iter().map(|mark| mark.class).chain(single)
    }
}

/// A mark of a cell in a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    /// Position in [`Listing::classes`].
    pub(super) class: usize,
    pub(super) shape: Shape,
    /// Where it is listed, such as `line 17`.
    pub(super) place: Place,
}

/// A place in a file that lists cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Line(u64),
    /// An annotation with this id.
    Annotation(i64),
    /// An object, counted from 1.
    Object(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Annotation(id) => write!(f, "annotation {id}"),
            Self::Object(number) => write!(f, "object {number}"),
        }
    }
}

/// Collects fields and their marks, image by image or mark by mark.
#[derive(Debug)]
pub(super) struct ListingBuilder<'a> {
    index: &'a ImageIndex,
    listing: Listing,
    class_of: HashMap<String, usize>,
    image_of: HashMap<PathBuf, usize>,
}

impl<'a> ListingBuilder<'a> {
    pub(super) fn new(index: &'a ImageIndex) -> Self {
        Self {
            index,
            listing: Listing::default(),
            class_of: HashMap::new(),
            image_of: HashMap::new(),
        }
    }

    /// The position of a class.
    pub(super) fn class(&mut self, name: &str) -> usize {
        if let Some(known) = self.class_of.get(name) {
            return *known;
        }
        let new = self.listing.classes.len();
        self.listing.classes.push(name.to_owned());
        self.class_of.insert(name.to_owned(), new);
        new
    }

    /// The field of this name, which becomes one without marks if it is new; `None` if there is no such
    /// image, which is noted.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the name leads out of the folder or fits several images.
    pub(super) fn field(
        &mut self,
        name: &str,
        listed_in: &Path,
    ) -> Result<Option<&mut ListedImage>, TrainError> {
        let found = self.index.find(name).map_err(|problem| {
            TrainError::data(
                listed_in,
                problem,
                "name images of its folder, each by its path",
            )
        })?;
        let Some(path) = found else {
            self.missing(name, listed_in);
            return Ok(None);
        };
        Ok(Some(self.field_at(path, listed_in)))
    }

    /// Notes that a listed image does not exist.
    pub(super) fn missing(&mut self, name: &str, listed_in: &Path) {
        let missing = format!("{name}, listed in {}", listed_in.display());
        // Marks of an image follow each other.
        if self.listing.missing.last() != Some(&missing) {
            self.listing.missing.push(missing);
        }
    }

    /// Whether exactly one image has this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.index.find(name).is_ok_and(|found| found.is_some())
    }

    /// The field with this path.
    pub(super) fn field_at(&mut self, path: PathBuf, listed_in: &Path) -> &mut ListedImage {
        let images = &mut self.listing.images;
        let at = *self.image_of.entry(path).or_insert_with_key(|path| {
            images.push(ListedImage {
                path: path.clone(),
                listed_in: listed_in.into(),
                group: None,
                um_per_pixel: None,
                size: None,
                content: ListedContent::Field(Vec::new()),
            });
            images.len() - 1
        });
        &mut images[at]
    }

    /// The listing, sorted by path.
    pub(super) fn finish(mut self) -> Listing {
        let is_listed = |path: &PathBuf| self.image_of.contains_key(path);
        self.listing.unlisted = self.index.paths().filter(|path| !is_listed(path)).collect();
        self.listing.passed_over = self.index.passed_over;
        self.listing.images.sort_by(|a, b| a.path.cmp(&b.path));
        self.listing.missing.sort();
        self.listing.missing.dedup();
        self.listing
    }
}

impl ListedImage {
    /// Adds a mark to a field.
    pub(super) fn mark(&mut self, mark: Mark) {
        if let ListedContent::Field(marks) = &mut self.content {
            marks.push(mark);
        }
    }
}
