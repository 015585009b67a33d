//! YOLO's labels: a text file for each image, with a line `CLASS X Y WIDTH HEIGHT` for each box; centre and extent are parts
//! of the image's width and height.
//!
//! The label of `images/a.jpg` is `labels/a.txt`, or `a.txt` beside the image; an image without one is not listed. Classes
//! are numbers; `data.yaml` or `classes.txt` names them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use saphyr_parser::{Event, Parser};
use smearscope_artifacts::read_text;

use super::super::files::{name, stem};
use super::image_index::ImageIndex;
use super::listing::{Listing, ListingBuilder, Mark, Place};
use super::shape::Shape;
use crate::error::TrainError;

/// Largest text file, in bytes.
const MAX_TEXT: u64 = 16 << 20;
const CLASSES: &str = "classes.txt";

/// Whether the files look like YOLO's: names of classes, or texts in a folder `labels`.
pub(super) fn is_yolo(index: &ImageIndex) -> bool {
    name_file(index).is_some()
        || index
            .with_extension("txt")
            .any(|path| is_in_labels(path, index))
}

/// Reads all labels of the images of the index.
///
/// # Errors
/// [`TrainError::Data`] with the line, if a label or the names of the classes cannot be read.
pub(super) fn list(index: &ImageIndex) -> Result<Listing, TrainError> {
    let names = class_names(index)?;
    let texts: BTreeSet<&Path> = index
        .with_extension("txt")
        .filter(|path| !is_names(path))
        .collect();
    let mut image_of: BTreeMap<&Path, PathBuf> = BTreeMap::new();
    for image in index.relative_paths() {
        let wanted = label_paths(&index.root, image);
        let Some(text) = wanted.iter().find_map(|path| texts.get(&**path)) else {
            continue;
        };
        if let Some(other) = image_of.insert(text, index.root.join(image)) {
            return Err(TrainError::data(
                text,
                format!(
                    "it may belong to {} or {}",
                    other.display(),
                    image.display()
                ),
                "give the images different names",
            ));
        }
    }
    let mut builder = ListingBuilder::new(index);
    for text in texts {
        match image_of.remove(text) {
            Some(image) => add(&mut builder, text, image, names.as_deref())?,
            // Other texts may be lists of parts or licences.
            None if is_in_labels(text, index) => {
                builder.missing(&format!("an image of {}", stem(text)), text);
            }
            None => {}
        }
    }
    Ok(builder.finish())
}

fn is_in_labels(path: &Path, index: &ImageIndex) -> bool {
    let below = path.strip_prefix(&index.root).unwrap_or(path);
    below.components().any(|part| part.as_os_str() == "labels") && !is_names(path)
}

fn is_names(path: &Path) -> bool {
    name(path) == CLASSES
}

/// Where the label of an image may be.
fn label_paths(root: &Path, image: &Path) -> Vec<PathBuf> {
    let text = image.with_extension("txt");
    let file = text.file_name().unwrap_or_default();
    let parts: Vec<_> = text.components().map(Component::as_os_str).collect();
    let mut paths = vec![root.join(&text), root.join("labels").join(&text)];
    if let Some(images) = parts.iter().rposition(|part| *part == "images") {
        let mut swapped = parts;
        swapped[images] = "labels".as_ref();
        paths.push(root.join(swapped.iter().collect::<PathBuf>()));
    }
    if let Some(folder) = text.parent() {
        paths.push(root.join(folder).join("labels").join(file));
    }
    paths
}

fn add(
    builder: &mut ListingBuilder<'_>,
    path: &Path,
    image: PathBuf,
    names: Option<&[String]>,
) -> Result<(), TrainError> {
    let mut marks = Vec::new();
    for (number, line) in read(path)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let (class, shape) = label(line, names).map_err(|problem| {
            TrainError::data(
                path,
                format!("line {}: {problem}", number + 1),
                "each line must be CLASS X Y WIDTH HEIGHT",
            )
        })?;
        marks.push(Mark {
            class: builder.class(&class),
            shape,
            place: Place::Line(number as u64 + 1),
        });
    }
    let field = builder.field_at(image, path);
    for mark in marks {
        field.mark(mark);
    }
    Ok(())
}

