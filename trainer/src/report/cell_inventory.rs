//! The inventory of a collection of labelled cells: what each source holds, copies, and the planned split.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::inventory::{SharedPart, list, list_duplicates};
use crate::arguments;
use crate::cell_kind::CellKind;
use crate::dataset::{
    CellCollection, CellSource, CellSplit, Format, ImageContent, ImageOrigin, LabelledImage, Part,
    Scale, ScaleBasis,
};

/// The contents of a collection.
#[derive(Debug, Serialize)]
pub(crate) struct CellInventory {
    datasets: PathBuf,
    total: Count,
    sources: Vec<SourceInventory>,
    exact_duplicates: Vec<[PathBuf; 2]>,
    near_duplicates: Vec<[PathBuf; 2]>,
    /// Fields that share a part.
    overlaps: Vec<SharedPart>,
    /// Copies of single cells with different kinds.
    contradictions: Vec<[PathBuf; 2]>,
    /// Empty if there are too few groups.
    split: BTreeMap<Part, Count>,
    #[serde(skip)]
    split_problem: Option<String>,
}

/// Numbers of images, groups, and cells of each kind.
#[derive(Debug, Default, Serialize)]
struct Count {
    fields: usize,
    single_cells: usize,
    groups: usize,
    cells: BTreeMap<CellKind, usize>,
}

#[derive(Debug, Serialize)]
struct SourceInventory {
    path: PathBuf,
    format: Format,
    origin: ImageOrigin,
    weight: f64,
    licence: Option<String>,
    citation: Option<String>,
    #[serde(flatten)]
    count: Count,
    /// Images without a scale of their own or of the source.
    without_scale: usize,
    /// Of the images that do not state their own.
    scale: Option<Scale>,
    complete: BTreeSet<CellKind>,
    /// Cells of classes that are left out, by class.
    ignored: BTreeMap<String, usize>,
    /// Class names of the file of the data sets that no image has.
    unused_names: Vec<String>,
    /// Boxes of which a part outside of the image was cut off.
    clipped: usize,
    missing: Vec<String>,
    unlisted: Vec<PathBuf>,
    passed_over: usize,
    unusable: BTreeMap<PathBuf, String>,
}

impl Count {
    fn of<'a>(images: impl Iterator<Item = &'a LabelledImage>) -> Self {
        let mut count = Self::default();
        let mut groups = BTreeSet::new();
        for image in images {
            match image.content {
                ImageContent::Field(_) => count.fields += 1,
                ImageContent::Cell(_) => count.single_cells += 1,
            }
            groups.insert(image.group);
            for kind in image.kinds() {
                *count.cells.entry(kind).or_default() += 1;
            }
        }
        count.groups = groups.len();
        count
    }
}

impl CellInventory {
    /// The inventory with a split, or with the reason why there is none.
    pub(crate) fn of(collection: &CellCollection, split: Result<CellSplit, String>) -> Self {
        let (part_of, split_problem) = match split {
            Ok(split) => (split.part_of, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let images = &collection.images;
        // Paths are relative to the file of the data sets.
        let base = collection.file.parent().unwrap_or(Path::new(""));
        let short = |path: &Path| path.strip_prefix(base).unwrap_or(path).to_owned();
        let shorts =
            |(one, other): (usize, usize)| [one, other].map(|index| short(&images[index].path));
        let sources = collection
            .sources
            .iter()
            .enumerate()
            .map(|(number, source)| {
                let of_source = || images.iter().filter(|image| image.source == number);
                let without_scale = of_source()
                    .filter(|image| image.um_per_pixel.is_none())
                    .count();
                SourceInventory::of(source, Count::of(of_source()), without_scale, short)
            });
        let parts: BTreeSet<Part> = part_of.iter().copied().collect();
        let part = |part: Part| {
            let in_part = images.iter().zip(&part_of).filter(|(_, of)| **of == part);
            (part, Count::of(in_part.map(|(image, _)| image)))
        };
        Self {
            datasets: collection.file.clone(),
            total: Count::of(images.iter()),
            sources: sources.collect(),
            exact_duplicates: collection
                .duplicates
                .exact
                .iter()
                .copied()
                .map(shorts)
                .collect(),
            near_duplicates: collection
                .duplicates
                .near
                .iter()
                .copied()
                .map(shorts)
                .collect(),
            overlaps: collection
                .overlaps
                .iter()
                .map(|overlap| SharedPart {
                    images: shorts(overlap.images),
                    share: overlap.share,
                })
                .collect(),
            contradictions: collection
                .contradictions()
                .map(|pair| pair.map(|image| short(&image.path)))
                .collect(),
            split: parts.into_iter().map(part).collect(),
            split_problem,
        }
    }

    /// What could make a network or its figures misleading.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for source in &self.sources {
            let path = source.path.display();
            let mut warn = |problem: String| warnings.push(format!("{path}: {problem}"));
            if source.licence.is_none() && source.origin == ImageOrigin::Real {
                warn("no licence is stated, so that a model may not be given away".into());
            }
            if !source.unused_names.is_empty() {
                let names = source.unused_names.join(", ");
                warn(format!(
                    "no image has these classes, which its settings mention: {names}"
                ));
            }
            if source.without_scale > 0 {
                warn(format!(
                    "the scale of {} images is unknown",
                    source.without_scale
                ));
            }
            if source.count.fields + source.count.single_cells == 0 {
                warn("it has no image".into());
            }
        }
        warnings.extend(self.split_problem.clone());
        if !self.contradictions.is_empty() {
            warnings.push(format!(
                "{} pairs of copies of single cells have different kinds",
                self.contradictions.len()
            ));
        }
        warnings
    }
}

