//! How datasets are stored: the class and the subject of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use smearscope_artifacts::all_idb_label;

use super::classes::{self, Classes};
use super::files::{
    self, ARCHIVE_FOLDER, has_extension, is_hidden, is_named_like_an_image, name, stem, walk,
};
use super::provenance::Provenance;
use super::{centroids, table};
use crate::arguments;
use crate::error::TrainError;

/// A known way of storing labelled images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Layout {
    /// A folder per class; folders inside a class are subjects
    Folder,
    /// A CSV file with the columns path, label and, optionally, group
    Csv,
    /// ALL-IDB1: `ImNNN_0.jpg` healthy, `ImNNN_1.jpg` leukemia, perhaps `.xyc` centroids
    AllIdb1,
    /// ALL-IDB2: single cells `ImNNN_0.tif` and `ImNNN_1.tif`
    AllIdb2,
    /// C-NMC 2019: folders `all` and `hem`, files `UID_SUBJECT_IMAGE_CELL_all.bmp`
    CNmc,
}

/// Where a dataset is, and its layout.
#[derive(Debug, Clone, PartialEq, Args)]
pub(crate) struct Source {
    /// Folder of the images, or the CSV file that lists them
    #[arg(long = "data", value_name = "PATH")]
    pub(crate) root: PathBuf,
    /// How the images are stored there
    #[arg(
        long = "dataset",
        value_enum,
        default_value_t = Layout::Folder,
        value_name = "LAYOUT",
        requires = "root"
    )]
    pub(crate) layout: Layout,
    /// Positive classes, for the layouts folder and csv; all others are negative, unless --negative
    /// names them
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "positive",
        value_name = "NAME[,NAME]",
        requires = "root"
    )]
    pub(crate) positive: Vec<String>,
    /// Negative classes, for the layouts folder and csv: a class that neither option names is an error
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME[,NAME]",
        requires = "root"
    )]
    pub(crate) negative: Vec<String>,
    /// Leave out files that cannot be used, and count them, instead of ending
    #[arg(long, requires = "root")]
    pub(crate) skip_unusable: bool,
    /// Use this many images at most, spread evenly over the dataset
    #[arg(long, value_name = "COUNT", requires = "root")]
    pub(crate) limit: Option<NonZeroUsize>,
}

/// A file with what its path says about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    pub(crate) path: PathBuf,
    pub(crate) class: String,
    pub(crate) positive: bool,
    /// Patient, animal or slide; no subject may be both trained and tested on.
    pub(crate) subject: Option<String>,
    /// Centroids of blasts, if they are marked.
    pub(crate) centroids: Option<Vec<[u32; 2]>>,
}

/// All files of a dataset, sorted by path.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) negative: String,
    pub(crate) positive: String,
    pub(crate) classes: Classes,
    pub(crate) files: Vec<Listed>,
    /// Images whose place or name does not fit the layout.
    pub(crate) ignored: Vec<PathBuf>,
    /// Files that are no images, by their names.
    pub(crate) passed_over: Vec<PathBuf>,
    /// What may be wrong with the labels.
    pub(crate) warnings: Vec<String>,
    pub(crate) provenance: Option<Provenance>,
}

/// Files of a dataset that are not listed.
#[derive(Debug, Default)]
struct Unlisted {
    /// Images whose place or name does not fit the layout.
    ignored: Vec<PathBuf>,
    /// Files that are no images, by their names.
    passed_over: Vec<PathBuf>,
}

impl Unlisted {
    /// The images among files; the others are passed over.
    fn images_among(&mut self, files: Vec<PathBuf>) -> Vec<PathBuf> {
        let (images, others): (Vec<PathBuf>, Vec<PathBuf>) = files
            .into_iter()
            .partition(|path| is_named_like_an_image(path));
        self.passed_over.extend(others);
        images
    }
}

impl Source {
    /// The command-line options that give this source, with its place as `data`.
    pub(crate) fn options(&self, data: &str) -> String {
        let mut options = format!(
            "--dataset {} --data {data}",
            arguments::spelled(&self.layout)
        );
        for (name, classes) in [
            ("positive", self.chosen_positives()),
            ("negative", &self.negative[..]),
        ] {
            if !classes.is_empty() {
                let classes = classes.join(",");
                // Writing to a String cannot fail.
                let _ = write!(options, " --{name} {}", arguments::quoted(&classes));
            }
        }
        if self.skip_unusable {
            options.push_str(" --skip-unusable");
        }
        if let Some(limit) = self.limit {
            let _ = write!(options, " --limit {limit}");
        }
        options
    }