/// The name of the class and the box in a line; a sixth number, a confidence, is left out.
fn label(line: &str, names: Option<&[String]>) -> Result<(String, Shape), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ([class, bounds @ ..], 5..=6) = (&words[..], words.len()) else {
        return Err(format!("it has {} numbers", words.len()));
    };
    let mut numbers = [0.0; 4];
    for (number, word) in numbers.iter_mut().zip(bounds) {
        *number = word
            .parse()
            .map_err(|_| format!("`{}` is no number", word.escape_debug()))?;
    }
    let shown = class.escape_debug();
    let class: usize = class
        .parse()
        .map_err(|_| format!("`{shown}` is no number of a class"))?;
    let class = match names {
        None => class.to_string(),
        Some(names) => names
            .get(class)
            .ok_or_else(|| format!("there is no class {class}, only {}", names.len()))?
            .clone(),
    };
    Ok((class, Shape::Relative(numbers)))
}

/// The file that names the classes.
fn name_file(index: &ImageIndex) -> Option<&Path> {
    let yaml = |extension| {
        index
            .in_root(extension)
            .find(|path| ["data", "dataset"].contains(&&*stem(path)))
    };
    yaml("yaml")
        .or_else(|| yaml("yml"))
        .or_else(|| index.with_extension("txt").find(|path| is_names(path)))
}

/// The names of the classes, if a file has them.
fn class_names(index: &ImageIndex) -> Result<Option<Vec<String>>, TrainError> {
    let Some(path) = name_file(index) else {
        return Ok(None);
    };
    let text = read(path)?;
    let names = if is_names(path) {
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty())
            .map(Into::into)
            .collect()
    } else {
        names_in_yaml(&text).map_err(|problem| {
            TrainError::data(
                path,
                problem,
                "list the names of the classes in classes.txt, one per line",
            )
        })?
    };
    Ok(Some(names))
}

/// The value of the key `names`: a sequence, or a mapping of numbers to names without gaps. Only the parser's events are
/// read, so that nothing is expanded.
fn names_in_yaml(text: &str) -> Result<Vec<String>, String> {
    // The depth of the value that is read, and whether the next scalar is a key of the outermost mapping.
    let (mut depth, mut is_key) = (0_usize, true);
    let mut is_names = false;
    let mut words: Vec<String> = Vec::new();
    let mut is_mapping = false;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        match event {
            Event::Scalar(word, ..) if depth == 1 => {
                is_names = is_key && word == "names";
                is_key = !is_key;
            }
            Event::Scalar(word, ..) if depth == 2 && is_names => words.push(word.into_owned()),
            Event::Alias(_) if depth == 1 => is_key = !is_key,
            Event::Alias(_) if is_names => return Err("`names` has an alias".into()),
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if depth == 1 && is_names {
                    is_mapping = matches!(event, Event::MappingStart(..));
                } else if is_names {
                    return Err("`names` is nested".into());
                }
                depth += 1;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    if is_names {
                        return if is_mapping {
                            numbered(&words)
                        } else {
                            Ok(words)
                        };
                    }
                    is_key = !is_key;
                }
            }
            _ => {}
        }
    }
    Err("it has no list `names`".into())
}

/// The names of a mapping, given as numbers and names in turn.
fn numbered(words: &[String]) -> Result<Vec<String>, String> {
    let pairs = words.chunks_exact(2);
    let mut names: BTreeMap<usize, &str> = BTreeMap::new();
    for pair in pairs {
        let number = pair[0]
            .parse()
            .map_err(|_| format!("`{}` is no number of a class", pair[0].escape_debug()))?;
        names.insert(number, &pair[1]);
    }
    if names.keys().copied().ne(0..names.len()) {
        return Err("the numbers of `names` have gaps".into());
    }
    Ok(names.into_values().map(Into::into).collect())
}

