//! The figures of a model of cells on labelled images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use smearscope_artifacts::{ArtifactError, BlastCalls, CellCounter, Evaluation, Share};

use super::looks::{Looked, look_at_images};
use super::sheet;
use crate::cell_kind::CellKind;
use crate::dataset::CellCollection;
use crate::error::TrainError;
use crate::metrics::{
    BlastRates, CalledCell, Detection, DetectionFigures, KindCalls, RulerFigures, SlideCoverage,
    blast_auroc_intervals, blast_aurocs,
};

/// Seed of resamples and simulated slides, so that the same images give the same figures.
const SEED: u64 = 1;
/// Fewer groups of blasts or of other leukocytes than this say little about other patients.
const FEW_GROUPS: usize = 10;

/// How well a model finds and names the cells of labelled images.
#[derive(Debug, Serialize)]
pub(crate) struct CellEvaluation {
    /// Figures of all sources together.
    pub(super) total: CellFigures,
    pub(super) sources: Vec<SourceFigures>,
    /// 95 % intervals of the areas under curves of all sources, by groups.
    pub(super) intervals: BTreeMap<String, [f64; 2]>,
    /// How often the 95 % interval of a count contains the true share of blasts; `None` if there are too few cells.
    pub(super) slide_coverage: Option<SlideCoverage>,
    /// Rates for the rule that counts; `None` if there are too few cells.
    pub(super) blast_rates: Option<BlastRates>,
    /// Reasons to doubt the figures, one sentence each.
    pub(crate) warnings: Vec<String>,
    /// Numbers of images with and without labelled lymphoblasts.
    #[serde(skip)]
    images_by_blasts: [u32; 2],
    #[serde(skip)]
    looked: Vec<Looked>,
}

/// The figures of one source.
#[derive(Debug, Serialize)]
pub(super) struct SourceFigures {
    pub(super) source: PathBuf,
    #[serde(flatten)]
    pub(super) figures: CellFigures,
}

/// Figures of some images.
#[derive(Debug, Serialize)]
pub(super) struct CellFigures {
    pub(super) images: usize,
    /// What the finder takes for leukocytes, in fields at their known scale.
    pub(super) found: Option<DetectionFigures>,
    /// Those of its finds that count after the cell network looked at them.
    pub(super) counted: Option<DetectionFigures>,
    /// The scale by red cells.
    pub(super) ruler: Option<RulerFigures>,
    /// What cells at labelled places are called, by kind.
    pub(super) kinds: BTreeMap<CellKind, KindCalls>,
    /// Areas under the ROC curves of the probability of a blast.
    pub(super) blast_auroc: BTreeMap<String, f64>,
}

impl CellFigures {
    fn of(looked: &[&Looked]) -> Self {
        let (mut found, mut counted) = (Detection::default(), Detection::default());
        let mut ratios = Vec::new();
        for field in looked.iter().filter_map(|looked| looked.field.as_ref()) {
            found.add(&field.found);
            counted.add(&field.counted);
            if field.has_ruler {
                ratios.push(field.scale_ratio);
            }
        }
        let cells = called(looked.iter().copied());
        Self {
            images: looked.len(),
            found: found.figures(),
            counted: counted.figures(),
            ruler: RulerFigures::of(&ratios),
            kinds: KindCalls::by_kind(cells.iter().copied()),
            blast_auroc: blast_aurocs(&cells),
        }
    }
}

fn called<'a>(looked: impl IntoIterator<Item = &'a Looked>) -> Vec<&'a CalledCell> {
    let cells = looked.into_iter().flat_map(|looked| &looked.cells);
    cells.map(|cell| &cell.called).collect()
}