impl SourceInventory {
    fn of(
        source: &CellSource,
        count: Count,
        without_scale: usize,
        short: impl Fn(&Path) -> PathBuf,
    ) -> Self {
        Self {
            path: source.name.clone(),
            format: source.format,
            origin: source.origin,
            weight: source.weight,
            licence: source.licence.clone(),
            citation: source.citation.clone(),
            count,
            without_scale,
            scale: source.scale,
            complete: source.complete.clone(),
            ignored: source.ignored.clone(),
            unused_names: source.unused_names.clone(),
            clipped: source.clipped,
            missing: source.missing.clone(),
            unlisted: source.unlisted.iter().map(|path| short(path)).collect(),
            passed_over: source.passed_over,
            unusable: source
                .unusable
                .iter()
                .map(|file| (short(&file.path), file.problem.clone()))
                .collect(),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = match (self.fields, self.single_cells) {
            (fields, 0) => format!("{fields} fields"),
            (0, cells) => format!("{cells} single cells"),
            (fields, cells) => format!("{fields} fields, {cells} single cells"),
        };
        writeln!(f, "{images}, {} groups", self.groups)?;
        for (kind, count) in &self.cells {
            writeln!(f, "  {kind:<22}{count:>7}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SourceInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            ImageOrigin::Drawn => "drawn",
            ImageOrigin::Real => "real",
        };
        let format = arguments::spelled(&self.format);
        write!(
            f,
            "{} ({format}, {origin}, weight {}): ",
            self.path.display(),
            self.weight
        )?;
        write!(f, "{}", self.count)?;
        match self.scale {
            None if self.without_scale > 0 => writeln!(f, "  scale: unknown")?,
            None => writeln!(f, "  scale: stated for each image")?,
            Some(Scale {
                um_per_pixel,
                basis,
            }) => match basis {
                ScaleBasis::Stated => {
                    writeln!(f, "  scale: {um_per_pixel:.4} µm per pixel, as stated")?;
                }
                ScaleBasis::RedCells { cells, spread } => writeln!(
                    f,
                    "  scale: {um_per_pixel:.4} µm per pixel, from {cells} red cells of 7.2 µm (half of them within {:.0} %)",
                    spread * 100.0
                )?,
            },
        }
        let complete: Vec<&str> = self.complete.iter().map(|kind| kind.name()).collect();
        match (self.count.fields, &complete[..]) {
            (0, _) => {}
            (_, []) => writeln!(f, "  complete: nothing; places without a mark may be cells")?,
            (_, kinds) => writeln!(f, "  complete: {}", kinds.join(", "))?,
        }
        if !self.ignored.is_empty() {
            let ignored: Vec<String> = self
                .ignored
                .iter()
                .map(|(class, count)| format!("{class} {count}"))
                .collect();
            writeln!(f, "  left out: {}", ignored.join(", "))?;
        }
        if self.clipped > 0 {
            writeln!(f, "  boxes clipped at the frame: {}", self.clipped)?;
        }
        if self.passed_over > 0 {
            writeln!(
                f,
                "  files that are neither images nor lists: {}",
                self.passed_over
            )?;
        }
        if !self.missing.is_empty() {
            writeln!(
                f,
                "  listed images that do not exist: {}",
                self.missing.len()
            )?;
            list(f, self.missing.iter().cloned())?;
        }
        if !self.unlisted.is_empty() {
            writeln!(f, "  images that are not listed: {}", self.unlisted.len())?;
            list(
                f,
                self.unlisted.iter().map(|path| path.display().to_string()),
            )?;
        }
        if !self.unusable.is_empty() {
            writeln!(f, "  unusable files: {}", self.unusable.len())?;
            let files = self.unusable.iter();
            list(
                f,
                files.map(|(path, problem)| format!("{}: {problem}", path.display())),
            )?;
        }
        if let Some(citation) = &self.citation {
            writeln!(f, "  source: {citation}")?;
        }
        if let Some(licence) = &self.licence {
            writeln!(f, "  licence: {licence}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CellInventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.len();
        write!(
            f,
            "{}: {sources} sources, {}",
            self.datasets.display(),
            self.total
        )?;
        for source in &self.sources {
            write!(f, "\n{source}")?;
        }
        list_duplicates(f, &self.exact_duplicates, &self.near_duplicates)?;
        writeln!(
            f,
            "\nfields that share a part, and are one group: {}",
            self.overlaps.len()
        )?;
        list(f, self.overlaps.iter().map(SharedPart::to_string))?;
        writeln!(f)?;
        for (part, count) in &self.split {
            let name = match part {
                Part::Train => "training",
                Part::Validation => "validation",
                Part::Test => "testing",
                Part::LeftOut => "left out, since a test image belongs to their groups",
            };
            write!(f, "{name}: {count}")?;
        }
        writeln!(f)?;
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::synth::example_field;

    #[test]
    fn sources_and_their_doubts_are_shown() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("datasets.toml");
        let datasets = "[[source]]\npath = 'a'\nclasses = { x = 'platelet' }\nignore = ['dirt']\n\
                        complete = ['monocyte']\ncitation = 'Them'\n";
        fs::write(&path, datasets).unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        let table = "image,class,x,y\n1.png,monocyte,50,40\n2.png,monocyte,9,9\n2.png,dirt,5,5\n4.png,monocyte,5,5\n";
        fs::write(root.path().join("a/t.csv"), table).unwrap();
        for number in 1..4 {
            let field = example_field(number, 160, 120);
            field
                .save(root.path().join(format!("a/{number}.png")))
                .unwrap();
        }
        let collection = CellCollection::read(&path).unwrap();
        let part_of = vec![Part::Train, Part::Test];
        let inventory = CellInventory::of(&collection, Ok(CellSplit { part_of }));
        let shown = serde_json::to_value(&inventory).unwrap();
        let source = &shown["sources"][0];
        for (key, value) in [
            ("path", json!("a")),
            ("format", json!("csv")),
            ("fields", json!(2)),
            ("groups", json!(2)),
            ("cells", json!({"monocyte": 2})),
            ("ignored", json!({"dirt": 1})),
            ("unlisted", json!(["a/3.png"])),
            ("without_scale", json!(2)),
            ("complete", json!(["monocyte"])),
        ] {
            assert_eq!(source[key], value, "{key}");
        }
        assert_eq!(shown["split"]["test"]["cells"], json!({"monocyte": 1}));
        let text = inventory.to_string();
        for line in [
            "1 sources, 2 fields, 2 groups",
            "a (csv, real, weight 1): 2 fields, 2 groups",
            "  monocyte                    2",
            "  scale: unknown",
            "  complete: monocyte",
            "  left out: dirt 1",
            "  listed images that do not exist: 1",
            "  source: Them",
            "testing: 1 fields, 1 groups",
            "warning: a: no licence is stated",
            "warning: a: no image has these classes, which its settings mention: x",
            "warning: a: the scale of 2 images is unknown",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let inventory = CellInventory::of(&collection, Err("too few".into()));
        assert!(inventory.to_string().contains("warning: too few"));
        super::super::cell_sheet::draw_cell_sheet(&root.path().join("s.png"), &collection).unwrap();
        let sheet = image::open(root.path().join("s.png")).unwrap().to_rgb8();
        let green = sheet
            .pixels()
            .filter(|pixel| pixel.0 == [30, 140, 60])
            .count();
        // Two crosses of five by five pixels.
        assert_eq!(green, 18);
    }
}
