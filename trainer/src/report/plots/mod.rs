//! Plots of what was measured, each as PNG and as SVG.
//!
//! Curves of few images are drawn with their steps: points are never smoothed or left out.

mod axes;
mod confusion;
mod measured;
mod precision_recall;
mod reliability;
mod roc;
mod training_curves;

use std::path::Path;

use kuva::backend::png::PngBackend;
use kuva::backend::svg::SvgBackend;
use kuva::render::render::Scene;
pub(crate) use measured::Measured;

use crate::error::TrainError;
use crate::package;

/// The folder of the plots in a model folder.
pub(crate) const PLOTS_FOLDER: &str = "figures";

/// Pixels of the PNG per pixel of the SVG.
const SCALE: f32 = 2.0;

/// File names without extension, with captions.
pub(crate) const PLOTS: [(&str, &str); 5] = [
    (roc::NAME, "ROC curve"),
    (precision_recall::NAME, "Precision and recall"),
    (reliability::NAME, "Reliability diagram"),
    (confusion::NAME, "Confusion matrix"),
    (training_curves::NAME, "Training curves"),
];

/// Writes the plots into the figures folder of `folder`.
///
/// # Errors
/// [`TrainError::Output`] if they cannot be written.
pub(crate) fn write_plots(measured: &Measured, folder: &Path) -> Result<(), TrainError> {
    save(folder, roc::NAME, &roc::draw(measured))?;
    save(
        folder,
        precision_recall::NAME,
        &precision_recall::draw(measured),
    )?;
    save(folder, reliability::NAME, &reliability::draw(measured))?;
    save(folder, confusion::NAME, &confusion::draw(measured))?;
    if !measured.histories.is_empty() {
        save(
            folder,
            training_curves::NAME,
            &training_curves::draw(measured),
        )?;
    }
    Ok(())
}

