//! `smearscope-train inspect`: what is in a dataset, before anything rests on it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli;
use crate::dataset::{Basis, Groups, Layout, Listing, Source, Surveyed, Unusable, survey};
use crate::error::TrainError;
use crate::report::contact_sheet;

/// What to look at, and how to tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inspection {
    pub(crate) data: Source,
    pub(crate) json: bool,
    /// PNG of all images.
    pub(crate) sheet: Option<PathBuf>,
}

/// What is in a dataset.
#[derive(Debug, Serialize)]
struct Inventory {
    data: PathBuf,
    layout: Layout,
    /// Names of the two classes.
    positive: String,
    negative: String,
    count: Count,
    grouped_by: Basis,
    groups: Vec<Group>,
    sizes: BTreeMap<String, Count>,
    cameras: BTreeMap<String, Count>,
    /// Share of images whose class one would guess right from this alone, each from the others.
    tells: Tells,
    /// Marked blasts, and the images on which somebody marked any or none.
    centroids: Option<Centroids>,
    exact_duplicates: Vec<[PathBuf; 2]>,
    near_duplicates: Vec<[PathBuf; 2]>,
    /// Pairs of those with different labels.
    contradictions: Vec<[PathBuf; 2]>,
    ignored: Vec<PathBuf>,
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
struct Tells {
    /// The more frequent class, always.
    nothing: f64,
    size: f64,
    camera: f64,
}

#[derive(Debug, Serialize)]
struct Centroids {
    images: usize,
    blasts: usize,
}

/// By how much size or camera must beat always guessing the same before it is worth a warning.
const TELLTALE: f64 = 0.1;
/// Longer lists are for `--json`.
const MOST_LISTED: usize = 20;

impl Inspection {
    /// Prints the inventory and draws the sheet.
    ///
    /// # Errors
    /// [`TrainError::Data`] if nothing can be listed or grouped and, after printing, if files cannot
    /// be used; [`TrainError::Output`] if the sheet cannot be written.
    pub(crate) fn run(&self) -> Result<(), TrainError> {
        let mut listing = self.data.list()?;
        let (images, unusable) = survey(std::mem::take(&mut listing.files), None, |_| ());
        let images: Vec<Surveyed> = images.into_iter().map(|(image, ())| image).collect();
        let groups = Groups::form(&self.data.root, self.data.layout, &images)?;
        let inventory = Inventory::of(&self.data, listing, &images, &groups, &unusable);
        let text = if self.json {
            serde_json::to_string_pretty(&inventory).unwrap_or_default() + "\n"
        } else {
            inventory.to_string()
        };
        // A reader that went away has seen enough.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        if let Some(path) = &self.sheet {
            contact_sheet::draw(path, &images, &groups)?;
        }
        match unusable.len() {
            0 => Ok(()),
            count => Err(TrainError::data(
                &self.data.root,
                format!("files that cannot be used: {count}"),
                "repair them, or take them out",
            )),
        }
    }
}

