//! Groups of images that belong together and that no split may separate.
//!
//! A network recognises a patient, a slide, a capture session or a copy of an image that it was
//! trained on; tested on those, it looks better than it is. Images are therefore grouped by subject
//! or by capture session where these are known, and exact and near duplicates merge their groups.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use petgraph::unionfind::UnionFind;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::Serialize;

use super::capture::Capture;
use super::fingerprint::Fingerprint;
use super::layout::Layout;
use super::read_images::ImageInfo;
use crate::error::TrainError;

/// Images of one camera that are at most this far apart belong to one session; changing the slide
/// takes longer.
pub(crate) const SESSION_GAP: SignedDuration = SignedDuration::from_mins(4);

/// What the groups are based on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Basis {
    /// The dataset names the subjects.
    Subject,
    /// Camera and time of capture; the closest substitute for patients.
    CaptureSession,
    /// Similarity of the images alone.
    NearDuplicates,
}

impl Basis {
    /// The basis, as reports name it.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Subject => "subjects",
            Self::CaptureSession => "capture sessions",
            Self::NearDuplicates => "near-duplicates only, since the data names no subjects",
        }
    }
}

/// The images of a collection in groups.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) basis: Basis,
    /// Group of each image, numbered from 0 in order of first appearance.
    pub(crate) of: Vec<usize>,
    /// Name of each group: its subjects or sessions, if known.
    pub(crate) names: Vec<String>,
    pub(crate) duplicates: Duplicates,
}

/// Pairs of images of the same thing.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    /// Identical files, each paired with the first one.
    pub(crate) exact: Vec<(usize, usize)>,
    /// Images that look alike in some orientation.
    pub(crate) near: Vec<(usize, usize)>,
}

impl Duplicates {
    /// Compares images, given by the digests of their files and their fingerprints.
    pub(super) fn of(images: &[(&str, &Fingerprint)]) -> Self {
        let mut first_with: HashMap<&str, usize> = HashMap::new();
        let mut exact = Vec::new();
        let mut distinct = Vec::new();
        for (index, (sha256, _)) in images.iter().enumerate() {
            let first = *first_with.entry(sha256).or_insert(index);
            if first == index {
                distinct.push(index);
            } else {
                exact.push((first, index));
            }
        }
        let near = (0..distinct.len())
            .into_par_iter()
            .flat_map_iter(|later| {
                let index = distinct[later];
                let orientations = images[index].1.orientations();
                let is_near =
                    move |other: &Fingerprint| orientations.iter().any(|this| this.is_near(other));
                distinct[..later]
                    .iter()
                    .filter(move |&&earlier| is_near(images[earlier].1))
                    .map(move |&earlier| (earlier, index))
            })
            .collect();
        Self { exact, near }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (usize, usize)> {
        self.exact.iter().chain(&self.near).copied()
    }
}

/// Separates the subjects of a group that duplicates merged.
pub(super) const JOINT: &str = " + ";

impl Groups {
    /// The subjects of a group, if the dataset names them.
    pub(crate) fn subjects_of(&self, group: usize) -> impl Iterator<Item = &str> {
        let names = (self.basis == Basis::Subject).then(|| self.names[group].split(JOINT));
        names.into_iter().flatten()
    }

