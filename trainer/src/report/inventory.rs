//! The inventory of a dataset: counts, groups, duplicates and what could mislead a network.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::arguments;
use crate::dataset::{
    Basis, Classes, Groups, ImageInfo, Layout, Listing, Overlap, Source, Unusable,
    compared_neighbours,
};

/// The contents of a dataset.
#[derive(Debug, Serialize)]
pub(crate) struct Inventory {
    data: PathBuf,
    layout: Layout,
    /// Names of the two classes.
    positive: String,
    negative: String,
    /// Images of each class, by side.
    classes: Classes,
    count: Count,
    grouped_by: Basis,
    groups: Vec<Group>,
    sizes: BTreeMap<String, Count>,
    cameras: BTreeMap<String, Count>,
    /// Accuracy of guessing the class of each image from one attribute of the others.
    #[serde(rename = "tells")]
    guesses: Guesses,
    /// Marked blasts, and the images with marks or an empty list of marks.
    centroids: Option<Centroids>,
    exact_duplicates: Vec<[PathBuf; 2]>,
    near_duplicates: Vec<[PathBuf; 2]>,
    /// Images that share a part.
    overlaps: Vec<SharedPart>,
    /// How many images before it each one was compared with for shared parts.
    overlaps_compared_with: usize,
    /// Pairs among them in different groups.
    #[serde(skip)]
    overlaps_between_groups: usize,
    /// Duplicates with different labels.
    contradictions: Vec<[PathBuf; 2]>,
    ignored: Vec<PathBuf>,
    /// Files that are no images, by their names.
    passed_over: Vec<PathBuf>,
    #[serde(skip)]
    label_warnings: Vec<String>,
    unusable: BTreeMap<PathBuf, String>,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    #[serde(flatten)]
    count: Count,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Count {
    positive: usize,
    negative: usize,
}

#[derive(Debug, Serialize)]
struct Guesses {
    /// Always the more frequent class.
    nothing: f64,
    size: f64,
    camera: f64,
}

/// Two images that share a part.
#[derive(Debug, Serialize)]
pub(super) struct SharedPart {
    pub(super) images: [PathBuf; 2],
    /// Part of each image, 0 to 1.
    pub(super) share: f32,
}

#[derive(Debug, Serialize)]
struct Centroids {
    images: usize,
    blasts: usize,
}

/// Advantage over always guessing the same class from which an attribute is worth a warning.
const WARNING_LEAD: f64 = 0.1;
/// Rows of a list; `--json` has the rest.
const MAX_LISTED: usize = 20;

impl Inventory {
    pub(crate) fn of(
        source: &Source,
        listing: Listing,
        images: &[ImageInfo],
        groups: &Groups,
        overlaps: &[Overlap],
        unusable: &[Unusable],
    ) -> Self {
        // Paths are relative to the dataset.
        let base = match source.layout {
            Layout::Csv => source.root.parent().unwrap_or(Path::new("")),
            _ => &source.root,
        };
        let short = |path: &Path| path.strip_prefix(base).unwrap_or(path).to_owned();
        let size = |image: &ImageInfo| format!("{}x{}", image.size.0, image.size.1);
        let camera = |image: &ImageInfo| {
            let camera = image.capture.camera.clone();
            camera.unwrap_or_else(|| "unknown".into())
        };
        let pairs = |pairs: &mut dyn Iterator<Item = (usize, usize)>| {
            pairs
                .map(|(one, other)| [one, other].map(|index| short(&images[index].file.path)))
                .collect()
        };
        let duplicates = &groups.duplicates;
        let contradict = |&(one, other): &(usize, usize)| images[one].contradicts(&images[other]);
        let mut by_group: Vec<Group> = groups.names.iter().map(|name| Group::named(name)).collect();
        for (image, &group) in images.iter().zip(&groups.of) {
            by_group[group].count.add(image);
        }
        let total = images.iter().fold(Count::default(), |mut count, image| {
            count.add(image);
            count
        });
        let marked: Vec<usize> = images
            .iter()
            .filter_map(|image| Some(image.file.centroids.as_ref()?.len()))
            .collect();
        Self {
            data: source.root.clone(),
            layout: source.layout,
            positive: listing.positive,
            negative: listing.negative,
            classes: listing.classes,
            count: total,
            grouped_by: groups.basis,
            groups: by_group,
            sizes: tally(images, size),
            cameras: tally(images, camera),
            guesses: Guesses {
                nothing: total.positive.max(total.negative) as f64 / images.len().max(1) as f64,
                size: guess_accuracy(images, size),
                camera: guess_accuracy(images, camera),
            },
            centroids: (!marked.is_empty()).then(|| Centroids {
                images: marked.len(),
                blasts: marked.iter().sum(),
            }),
            exact_duplicates: pairs(&mut duplicates.exact.iter().copied()),
            near_duplicates: pairs(&mut duplicates.near.iter().copied()),
            overlaps: overlaps
                .iter()
                .map(|overlap| SharedPart {
                    images: [overlap.images.0, overlap.images.1]
                        .map(|index| short(&images[index].file.path)),
                    share: overlap.share,
                })
                .collect(),
            overlaps_compared_with: compared_neighbours(images.len())
                .min(images.len().saturating_sub(1)),
            overlaps_between_groups: overlaps
                .iter()
                .filter(|overlap| groups.of[overlap.images.0] != groups.of[overlap.images.1])
                .count(),
            contradictions: pairs(&mut duplicates.all().filter(contradict)),
            ignored: listing.ignored.iter().map(|path| short(path)).collect(),
            passed_over: listing.passed_over.iter().map(|path| short(path)).collect(),
            label_warnings: listing.warnings,
            unusable: unusable
                .iter()
                .map(|file| (short(&file.path), file.problem.clone()))
                .collect(),
        }
    }

