//! How datasets are stored: the class and the subject of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use smearscope_artifacts::{all_idb_label, is_image_path};
use walkdir::WalkDir;

use super::provenance::Provenance;
use super::{centroids, table};
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
    #[arg(long = "dataset", value_enum, default_value_t = Layout::Folder, value_name = "LAYOUT")]
    pub(crate) layout: Layout,
    /// Positive classes, for the layouts folder and csv; all others are negative
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "positive",
        value_name = "NAME[,NAME]"
    )]
    pub(crate) positive: Vec<String>,
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
    pub(crate) files: Vec<Listed>,
    /// Images whose names do not fit the layout.
    pub(crate) ignored: Vec<PathBuf>,
    pub(crate) provenance: Option<Provenance>,
}

impl Source {
    /// The dataset's name in reports.
    pub(crate) fn name(&self) -> String {
        let name = self.root.file_name().unwrap_or(self.root.as_os_str());
        format!("the collection {}", name.display())
    }

    /// Finds every file and its class without opening the images.
    pub(crate) fn list(&self) -> Result<Listing, TrainError> {
        let mut ignored = Vec::new();
        let mut files = match self.layout {
            Layout::Folder => self.folders()?,
            Layout::Csv => self.table()?,
            Layout::AllIdb1 => self.all_idb("jpg", &mut ignored)?,
            Layout::AllIdb2 => self.all_idb("tif", &mut ignored)?,
            Layout::CNmc => self.c_nmc(&mut ignored)?,
        };
        files.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(twice) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(TrainError::data(
                &self.root,
                format!("{} is listed twice", twice[0].path.display()),
                "list each file once",
            ));
        }
        let (positive, negative) = self.class_names(&files)?;
        Ok(Listing {
            negative,
            positive,
            files,
            ignored,
            provenance: match self.layout {
                Layout::Folder => Provenance::read(&self.root)?,
                _ => None,
            },
        })
    }

    /// The names of the positive and the negative class. Several classes of one side get a common name.
    fn class_names(&self, files: &[Listed]) -> Result<(String, String), TrainError> {
        let classes: BTreeSet<(bool, &str)> = files
            .iter()
            .map(|file| (file.positive, file.class.as_str()))
            .collect();
        let listed = || {
            let names: Vec<&str> = classes.iter().map(|(_, name)| *name).collect();
            names.join(", ")
        };
        for wanted in self.chosen_positives() {
            if !classes.contains(&(true, wanted.as_str())) {
                return Err(TrainError::data(
                    &self.root,
                    format!("there is no class `{wanted}`, only: {}", listed()),
                    "name the positive classes with --positive",
                ));
            }
        }
        let name_of = |side: bool, fallback: &str| {
            let names: Vec<&str> = classes
                .iter()
                .filter(|(positive, _)| *positive == side)
                .map(|(_, name)| *name)
                .collect();
            match names[..] {
                [] => Err(TrainError::data(
                    &self.root,
                    format!("there is only one class: {}", listed()),
                    "add images of the other class",
                )),
                [one] => Ok(one.to_owned()),
                _ => Ok(fallback.to_owned()),
            }
        };
        Ok((name_of(true, "positive")?, name_of(false, "negative")?))
    }

    /// The value of `--positive`, for layouts without fixed classes.
    fn chosen_positives(&self) -> &[String] {
        match self.layout {
            Layout::Folder | Layout::Csv => &self.positive,
            Layout::AllIdb1 | Layout::AllIdb2 | Layout::CNmc => &[],
        }
    }

    fn folders(&self) -> Result<Vec<Listed>, TrainError> {
        let mut classes: Vec<PathBuf> = fs::read_dir(&self.root)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|error| TrainError::unreadable(&self.root, &error))?;
        classes.retain(|path| path.is_dir() && !is_hidden(path));
        if classes.is_empty() {
            return Err(TrainError::data(
                &self.root,
                "it holds no class folders",
                "give a folder with one folder of images per class",
            ));
        }
        let mut files = Vec::new();
        for folder in classes {
            let class = name(&folder);
            let paths = walk(&folder)?;
            if paths.is_empty() {
                return Err(TrainError::data(
                    &folder,
                    "this class folder is empty",
                    "add images or remove the folder",
                ));
            }
            files.extend(paths.into_iter().map(|path| {
                Listed {
                    positive: self.positive.contains(&class),
                    class: class.clone(),
                    subject: path
                        .parent()
                        .and_then(|parent| parent.strip_prefix(&folder).ok())
                        .map(|subject| subject.to_string_lossy().into_owned())
                        .filter(|subject| !subject.is_empty()),
                    centroids: None,
                    path,
                }
            }));
        }
        Ok(files)
    }

    fn table(&self) -> Result<Vec<Listed>, TrainError> {
        let damaged = |error: csv::Error| {
            TrainError::data(
                &self.root,
                error.to_string(),
                "give a CSV file whose first line is path,label,group",
            )
        };
        let folder = self.root.parent().unwrap_or(Path::new(""));
        let file = fs::File::open(&self.root).map_err(|error| damaged(error.into()))?;
        let rows = table::read(file).map_err(damaged)?;
        let listed = rows.into_iter().map(|row| Listed {
            path: folder.join(row.path),
            positive: self.positive.contains(&row.label),
            class: row.label,
            subject: row.group.filter(|group| !group.is_empty()),
            centroids: None,
        });
        Ok(listed.collect())
    }

    fn all_idb(
        &self,
        extension: &str,
        ignored: &mut Vec<PathBuf>,
    ) -> Result<Vec<Listed>, TrainError> {
        let paths = walk(&self.root)?;
        let mut centroids = BTreeMap::new();
        for path in paths.iter().filter(|path| has_extension(path, "xyc")) {
            centroids.insert(stem(path), read_centroids(path)?);
        }
        let mut files = Vec::new();
        for path in paths.into_iter().filter(|path| is_image_path(path)) {
            match all_idb_label(&path).filter(|_| has_extension(&path, extension)) {
                Some(positive) => files.push(Listed {
                    class: if positive { "leukemia" } else { "healthy" }.into(),
                    positive,
                    subject: None,
                    centroids: centroids.remove(&stem(&path)),
                    path,
                }),
                None => ignored.push(path),
            }
        }
        self.require_some(
            files,
            &format!("ImNNN_0.{extension} and ImNNN_1.{extension}"),
        )
    }

    fn c_nmc(&self, ignored: &mut Vec<PathBuf>) -> Result<Vec<Listed>, TrainError> {
        let mut files = Vec::new();
        for path in walk(&self.root)? {
            if !is_image_path(&path) {
                continue;
            }
            let folder = path.parent().map(name).unwrap_or_default();
            match c_nmc_subject(&stem(&path), &folder) {
                Some(subject) => files.push(Listed {
                    positive: folder == "all",
                    class: folder,
                    subject: Some(subject),
                    centroids: None,
                    path,
                }),
                None => ignored.push(path),
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

/// All files below a folder, except hidden ones.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.path()))
        .filter(|entry| !entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir()))
        .map(|entry| match entry {
            Ok(entry) => Ok(entry.into_path()),
            Err(error) => Err(TrainError::unreadable(
                error.path().unwrap_or(folder),
                &error,
            )),
        })
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|own| own.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(layout: Layout, root: &Path) -> Source {
        Source {
            layout,
            root: root.into(),
            positive: vec!["positive".into()],
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
        assert!(failure(&source(Layout::Folder, empty.path())).contains("empty"));
    }

    #[test]
    fn a_table_names_files_beside_it() {
        let root = tree(&[]);
        let table = root.path().join("list.csv");
        fs::write(
            &table,
            "path,label,group\nb/2.png, positive ,p7\n1.png,normal,\n",
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
            ("path,label\na.png\n", "line: 2"),
            ("file,label\na.png,positive\n", "path"),
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
            "im/Im034_0.JPG",
            "im/Im2_2.jpg",
            "xyc/Im034_0.xyc",
        ]);
        fs::write(root.path().join("xyc/Im001_1.xyc"), "12 34\n\n1000\t7\n").unwrap();
        let listing = source(Layout::AllIdb1, root.path()).list().unwrap();
        assert_eq!(
            rows(&listing),
            [
                ("Im001_1.jpg".into(), true, None),
                ("Im034_0.JPG".into(), false, None)
            ]
        );
        assert_eq!(listing.files[0].centroids, Some(vec![[12, 34], [1000, 7]]));
        assert_eq!(listing.files[1].centroids, Some(vec![]));
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