impl CellEvaluation {
    /// Runs a model over images of a collection, given by their indices. Finding is judged in fields at their known
    /// scale, naming at the labelled places, so that neither depends on the other. Images of unknown scale are left out.
    ///
    /// `load` gives one copy of the model for each thread.
    ///
    /// # Errors
    /// - [`TrainError::Artifact`] if the model cannot be loaded, or fails on an image, or an image cannot be decoded.
    /// - [`TrainError::Data`] if the scale of no image is known.
    pub(crate) fn measure(
        load: impl Fn() -> Result<CellCounter, ArtifactError> + Sync,
        collection: &CellCollection,
        images: &[usize],
    ) -> Result<Self, TrainError> {
        let scaled: Vec<(usize, f32)> = images
            .iter()
            .filter_map(|&index| Some((index, collection.images[index].um_per_pixel?)))
            .collect();
        if scaled.is_empty() {
            return Err(TrainError::data(
                &collection.file,
                format!("images: {}, and the scale of none is known", images.len()),
                "state `um_per_pixel` of its sources",
            ));
        }
        let looked = look_at_images(load, collection, &scaled)?;
        let of_source = |source: usize| -> Vec<&Looked> {
            let is_of = |looked: &&Looked| collection.images[looked.image].source == source;
            looked.iter().filter(is_of).collect()
        };
        let sources = collection
            .sources
            .iter()
            .enumerate()
            .map(|(number, source)| (&source.name, of_source(number)))
            .filter(|(_, looked)| !looked.is_empty())
            .map(|(name, looked)| SourceFigures {
                source: name.clone(),
                figures: CellFigures::of(&looked),
            })
            .collect();
        let cells = called(&looked);
        let has_blast = |looked: &&Looked| {
            let mut kinds = collection.images[looked.image].kinds();
            kinds.any(|kind| kind == CellKind::Lymphoblast)
        };
        let with_blasts = looked.iter().filter(has_blast).count();
        let slide_coverage = SlideCoverage::simulate(&cells, SEED);
        let blast_rates = BlastRates::measure(&cells);
        let mut warnings = warnings(&looked, &cells, images.len() - scaled.len());
        if blast_rates.is_none() {
            warnings.push(
                "The rates of calls for the count were not measured: that takes 20 blasts and 20 other leukocytes, and \
                 more if many are of one group."
                    .into(),
            );
        } else if slide_coverage.is_none() {
            warnings.push(
                "The coverage of slides was not measured: each half of the cells needs 20 blasts and 20 other \
                 leukocytes, and more if many are of one group, and blasts must be called blasts more often than others."
                    .into(),
            );
        }
        // Between sources, blasts could be told by where their pictures come from.
        let ranked: Vec<&CalledCell> = (0..collection.sources.len())
            .map(|source| called(of_source(source)))
            .filter(|cells| {
                let has = |is_blast: bool| {
                    let mut known = cells.iter().filter(|cell| cell.is_known_leukocyte());
                    known.any(|cell| cell.is_blast() == is_blast)
                };
                has(true) && has(false)
            })
            .flatten()
            .collect();
        let mut total = CellFigures::of(&looked.iter().collect::<Vec<_>>());
        total.blast_auroc = blast_aurocs(&ranked);
        warnings.extend(total.ruler.as_ref().and_then(RulerFigures::warning));
        Ok(Self {
            total,
            sources,
            intervals: blast_auroc_intervals(&ranked, SEED),
            slide_coverage,
            blast_rates,
            warnings,
            images_by_blasts: [with_blasts, looked.len() - with_blasts].map(|count| count as u32),
            looked,
        })
    }

    /// Whether the scale by red cells is reliable, in all sources together and in each where it was measured often enough;
    /// `None` if it was not measured.
    pub(crate) fn has_reliable_ruler(&self) -> Option<bool> {
        let total = self.total.ruler.as_ref()?;
        let of_sources = self
            .sources
            .iter()
            .filter_map(|source| source.figures.ruler.as_ref());
        let is_bad = |ruler: &RulerFigures| ruler.is_measured_enough() && !ruler.is_reliable();
        Some(total.is_reliable() && !of_sources.into_iter().any(is_bad))
    }

    /// How often blasts, and other leukocytes, are called blasts: `sensitivity` and `false_positives` of the rule that
    /// counts, measured on the leukocytes of known kind that count. `None` if there are too few of either.
    pub(crate) fn blast_calls(&self) -> Option<[BlastCalls; 2]> {
        let BlastRates {
            sensitivity,
            false_positives,
        } = self.blast_rates?;
        Some([sensitivity, false_positives])
    }