    /// What could make figures misleading.
    fn warnings(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let Guesses {
            nothing,
            size,
            camera,
        } = self.guesses;
        let mut warnings = self.label_warnings.clone();
        for (name, share) in [("size", size), ("camera", camera)] {
            if share >= nothing + WARNING_LEAD {
                warnings.push(format!(
                    "the {name} of an image alone tells its class on {} of the images; a network \
                     can learn that instead of cells",
                    percent(share)
                ));
            }
        }
        if self.grouped_by == Basis::NearDuplicates {
            warnings.push(
                "no subject is known: images of one patient may be both trained and tested on, \
                 so that figures look too good"
                    .into(),
            );
        }
        if !self.contradictions.is_empty() {
            warnings.push(format!(
                "{} pairs of duplicates have different labels",
                self.contradictions.len()
            ));
        }
        if self.overlaps_between_groups > 0 {
            warnings.push(format!(
                "{} pairs of images share a part but belong to different groups; a network that is trained on one \
                 of them knows the other: make them one subject",
                self.overlaps_between_groups
            ));
        }
        for (name, groups) in [
            (&self.positive, self.groups_with(|count| count.positive)),
            (&self.negative, self.groups_with(|count| count.negative)),
        ] {
            if groups < 3 {
                warnings.push(format!(
                    "class {name} has {groups} groups; training, validation and testing need one each"
                ));
            }
        }
        warnings
    }

    fn groups_with(&self, of: impl Fn(&Count) -> usize) -> usize {
        self.groups
            .iter()
            .filter(|group| of(&group.count) > 0)
            .count()
    }
}

impl Group {
    fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            count: Count::default(),
        }
    }
}

impl Count {
    fn add(&mut self, image: &ImageInfo) {
        if image.file.positive {
            self.positive += 1;
        } else {
            self.negative += 1;
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>6} positive  {:>6} negative",
            self.positive, self.negative
        )
    }
}