fn read(path: &Path) -> Result<String, TrainError> {
    read_text(path, MAX_TEXT).map_err(|error| TrainError::unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::listing::ListedContent;
    use super::*;

    fn listed(files: &[(&str, &str)]) -> Result<Listing, String> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let index = ImageIndex::of(root.path()).unwrap();
        assert!(is_yolo(&index));
        list(&index).map_err(|error| error.to_string())
    }

    fn marks(listing: &Listing) -> Vec<(&str, Shape)> {
        let ListedContent::Field(marks) = &listing.images[0].content else {
            panic!("{listing:?}");
        };
        marks
            .iter()
            .map(|mark| (&*listing.classes[mark.class], mark.shape))
            .collect()
    }

    #[test]
    fn labels_are_found_beside_images_and_in_folders_of_labels() {
        let text = "1 0.5 0.25 0.1 0.2\n\n0 1 1 0.5 0.5 0.98\n";
        let expected = [
            ("RBC", Shape::Relative([0.5, 0.25, 0.1, 0.2])),
            ("WBC", Shape::Relative([1.0, 1.0, 0.5, 0.5])),
        ];
        let yaml = "path: ../x\nnames: &n\n  0: WBC\n  1: 'RBC'\nnc: 2\n";
        for files in [
            [
                ("train/images/a.jpg", ""),
                ("train/labels/a.txt", text),
                ("data.yaml", yaml),
            ],
            [
                ("images/train/a.jpg", ""),
                ("labels/train/a.txt", text),
                ("data.yaml", "names: [WBC, \"RBC\"]"),
            ],
            [
                ("a.jpg", ""),
                ("a.txt", text),
                ("classes.txt", "WBC\r\nRBC\r\n"),
            ],
            [
                ("a.jpg", ""),
                ("labels/a.txt", text),
                ("data.yml", "train:\n- a\nnames:\n- WBC\n- RBC\n"),
            ],
        ] {
            let listing = listed(&files).unwrap();
            assert_eq!(marks(&listing), expected, "{files:?}");
        }
        let unnamed = listed(&[("a.jpg", ""), ("labels/a.txt", text)]).unwrap();
        assert_eq!(unnamed.classes, ["1", "0"]);
    }

    #[test]
    fn images_and_labels_without_each_other_are_named() {
        let listing = listed(&[
            ("images/a.jpg", ""),
            ("labels/a.txt", ""),
            ("images/b.jpg", ""),
            ("labels/c.txt", ""),
            ("README.txt", "Not a label."),
        ])
        .unwrap();
        assert_eq!(marks(&listing), []);
        assert!(listing.unlisted.len() == 1 && listing.unlisted[0].ends_with("images/b.jpg"));
        assert!(
            listing.missing[0].starts_with("an image of c, listed in"),
            "{listing:?}"
        );
    }

    #[test]
    fn labels_that_cannot_be_read_say_why() {
        for (text, word) in [
            ("0 0.5 0.5 0.1", "line 1: it has 4 numbers"),
            (
                "\n0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.2",
                "line 2: it has 9 numbers",
            ),
            ("0 0.5 0.5 0.1 wide", "`wide` is no number"),
            ("WBC 0.5 0.5 0.1 0.1", "`WBC` is no number of a class"),
            ("2 0.5 0.5 0.1 0.1", "there is no class 2, only 1"),
        ] {
            let files = [("a.jpg", ""), ("a.txt", text), ("classes.txt", "WBC")];
            let problem = listed(&files).unwrap_err();
            assert!(problem.contains(word), "{text}: {problem}");
        }
        for (yaml, word) in [
            ("nc: 2\n", "no list `names`"),
            ("names: WBC\n", "no list `names`"),
            ("names: [[WBC]]\n", "nested"),
            ("names: {0: WBC, 2: RBC}\n", "gaps"),
            ("names: {WBC: 0}\n", "`WBC` is no number"),
            ("a: &a [x]\nnames: [*a]\n", "alias"),
            ("names: [WBC\n", ""),
        ] {
            let problem = names_in_yaml(yaml).unwrap_err();
            assert!(problem.contains(word), "{yaml}: {problem}");
        }
    }
}