    /// The figures for a manifest. `dataset` describes the images, and `protocol` how they were separated from those of
    /// the training.
    pub(crate) fn evaluation(&self, dataset: String, protocol: String) -> Evaluation {
        let mut figures = self.total.blast_auroc.clone();
        let mut intervals = self.intervals.clone();
        intervals.retain(|name, _| figures.contains_key(name));
        let mut add = |name: &str, share: Share| {
            if let (Some(value), Some(interval)) = (share.value(), share.interval()) {
                figures.insert(name.to_owned(), value);
                intervals.insert(name.to_owned(), interval);
            }
        };
        let CellFigures {
            found,
            counted,
            ruler,
            ..
        } = &self.total;
        if let Some(found) = found {
            add("leukocyte_recall", found.recall);
            add("leukocyte_precision", found.precision);
        }
        if let Some(counted) = counted {
            add("counted_leukocyte_recall", counted.recall);
            add("counted_leukocyte_precision", counted.precision);
        }
        if let Some(ruler) = ruler {
            add("scale_within_10_percent", ruler.within_10_percent);
        }
        if let Some([sensitivity, false_positives]) = self.blast_calls() {
            let share = |calls: BlastCalls| Share {
                count: calls.called as usize,
                of: calls.of as usize,
            };
            add("blast_sensitivity", share(sensitivity));
            add("blast_false_positives", share(false_positives));
        }
        if let Some(coverage) = &self.slide_coverage {
            // Slides of the same cells are not independent, so that no interval is stated.
            figures.extend(
                coverage
                    .all
                    .value()
                    .map(|value| ("slide_coverage".to_owned(), value)),
            );
        }
        let [positives, negatives] = self.images_by_blasts;
        Evaluation {
            dataset,
            protocol,
            positives,
            negatives,
            figures,
            intervals,
            warnings: self.warnings.clone(),
        }
    }

    /// Draws some labelled cells of each source with their kinds and calls.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if an image can no longer be read, [`TrainError::Output`] if the file cannot be written.
    pub(crate) fn draw_sheet(
        &self,
        path: &Path,
        collection: &CellCollection,
    ) -> Result<(), TrainError> {
        sheet::draw(path, collection, &self.looked)
    }
}

