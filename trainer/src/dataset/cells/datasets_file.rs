//! The file that says what to learn from: a list of sources, with what their own files do not say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use smearscope_artifacts::{did_you_mean, read_text};

use super::format::Format;
use crate::cell_kind::CellKind;
use crate::error::TrainError;

/// Largest file, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Accepted scales, in µm per pixel.
const SCALES: std::ops::RangeInclusive<f32> = 0.005..=10.0;
/// Largest weight of a source.
const MAX_WEIGHT: f64 = 1000.0;

/// The sources, in the order of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetsFile {
    /// A text file that names test images, one per line; relative to this file.
    pub(super) test: Option<PathBuf>,
    #[serde(default, rename = "source")]
    pub(super) sources: Vec<SourceConfig>,
}

/// A source of labelled cells.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceConfig {
    /// A folder, or a file that lists the images of its folder; relative to the file.
    pub(super) path: PathBuf,
    pub(super) format: Option<Format>,
    /// Scale of images that state none.
    pub(super) um_per_pixel: Option<f32>,
    /// Share of the training batches, relative to the other sources.
    #[serde(default = "one")]
    pub(super) weight: f64,
    pub(super) group: Option<GroupBy>,
    /// The kinds that the source's class names mean.
    #[serde(default)]
    pub(super) classes: BTreeMap<String, CellKind>,
    /// Class names that are left out.
    #[serde(default)]
    pub(super) ignore: BTreeSet<String>,
    /// Kinds of which every cell in the fields is marked.
    #[serde(default)]
    pub(super) complete: BTreeSet<CellKind>,
    pub(super) origin: Option<ImageOrigin>,
    /// An SPDX expression or a sentence.
    pub(super) licence: Option<String>,
    /// Who made the images, and where they come from.
    pub(super) citation: Option<String>,
}

/// Which images of a source belong together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum GroupBy {
    /// Those with the same slide, patient or subject in the source's list or names.
    Listed,
    /// Those in the same folder.
    Folder,
    /// Those whose file names are the same before the first occurrence of this text.
    Before(String),
    /// Those of a capture session, by EXIF data.
    Session,
    /// None but copies.
    None,
}

/// Where images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ImageOrigin {
    /// A program drew them.
    Drawn,
    /// A camera took them.
    Real,
}

fn one() -> f64 {
    1.0
}

impl DatasetsFile {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`TrainError::Data`] with the line or the source, and a suggestion for a misspelt key or kind.
    pub(super) fn read(path: &Path) -> Result<Self, TrainError> {
        let text =
            read_text(path, MAX_FILE).map_err(|error| TrainError::unreadable(path, &error))?;
        let mut file = Self::parse(&text)
            .map_err(|(problem, remedy)| TrainError::data(path, problem, &remedy))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        file.test = file.test.map(|test| folder.join(test));
        Ok(file)
    }

    /// Parses the text; returns the problem and its remedy if that fails.
    fn parse(text: &str) -> Result<Self, (String, String)> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            let message = error.message();
            let remedy = did_you_mean(message).map_or_else(
                || "correct it".into(),
                |known| format!("did you mean `{known}`?"),
            );
            (format!("line {line}: {message}"), remedy)
        })?;
        let mut paths = BTreeSet::new();
        for source in &file.sources {
            let path = source.path.display();
            source.check().map_err(|(problem, remedy)| {
                (format!("source {path}: {problem}"), remedy.into())
            })?;
            if !paths.insert(&source.path) {
                let remedy = "name each source once".into();
                return Err((format!("source {path} occurs twice"), remedy));
            }
        }
        if file.sources.is_empty() {
            let remedy = "add a table [[source]] with a `path`".into();
            return Err(("it names no source".into(), remedy));
        }
        Ok(file)
    }
}

