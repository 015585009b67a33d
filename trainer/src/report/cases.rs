//! The best and the worst cases, each beside the evidence of the network that judged it.

use std::path::Path;

use smearscope_artifacts::{EvidenceMap, Labels};

use super::image_grid::{self, ImageGrid, LARGE};
use super::plots::PLOTS_FOLDER;
use crate::dataset::Sample;
use crate::error::TrainError;
use crate::networks::Network;
use crate::training::{Batch, Prediction};

/// The file name without extension.
pub(crate) const NAME: &str = "evidence";

/// Cases shown of each kind.
const MAX_CASES: usize = 3;

/// A combination of truth and call.
#[derive(Debug, Clone, Copy)]
struct Kind {
    positive: bool,
    called: bool,
}

/// The networks of the folds, in order.
pub(crate) struct FoldNetworks<'a>(pub(crate) &'a [Network]);

impl FoldNetworks<'_> {
    /// Draws the most confident correct and wrong calls of each class into the figures folder of
    /// `folder`.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if an image cannot be prepared, [`TrainError::Output`] if the file
    /// cannot be written.
    pub(crate) fn draw_cases(
        &self,
        folder: &Path,
        predictions: &[Prediction],
        labels: &Labels,
        leaky: &str,
    ) -> Result<(), TrainError> {
        let title = format!(
            "{}Evidence of the network that judged each image: orange for {}, blue against.",
            leaky.to_uppercase(),
            labels.positive
        );
        let mut grid = LARGE.grid(&title, 0);
        for positive in [true, false] {
            for called in [positive, !positive] {
                let kind = Kind { positive, called };
                grid.append(&self.row(kind, predictions, labels)?);
            }
        }
        grid.save(&folder.join(PLOTS_FOLDER).join(format!("{NAME}.png")))
    }

    fn row(
        &self,
        kind: Kind,
        predictions: &[Prediction],
        labels: &Labels,
    ) -> Result<ImageGrid, TrainError> {
        let cases = kind.ranked(predictions);
        let shown = cases.len().min(MAX_CASES);
        let name = |positive: bool| {
            if positive {
                &labels.positive
            } else {
                &labels.negative
            }
        };
        let (truth, call) = (name(kind.positive), name(kind.called));
        let how_many = match cases.len() {
            0 => "none".into(),
            all => format!("the {shown} most confident of {all}"),
        };
        let title = format!("{truth} called {call}: {how_many}");
        let mut grid = LARGE.grid(&title, 2 * shown);
        for case in cases.into_iter().take(MAX_CASES) {
            let sample = case.sample;
            // In the proportions that the network sees, and as the copy that was judged.
            let image = LARGE.shrink(&sample.picture);
            let file = sample.path.file_name().unwrap_or_default();
            grid.add(Some(&image), image_grid::PLAIN, &file.to_string_lossy());
            let caption = format!("p {:.3}, truth {truth}", case.judged.probability);
            for evidence in self.evidence(case.fold, sample)? {
                grid.add(Some(&evidence.paint(&image)), image_grid::PLAIN, &caption);
            }
        }
        Ok(grid)
    }

    /// The evidence of the network of a fold, from 1, in a sample: one map.
    fn evidence(&self, fold: usize, sample: &Sample) -> Result<Vec<EvidenceMap>, TrainError> {
        let network = &self.0[fold - 1];
        let batch = Batch::plain(&[sample], network.architecture())?;
        let (input, _) = batch.tensors(&network.device());
        Ok(network.evidence_maps(input))
    }
}

