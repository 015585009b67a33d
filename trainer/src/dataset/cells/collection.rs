//! A collection of labelled cells, read from all its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indicatif::ParallelProgressIterator;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::sha256;

use super::super::capture::Capture;
use super::super::fingerprint::Fingerprint;
use super::super::groups::{Duplicates, JOINT, capture_sessions, joined};
use super::super::overlap::{Overlap, Thumbnail, find_overlaps};
use super::super::provenance::Provenance;
use super::super::read_images::{Unusable, problem};
use super::super::trained_on::TrainedOn;
use super::class_map;
use super::datasets_file::{DatasetsFile, GroupBy, ImageOrigin, SourceConfig, check_scale};
use super::format::Format;
use super::listing::{ListedContent, ListedImage};
use super::ruler::{Ruler, Scale, ScaleBasis};
use super::shape::Placed;
use crate::cell_kind::CellKind;
use crate::error::TrainError;
use crate::progress;

/// Labelled images of several sources.
#[derive(Debug)]
pub(crate) struct CellCollection {
    /// The file that names the sources.
    pub(crate) file: PathBuf,
    pub(crate) sources: Vec<CellSource>,
    pub(crate) images: Vec<LabelledImage>,
    /// Name of each group.
    pub(crate) group_names: Vec<String>,
    /// Pairs of images of the same thing; drawn images are not compared.
    pub(crate) duplicates: Duplicates,
    /// Fields that share a part.
    pub(crate) overlaps: Vec<Overlap>,
    /// The file that names test images.
    pub(super) test_list: Option<PathBuf>,
}

/// A source with what was found there.
#[derive(Debug)]
pub(crate) struct CellSource {
    /// Its path, as the file of the data sets has it.
    pub(crate) name: PathBuf,
    pub(crate) format: Format,
    pub(crate) origin: ImageOrigin,
    /// Share of the training batches, relative to the other sources.
    pub(crate) weight: f64,
    pub(crate) licence: Option<String>,
    pub(crate) citation: Option<String>,
    /// The command that drew the images.
    pub(crate) command: Option<String>,
    /// Kinds of which every cell in the fields is marked; without those of single cells.
    pub(crate) complete: BTreeSet<CellKind>,
    /// Scale of the images that do not state their own.
    pub(crate) scale: Option<Scale>,
    /// Marks or single cells of classes that are left out.
    pub(crate) ignored: BTreeMap<String, usize>,
    /// Class names that the file of the data sets mentions and no image has.
    pub(crate) unused_names: Vec<String>,
    /// Boxes of which a part outside of the image was cut off.
    pub(crate) clipped: usize,
    /// Images that are listed and do not exist.
    pub(crate) missing: Vec<String>,
    /// Images that exist and are not listed.
    pub(crate) unlisted: Vec<PathBuf>,
    /// Files that are neither images nor lists.
    pub(crate) passed_over: usize,
    pub(crate) unusable: Vec<Unusable>,
}

/// An image with its labels.
#[derive(Debug)]
pub(crate) struct LabelledImage {
    pub(crate) path: PathBuf,
    /// Digest of the file, in hexadecimal.
    pub(crate) sha256: String,
    /// Index of its source.
    pub(crate) source: usize,
    /// Index of its group; no split separates a group.
    pub(crate) group: usize,
    pub(crate) um_per_pixel: Option<f32>,
    pub(crate) content: ImageContent,
}

#[derive(Debug, PartialEq)]
pub(crate) enum ImageContent {
    /// A field of view.
    Field(Vec<LabelledCell>),
    /// A single cell.
    Cell(CellKind),
}

/// A cell in a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LabelledCell {
    pub(crate) kind: CellKind,
    /// Column and row in pixels.
    pub(crate) centre: [f32; 2],
    /// Width and height in pixels, if they are known.
    pub(crate) extent: Option<[f32; 2]>,
}

impl CellSource {
    /// Whether every leukocyte of its fields is marked.
    pub(crate) fn marks_all_leukocytes(&self) -> bool {
        let mut known =
            CellKind::all().filter(|kind| kind.is_leukocyte() && *kind != CellKind::Leukocyte);
        self.origin == ImageOrigin::Drawn
            || self.complete.contains(&CellKind::Leukocyte)
            || known.all(|kind| self.complete.contains(&kind))
    }
}