impl SourceConfig {
    /// Checks the values; returns the problem and its remedy if one is wrong.
    fn check(&self) -> Result<(), (String, &'static str)> {
        if !(self.weight > 0.0 && self.weight <= MAX_WEIGHT) {
            let problem = format!("weight is {}", self.weight);
            return Err((problem, "it must be above 0 and at most 1000"));
        }
        check_scale(self.um_per_pixel)
            .map_err(|problem| (problem, "state the width of a pixel in µm"))?;
        if let Some(name) = self
            .ignore
            .iter()
            .find(|name| self.classes.contains_key(*name))
        {
            let problem = format!("class `{name}` is in both `classes` and `ignore`");
            return Err((problem, "keep one of them"));
        }
        if self.group == Some(GroupBy::Before(String::new())) {
            let problem = "group.before is empty".into();
            return Err((problem, "name the text that follows the name of a group"));
        }
        Ok(())
    }
}

/// Refuses a scale that no microscope has.
///
/// # Errors
/// A message with the value.
pub(super) fn check_scale(um_per_pixel: Option<f32>) -> Result<(), String> {
    match um_per_pixel {
        Some(scale) if !SCALES.contains(&scale) => Err(format!(
            "um_per_pixel is {scale}, not from {} to {}",
            SCALES.start(),
            SCALES.end()
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_are_read() {
        let text = "test = 'test.txt'\n[[source]]\npath = 'a'\n\n[[source]]\npath = 'b/boxes.csv'\nformat = 'csv'\n\
                    um_per_pixel = 0.07\nweight = 2\ngroup = { before = '_' }\nignore = ['dirt']\n\
                    classes = { RBC = 'erythrocyte', 'reactive' = 'reactive_lymphocyte' }\n\
                    complete = ['leukocyte', 'platelet']\norigin = 'drawn'\nlicence = 'MIT'\ncitation = 'B (2020)'\n";
        let file = DatasetsFile::parse(text).unwrap();
        let [a, b] = &file.sources[..] else {
            panic!("{file:?}");
        };
        assert_eq!((a.format, a.um_per_pixel, a.origin), (None, None, None));
        assert!((a.weight - 1.0).abs() < f64::EPSILON);
        assert_eq!((b.format, b.um_per_pixel), (Some(Format::Csv), Some(0.07)));
        assert_eq!(b.group, Some(GroupBy::Before("_".into())));
        assert_eq!(b.classes["reactive"], CellKind::ReactiveLymphocyte);
        assert!(b.complete.contains(&CellKind::Platelet) && b.ignore.contains("dirt"));
        assert_eq!(b.origin, Some(ImageOrigin::Drawn));
        assert_eq!(
            (b.licence.as_deref(), b.citation.as_deref()),
            (Some("MIT"), Some("B (2020)"))
        );
        for (group, expected) in [
            ("'listed'", GroupBy::Listed),
            ("'folder'", GroupBy::Folder),
            ("'session'", GroupBy::Session),
            ("'none'", GroupBy::None),
        ] {
            let text = format!("[[source]]\npath = 'a'\ngroup = {group}\n");
            let file = DatasetsFile::parse(&text).unwrap();
            assert_eq!(file.sources[0].group, Some(expected));
        }
    }

    #[test]
    fn mistakes_are_explained() {
        let with = |line: &str| format!("[[source]]\npath = 'a'\n{line}\n");
        for (text, word) in [
            (with("wight = 2"), "did you mean `weight`?"),
            (with("wight = 2"), "line 3"),
            (
                with("classes = { WBC = 'leucocyte' }"),
                "did you mean `leukocyte`?",
            ),
            (with("complete = ['wbc']"), "unknown variant `wbc`"),
            (with("format = 'coko'"), "did you mean `coco`?"),
            (with("weight = 0"), "source a: weight is 0"),
            (with("weight = nan"), "weight is NaN"),
            (with("um_per_pixel = 0"), "um_per_pixel is 0"),
            (with("um_per_pixel = inf"), "um_per_pixel is inf"),
            (with("group = { before = '' }"), "group.before is empty"),
            (
                with("ignore = ['x']\nclasses = { x = 'platelet' }"),
                "both `classes` and `ignore`",
            ),
            (with("[[source]]\npath = 'a'"), "source a occurs twice"),
            ("test = 't.txt'".into(), "no source"),
            ("[[sources]]\npath = 'a'".into(), "did you mean `source`?"),
            ("[[source]]\nformat = 'csv'".into(), "missing field `path`"),
        ] {
            let (problem, remedy) = DatasetsFile::parse(&text).unwrap_err();
            let message = format!("{problem}; {remedy}");
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