/// What may make the figures misleading.
fn warnings(looked: &[Looked], cells: &[&CalledCell], without_scale: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    if without_scale > 0 {
        warnings.push(format!(
            "Images of unknown scale that were left out: {without_scale}."
        ));
    }
    let not_looked_at: usize = looked.iter().map(|looked| looked.not_looked_at).sum();
    if not_looked_at > 0 {
        warnings.push(format!(
            "Labelled cells that were not looked at, because the scale of their images is too coarse or too fine: \
             {not_looked_at}."
        ));
    }
    for (name, is_blast) in [("blasts", true), ("other leukocytes", false)] {
        let of = cells
            .iter()
            .filter(|cell| cell.is_known_leukocyte() && cell.is_blast() == is_blast);
        let groups: BTreeSet<usize> = of.map(|cell| cell.group).collect();
        if (1..FEW_GROUPS).contains(&groups.len()) {
            warnings.push(format!(
                "Groups of {name}: {}. Figures of so few say little about other patients.",
                groups.len()
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::fs;

    use smearscope_artifacts::{EngineChoice, EngineConfig, Manifest};

    use super::*;

    const MODEL: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../model-artifacts/tests/fixtures/cells"
    );

    fn load() -> Result<CellCounter, ArtifactError> {
        let config = EngineConfig {
            choice: EngineChoice::Embedded,
            ..EngineConfig::default()
        };
        CellCounter::load(MODEL.as_ref(), &config)
    }

    /// The field and the cell by which the model is tested, with labels.
    fn collection() -> (tempfile::TempDir, CellCollection) {
        let root = tempfile::tempdir().unwrap();
        let create = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        let datasets = "[[source]]\npath = 'fields'\num_per_pixel = 0.25\ncomplete = ['leukocyte']\n\
                        [[source]]\npath = 'cells'\num_per_pixel = 0.25\n\
                        [[source]]\npath = 'unscaled'\n";
        fs::write(create("datasets.toml"), datasets).unwrap();
        // Of the cells that are found, one is a blast, one another leukocyte, one at the frame, and one no leukocyte.
        // The neutrophil is not found.
        let table = "image,class,x,y,width,height\n\
                     1.png,lymphoblast,28,28,64,64\n1.png,lymphocyte,150,22,60,60\n1.png,neutrophil,205,75,30,50\n\
                     1.png,monocyte,0,104,20,40\n1.png,artefact,112,120,40,40\n1.png,erythrocyte,190,150,20,20\n";
        fs::write(create("fields/boxes.csv"), table).unwrap();
        for (from, to) in [
            ("field.png", "fields/1.png"),
            ("crop.png", "cells/lymphocyte/1.png"),
            ("tile.png", "unscaled/monocyte/1.png"),
        ] {
            fs::copy(Path::new(MODEL).join(from), create(to)).unwrap();
        }
        let collection = CellCollection::read(&root.path().join("datasets.toml")).unwrap();
        (root, collection)
    }

    #[test]
    fn finding_and_naming_are_judged_apart() {
        let (root, collection) = collection();
        let evaluation = CellEvaluation::measure(load, &collection, &[0, 1, 2]).unwrap();
        let [fields, cells] = &evaluation.sources[..] else {
            panic!("{evaluation:?}");
        };
        assert_eq!(
            (fields.source.as_path(), fields.figures.images),
            (Path::new("fields"), 1)
        );
        let found = fields.figures.found.as_ref().unwrap();
        assert_eq!(found.recall, Share { count: 2, of: 3 });
        // The artefact is found, and does not count.
        assert_eq!(found.precision, Share { count: 2, of: 3 });
        assert_eq!(found.false_finds_per_field, Some(1.0));
        let counted = fields.figures.counted.as_ref().unwrap();
        assert_eq!(counted.precision, Share { count: 2, of: 2 });
        // Seven red cells are no ruler for this model, which wants twenty.
        let ruler = fields.figures.ruler.unwrap();
        assert_eq!(ruler.without_scale, Share { count: 1, of: 1 });

        let called = |figures: &CellFigures, kind: CellKind| -> Vec<(String, usize)> {
            figures.kinds[&kind].called.clone().into_iter().collect()
        };
        for (kind, name) in [
            (CellKind::Lymphoblast, "lymphoblast"),
            (CellKind::Lymphocyte, "lymphocyte"),
            (CellKind::Artefact, "artefact"),
        ] {
            assert_eq!(called(&fields.figures, kind), [(name.to_owned(), 1)]);
        }
        // Also those that are not found are named, but no red cells.
        assert_eq!(fields.figures.kinds.len(), 5);
        assert!(fields.figures.kinds.contains_key(&CellKind::Neutrophil));
        assert_eq!(
            called(&cells.figures, CellKind::Lymphocyte),
            [("artefact".to_owned(), 1)]
        );
        assert!(cells.figures.found.is_none() && cells.figures.ruler.is_none());
        // 0.41 for the blast; 0.36 and 0.39 for the lymphocytes, by the manifest's golden samples and its temperature.
        let areas = &evaluation.total.blast_auroc;
        assert!(
            (areas["blast_auroc_lymphocyte"] - 1.0).abs() < 1e-12,
            "{areas:?}"
        );

        let Evaluation {
            positives,
            negatives,
            figures,
            warnings,
            ..
        } = evaluation.evaluation("Three.".into(), "None.".into());
        assert_eq!((positives, negatives), (1, 1));
        assert!(
            (figures["leukocyte_recall"] - 2.0 / 3.0).abs() < 1e-12,
            "{figures:?}"
        );
        for words in [
            "unknown scale that were left out: 1.",
            "Groups of blasts: 1.",
            "20 blasts",
        ] {
            let has_it = warnings.iter().any(|warning| warning.contains(words));
            assert!(has_it, "{words}: {warnings:?}");
        }
        assert_eq!(evaluation.blast_calls(), None);
        let manifest = Manifest {
            evaluation: evaluation.evaluation("Three.".into(), "None.".into()),
            ..load().unwrap().manifest().clone()
        };
        manifest.to_toml().unwrap();

        let shown = evaluation.to_string();
        for line in [
            "fields: 1 image",
            "  leukocytes found: 2 of 3, 66.7 % (20.8–93.9); false: 1, 1.00 per field",
            "  leukocytes counted: 2 of 3, 66.7 % (20.8–93.9); false: 0, 0.00 per field",
            "  scale by red cells: within 10 % in 0 of 1, 0.0 % (0.0–79.3); none in 1",
            "  lymphoblast           1 of 1, 100.0 % (20.7–100.0)        lymphoblast 1",
            "  AUROC of blasts against lymphocytes: 1.000",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
        }

        let sheet = root.path().join("cells.png");
        evaluation.draw_sheet(&sheet, &collection).unwrap();
        // A line for the legend, and for each of two sources a line and a row.
        let (_, height) = image::image_dimensions(&sheet).unwrap();
        assert_eq!(height, 12 + 2 * (12 + 96 + 6 + 2 * 12 + 4));
    }

    #[test]
    fn images_of_unknown_scale_are_not_judged() {
        let (_root, collection) = collection();
        let problem = CellEvaluation::measure(load, &collection, &[2]).unwrap_err();
        let problem = problem.to_string();
        assert!(
            problem.contains("images: 1, and the scale of none is known; state `um_per_pixel`"),
            "{problem}"
        );
    }
}
