//! The shortcut audit: guesses that see no cells, on the same images under the same protocol.
//!
//! If positives and negatives differ in camera, size or stain, a network can learn that difference
//! instead of cells and still reach good figures (Geirhos et al. 2020, "Shortcut learning in deep
//! neural networks").

use std::collections::BTreeSet;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use super::guessers::{Example, Guesser};
use crate::dataset::{Sample, Split};
use crate::error::TrainError;
use crate::metrics::Confusion;
use crate::training::{Folds, Prediction};

/// Required advantage of the network in balanced accuracy.
const MIN_LEAD: f64 = 0.05;
/// Balanced accuracy of guesses from nothing.
const CHANCE: f64 = 0.5;

/// The balanced accuracy of guesses from one family of features of the images: the network's probabilities are
/// for even classes, so the guesses must not profit from the share of the classes either.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Shortcut {
    pub(crate) name: &'static str,
    pub(crate) accuracy: f64,
}

/// The guesses compared with the network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Audit {
    /// The network's balanced accuracy with a threshold of one half, as for the guesses.
    pub(crate) network: f64,
    /// From each family of features alone.
    pub(crate) shortcuts: Vec<Shortcut>,
    /// From all families together.
    pub(crate) together: f64,
    /// The family that tells most; `None` if none tells more than chance.
    pub(crate) most_telling: Option<&'static str>,
}

/// Extracts features of one family.
type Family<'a> = &'a (dyn Fn(&Sample) -> Vec<f32> + Sync);

impl Audit {
    /// Guesses from each family of features, and from all of them, by a random forest that is fitted to the
    /// training and validation images of every fold and tested on the fold's test images.
    ///
    /// # Errors
    /// [`TrainError::Training`] if a forest cannot be fitted.
    pub(crate) fn of(folds: &Folds, predictions: &[Prediction]) -> Result<Self, TrainError> {
        let called = predictions
            .iter()
            .map(|item| (item.sample.positive, item.judged.probability >= 0.5));
        let network = Confusion::count(called).balanced_accuracy();
        let cameras: BTreeSet<&str> = predictions
            .iter()
            .filter_map(|item| item.sample.capture.camera.as_deref())
            .collect();
        let camera = |sample: &Sample| -> Vec<f32> {
            let own = sample.capture.camera.as_deref();
            let is_own = |name: &&str| f32::from(u8::from(own == Some(*name)));
            cameras.iter().map(is_own).collect()
        };
        let families: [(&str, Family); 10] = [
            ("nothing", &|_| Vec::new()),
            ("image size", &|sample| {
                let (width, height) = sample.size;
                vec![width as f32, height as f32]
            }),
            ("camera", &camera),
            ("colour", &|sample| sample.appearance.colour.to_vec()),
            ("border pixels", &|sample| sample.appearance.border.to_vec()),
            ("corners", &|sample| sample.appearance.corners.to_vec()),
            ("sharpness", &|sample| sample.appearance.sharpness.to_vec()),
            ("noise spectrum", &|sample| sample.appearance.noise.to_vec()),
            ("JPEG tables", &|sample| {
                sample.appearance.jpeg_tables.entries().collect()
            }),
            ("file size", &|sample| vec![sample.file_bytes as f32]),
        ];
        let shortcuts: Vec<Shortcut> = families
            .iter()
            .map(|&(name, family)| {
                let accuracy = accuracy(folds.tested(), family)?;
                Ok(Shortcut { name, accuracy })
            })
            .collect::<Result<_, TrainError>>()?;
        let together = accuracy(folds.tested(), &|sample| {
            families.iter().flat_map(|(_, of)| of(sample)).collect()
        })?;
        let most_telling = shortcuts
            .iter()
            .filter(|shortcut| shortcut.accuracy > CHANCE)
            .max_by(|one, other| one.accuracy.total_cmp(&other.accuracy))
            .map(|shortcut| shortcut.name);
        Ok(Self {
            network,
            shortcuts,
            together,
            most_telling,
        })
    }

    /// A warning if there are shortcuts that the network is not clearly better than.
    pub(crate) fn warning(&self) -> Option<String> {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let is_near = |accuracy: f64| self.network < accuracy + MIN_LEAD;
        let mut guesses: Vec<String> = self
            .shortcuts
            .iter()
            .filter(|shortcut| is_near(shortcut.accuracy))
            .map(|Shortcut { name, accuracy }| format!("from {name} alone, {}", percent(*accuracy)))
            .collect();
        if is_near(self.together) {
            guesses.push(format!(
                "from all of these together, {}",
                percent(self.together)
            ));
        }
        (!guesses.is_empty()).then(|| {
            format!(
                "With both classes counted the same, the network is right on {} of the images and so, \
                 within {}, is a guess {}: these figures do not show that it looks at cells.",
                percent(self.network),
                percent(MIN_LEAD),
                guesses.join("; ")
            )
        })
    }
}