fn save(folder: &Path, name: &str, scene: &Scene) -> Result<(), TrainError> {
    let svg = SvgBackend::new().render_scene(scene);
    package::save(
        folder,
        &format!("{PLOTS_FOLDER}/{name}.svg"),
        svg.as_bytes(),
    )?;
    let file = format!("{PLOTS_FOLDER}/{name}.png");
    let png = PngBackend::new()
        .with_scale(SCALE)
        .render_scene(scene)
        .map_err(|problem| {
            TrainError::output(&folder.join(&file), std::io::Error::other(problem))
        })?;
    package::save(folder, &file, &png)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use image::ImageFormat;
    use quick_xml::Reader;
    use quick_xml::events::Event;
    use smearscope_artifacts::{DecisionRule, Evaluation, Labels};

    use super::*;
    use crate::metrics::{self, Judged, Scored};
    use crate::testing::python;
    use crate::training::{Epoch, History};

    /// Two hundred images with ties, none on the edge of a bin, which scikit-learn counts to the one
    /// below.
    fn judged() -> Vec<Judged> {
        let rule = DecisionRule {
            threshold: 0.4,
            inconclusive: [0.3, 0.7],
            offset: 0.0,
            temperature: 1.3,
        };
        (0..200)
            .map(|number| {
                let positive = number % 5 < 2;
                let noise = (number * 37 % 64) as f32 / 8.0 - 4.0;
                let scored = Scored {
                    margin: noise + if positive { 1.01 } else { -0.99 },
                    positive,
                    group: number,
                };
                Judged::by(&rule, scored)
            })
            .collect()
    }

    #[test]
    fn figures_and_curves_agree_with_scikit_learn() {
        #[derive(serde::Deserialize)]
        struct Reference {
            figures: BTreeMap<String, f64>,
            curves: BTreeMap<String, Vec<(f64, f64)>>,
        }

        let judged = judged();
        let rows: Vec<(f64, f64, bool, bool)> = judged
            .iter()
            .map(|item| {
                let score = item.logit.into();
                (score, item.probability.into(), item.called, item.positive)
            })
            .collect();
        let Some(answer) = python(
            "metrics_reference.py",
            &serde_json::to_string(&rows).unwrap(),
        ) else {
            return;
        };
        let Reference { figures, curves } = serde_json::from_str(&answer).unwrap();
        let found = metrics::figures(&judged);
        assert_eq!(figures.len(), 8);
        for (name, expected) in figures {
            // Both sum 200 terms in f64, in another order.
            let found = found[&name];
            assert!(
                (found - expected).abs() < 1e-12,
                "{name}: {found} {expected}"
            );
        }
        let scores = metrics::scores(&judged);
        for (name, found) in [
            (roc::NAME, roc::curve(&scores)),
            (precision_recall::NAME, precision_recall::curve(&scores)),
            (
                reliability::NAME,
                reliability::curve(&metrics::bins(&judged)),
            ),
        ] {
            let expected = &curves[name];
            assert_eq!(found.len(), expected.len(), "{name}");
            for (found, expected) in found.iter().zip(expected) {
                // Ratios of counts, and means of a few dozen terms.
                let far = (found.0 - expected.0)
                    .abs()
                    .max((found.1 - expected.1).abs());
                assert!(far < 1e-12, "{name}: {found:?} {expected:?}");
            }
        }
    }

    /// Area under a line, by trapezia.
    fn area(line: &[(f64, f64)]) -> f64 {
        line.windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0)
            .sum()
    }

    #[test]
    fn the_area_under_each_curve_is_the_figure_in_its_title() {
        let judged = judged();
        let scores = metrics::scores(&judged);
        let figures = metrics::figures(&judged);
        let steps = precision_recall::corners(&precision_recall::curve(&scores));
        // Sums of 200 terms in another order.
        assert!((area(&roc::curve(&scores)) - figures["auroc"]).abs() < 1e-12);
        assert!((area(&steps) - figures["auprc"]).abs() < 1e-12);
    }

    fn histories() -> Vec<(String, History)> {
        let epoch = |loss| Epoch::example(loss, loss + 0.1, (loss < 0.6).then_some(1.0 - loss));
        let history = History {
            best: 2,
            epochs: [0.7, 0.4, 0.5].map(epoch).into(),
            seconds: vec![1.0; 3],
        };
        vec![("fold 1 of 1".into(), history)]
    }

    /// Plots into a new folder; the files of the plots by name.
    fn plotted(judged: &[Judged], histories: &[(String, History)]) -> BTreeMap<String, Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let evaluation = Evaluation {
            dataset: "test".into(),
            protocol: "test".into(),
            positives: 0,
            negatives: 0,
            figures: metrics::figures(judged),
            intervals: metrics::intervals(judged, 1),
            warnings: Vec::new(),
        };
        let labels = Labels {
            negative: "no <blasts> & \"none\"".into(),
            positive: "blasts".into(),
            positive_index: 1,
        };
        let measured = Measured {
            judged,
            evaluation: &evaluation,
            labels: &labels,
            histories,
        };
        write_plots(&measured, folder.path()).unwrap();
        fs::read_dir(folder.path().join(PLOTS_FOLDER))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    /// Width and height that an SVG gives itself, and all of its text.
    fn read_svg(svg: &[u8]) -> ([f64; 2], String) {
        let mut reader = Reader::from_reader(svg);
        let (mut size, mut text) = ([0.0; 2], String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) if start.name().as_ref() == "svg" => {
                    size = ["width", "height"].map(|name| {
                        let value = start.try_get_attribute(name).unwrap().unwrap().value;
                        value.parse().unwrap()
                    });
                }
                Event::Text(part) => text.push_str(&part),
                Event::Eof => return (size, text),
                _ => {}
            }
        }
    }

    #[test]
    fn every_plot_is_written_as_svg_and_png() {
        let judged = judged();
        let files = plotted(&judged, &histories());
        assert_eq!(files.len(), 2 * PLOTS.len());
        let auroc = format!("AUROC {:.3}", metrics::figures(&judged)["auroc"]);
        for (name, _) in PLOTS {
            let (size, text) = read_svg(&files[&format!("{name}.svg")]);
            assert_eq!(text.contains(&auroc), name == roc::NAME, "{text}");
            let png = &files[&format!("{name}.png")];
            let png = image::load_from_memory_with_format(png, ImageFormat::Png).unwrap();
            let pixels = size.map(|side| (side * f64::from(SCALE)) as u32);
            assert_eq!([png.width(), png.height()], pixels, "{name}");
        }
    }

    #[test]
    fn leaky_figures_are_marked() {
        let evaluation = Evaluation {
            dataset: "test".into(),
            protocol: "test".into(),
            positives: 0,
            negatives: 0,
            figures: [("leaky_auroc", 0.99), ("auprc", 0.5)]
                .map(|(name, figure)| (name.to_owned(), figure))
                .into(),
            intervals: BTreeMap::new(),
            warnings: Vec::new(),
        };
        let labels = Labels {
            negative: "no".into(),
            positive: "yes".into(),
            positive_index: 1,
        };
        let measured = Measured {
            judged: &[],
            evaluation: &evaluation,
            labels: &labels,
            histories: &[],
        };
        assert_eq!(measured.title("AUROC", "auroc"), "LEAKY AUROC 0.990");
        assert_eq!(measured.title("Precision", "auprc"), "Precision 0.500");
    }

    #[test]
    fn the_same_data_give_the_same_bytes() {
        let [first, second] = [(), ()].map(|()| plotted(&judged(), &histories()));
        for (name, _) in PLOTS {
            // An SVG numbers its clip paths on from those before it in the process.
            let png = format!("{name}.png");
            assert!(first[&png] == second[&png], "{name}");
        }
    }

    #[test]
    fn missing_data_is_not_plotted() {
        let positives: Vec<Judged> = judged().into_iter().filter(|item| item.positive).collect();
        for judged in [&positives[..], &[]] {
            let files = plotted(judged, &[]);
            assert_eq!(files.len(), 2 * (PLOTS.len() - 1));
            let (_, text) = read_svg(&files["roc.svg"]);
            assert!(text.contains("AUROC unknown") && !text.contains("all thresholds"));
        }
    }
}