    /// The dataset's name in reports.
    pub(crate) fn name(&self) -> String {
        let name = self.root.file_name().unwrap_or(self.root.as_os_str());
        format!("the collection {}", name.display())
    }

    /// Finds every file and its class without opening the images. Both sides must have images.
    pub(crate) fn list(&self) -> Result<Listing, TrainError> {
        let listing = self.list_any()?;
        if listing.classes.positive.is_empty() || listing.classes.negative.is_empty() {
            let names: Vec<&str> = listing.classes.names().collect();
            return Err(TrainError::data(
                &self.root,
                format!("there is only one class: {}", names.join(", ")),
                "add images of the other class",
            ));
        }
        Ok(listing)
    }

    /// Like [`Source::list`], where one side may have no images. Without positive images, --negative
    /// must name the classes, since --positive may be misspelt.
    pub(crate) fn list_any(&self) -> Result<Listing, TrainError> {
        let mut unlisted = Unlisted::default();
        let mut files = match self.layout {
            Layout::Folder => self.folders(&mut unlisted)?,
            Layout::Csv => self.table()?,
            Layout::AllIdb1 => self.all_idb(&["jpg", "jpeg"], &mut unlisted)?,
            Layout::AllIdb2 => self.all_idb(&["tif", "tiff"], &mut unlisted)?,
            Layout::CNmc => self.c_nmc(&mut unlisted)?,
        };
        files.sort_by(|a, b| a.path.cmp(&b.path));
        for path in files.iter().map(|file| &file.path).chain(&unlisted.ignored) {
            files::check_name(path, &self.root)?;
        }
        if let Some(twice) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(TrainError::data(
                &self.root,
                format!("{} is listed twice", twice[0].path.display()),
                "list each file once",
            ));
        }
        let classes = Classes::count(
            files
                .iter()
                .map(|file| (file.class.as_str(), file.positive)),
        );
        let (positive, negative) = self.sides(&classes)?;
        self.refuse_common_subject(&files)?;
        if let Some(limit) = self.limit {
            files = spread(files, limit.get());
        }
        Ok(Listing {
            negative,
            positive,
            warnings: self.label_warnings(&classes),
            classes: Classes::count(
                files
                    .iter()
                    .map(|file| (file.class.as_str(), file.positive)),
            ),
            files,
            ignored: unlisted.ignored,
            passed_over: unlisted.passed_over,
            provenance: match self.layout {
                Layout::Folder => Provenance::read(&self.root)?,
                _ => None,
            },
        })
    }

    /// The names of the positive and the negative side. Refuses names that leave a class in doubt.
    fn sides(&self, classes: &Classes) -> Result<(String, String), TrainError> {
        let refuse =
            |problem: String, remedy: &str| Err(TrainError::data(&self.root, problem, remedy));
        let listed = || classes.names().collect::<Vec<_>>().join(", ");
        if let Some([one, other]) = classes.alike() {
            return refuse(
                format!("classes `{one}` and `{other}` differ in upper and lower case only"),
                "give them one name",
            );
        }
        let has = |wanted: &str| classes.names().any(|name| name == wanted);
        let chosen = self.chosen_positives();
        for wanted in chosen {
            if !has(wanted) && self.negative.is_empty() {
                return refuse(
                    format!("there is no class `{wanted}`, only: {}", listed()),
                    "name the positive classes with --positive, or, where there are none, the negative \
                     ones with --negative",
                );
            }
        }
        for wanted in &self.negative {
            if !has(wanted) || chosen.contains(wanted) {
                let problem = if has(wanted) {
                    format!("class `{wanted}` is in both --positive and --negative")
                } else {
                    format!("there is no class `{wanted}`, only: {}", listed())
                };
                return refuse(problem, "name the negative classes with --negative");
            }
        }
        if !self.negative.is_empty()
            && let Some((name, count)) = classes
                .negative
                .iter()
                .find(|(name, _)| !self.negative.contains(name))
        {
            return refuse(
                format!(
                    "class `{name}`, with {count} images, is in neither --positive nor --negative"
                ),
                "name it in one of them",
            );
        }
        Ok((classes.side(true), classes.side(false)))
    }

    /// A warning if several classes are negative only because they are not named.
    fn label_warnings(&self, classes: &Classes) -> Vec<String> {
        let is_doubtful = !self.chosen_positives().is_empty()
            && self.negative.is_empty()
            && classes.negative.len() > 1;
        let warning = || {
            format!(
                "The classes that --positive does not name count as negative: {}. If that is meant, \
                 name them with --negative.",
                classes::named(classes.negative.keys())
            )
        };
        is_doubtful.then(warning).into_iter().collect()
    }

    /// Refuses a folder such as `positive/images` and `negative/images`, which names no patient.
    fn refuse_common_subject(&self, files: &[Listed]) -> Result<(), TrainError> {
        let subjects: BTreeSet<Option<&str>> =
            files.iter().map(|file| file.subject.as_deref()).collect();
        match subjects.first() {
            Some(Some(subject)) if subjects.len() == 1 && self.layout == Layout::Folder => {
                Err(TrainError::data(
                    &self.root,
                    format!("one subject, `{subject}`, has all images of both classes"),
                    "a folder in a class folder is a patient: move the images up into their class \
                     folders, or give each patient a folder",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The value of `--positive`, for layouts without fixed classes.
    fn chosen_positives(&self) -> &[String] {
        match self.layout {
            Layout::Folder | Layout::Csv => &self.positive,
            Layout::AllIdb1 | Layout::AllIdb2 | Layout::CNmc => &[],
        }
    }

    fn folders(&self, unlisted: &mut Unlisted) -> Result<Vec<Listed>, TrainError> {
        let mut entries: Vec<PathBuf> = fs::read_dir(&self.root)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|error| TrainError::unreadable(&self.root, &error))?;
        entries.retain(|path| !is_hidden(path) && name(path) != Provenance::FILE_NAME);
        entries.sort();
        let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
            entries.into_iter().partition(|path| path.is_dir());
        // No class has images beside its folder.
        let images = unlisted.images_among(files);
        unlisted.ignored.extend(images);
        let (of_archives, classes): (Vec<PathBuf>, Vec<PathBuf>) = folders
            .into_iter()
            .partition(|path| name(path) == ARCHIVE_FOLDER);
        unlisted.passed_over.extend(of_archives);
        if classes.is_empty() {
            return Err(TrainError::data(
                &self.root,
                "it holds no class folders",
                "give a folder with one folder of images per class",
            ));
        }
        if classes
            .iter()
            .all(|path| PARTS.contains(&name(path).to_lowercase().as_str()))
        {
            let names: Vec<String> = classes.iter().map(|path| name(path)).collect();
            return Err(TrainError::data(
                &self.root,
                format!(
                    "its folders are parts of a split, not classes: {}",
                    names.join(", ")
                ),
                "give one of them with --data, or put the images of each class into one folder; \
                 smearscope-train splits by patients itself",
            ));
        }
        let mut files = Vec::new();
        for folder in classes {
            let class = name(&folder);
            let paths = unlisted.images_among(walk(&folder)?);
            if paths.is_empty() {
                return Err(TrainError::data(
                    &folder,
                    "this class folder has no images",
                    "add images or remove the folder",
                ));
            }
            files.extend(paths.into_iter().map(|path| Listed {
                positive: self.positive.contains(&class),
                class: class.clone(),
                subject: subject(&path, &folder),
                centroids: None,
                path,
            }));
        }
        Ok(files)
    }

    fn table(&self) -> Result<Vec<Listed>, TrainError> {
        let remedy = "give a CSV file whose first line is path,label,group";
        let bytes =
            fs::read(&self.root).map_err(|error| TrainError::unreadable(&self.root, &error))?;
        let rows =
            table::read(&bytes).map_err(|problem| TrainError::data(&self.root, problem, remedy))?;
        let folder = self.root.parent().unwrap_or(Path::new(""));
        let listed = rows.into_iter().map(|row| Listed {
            path: in_folder(folder, &row.path),
            positive: self.positive.contains(&row.label),
            class: row.label,
            subject: row.group.filter(|group| !group.is_empty()),
            centroids: None,
        });
        Ok(listed.collect())
    }

    fn all_idb(
        &self,
        extensions: &[&str],
        unlisted: &mut Unlisted,
    ) -> Result<Vec<Listed>, TrainError> {
        let (marks, others): (Vec<PathBuf>, Vec<PathBuf>) = walk(&self.root)?
            .into_iter()
            .partition(|path| has_extension(path, "xyc"));
        let mut centroids = BTreeMap::new();
        for path in &marks {
            centroids.insert(stem(path), read_centroids(path)?);
        }
        let mut files = Vec::new();
        for path in unlisted.images_among(others) {
            match all_idb_label(&path)
                .filter(|_| extensions.iter().any(|known| has_extension(&path, known)))
            {
                Some(positive) => files.push(Listed {
                    class: if positive { "leukemia" } else { "healthy" }.into(),
                    positive,
                    subject: None,
                    centroids: centroids.remove(&stem(&path)),
                    path,
                }),
                None => unlisted.ignored.push(path),
            }
        }
        self.require_some(
            files,
            &format!("ImNNN_0.{0} and ImNNN_1.{0}", extensions[0]),
        )
    }

    fn c_nmc(&self, unlisted: &mut Unlisted) -> Result<Vec<Listed>, TrainError> {
        let mut files = Vec::new();
        for path in unlisted.images_among(walk(&self.root)?) {
            let folder = path.parent().map(name).unwrap_or_default();
            match c_nmc_subject(&stem(&path), &folder) {
                Some(subject) => files.push(Listed {
                    positive: folder == "all",
                    class: folder,
                    subject: Some(subject),
                    centroids: None,
                    path,
                }),
                None => unlisted.ignored.push(path),
            }
        }
        self.require_some(
            files,
            "all/UID_SUBJECT_IMAGE_CELL_all.bmp and hem/UID_SUBJECT_IMAGE_CELL_hem.bmp",
        )
    }

    fn require_some(&self, files: Vec<Listed>, pattern: &str) -> Result<Vec<Listed>, TrainError> {
        if files.is_empty() {
            return Err(TrainError::data(
                &self.root,
                format!("it holds no file named like {pattern}"),
                "give the folder as it was unpacked, or choose another --dataset",
            ));
        }
        Ok(files)
    }
}

/// The first folder between a class folder and a file in it: folders within a subject, such as its
/// slides, do not part it.
fn subject(path: &Path, class: &Path) -> Option<String> {
    let below = path.parent()?.strip_prefix(class).ok()?;
    let first = below.components().next()?;
    Some(first.as_os_str().to_string_lossy().into_owned())
}

/// Names of the parts of a split, as other tools lay them out.
const PARTS: [&str; 7] = [
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "test",
    "testing",
];
/// At most `count` files, at even distances.
fn spread(files: Vec<Listed>, count: usize) -> Vec<Listed> {
    let total = files.len();
    let kept = |index: usize| (index + 1) * count / total > index * count / total;
    files
        .into_iter()
        .enumerate()
        .filter(|(index, _)| count >= total || kept(*index))
        .map(|(_, file)| file)
        .collect()
}

/// The file that a table names: a table written on Windows has backslashes in its paths.
fn in_folder(folder: &Path, path: &str) -> PathBuf {
    let as_written = folder.join(path);
    if path.contains('\\') && !as_written.exists() {
        return folder.join(path.replace('\\', "/"));
    }
    as_written
}

/// The subject in a C-NMC name: `UID_11_24_7_all`, for healthy subjects `UID_H11_24_7_hem`.
fn c_nmc_subject(stem: &str, folder: &str) -> Option<String> {
    let parts: Vec<&str> = stem.split('_').collect();
    match parts[..] {
        ["UID", subject, _, _, class]
            if class == folder && matches!(class, "all" | "hem") && !subject.is_empty() =>
        {
            Some(subject.to_owned())
        }
        _ => None,
    }
}

fn read_centroids(path: &Path) -> Result<Vec<[u32; 2]>, TrainError> {
    let text = fs::read_to_string(path).map_err(|error| TrainError::unreadable(path, &error))?;
    centroids::parse(&text).ok_or_else(|| {
        TrainError::data(
            path,
            "each line must hold two whole numbers",
            "restore the original file or remove it",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(layout: Layout, root: &Path) -> Source {
        Source {
            layout,
            root: root.into(),
            positive: vec!["positive".into()],
            negative: Vec::new(),
            skip_unusable: false,
            limit: None,
        }
    }

    /// Empty files, since listing does not open images.
    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn failure(source: &Source) -> String {
        source.list().unwrap_err().to_string()
    }

    /// The files' names, sorted.
    fn names(paths: &[PathBuf]) -> Vec<String> {
        let mut names: Vec<String> = paths.iter().map(|path| name(path)).collect();
        names.sort();
        names
    }

    /// Name, class side and subject of every file.
    fn rows(listing: &Listing) -> Vec<(String, bool, Option<&str>)> {
        let files = listing.files.iter();
        files
            .map(|file| (name(&file.path), file.positive, file.subject.as_deref()))
            .collect()
    }

    #[test]
    fn folders_are_classes_and_folders_in_them_subjects() {
        let root = tree(&[
            "b-all/p1/x.png",
            "healthy/p2/a.jpg",
            "c-all/p1/y.png",
            ".git/x",
        ]);
        let listing = Source {
            positive: vec!["b-all".into(), "c-all".into()],
            ..source(Layout::Folder, root.path())
        }
        .list()
        .unwrap();
        assert_eq!(
            rows(&listing),
            [
                ("x.png".into(), true, Some("p1")),
                ("y.png".into(), true, Some("p1")),
                ("a.jpg".into(), false, Some("p2")),
            ]
        );
        assert_eq!(listing.positive, "positive", "two classes share a name");
        assert_eq!(listing.negative, "healthy");
    }

    #[test]
    fn bad_folders_are_refused_with_a_remedy() {
        let missing = failure(&source(Layout::Folder, Path::new("/nowhere/at/all")));
        assert!(missing.contains("/nowhere/at/all"), "{missing}");
        let none = tree(&[]);
        assert!(failure(&source(Layout::Folder, none.path())).contains("no class folders"));
        let one = tree(&["positive/a.png"]);
        assert!(failure(&source(Layout::Folder, one.path())).contains("only one class"));
        let other = tree(&["positiv/a.png", "b/b.png"]);
        let message = failure(&source(Layout::Folder, other.path()));
        assert!(
            message.contains("--positive") && message.contains("b, positiv"),
            "{message}"
        );
        let empty = tree(&["positive/a.png", "negative/.hidden"]);
        assert!(failure(&source(Layout::Folder, empty.path())).contains("no images"));
    }

    fn chosen(root: &Path, positive: &[&str], negative: &[&str]) -> Source {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Source {
            positive: owned(positive),
            negative: owned(negative),
            ..source(Layout::Folder, root)
        }
    }

    #[test]
    fn classes_that_are_not_named_are_told() {
        let root = tree(&[
            "Benign/1.png",
            "Benign/2.png",
            "Early/3.png",
            "Pre/4.png",
            "Pro/5.png",
        ]);
        let listing = chosen(root.path(), &["Early", "Pre"], &[]).list().unwrap();
        assert_eq!(
            listing.classes.to_string(),
            "positive: Early 1, Pre 1; negative: Benign 2, Pro 1"
        );
        assert!(
            listing.warnings.len() == 1 && listing.warnings[0].contains("Benign, Pro"),
            "{:?}",
            listing.warnings
        );
        let all = chosen(root.path(), &["Early", "Pre", "Pro"], &["Benign"]);
        assert_eq!(all.list().unwrap().warnings, [""; 0]);
        let forgotten = failure(&chosen(root.path(), &["Early", "Pre"], &["Benign"]));
        assert!(forgotten.contains("`Pro`, with 1 images"), "{forgotten}");
        let both = failure(&chosen(root.path(), &["Early"], &["Early", "Pre"]));
        assert!(both.contains("both --positive and --negative"), "{both}");
        let normals = tree(&["normal/1.png", "normal/2.png"]);
        let unnamed = failure(&chosen(normals.path(), &["blasts"], &[]));
        assert!(unnamed.contains("no class `blasts`"), "{unnamed}");
        let named = chosen(normals.path(), &["blasts"], &["normal"]);
        assert_eq!(
            named.list_any().unwrap().classes.to_string(),
            "positive: ; negative: normal 2"
        );
        assert!(failure(&named).contains("only one class"));
        let absent = failure(&chosen(root.path(), &["Early"], &["Healthy"]));
        assert!(absent.contains("no class `Healthy`"), "{absent}");
        let alike = tree(&["ALL/1.png", "All/2.png", "ok/3.png"]);
        let message = failure(&chosen(alike.path(), &["ALL"], &[]));
        assert!(
            message.contains("`ALL` and `All`") || message.contains("`All` and `ALL`"),
            "{message}"
        );
    }

    #[test]
    fn what_systems_put_into_folders_is_passed_over() {
        let root = tree(&[
            "positive/1.png",
            "positive/Thumbs.db",
            "positive/._1.png",
            "negative/2.jpg",
            "negative/desktop.ini",
            "negative/README",
            "__MACOSX/._x.jpg",
            "labels.csv",
            ".DS_Store",
        ]);
        let listing = source(Layout::Folder, root.path()).list().unwrap();
        assert_eq!(rows(&listing).len(), 2);
        assert_eq!(
            names(&listing.passed_over),
            [
                "README",
                "Thumbs.db",
                "__MACOSX",
                "desktop.ini",
                "labels.csv"
            ]
        );
        assert!(listing.ignored.is_empty(), "{:?}", listing.ignored);
    }

    #[test]
    fn images_outside_of_the_layout_are_not_dropped() {
        let root = tree(&[
            "positive/1.png",
            "negative/2.png",
            "3.jpg",
            "phone.heic",
            "labels.csv",
        ]);
        let listing = source(Layout::Folder, root.path()).list().unwrap();
        assert_eq!(names(&listing.ignored), ["3.jpg", "phone.heic"]);
        assert_eq!(names(&listing.passed_over), ["labels.csv"]);
        for (layout, listed) in [
            (Layout::AllIdb1, ["a/Im001_1.jpg", "Im002_0.jpg"]),
            (Layout::AllIdb2, ["a/Im001_1.tif", "Im002_0.tif"]),
            (
                Layout::CNmc,
                ["all/UID_1_1_1_all.bmp", "hem/UID_H1_1_1_hem.bmp"],
            ),
        ] {
            let root = tree(&[
                listed[0],
                listed[1],
                "Im003_0.heic",
                "a/UID_2_1_1_all.gif",
                "Im004_1.png",
                "notes.txt",
                "Thumbs.db",
                ".hidden.png",
            ]);
            let listing = source(layout, root.path()).list().unwrap();
            assert_eq!(listing.files.len(), 2, "{layout:?}");
            assert_eq!(
                names(&listing.ignored),
                ["Im003_0.heic", "Im004_1.png", "UID_2_1_1_all.gif"]
            );
            assert_eq!(names(&listing.passed_over), ["Thumbs.db", "notes.txt"]);
        }
    }

    #[test]
    fn options_give_the_same_source_again() {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            source: Source,
        }

        let source = Source {
            skip_unusable: true,
            limit: NonZeroUsize::new(30),
            ..chosen(Path::new("/data"), &["pre B", "pro-B"], &["it's normal"])
        };
        let spelled = source.options("/data");
        assert_eq!(
            spelled,
            "--dataset folder --data /data --positive 'pre B,pro-B' --negative \"it's normal\" \
             --skip-unusable --limit 30"
        );
        let words = shlex::split(&format!("command {spelled}")).unwrap();
        let parsed: Command = clap::Parser::try_parse_from(words).unwrap();
        assert_eq!(parsed.source, source);
        let of_all_idb = self::source(Layout::AllIdb2, Path::new("/data"));
        assert_eq!(of_all_idb.options("IT"), "--dataset all-idb2 --data IT");
    }

    #[test]
    fn folders_that_are_no_classes_and_no_patients_are_told() {
        let split = tree(&[
            "train/positive/1.png",
            "val/positive/2.png",
            "Test/negative/3.png",
        ]);
        let message = failure(&source(Layout::Folder, split.path()));
        assert!(message.contains("parts of a split"), "{message}");
        let packed = tree(&["positive/images/1.png", "negative/images/2.png"]);
        let message = failure(&source(Layout::Folder, packed.path()));
        assert!(
            message.contains("`images`") && message.contains("move the images up"),
            "{message}"
        );
        // The slides of a patient belong to the patient.
        let nested = tree(&[
            "positive/p0/slide0/1.png",
            "positive/p0/slide1/2.png",
            "negative/p1/3.png",
        ]);
        let listing = source(Layout::Folder, nested.path()).list().unwrap();
        let subjects: Vec<Option<&str>> = listing
            .files
            .iter()
            .map(|file| file.subject.as_deref())
            .collect();
        assert_eq!(subjects, [Some("p1"), Some("p0"), Some("p0")]);
    }

    #[test]
    fn names_that_no_report_can_hold_are_refused() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        for (bad, word) in [
            (&b"a\xff.png"[..], "not UTF-8"),
            (b"a\tb.png", "control character"),
        ] {
            let root = tree(&["positive/1.png", "negative/2.png"]);
            fs::write(
                root.path().join("positive").join(OsStr::from_bytes(bad)),
                "",
            )
            .unwrap();
            let message = failure(&source(Layout::Folder, root.path()));
            assert!(
                message.contains(word) && message.contains("rename it"),
                "{message}"
            );
        }
        let root = tree(&["positive/1.png", "negative/2.png", "beside\t.png"]);
        let message = failure(&source(Layout::Folder, root.path()));
        assert!(message.contains("control character"), "{message}");
    }

    #[test]
    fn a_limit_is_spread_over_the_dataset() {
        let root = tree(&[
            "negative/1.png",
            "negative/2.png",
            "negative/3.png",
            "negative/4.png",
            "positive/5.png",
            "positive/6.png",
        ]);
        let listing = Source {
            limit: NonZeroUsize::new(3),
            ..source(Layout::Folder, root.path())
        }
        .list()
        .unwrap();
        assert_eq!(
            listing.classes.to_string(),
            "positive: positive 1; negative: negative 2"
        );
    }

    #[test]
    fn a_table_names_files_beside_it() {
        let root = tree(&[]);
        let table = root.path().join("list.csv");
        fs::create_dir(root.path().join("b")).unwrap();
        fs::write(root.path().join("b/2.png"), "").unwrap();
        fs::write(
            &table,
            "path;label;group\nb\\2.png; positive ;p7\n1.png;normal;\n",
        )
        .unwrap();
        let listing = source(Layout::Csv, &table).list().unwrap();
        assert_eq!(
            rows(&listing),
            [
                ("1.png".into(), false, None),
                ("2.png".into(), true, Some("p7"))
            ]
        );
        assert_eq!(listing.files[0].path, root.path().join("1.png"));
    }

    #[test]
    fn bad_tables_name_the_line() {
        let root = tree(&[]);
        let table = root.path().join("list.csv");
        for (text, word) in [
            ("path,label\na.png,positive\na.png,normal\n", "listed twice"),
            ("path,label\na.png,normal\n", "no class `positive`"),
        ] {
            fs::write(&table, text).unwrap();
            let message = failure(&source(Layout::Csv, &table));
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn all_idb_names_carry_the_label() {
        let root = tree(&[
            "im/Im001_1.jpg",
            "im/IM034_0.JPEG",
            "im/Im2_2.jpg",
            "xyc/IM034_0.xyc",
        ]);
        fs::write(root.path().join("xyc/Im001_1.xyc"), "12 34\n\n1000\t7\n").unwrap();
        let listing = source(Layout::AllIdb1, root.path()).list().unwrap();
        assert_eq!(
            rows(&listing),
            [
                ("IM034_0.JPEG".into(), false, None),
                ("Im001_1.jpg".into(), true, None)
            ]
        );
        assert_eq!(listing.files[0].centroids, Some(vec![]));
        assert_eq!(listing.files[1].centroids, Some(vec![[12, 34], [1000, 7]]));
        assert_eq!(listing.ignored, [root.path().join("im/Im2_2.jpg")]);

        fs::write(root.path().join("xyc/Im001_1.xyc"), "12 34 5\n").unwrap();
        assert!(failure(&source(Layout::AllIdb1, root.path())).contains("Im001_1.xyc"));
        let message = failure(&source(Layout::AllIdb2, root.path()));
        assert!(message.contains("two whole numbers"), "{message}");
    }

    #[test]
    fn c_nmc_names_carry_the_subject() {
        let root = tree(&[
            "fold_0/all/UID_11_24_7_all.bmp",
            "fold_1/hem/UID_H3_1_2_hem.bmp",
            "fold_1/hem/UID_11_1_2_all.bmp",
            "test/1.bmp",
        ]);
        let listing = source(Layout::CNmc, root.path()).list().unwrap();
        assert_eq!(
            rows(&listing),
            [
                ("UID_11_24_7_all.bmp".into(), true, Some("11")),
                ("UID_H3_1_2_hem.bmp".into(), false, Some("H3")),
            ]
        );
        assert_eq!(listing.ignored.len(), 2);
    }

    #[test]
    fn a_folder_of_another_layout_says_what_was_expected() {
        let root = tree(&["positive/a.png", "negative/b.png"]);
        let message = failure(&source(Layout::CNmc, root.path()));
        assert!(
            message.contains("UID_SUBJECT") && message.contains("--dataset"),
            "{message}"
        );
    }
}