impl Kind {
    /// The cases of this kind, the most confident first.
    fn ranked<'a, 'b>(self, predictions: &'b [Prediction<'a>]) -> Vec<&'b Prediction<'a>> {
        let mut cases: Vec<&Prediction> = predictions
            .iter()
            .filter(|case| {
                (case.judged.positive, case.judged.called) == (self.positive, self.called)
            })
            .collect();
        cases.sort_by(|a, b| {
            let (a, b) = (a.judged.logit, b.judged.logit);
            if self.called {
                b.total_cmp(&a)
            } else {
                a.total_cmp(&b)
            }
        });
        cases
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::metrics::Judged;
    use crate::networks::{Architecture, floats};
    use crate::synth::example_field;

    const ARCHITECTURE: Architecture = Architecture::tiny(24);

    fn sample(path: &Path, number: u64) -> Sample {
        Sample {
            path: path.into(),
            ..Sample::drawn(number, 24)
        }
    }

    fn prediction(sample: &Sample, logit: f32, positive: bool, called: bool) -> Prediction<'_> {
        Prediction {
            sample,
            judged: Judged {
                logit,
                probability: 1.0 / (1.0 + (-logit).exp()),
                called,
                decided: true,
                positive,
                group: 0,
            },
            fold: 1,
        }
    }

    #[test]
    fn the_most_confident_come_first() {
        let sample = sample(Path::new("none"), 1);
        // The thresholds of folds differ, so a call for positive may lie below one half.
        let predictions = [
            (-0.2, true, true),
            (3.0, true, true),
            (0.1, true, true),
            (-1.0, true, false),
            (-4.0, true, false),
            (0.3, true, false),
            (2.0, false, true),
            (5.0, false, true),
            (-6.0, false, false),
        ]
        .map(|(logit, positive, called)| prediction(&sample, logit, positive, called));
        for (positive, called, expected) in [
            (true, true, &[3.0, 0.1, -0.2][..]),
            (true, false, &[-4.0, -1.0, 0.3]),
            (false, true, &[5.0, 2.0]),
            (false, false, &[-6.0]),
        ] {
            let cases = Kind { positive, called }.ranked(&predictions);
            let logits: Vec<f32> = cases.iter().map(|case| case.judged.logit).collect();
            assert_eq!(logits, expected);
        }
    }

    #[test]
    fn evidence_is_that_of_the_network_of_the_fold() {
        let networks = [1, 2].map(|seed| Network::init(ARCHITECTURE, seed, &Device::flex()));
        let fold_networks = FoldNetworks(&networks);
        let sample = sample(Path::new("none"), 3);
        let margins = networks.each_ref().map(|network| {
            let batch = Batch::plain(&[&sample], ARCHITECTURE).unwrap();
            floats(network.margins(batch.tensors(&Device::flex()).0))[0]
        });
        assert!((margins[0] - margins[1]).abs() > 0.01, "{margins:?}");
        for (fold, margin) in (1..).zip(margins) {
            let maps = fold_networks.evidence(fold, &sample).unwrap();
            let [evidence] = &maps[..] else {
                panic!("{maps:?}");
            };
            assert_eq!((evidence.width, evidence.height), (12, 12));
            // A network that has not begun to learn has no bias; 576 terms of f32 in another order.
            let sum: f32 = evidence.values.iter().sum();
            assert!((sum - margin).abs() < 1e-4, "{sum} {margin}");
        }
    }

    #[test]
    fn kinds_without_cases_have_a_title_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.png");
        example_field(5, 64, 48).save(&path).unwrap();
        let sample = sample(&path, 5);
        let networks = [Network::init(ARCHITECTURE, 1, &Device::flex())];
        let fold_networks = FoldNetworks(&networks);
        let labels = Labels {
            negative: "negative".into(),
            positive: "positive".into(),
            positive_index: 1,
        };
        std::fs::create_dir(folder.path().join(PLOTS_FOLDER)).unwrap();
        let height = |predictions: &[Prediction]| {
            fold_networks
                .draw_cases(folder.path(), predictions, &labels, "")
                .unwrap();
            let path = folder.path().join(PLOTS_FOLDER).join("evidence.png");
            image::image_dimensions(path).unwrap().1
        };
        let none = height(&[]);
        let one = height(&[prediction(&sample, 1.0, true, true)]);
        // Five lines of text; and a row of pictures with frames and captions.
        assert_eq!(none, 5 * 17);
        assert_eq!(one - none, 192 + 6 + 17 + 4);
    }
}