impl Inventory {
    fn of(
        source: &Source,
        listing: Listing,
        images: &[Surveyed],
        groups: &Groups,
        unusable: &[Unusable],
    ) -> Self {
        // Every path begins with the collection's own, which is told once.
        let base = match source.layout {
            Layout::Csv => source.root.parent().unwrap_or(Path::new("")),
            _ => &source.root,
        };
        let short = |path: &Path| path.strip_prefix(base).unwrap_or(path).to_owned();
        let size = |image: &Surveyed| format!("{}x{}", image.size.0, image.size.1);
        let camera = |image: &Surveyed| {
            let camera = image.capture.camera.clone();
            camera.unwrap_or_else(|| "unknown".into())
        };
        let pairs = |pairs: &mut dyn Iterator<Item = (usize, usize)>| {
            pairs
                .map(|(one, other)| [one, other].map(|index| short(&images[index].file.path)))
                .collect()
        };
        let duplicates = &groups.duplicates;
        let contradict = |&(one, other): &(usize, usize)| {
            images[one].file.positive != images[other].file.positive
        };
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
            count: total,
            grouped_by: groups.basis,
            groups: by_group,
            sizes: tally(images, size),
            cameras: tally(images, camera),
            tells: Tells {
                nothing: total.positive.max(total.negative) as f64 / images.len().max(1) as f64,
                size: guessed(images, size),
                camera: guessed(images, camera),
            },
            centroids: (!marked.is_empty()).then(|| Centroids {
                images: marked.len(),
                blasts: marked.iter().sum(),
            }),
            exact_duplicates: pairs(&mut duplicates.exact.iter().copied()),
            near_duplicates: pairs(&mut duplicates.near.iter().copied()),
            contradictions: pairs(&mut duplicates.all().filter(contradict)),
            ignored: listing.ignored.iter().map(|path| short(path)).collect(),
            unusable: unusable
                .iter()
                .map(|file| (short(&file.path), file.problem.clone()))
                .collect(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let Tells {
            nothing,
            size,
            camera,
        } = self.tells;
        let mut warnings = Vec::new();
        for (name, share) in [("size", size), ("camera", camera)] {
            if share >= nothing + TELLTALE {
                warnings.push(format!(
                    "the {name} of an image alone tells its class on {} of the images; a network \
                     can learn that instead of cells",
                    percent(share)
                ));
            }
        }
        if self.grouped_by == Basis::NearDuplicates {
            warnings.push(
                "no subject is known: images of one patient may be trained and tested on, and \
                 figures look better than they are"
                    .into(),
            );
        }
        if !self.contradictions.is_empty() {
            warnings.push(format!(
                "{} pairs of duplicates have different labels",
                self.contradictions.len()
            ));
        }
        for (name, groups) in [
            (&self.positive, self.groups_with(|count| count.positive)),
            (&self.negative, self.groups_with(|count| count.negative)),
        ] {
            if groups < 3 {
                warnings.push(format!(
                    "class {name} lies in {groups} groups; training, validation and test need one each"
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
    fn add(&mut self, image: &Surveyed) {
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

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { positive, negative } = self.count;
        writeln!(
            f,
            "{} ({}): {} images, {positive} positive ({}), {negative} negative ({})",
            self.data.display(),
            cli::spelled(&self.layout),
            positive + negative,
            self.positive,
            self.negative
        )?;
        if let Some(Centroids { images, blasts }) = self.centroids {
            writeln!(f, "{blasts} blasts are marked on {images} images")?;
        }
        for (title, counts) in [("sizes", &self.sizes), ("cameras", &self.cameras)] {
            writeln!(f, "\n{title}: {}", counts.len())?;
            list(f, counts.iter().map(|(name, count)| line(name, *count)))?;
        }
        let by = self.grouped_by.in_words();
        writeln!(f, "\ngroups, by {by}: {}", self.groups.len())?;
        // Where nothing else is known most images are groups of their own, which tells nothing.
        let is_telling = |group: &&Group| {
            self.grouped_by != Basis::NearDuplicates
                || group.count.positive + group.count.negative > 1
        };
        let telling: Vec<&Group> = self.groups.iter().filter(is_telling).collect();
        list(
            f,
            telling.iter().map(|group| line(&group.name, group.count)),
        )?;
        for (title, pairs) in [
            ("exact duplicates", &self.exact_duplicates),
            ("near-duplicates", &self.near_duplicates),
        ] {
            writeln!(f, "\n{title}: {}", pairs.len())?;
            let pair =
                |[one, other]: &[PathBuf; 2]| format!("{} = {}", one.display(), other.display());
            list(f, pairs.iter().map(pair))?;
        }
        if !self.ignored.is_empty() {
            writeln!(
                f,
                "\nimages of other names, left out: {}",
                self.ignored.len()
            )?;
            list(
                f,
                self.ignored.iter().map(|path| path.display().to_string()),
            )?;
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

fn list(f: &mut fmt::Formatter<'_>, lines: impl ExactSizeIterator<Item = String>) -> fmt::Result {
    let more = lines.len().saturating_sub(MOST_LISTED);
    for line in lines.take(MOST_LISTED) {
        writeln!(f, "  {line}")?;
    }
    if more > 0 {
        writeln!(f, "  and {more} more; --json lists all")?;
    }
    Ok(())
}

fn tally(images: &[Surveyed], attribute: impl Fn(&Surveyed) -> String) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for image in images {
        counts.entry(attribute(image)).or_default().add(image);
    }
    counts
}

/// The share of images whose class is that of most *other* images with the same attribute; where
/// those do not tell, half a hit.
fn guessed(images: &[Surveyed], attribute: impl Fn(&Surveyed) -> String) -> f64 {
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