/// The balanced accuracy of a forest's guesses from these features over all splits.
fn accuracy(splits: &[Split], family: Family) -> Result<f64, TrainError> {
    let calls = splits
        .par_iter()
        .map(|split| {
            let features = |samples: &[&Sample]| -> Vec<(Vec<f32>, bool)> {
                let samples = samples.iter();
                samples
                    .map(|sample| (family(sample), sample.positive))
                    .collect()
            };
            let known = [features(&split.train), features(&split.validation)].concat();
            let known: Vec<Example> = known
                .iter()
                .map(|(row, label)| (&row[..], *label))
                .collect();
            let tested = features(&split.test);
            let rows: Vec<&[f32]> = tested.iter().map(|(row, _)| &row[..]).collect();
            let calls = Guesser::Forest.calls(&known, &rows)?;
            Ok(tested.iter().map(|(_, label)| *label).zip(calls).collect())
        })
        .collect::<Result<Vec<Vec<(bool, bool)>>, TrainError>>()?;
    Ok(Confusion::count(calls.concat()).balanced_accuracy())
}
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "fractions of small counts are exact")]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::dataset::{Basis, Classes, Dataset, Duplicates, Groups, SplitPlan, TestPlan};
    use crate::metrics::Judged;

    /// Two hundred images that look the same, of groups of two; `change` gets two random bits of each.
    fn audit(change: impl Fn(&mut Sample, [bool; 2])) -> Audit {
        let rng = &mut ChaCha8Rng::seed_from_u64(3);
        let drawn = Sample::drawn(0, 16);
        let samples: Vec<Sample> = (0..200)
            .map(|number| {
                let mut sample = Sample {
                    group: number / 2,
                    positive: number % 4 < 2,
                    ..drawn.clone()
                };
                change(&mut sample, rng.random());
                sample
            })
            .collect();
        let dataset = Dataset {
            root: "made up".into(),
            negative: "negative".into(),
            positive: "positive".into(),
            classes: Classes::default(),
            warnings: Vec::new(),
            provenance: None,
            groups: Groups {
                basis: Basis::Subject,
                of: samples.iter().map(|sample| sample.group).collect(),
                names: (0..100).map(|number| number.to_string()).collect(),
                duplicates: Duplicates::default(),
            },
            samples,
        };
        let plan = SplitPlan {
            test: TestPlan::Folds(5),
            validation: 0.1,
        };
        let folds = Folds::of(&dataset, &plan, 1).unwrap();
        // A network that is always right.
        let predictions: Vec<Prediction> = dataset
            .samples
            .iter()
            .map(|sample| Prediction {
                sample,
                judged: Judged {
                    logit: 0.0,
                    probability: f32::from(u8::from(sample.positive)),
                    called: sample.positive,
                    decided: true,
                    positive: sample.positive,
                    group: sample.group,
                },
                fold: 1,
            })
            .collect();
        Audit::of(&folds, &predictions).unwrap()
    }

    #[test]
    fn the_family_that_tells_the_class_is_named() {
        let audit = audit(|sample, _| {
            sample.appearance.noise[2] = if sample.positive { 4.0 } else { 4.1 };
        });
        assert_eq!(audit.most_telling, Some("noise spectrum"));
        for Shortcut { name, accuracy } in &audit.shortcuts {
            let expected = if *name == "noise spectrum" { 1.0 } else { 0.5 };
            assert_eq!(*accuracy, expected, "{name}");
        }
        let warning = audit.warning().unwrap();
        let told = "a guess from noise spectrum alone, 100 %; from all of these together, 100 %:";
        assert!(warning.contains(told), "{warning}");
    }

    #[test]
    fn what_only_two_families_tell_together_is_found() {
        // The class is whether exactly one of two things is large, so that neither alone tells it.
        let audit = audit(|sample, [wide, heavy]| {
            sample.positive = wide != heavy;
            sample.size.0 += u32::from(wide);
            sample.file_bytes += usize::from(heavy);
        });
        assert!(audit.together > 0.95, "{audit:?}");
        // By chance the standard deviation is √(0.25 / 200) = 0.035.
        let alone = audit.shortcuts.iter();
        let most = alone.fold(0.0_f64, |most, one| most.max(one.accuracy));
        assert!(most < 0.61, "{audit:?}");
        let warning = audit.warning().unwrap();
        assert!(
            warning.contains("is a guess from all of these together, 100 %:"),
            "{warning}"
        );
    }

    #[test]
    fn where_nothing_tells_guesses_are_right_by_chance() {
        // Random looks; see above for the standard deviation.
        let audit = audit(|sample, [wide, heavy]| {
            sample.size.0 += u32::from(wide);
            sample.file_bytes += usize::from(heavy);
        });
        assert_eq!(audit.shortcuts[0].name, "nothing");
        assert_eq!(audit.shortcuts[0].accuracy, 0.5);
        let accuracies = audit.shortcuts.iter().map(|one| one.accuracy);
        for accuracy in accuracies.chain([audit.together]) {
            assert!((accuracy - 0.5).abs() < 0.11, "{audit:?}");
        }
        assert_eq!(audit.network, 1.0);
        assert_eq!(audit.warning(), None);
    }
}
