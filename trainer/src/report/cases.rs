//! The best and the worst cases, each beside the evidence that its network found in it.

use std::path::Path;

use smearscope_artifacts::{EvidenceMap, Labels};

use crate::dataset::Sample;
use crate::error::TrainError;
use crate::networks::{Network, floats};
use crate::report::image_grid::{self, LARGE, Sheet};
use crate::report::plots;
use crate::training::batch::Batch;
use crate::training::protocol::Prediction;

/// The sheet's file name without extension.
pub(crate) const NAME: &str = "evidence";

/// Cases of each kind.
const MOST: usize = 3;

/// What was true, and what was called.
#[derive(Debug, Clone, Copy)]
struct Kind {
    positive: bool,
    called: bool,
}

/// The networks that judged, by fold.
pub(crate) struct Judges<'a>(pub(crate) &'a [Network]);

impl Judges<'_> {
    /// Draws the sheet into the figures' folder of `folder`: for each class the surest calls that
    /// were right, and the surest that were wrong.
    ///
    /// # Errors
    /// [`TrainError::Artifact`] if an image cannot be prepared, [`TrainError::Output`] if the sheet
    /// cannot be written.
    pub(crate) fn draw_cases(
        &self,
        folder: &Path,
        predictions: &[Prediction],
        labels: &Labels,
        leaky: &str,
    ) -> Result<(), TrainError> {
        let title = format!(
            "{}Evidence of the network that judged each image: orange speaks for {}, blue against it.",
            leaky.to_uppercase(),
            labels.positive
        );
        let mut sheet = LARGE.sheet(&title, 0);
        for positive in [true, false] {
            for called in [positive, !positive] {
                let kind = Kind { positive, called };
                sheet.append(&self.row(kind, predictions, labels)?);
            }
        }
        sheet.save(&folder.join(plots::FOLDER).join(format!("{NAME}.png")))
    }

    fn row(
        &self,
        kind: Kind,
        predictions: &[Prediction],
        labels: &Labels,
    ) -> Result<Sheet, TrainError> {
        let cases = kind.surest(predictions);
        let shown = cases.len().min(MOST);
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
            all => format!("the surest {shown} of {all}"),
        };
        let title = format!("{truth} called {call}: {how_many}");
        let mut sheet = LARGE.sheet(&title, 2 * shown);
        for case in cases.into_iter().take(MOST) {
            let sample = case.sample;
            // Squeezed, as the network saw it, and the variant where one was judged.
            let image = LARGE.shrink(&sample.picture);
            let file = sample.path.file_name().unwrap_or_default();
            sheet.add(Some(&image), image_grid::PLAIN, &file.to_string_lossy());
            let evidence = self.evidence(case.fold, sample)?.paint(&image);
            let caption = format!("p {:.3}, truth {truth}", case.judged.probability);
            sheet.add(Some(&evidence), image_grid::PLAIN, &caption);
        }
        Ok(sheet)
    }

    /// What the network of a fold, from 1, finds in a sample.
    fn evidence(&self, fold: usize, sample: &Sample) -> Result<EvidenceMap, TrainError> {
        let network = &self.0[fold - 1];
        let batch = Batch::plain(&[sample], network.architecture())?;
        let (input, _) = batch.tensors(&network.device());
        let evidence = network.evidence(input);
        let [_, _, height, width] = evidence.dims();
        Ok(EvidenceMap {
            width,
            height,
            values: floats(evidence),
        })
    }
}

impl Kind {
    /// The cases of this kind, the surest first.
    fn surest<'a, 'b>(self, predictions: &'b [Prediction<'a>]) -> Vec<&'b Prediction<'a>> {
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
    use crate::networks::Architecture;
    use crate::synth::test_field;

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
    fn the_surest_come_first() {
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
            let cases = Kind { positive, called }.surest(&predictions);
            let logits: Vec<f32> = cases.iter().map(|case| case.judged.logit).collect();
            assert_eq!(logits, expected);
        }
    }

    #[test]
    fn evidence_is_that_of_the_network_of_the_fold() {
        let networks = [1, 2].map(|seed| Network::begin(ARCHITECTURE, seed, &Device::flex()));
        let judges = Judges(&networks);
        let sample = sample(Path::new("none"), 3);
        let margins = networks.each_ref().map(|network| {
            let batch = Batch::plain(&[&sample], ARCHITECTURE).unwrap();
            floats(network.margins(batch.tensors(&Device::flex()).0))[0]
        });
        assert!((margins[0] - margins[1]).abs() > 0.01, "{margins:?}");
        for (fold, margin) in (1..).zip(margins) {
            let evidence = judges.evidence(fold, &sample).unwrap();
            assert_eq!((evidence.width, evidence.height), (12, 12));
            // A network that has not begun to learn has no bias; 576 terms of f32 in another order.
            let sum: f32 = evidence.values.iter().sum();
            assert!((sum - margin).abs() < 1e-4, "{sum} {margin}");
        }
    }

    #[test]
    fn kinds_without_cases_are_named_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.png");
        test_field(5, 64, 48).save(&path).unwrap();
        let sample = sample(&path, 5);
        let networks = [Network::begin(ARCHITECTURE, 1, &Device::flex())];
        let judges = Judges(&networks);
        let labels = Labels {
            negative: "negative".into(),
            positive: "positive".into(),
            positive_index: 1,
        };
        std::fs::create_dir(folder.path().join(plots::FOLDER)).unwrap();
        let height = |predictions: &[Prediction]| {
            judges
                .draw_cases(folder.path(), predictions, &labels, "")
                .unwrap();
            let path = folder.path().join(plots::FOLDER).join("evidence.png");
            image::image_dimensions(path).unwrap().1
        };
        let none = height(&[]);
        let one = height(&[prediction(&sample, 1.0, true, true)]);
        // Five lines of text; and a row of pictures with frames and captions.
        assert_eq!(none, 5 * 17);
        assert_eq!(one - none, 192 + 6 + 17 + 4);
    }
}