impl fmt::Display for SharedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.images.each_ref().map(|path| path.display());
        write!(f, "{one} ~ {other}, {:.0} %", self.share * 100.0)
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { positive, negative } = self.count;
        writeln!(
            f,
            "{} ({}): {} images, {positive} positive ({}), {negative} negative ({})",
            self.data.display(),
            arguments::spelled(&self.layout),
            positive + negative,
            self.positive,
            self.negative
        )?;
        if self.classes.names().count() > 2 {
            writeln!(f, "{}", self.classes)?;
        }
        if let Some(Centroids { images, blasts }) = self.centroids {
            writeln!(f, "{blasts} blasts are marked on {images} images")?;
        }
        for (title, counts) in [("sizes", &self.sizes), ("cameras", &self.cameras)] {
            writeln!(f, "\n{title}: {}", counts.len())?;
            list(f, counts.iter().map(|(name, count)| line(name, *count)))?;
        }
        let by = self.grouped_by.in_words();
        writeln!(f, "\ngroups, by {by}: {}", self.groups.len())?;
        // Most groups of near-duplicates hold a single image and are not worth listing.
        let is_listed = |group: &&Group| {
            self.grouped_by != Basis::NearDuplicates
                || group.count.positive + group.count.negative > 1
        };
        let listed: Vec<&Group> = self.groups.iter().filter(is_listed).collect();
        list(f, listed.iter().map(|group| line(&group.name, group.count)))?;
        list_duplicates(f, &self.exact_duplicates, &self.near_duplicates)?;
        writeln!(f, "\nimages that share a part: {}", self.overlaps.len())?;
        list(f, self.overlaps.iter().map(SharedPart::to_string))?;
        let images = positive + negative;
        if self.overlaps_compared_with + 1 < images {
            let compared = self.overlaps_compared_with;
            writeln!(
                f,
                "  each image was compared with the {compared} before it only"
            )?;
        }
        if !self.ignored.is_empty() {
            writeln!(
                f,
                "\nignored images with other names: {}",
                self.ignored.len()
            )?;
            list(
                f,
                self.ignored.iter().map(|path| path.display().to_string()),
            )?;
        }
        if !self.passed_over.is_empty() {
            let count = self.passed_over.len();
            writeln!(f, "\nfiles that are no images, passed over: {count}")?;
        }
        if !self.unusable.is_empty() {
            writeln!(f, "\nunusable files: {}", self.unusable.len())?;
            let files = self.unusable.iter();
            list(
                f,
                files.map(|(path, problem)| format!("{}: {problem}", path.display())),
            )?;
        }
        writeln!(f)?;
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

fn line(name: &str, count: Count) -> String {
    format!("{name:<32}{count}")
}

/// Lists the pairs of images that are copies of each other.
pub(super) fn list_duplicates(
    f: &mut fmt::Formatter<'_>,
    exact: &[[PathBuf; 2]],
    near: &[[PathBuf; 2]],
) -> fmt::Result {
    for (title, pairs) in [("exact duplicates", exact), ("near-duplicates", near)] {
        writeln!(f, "\n{title}: {}", pairs.len())?;
        let pair = |[one, other]: &[PathBuf; 2]| format!("{} = {}", one.display(), other.display());
        list(f, pairs.iter().map(pair))?;
    }
    Ok(())
}

/// Writes the first lines of a list, and how many more there are.
pub(super) fn list(
    f: &mut fmt::Formatter<'_>,
    lines: impl ExactSizeIterator<Item = String>,
) -> fmt::Result {
    let more = lines.len().saturating_sub(MAX_LISTED);
    for line in lines.take(MAX_LISTED) {
        writeln!(f, "  {line}")?;
    }
    if more > 0 {
        writeln!(f, "  and {more} more; --json lists all")?;
    }
    Ok(())
}

fn tally(
    images: &[ImageInfo],
    attribute: impl Fn(&ImageInfo) -> String,
) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for image in images {
        counts.entry(attribute(image)).or_default().add(image);
    }
    counts
}

/// The share of images whose class is that of most *other* images with the same attribute; a tie
/// counts half.
fn guess_accuracy(images: &[ImageInfo], attribute: impl Fn(&ImageInfo) -> String) -> f64 {
    let counts = tally(images, &attribute);
    let hits: f64 = images
        .iter()
        .map(|image| {
            let Count { positive, negative } = counts[&attribute(image)];
            let (same, other) = if image.file.positive {
                (positive - 1, negative)
            } else {
                (negative - 1, positive)
            };
            match same.cmp(&other) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            }
        })
        .sum();
    hits / images.len().max(1) as f64
}