    /// Forms the groups of a collection.
    ///
    /// # Errors
    /// [`TrainError::Data`] if only some images have a subject, or if an image of ALL-IDB1 lacks
    /// its capture time.
    pub(crate) fn form(
        root: &Path,
        layout: Layout,
        images: &[ImageInfo],
    ) -> Result<Self, TrainError> {
        let (basis, keys) = match layout {
            Layout::AllIdb1 => {
                let shots = images
                    .iter()
                    .map(|image| (&*image.file.path, &image.capture));
                let sessions = capture_sessions(shots)?.into_iter().map(Some);
                (Basis::CaptureSession, sessions.collect())
            }
            _ => subject_names(root, images)?,
        };
        let compared: Vec<(&str, &Fingerprint)> = images
            .iter()
            .map(|image| (&*image.sha256, &image.fingerprint))
            .collect();
        let duplicates = Duplicates::of(&compared);
        let (of, names) = joined(&keys, duplicates.all());
        Ok(Self {
            basis,
            of,
            names,
            duplicates,
        })
    }
}

/// Joins images with the same key, and the images of each pair. Returns the group of each image, numbered
/// from 0 in order of first appearance, and the name of each group: its keys, if it has any.
pub(super) fn joined(
    keys: &[Option<String>],
    pairs: impl Iterator<Item = (usize, usize)>,
) -> (Vec<usize>, Vec<String>) {
    let mut union = UnionFind::<usize>::new(keys.len());
    let mut first_with: HashMap<&str, usize> = HashMap::new();
    for (index, key) in keys.iter().enumerate() {
        if let Some(key) = key {
            union.union(index, *first_with.entry(key).or_insert(index));
        }
    }
    for (one, other) in pairs {
        union.union(one, other);
    }

    let mut number_of: HashMap<usize, usize> = HashMap::new();
    let mut members: Vec<Vec<&str>> = Vec::new();
    let of = keys
        .iter()
        .enumerate()
        .map(|(index, key)| {
            let next = number_of.len();
            let number = *number_of.entry(union.find(index)).or_insert(next);
            if number == members.len() {
                members.push(Vec::new());
            }
            if let Some(key) = key
                && !members[number].contains(&key.as_str())
            {
                members[number].push(key);
            }
            number
        })
        .collect();
    let names = members
        .iter()
        .enumerate()
        .map(|(number, keys)| match keys[..] {
            [] => format!("group {}", number + 1),
            _ => keys.join(JOINT),
        })
        .collect();
    (of, names)
}

/// The subject of each image, which all images must have or none.
fn subject_names(
    root: &Path,
    images: &[ImageInfo],
) -> Result<(Basis, Vec<Option<String>>), TrainError> {
    let keys: Vec<Option<String>> = images
        .iter()
        .map(|image| image.file.subject.clone())
        .collect();
    let without = keys.iter().filter(|key| key.is_none()).count();
    if without == keys.len() {
        return Ok((Basis::NearDuplicates, keys));
    }
    match images.iter().find(|image| image.file.subject.is_none()) {
        None => Ok((Basis::Subject, keys)),
        Some(first) => Err(TrainError::data(
            root,
            format!(
                "{without} of {} images have no subject, the first is {}",
                keys.len(),
                first.file.path.display()
            ),
            "name the subject (patient) of every image or of none",
        )),
    }
}

/// The capture session of each image, given by its path and how it was captured.
///
/// # Errors
/// [`TrainError::Data`] if an image lacks its camera or time of capture.
pub(super) fn capture_sessions<'a>(
    images: impl ExactSizeIterator<Item = (&'a Path, &'a Capture)>,
) -> Result<Vec<String>, TrainError> {
    let mut names = vec![String::new(); images.len()];
    let mut by_camera: BTreeMap<&str, Vec<(DateTime, usize)>> = BTreeMap::new();
    for (index, (path, capture)) in images.enumerate() {
        let (Some(camera), Some(time)) = (&capture.camera, capture.taken_at) else {
            return Err(TrainError::data(
                path,
                "its EXIF data lacks the camera or the capture time, by which ALL-IDB1 is grouped",
                "use the original files; editing or converting them removes it",
            ));
        };
        by_camera.entry(camera).or_default().push((time, index));
    }
    for (camera, mut shots) in by_camera {
        shots.sort();
        for (number, session) in shots
            .chunk_by(|a, b| b.0.duration_since(a.0) <= SESSION_GAP)
            .enumerate()
        {
            for (_, index) in session {
                names[*index] = format!("{camera} session {}", number + 1);
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use jiff::civil::date;

    use super::super::layout::Listed;
    use super::*;
    use crate::synth::example_field;

    fn info(number: usize, subject: Option<&str>, picture: &RgbImage) -> ImageInfo {
        ImageInfo {
            file: Listed {
                path: format!("{number}.png").into(),
                class: "positive".into(),
                positive: true,
                subject: subject.map(Into::into),
                centroids: None,
            },
            sha256: number.to_string(),
            size: picture.dimensions(),
            file_bytes: 1,
            capture: Capture::default(),
            fingerprint: Fingerprint::of(picture),
        }
    }

    fn fields(subjects: &[Option<&str>]) -> Vec<ImageInfo> {
        subjects
            .iter()
            .enumerate()
            .map(|(number, subject)| {
                info(number, *subject, &example_field(number as u64, 160, 120))
            })
            .collect()
    }

    fn form(layout: Layout, images: &[ImageInfo]) -> Result<Groups, TrainError> {
        Groups::form(Path::new("data"), layout, images)
    }

    #[test]
    fn subjects_are_groups() {
        let images = fields(&[Some("b"), Some("a"), Some("b"), Some("c")]);
        let groups = form(Layout::Folder, &images).unwrap();
        assert_eq!(groups.basis, Basis::Subject);
        assert_eq!(groups.of, [0, 1, 0, 2]);
        assert_eq!(groups.names, ["b", "a", "c"]);
    }

    #[test]
    fn duplicates_join_the_groups_they_lie_in() {
        let mut images = fields(&[Some("a"), Some("b"), Some("c"), Some("c"), Some("d")]);
        images[1].sha256 = images[0].sha256.clone();
        let mirrored = image::imageops::flip_horizontal(&example_field(3, 160, 120));
        images[4].fingerprint = Fingerprint::of(&mirrored);
        let groups = form(Layout::Folder, &images).unwrap();
        assert_eq!(groups.of, [0, 0, 1, 1, 1]);
        assert_eq!(groups.names, ["a + b", "c + d"]);
        assert_eq!(groups.duplicates.exact, [(0, 1)]);
        assert_eq!(groups.duplicates.near, [(3, 4)]);
    }

    #[test]
    fn without_subjects_only_duplicates_are_groups() {
        let mut images = fields(&[None; 4]);
        images[3].sha256 = images[1].sha256.clone();
        let groups = form(Layout::Folder, &images).unwrap();
        assert_eq!(groups.basis, Basis::NearDuplicates);
        assert_eq!(groups.of, [0, 1, 2, 1]);
    }

    #[test]
    fn subjects_of_some_images_only_are_refused() {
        let message = form(Layout::Csv, &fields(&[Some("a"), None]))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("1 of 2") && message.contains("1.png"),
            "{message}"
        );
    }

    #[test]
    fn sessions_end_with_the_camera_or_a_gap_of_more_than_four_minutes() {
        let mut images = fields(&[None; 5]);
        let noon = date(2005, 9, 6).at(12, 0, 0, 0);
        for (image, (camera, seconds)) in images.iter_mut().zip([
            ("Canon", 0),
            ("Canon", 481),
            ("Canon", 240),
            ("Olympus", 1),
            ("Canon", 722),
        ]) {
            image.capture = Capture {
                camera: Some(camera.into()),
                taken_at: Some(noon + SignedDuration::from_secs(seconds)),
            };
        }
        let groups = form(Layout::AllIdb1, &images).unwrap();
        assert_eq!(groups.of, [0, 1, 0, 2, 3]);
        assert_eq!(groups.names[3], "Canon session 3");
        images[2].capture.taken_at = None;
        let message = form(Layout::AllIdb1, &images).unwrap_err().to_string();
        assert!(
            message.contains("2.png") && message.contains("EXIF"),
            "{message}"
        );
    }
}