impl LabelledImage {
    /// The kinds of its cells.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = CellKind> {
        let (cells, single) = match &self.content {
            ImageContent::Field(cells) => (&cells[..], None),
            ImageContent::Cell(kind) => (&[][..], Some(*kind)),
        };
        cells.iter().map(|cell| cell.kind).chain(single)
    }
}

impl CellCollection {
    /// Reads all sources of a file of data sets, and decodes every image once.
    ///
    /// # Errors
    /// [`TrainError::Data`] if the file or a list cannot be read, a class name means nothing, a box lies
    /// outside of its image, or images cannot be grouped. Images that are missing or unusable are no error
    /// yet; [`CellCollection::refuse_losses`] is for those.
    pub(crate) fn read(file: &Path) -> Result<Self, TrainError> {
        let DatasetsFile { test, sources } = DatasetsFile::read(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut collection = Self {
            file: file.into(),
            sources: Vec::new(),
            images: Vec::new(),
            group_names: Vec::new(),
            duplicates: Duplicates::default(),
            overlaps: Vec::new(),
            test_list: test,
        };
        let mut images = Vec::new();
        for config in sources {
            let (source, of_source) = read_source(config, folder)?;
            let number = collection.sources.len();
            images.extend(of_source.into_iter().map(|image| (number, image)));
            collection.sources.push(source);
        }
        let is_real = |number: usize| collection.sources[number].origin == ImageOrigin::Real;
        let compared: Vec<usize> = (0..images.len())
            .filter(|index| is_real(images[*index].0))
            .collect();
        collection.duplicates = duplicates(&images, &compared);
        collection.overlaps = overlaps(&mut images, &compared, &collection.duplicates);
        let keys: Vec<Option<String>> = images
            .iter()
            .map(|(source, image)| {
                let source = collection.sources[*source].name.display();
                let group = image.group.as_ref()?;
                Some(format!("{source}: {group}"))
            })
            .collect();
        let shared = collection.overlaps.iter().map(|overlap| overlap.images);
        let (group_of, names) = joined(&keys, collection.duplicates.all().chain(shared));
        collection.group_names = names;
        collection.images = images
            .into_iter()
            .zip(group_of)
            .map(|((source, image), group)| LabelledImage {
                um_per_pixel: image.um_per_pixel,
                path: image.path,
                sha256: image.sha256,
                source,
                group,
                content: image.content,
            })
            .collect();
        Ok(collection)
    }

    /// Images that are missing or unusable.
    ///
    /// # Errors
    /// [`TrainError::Data`] if there are any: a network must not learn from fewer images than the user
    /// believes.
    pub(crate) fn refuse_losses(&self) -> Result<(), TrainError> {
        let sources = || self.sources.iter();
        let missing: usize = sources().map(|source| source.missing.len()).sum();
        let unusable: usize = sources().map(|source| source.unusable.len()).sum();
        if missing + unusable == 0 {
            return Ok(());
        }
        Err(TrainError::data(
            &self.file,
            format!(
                "listed images that do not exist: {missing}, files that cannot be used: {unusable}"
            ),
            "repair them, or remove them from their lists",
        ))
    }

    /// The slides, patients or subjects of a group, each with its source; none if its images name none.
    pub(crate) fn subjects_of(&self, group: usize) -> impl Iterator<Item = &str> {
        let names = self.group_names[group].split(JOINT);
        names.filter(|name| name.contains(": "))
    }

    /// Of these images, those of which a model saw neither the image nor another one of its group, slide, patient or
    /// subject in training.
    pub(crate) fn unseen(&self, indices: Vec<usize>, trained_on: &TrainedOn) -> Vec<usize> {
        let is_seen = |image: &&LabelledImage| {
            let mut subjects = self.subjects_of(image.group);
            trained_on.images.contains(&image.sha256)
                || subjects.any(|subject| trained_on.subjects.contains(subject))
        };
        let seen = self.images.iter().filter(is_seen);
        let seen: BTreeSet<usize> = seen.map(|image| image.group).collect();
        indices
            .into_iter()
            .filter(|index| !seen.contains(&self.images[*index].group))
            .collect()
    }

    /// Pairs of single cells that are copies of each other and have different kinds.
    pub(crate) fn contradictions(&self) -> impl Iterator<Item = [&LabelledImage; 2]> {
        let pairs = self.duplicates.all();
        let pairs = pairs.map(|(one, other)| [&self.images[one], &self.images[other]]);
        pairs.filter(|[one, other]| {
            matches!(
                (&one.content, &other.content),
                (ImageContent::Cell(one), ImageContent::Cell(other)) if one != other
            )
        })
    }
}

/// An image that was read, before it has a group.
#[derive(Debug)]
struct ReadImage {
    path: PathBuf,
    sha256: String,
    size: (u32, u32),
    capture: Capture,
    fingerprint: Fingerprint,
    /// Of a real field.
    thumbnail: Option<Thumbnail>,
    /// Within its source.
    group: Option<String>,
    um_per_pixel: Option<f32>,
    content: ImageContent,
    clipped: usize,
}

/// What became of a listed image.
enum Outcome {
    Read(Box<ReadImage>),
    Unusable(Unusable),
    /// Its labels are wrong.
    Refused(Vec<String>),
}

/// Reads a source: what was found, and its images.
fn read_source(
    config: SourceConfig,
    folder: &Path,
) -> Result<(CellSource, Vec<ReadImage>), TrainError> {
    let root = folder.join(&config.path);
    let (format, listing) = Format::list(&root, config.format)?;
    let refuse = |problem: String, remedy: &str| TrainError::data(&root, problem, remedy);
    if format.is_of_single_cells() && !config.complete.is_empty() {
        return Err(refuse(
            "`complete` is for fields, and its images are single cells".into(),
            "remove `complete`",
        ));
    }
    let kinds = class_map::kinds(&config, format, &listing.classes).map_err(|problem| {
        let remedy = format!(
            "map them in `classes`, as in classes = {{ WBC = \"leukocyte\" }}, or name them in `ignore`; \
             the kinds are {}",
            CellKind::names().join(", ")
        );
        refuse(problem, &remedy)
    })?;
    let images_folder = match root.parent() {
        Some(parent) if root.is_file() => parent,
        _ => &root,
    };
    let provenance = Provenance::read(images_folder)?;
    let origin = origin(&config, provenance.as_ref()).map_err(|problem| {
        refuse(
            problem,
            "remove `origin`, or the file dataset.toml if it is wrong",
        )
    })?;
    let command = provenance.as_ref().map(|drawn| drawn.command.clone());
    let unused_names = class_map::unused_names(&config, &listing.classes);
    let is_ignored = |class: usize| kinds[class].is_none();
    let mut ignored = BTreeMap::new();
    for class in listing
        .images
        .iter()
        .flat_map(|image| image.content.classes())
    {
        if is_ignored(class) {
            *ignored.entry(listing.classes[class].clone()).or_default() += 1;
        }
    }
    let mut listed = listing.images;
    listed
        .retain(|image| !matches!(image.content, ListedContent::Cell(class) if is_ignored(class)));
    let (mut images, unusable) = read_images(&root, listed, &kinds, origin)?;
    let scale = scale(&config, &images);
    for image in &mut images {
        image.um_per_pixel = image.um_per_pixel.or(scale.map(|scale| scale.um_per_pixel));
    }
    let groups = group_names(&config, format, images_folder, &images)?;
    for (image, group) in images.iter_mut().zip(groups) {
        image.group = group;
    }
    let source = CellSource {
        name: config.path,
        format,
        origin,
        weight: config.weight,
        licence: config.licence,
        command,
        citation: config
            .citation
            .or(provenance.map(|provenance| provenance.origin)),
        complete: config.complete,
        scale,
        ignored,
        unused_names,
        clipped: images.iter().map(|image| image.clipped).sum(),
        missing: listing.missing,
        unlisted: listing.unlisted,
        passed_over: listing.passed_over,
        unusable,
    };
    Ok((source, images))
}

/// Where the images come from; a program leaves a file beside those that it drew.
fn origin(config: &SourceConfig, provenance: Option<&Provenance>) -> Result<ImageOrigin, String> {
    match (config.origin, provenance) {
        (Some(ImageOrigin::Real), Some(provenance)) => Err(format!(
            "`origin` is real, but dataset.toml says: {}",
            provenance.origin
        )),
        (Some(origin), _) => Ok(origin),
        (None, Some(_)) => Ok(ImageOrigin::Drawn),
        (None, None) => Ok(ImageOrigin::Real),
    }
}

/// Reads and decodes every image of a source.
fn read_images(
    root: &Path,
    listed: Vec<ListedImage>,
    kinds: &[Option<CellKind>],
    origin: ImageOrigin,
) -> Result<(Vec<ReadImage>, Vec<Unusable>), TrainError> {
    const MAX_NAMED: usize = 10;

    let bar = progress::bar(listed.len() as u64, "images read");
    let outcomes: Vec<Outcome> = listed
        .into_par_iter()
        .progress_with(bar)
        .map(|image| read_image(image, kinds, origin))
        .collect();
    let (mut images, mut unusable, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Outcome::Read(image) => images.push(*image),
            Outcome::Unusable(file) => unusable.push(file),
            Outcome::Refused(problems) => refused.extend(problems),
        }
    }
    if refused.is_empty() {
        return Ok((images, unusable));
    }
    let count = refused.len();
    refused.truncate(MAX_NAMED);
    let more = match count - refused.len() {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Err(TrainError::data(
        root,
        format!(
            "{count} labels cannot be used:\n  {}{more}\n",
            refused.join("\n  ")
        ),
        "correct or remove them",
    ))
}

fn read_image(image: ListedImage, kinds: &[Option<CellKind>], origin: ImageOrigin) -> Outcome {
    let limits = Limits::default();
    let decoded = decode::read_bytes(&image.path, &limits)
        .and_then(|bytes| decode::decode(&bytes, &limits).map(|picture| (bytes, picture)));
    let (bytes, picture) = match decoded {
        Ok(decoded) => decoded,
        Err(error) => {
            return Outcome::Unusable(Unusable {
                path: image.path,
                problem: problem(error),
            });
        }
    };
    let size = picture.dimensions();
    let labels = match Labels::of(&image, size, kinds) {
        Ok(labels) => labels,
        Err(problems) => return Outcome::Refused(problems),
    };
    let is_real_field =
        origin == ImageOrigin::Real && matches!(labels.content, ImageContent::Field(_));
    Outcome::Read(Box::new(ReadImage {
        sha256: sha256(&bytes),
        size,
        capture: Capture::of(&bytes),
        fingerprint: Fingerprint::of(&picture),
        thumbnail: is_real_field.then(|| Thumbnail::of(&picture)),
        group: image.group,
        um_per_pixel: image.um_per_pixel,
        content: labels.content,
        clipped: labels.clipped,
        path: image.path,
    }))
}

/// The labels of an image whose size is known.
struct Labels {
    content: ImageContent,
    clipped: usize,
}

impl Labels {
    /// Returns all problems if some label is wrong.
    fn of(
        image: &ListedImage,
        size: (u32, u32),
        kinds: &[Option<CellKind>],
    ) -> Result<Self, Vec<String>> {
        let listed_in = image.listed_in.display();
        let mut problems = Vec::new();
        if let Some(listed) = image.size.filter(|listed| *listed != size) {
            problems.push(format!(
                "{listed_in}: {} has {} × {} pixels, not {} × {}",
                image.path.display(),
                size.0,
                size.1,
                listed.0,
                listed.1
            ));
        }
        if let Err(problem) = check_scale(image.um_per_pixel) {
            problems.push(format!("{listed_in}: {}: {problem}", image.path.display()));
        }
        let (mut cells, mut clipped) = (Vec::new(), 0);
        let marks = match &image.content {
            ListedContent::Field(marks) => &marks[..],
            ListedContent::Cell(_) => &[],
        };
        for mark in marks {
            let Some(kind) = kinds[mark.class] else {
                continue;
            };
            match mark.shape.place(size) {
                Ok(Placed {
                    centre,
                    extent,
                    is_clipped,
                }) => {
                    clipped += usize::from(is_clipped);
                    cells.push(LabelledCell {
                        kind,
                        centre,
                        extent,
                    });
                }
                Err(problem) => problems.push(format!("{listed_in}, {}: {problem}", mark.place)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let single = match image.content {
            ListedContent::Cell(class) => kinds[class],
            ListedContent::Field(_) => None,
        };
        Ok(Self {
            content: single.map_or(ImageContent::Field(cells), ImageContent::Cell),
            clipped,
        })
    }
}

/// The scale of the images that state none.
fn scale(config: &SourceConfig, images: &[ReadImage]) -> Option<Scale> {
    let mut without = images
        .iter()
        .filter(|image| image.um_per_pixel.is_none())
        .peekable();
    without.peek()?;
    if let Some(um_per_pixel) = config.um_per_pixel {
        return Some(Scale {
            um_per_pixel,
            basis: ScaleBasis::Stated,
        });
    }
    let mut ruler = Ruler::default();
    for image in without {
        if let ImageContent::Field(cells) = &image.content {
            measure_red_cells(&mut ruler, cells, image.size);
        }
    }
    ruler.scale()
}

/// The scale of a field in µm per pixel by the boxes of its own red cells; `None` if there are too few.
pub(crate) fn scale_of_field(cells: &[LabelledCell], image: (u32, u32)) -> Option<f32> {
    let mut ruler = Ruler::default();
    measure_red_cells(&mut ruler, cells, image);
    ruler.scale().map(|scale| scale.um_per_pixel)
}

fn measure_red_cells(ruler: &mut Ruler, cells: &[LabelledCell], image: (u32, u32)) {
    let is_red = |cell: &&LabelledCell| cell.kind == CellKind::Erythrocyte;
    for cell in cells.iter().filter(is_red) {
        if let Some(extent) = cell.extent {
            ruler.measure(cell.centre, extent, image);
        }
    }
}

/// The name of the group of each image within its source.
fn group_names(
    config: &SourceConfig,
    format: Format,
    root: &Path,
    images: &[ReadImage],
) -> Result<Vec<Option<String>>, TrainError> {
    let default = match format {
        Format::AllIdb1 => GroupBy::Session,
        _ if images.iter().any(|image| image.group.is_some()) => GroupBy::Listed,
        _ => GroupBy::None,
    };
    let all = |key: &dyn Fn(&ReadImage) -> Option<String>, what: &str| {
        let key_of = |image: &ReadImage| {
            key(image).map(Some).ok_or_else(|| {
                TrainError::data(&image.path, format!("it has no {what}"), "correct `group`")
            })
        };
        images.iter().map(key_of).collect()
    };
    match config.group.as_ref().unwrap_or(&default) {
        GroupBy::None => Ok(vec![None; images.len()]),
        GroupBy::Listed => all(&|image| image.group.clone(), "slide, patient or subject"),
        GroupBy::Folder => all(
            &|image| {
                let folder = image.path.parent()?;
                Some(
                    folder
                        .strip_prefix(root)
                        .unwrap_or(folder)
                        .display()
                        .to_string(),
                )
            },
            "folder",
        ),
        GroupBy::Before(text) => all(
            &|image| {
                let name = image.path.file_name()?.to_str()?;
                name.split_once(text.as_str())
                    .map(|(before, _)| before.to_owned())
            },
            &format!("`{text}` in its name"),
        ),
        GroupBy::Session => {
            let shots = images.iter().map(|image| (&*image.path, &image.capture));
            Ok(capture_sessions(shots)?.into_iter().map(Some).collect())
        }
    }
}

/// Copies among the images with these indices.
fn duplicates(read: &[(usize, ReadImage)], among: &[usize]) -> Duplicates {
    let compared: Vec<(&str, &Fingerprint)> = among
        .iter()
        .map(|index| (&*read[*index].1.sha256, &read[*index].1.fingerprint))
        .collect();
    let Duplicates { exact, near } = Duplicates::of(&compared);
    let [exact, near] = [exact, near].map(|pairs| {
        pairs
            .into_iter()
            .map(|(one, other)| (among[one], among[other]))
            .collect()
    });
    Duplicates { exact, near }
}

/// Fields among these indices that share a part and are no copies. Takes their thumbnails.
fn overlaps(
    read: &mut [(usize, ReadImage)],
    among: &[usize],
    duplicates: &Duplicates,
) -> Vec<Overlap> {
    let (fields, thumbnails): (Vec<usize>, Vec<Thumbnail>) = among
        .iter()
        .filter_map(|index| Some((*index, read[*index].1.thumbnail.take()?)))
        .unzip();
    let copies: BTreeSet<(usize, usize)> = duplicates.all().collect();
    find_overlaps(&thumbnails)
        .into_iter()
        .map(
            |Overlap {
                 images: (one, other),
                 share,
             }| Overlap {
                images: (fields[one], fields[other]),
                share,
            },
        )
        .filter(|overlap| !copies.contains(&overlap.images))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use smearscope_artifacts::testing::micrographs_in;

    use super::*;
    use crate::synth::example_field;

    /// A folder with this file of data sets, texts and drawn fields of 160 × 120 pixels.
    fn folder(datasets: &str, texts: &[(&str, &str)], fields: &[(&str, u64)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let create = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        fs::write(create("datasets.toml"), datasets).unwrap();
        for (path, text) in texts {
            fs::write(create(path), text).unwrap();
        }
        for (path, number) in fields {
            example_field(*number, 160, 120).save(create(path)).unwrap();
        }
        root
    }

    fn read(root: &tempfile::TempDir) -> Result<CellCollection, String> {
        CellCollection::read(&root.path().join("datasets.toml")).map_err(|error| error.to_string())
    }

    const TABLE: &str = "image,slide,class,x,y,width,height\n\
        a.png,S1,RBC,20,20,36,36\na.png,S1,RBC,80,20,36,36\na.png,S1,RBC,40,70,36,36\n\
        a.png,S1,WBC,90,60,80,50\nb.png,S1,RBC,20,20,36,36\nb.png,S1,RBC,80,20,36,36\n\
        b.png,S1,RBC,0,50,99,99\nb.png,S1,dirt,5,5,9,9\nc.png,S2,,,,,\n";
    const MAP: &str = "classes = { WBC = 'leukocyte', RBC = 'erythrocyte' }\nignore = ['dirt']\n";

    #[test]
    fn sources_are_read_with_scale_groups_and_losses() {
        let datasets = format!(
            "[[source]]\npath = 'fields'\ncomplete = ['leukocyte']\n{MAP}\
             [[source]]\npath = 'cells'\num_per_pixel = 0.25\nweight = 3\norigin = 'drawn'\n"
        );
        let fields = [
            ("fields/a.png", 1),
            ("fields/b.png", 2),
            ("fields/c.png", 3),
            ("fields/d.png", 5),
            ("cells/monocyte/p1/1.png", 4),
            ("cells/monocyte/p2/2.png", 3),
        ];
        let texts = [
            (
                "fields/boxes.csv",
                &*format!("{TABLE}gone.png,,WBC,1,1,9,9\n"),
            ),
            ("fields/LICENSE", ""),
            ("cells/monocyte/p1/3.png", "no image"),
        ];
        let root = folder(&datasets, &texts, &fields);
        let collection = read(&root).unwrap();
        let [fields, cells] = &collection.sources[..] else {
            panic!("{collection:?}");
        };
        assert_eq!(
            (fields.format, cells.format),
            (Format::Csv, Format::Folders)
        );
        // 7.2 µm on 36 pixels; the box at the frame does not count.
        let scale = fields.scale.unwrap();
        assert!((scale.um_per_pixel - 0.2).abs() < 1e-6, "{scale:?}");
        assert!(
            matches!(scale.basis, ScaleBasis::RedCells { cells: 5, .. }),
            "{scale:?}"
        );
        assert_eq!(fields.ignored, BTreeMap::from([("dirt".into(), 1)]));
        assert_eq!((fields.clipped, fields.passed_over), (2, 1));
        assert!(
            fields.missing[0].starts_with("gone.png"),
            "{:?}",
            fields.missing
        );
        assert!(fields.unlisted.len() == 1 && fields.unlisted[0].ends_with("d.png"));
        assert_eq!(
            (cells.origin, cells.unusable.len()),
            (ImageOrigin::Drawn, 1)
        );

        let images: Vec<(&str, usize, usize, Option<f32>)> = collection
            .images
            .iter()
            .map(|image| {
                let name = image.path.file_name().unwrap().to_str().unwrap();
                (name, image.group, image.kinds().count(), image.um_per_pixel)
            })
            .collect();
        let [field, cell] = [Some(scale.um_per_pixel), Some(0.25)];
        assert_eq!(
            images,
            [
                ("a.png", 0, 4, field),
                ("b.png", 0, 3, field),
                ("c.png", 1, 0, field),
                ("1.png", 2, 1, cell),
                // The same picture as c.png, but drawn ones are not compared.
                ("2.png", 3, 1, cell),
            ]
        );
        assert_eq!(collection.group_names[2], "cells: p1");
        let ImageContent::Field(marks) = &collection.images[0].content else {
            panic!("{collection:?}");
        };
        let clipped = LabelledCell {
            kind: CellKind::Leukocyte,
            centre: [125.0, 85.0],
            extent: Some([70.0, 50.0]),
        };
        assert_eq!(marks[3], clipped);
        let losses = collection.refuse_losses().unwrap_err().to_string();
        assert!(
            losses.contains("do not exist: 1, files that cannot be used: 1"),
            "{losses}"
        );
    }

    #[test]
    fn copies_join_groups_across_sources() {
        let datasets = format!("[[source]]\npath = 'a'\n{MAP}[[source]]\npath = 'b'\n{MAP}");
        let root = folder(
            &datasets,
            &[("a/t.csv", TABLE), ("b/t.csv", TABLE)],
            &[
                ("a/a.png", 1),
                ("a/b.png", 2),
                ("a/c.png", 3),
                ("b/a.png", 5),
                ("b/b.png", 6),
            ],
        );
        let turned = image::imageops::rotate180(&example_field(1, 160, 120));
        turned.save(root.path().join("b/c.png")).unwrap();
        let collection = read(&root).unwrap();
        let groups: Vec<usize> = collection.images.iter().map(|image| image.group).collect();
        assert_eq!(groups, [0, 0, 1, 2, 2, 0]);
        assert_eq!(collection.group_names, ["a: S1 + b: S2", "a: S2", "b: S1"]);
        assert_eq!(collection.duplicates.near, [(0, 5)]);
        assert_eq!(collection.contradictions().count(), 0);
    }

    #[test]
    fn single_cells_of_two_kinds_that_are_copies_contradict_each_other() {
        let root = folder(
            "[[source]]\npath = 'cells'\n",
            &[],
            &[("cells/monocyte/1.png", 1), ("cells/neutrophil/1.png", 1)],
        );
        assert_eq!(read(&root).unwrap().contradictions().count(), 1);
    }

    #[test]
    fn groups_follow_names_and_folders() {
        let images = [("x/m_1.png", 1), ("x/n_2.png", 2), ("x/sub/m_3.png", 3)];
        let table =
            "image,class,x,y\nm_1.png,platelet,5,5\nn_2.png,platelet,5,5\nm_3.png,platelet,5,5\n";
        let groups = |group: &str| -> Result<Vec<usize>, String> {
            let datasets = format!("[[source]]\npath = 'x/t.csv'\n{group}\n");
            let collection = read(&folder(&datasets, &[("x/t.csv", table)], &images))?;
            Ok(collection.images.iter().map(|image| image.group).collect())
        };
        assert_eq!(groups(""), Ok(vec![0, 1, 2]));
        assert_eq!(groups("group = { before = '_' }"), Ok(vec![0, 1, 0]));
        assert_eq!(groups("group = 'folder'"), Ok(vec![0, 0, 1]));
        for (group, word) in [
            ("group = { before = '__' }", "no `__` in its name"),
            ("group = 'listed'", "no slide, patient or subject"),
            ("group = 'session'", "EXIF"),
        ] {
            let problem = groups(group).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }

    #[test]
    fn a_scale_is_stated_by_image_before_source_and_red_cells() {
        let table = "image,class,x,y,um_per_pixel\na.png,platelet,5,5,0.07\nb.png,platelet,5,5,\n";
        let scales = |stated: &str, table: &str| -> Result<Vec<Option<f32>>, String> {
            let datasets = format!("[[source]]\npath = 'x'\n{stated}\n");
            let images = [("x/a.png", 1), ("x/b.png", 2)];
            let collection = read(&folder(&datasets, &[("x/t.csv", table)], &images))?;
            Ok(collection
                .images
                .iter()
                .map(|image| image.um_per_pixel)
                .collect())
        };
        assert_eq!(
            scales("um_per_pixel = 0.1", table),
            Ok(vec![Some(0.07), Some(0.1)])
        );
        assert_eq!(scales("", table), Ok(vec![Some(0.07), None]));
        let problem = scales("", &table.replace("0.07", "NaN")).unwrap_err();
        assert!(
            problem.contains("t.csv: ") && problem.contains("um_per_pixel is NaN"),
            "{problem}"
        );
    }

    #[test]
    fn labels_that_cannot_be_used_are_named_with_file_line_and_value() {
        let coco = r#"{"images": [{"id": 1, "file_name": "a.png", "width": 120, "height": 160}],
            "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [200, 0, 10, 10]}],
            "categories": [{"id": 1, "name": "monocyte"}]}"#;
        for (list, datasets, words) in [
            (
                (
                    "x/t.csv",
                    "image,class,x,y\na.png,platelet,5,nan\na.png,platelet,500,5\n",
                ),
                "",
                &["2 labels", "t.csv, line 2", "line 3", "(500, 5)"][..],
            ),
            (
                ("x/c.json", coco),
                "",
                &["c.json, annotation 5", "160 × 120 pixels, not 120 × 160"],
            ),
            (
                ("x/t.csv", "image,class,x,y\na.png,WBC,5,5\n"),
                "",
                &["`WBC`", "classes = { WBC", "lymphoblast, lymphocyte"],
            ),
            (
                ("x/platelet/1.png", ""),
                "complete = ['platelet']\nformat = 'folders'",
                &["single cells"],
            ),
            (
                ("x/t.csv", "image,class,x,y\n"),
                "format = 'voc'\nwight = 2",
                &["line 4", "`weight`"],
            ),
            (
                ("x/dataset.toml", "origin = 'Drawn.'\ncommand = 'synth'"),
                "origin = 'real'\nformat = 'yolo'",
                &["dataset.toml says: Drawn."],
            ),
        ] {
            let datasets = format!("[[source]]\npath = 'x'\n{datasets}\n");
            let problem = read(&folder(&datasets, &[list], &[("x/a.png", 1)])).unwrap_err();
            for word in words {
                assert!(problem.contains(word), "{word}: {problem}");
            }
        }
    }

    #[test]
    fn drawn_collections_say_so_themselves() {
        let root = folder(
            "[[source]]\npath = 'x'\n",
            &[(
                "x/dataset.toml",
                "origin = 'Drawn cells'\ncommand = 'synth'",
            )],
            &[("x/monocyte/1.png", 1)],
        );
        let source = &read(&root).unwrap().sources[0];
        assert_eq!(source.origin, ImageOrigin::Drawn);
        assert_eq!(source.citation.as_deref(), Some("Drawn cells"));
    }

    #[test]
    fn the_example_lists_real_collections() {
        // Fields, leukocytes and red cells, counted in the lists.
        let expected = [
            ("cu-wbc", [132, 135, 0]),
            ("txl-pbc/bccd", [150, 158, 3505]),
            ("txl-pbc/bcd", [150, 165, 3131]),
            ("txl-pbc/pbc", [150, 160, 2441]),
            ("chula-rbc", [52, 0, 1903]),
        ];
        let sources = example();
        assert_eq!(sources.len(), expected.len());
        for (config, (path, expected)) in sources.into_iter().zip(expected) {
            assert_eq!(config.path, Path::new(path));
            let Some(folder) = micrographs_in(path) else {
                continue;
            };
            let (format, listing) = Format::list(&folder, config.format).unwrap();
            let kinds = class_map::kinds(&config, format, &listing.classes).unwrap();
            let mut counts = [listing.images.len(), 0, 0];
            for image in &listing.images {
                // Some are PNGs by their contents.
                let reader = image::ImageReader::open(&image.path).unwrap();
                let reader = reader.with_guessed_format().unwrap();
                let size = reader.into_dimensions().unwrap();
                let Labels { content, clipped } = Labels::of(image, size, &kinds).unwrap();
                assert_eq!(clipped, 0, "{image:?}");
                let ImageContent::Field(cells) = content else {
                    panic!("{image:?}");
                };
                let count = |is_wanted: fn(CellKind) -> bool| {
                    cells.iter().filter(|cell| is_wanted(cell.kind)).count()
                };
                counts[1] += count(CellKind::is_leukocyte);
                counts[2] += count(|kind| kind == CellKind::Erythrocyte);
            }
            assert_eq!(counts, expected, "{path}");
            assert!(
                listing.missing.is_empty() && listing.unlisted.is_empty(),
                "{listing:?}"
            );
        }
    }

    #[test]
    fn red_cells_are_the_ruler_of_a_real_collection() {
        let Some(folder) = micrographs_in("txl-pbc/pbc") else {
            return;
        };
        let config = example()
            .into_iter()
            .find(|config| config.path.ends_with("pbc"))
            .unwrap();
        let root = folder.ancestors().nth(2).unwrap();
        let (source, images) = read_source(config, root).unwrap();
        assert_eq!((images.len(), source.unusable.len()), (150, 0));
        // 7.2 µm by numpy's median of the boxes more than a pixel from the frame, 997 of them; half a pixel more of
        // distance leaves a few out.
        let scale = source.scale.unwrap();
        assert!(
            (scale.um_per_pixel / 0.091_168 - 1.0).abs() < 0.005,
            "{scale:?}"
        );
    }

    fn example() -> Vec<SourceConfig> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/datasets.toml");
        DatasetsFile::read(&path).unwrap().sources
    }
}
