//! How many labelled leukocytes are found, and what else is.

use serde::Serialize;
use smearscope_artifacts::{CellSite, Share};

use super::quantile::quantile;

/// A labelled leukocyte of a field, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    pub(crate) centre: [f32; 2],
    /// Width and height; those of a usual leukocyte if the label is a centre only.
    pub(crate) extent: [f32; 2],
    /// Whether the extent is the label's own.
    pub(crate) is_measured: bool,
    /// Whether the frame cuts the cell: it counts neither as missed nor, if it is found, as false.
    pub(crate) is_cut: bool,
}

/// Finds and labels of fields, compared.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Detection {
    fields: usize,
    /// Fields in which every leukocyte is labelled.
    complete_fields: usize,
    found: usize,
    found_in_complete: usize,
    missed: usize,
    false_finds: usize,
    unknown_finds: usize,
    /// Diameters of found cells relative to those of their labels.
    diameter_ratios: Vec<f32>,
}

/// Figures of a [`Detection`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct DetectionFigures {
    pub(crate) fields: usize,
    /// Fields in which every leukocyte is labelled.
    pub(crate) complete_fields: usize,
    /// Labelled leukocytes that are found.
    pub(crate) recall: Share,
    /// Finds that are labelled leukocytes, in complete fields.
    pub(crate) precision: Share,
    /// Finds per complete field that are no labelled leukocyte; `None` without such fields.
    pub(crate) false_finds_per_field: Option<f64>,
    /// Finds without a label in the other fields.
    pub(crate) unknown_finds: usize,
    pub(crate) diameter_error: Option<DiameterError>,
}

/// Diameters of found cells compared with the square root of width and height of their labels, as a share of it: 0.1 is
/// a tenth too large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct DiameterError {
    pub(crate) cells: usize,
    pub(crate) median: f32,
    /// The 5 % and the 95 % quantile.
    pub(crate) range: [f32; 2],
}

impl Target {
    /// Whether a find is right for it: its centre lies in the ellipse that fills the label's box, or in the box of a cell
    /// that the frame cuts.
    fn is_hit_by(&self, find: &CellSite) -> bool {
        let [x, y] = [(find.x, 0), (find.y, 1)]
            .map(|(at, axis)| 2.0 * (at - self.centre[axis]) / self.extent[axis]);
        let distance = if self.is_cut {
            x.abs().max(y.abs())
        } else {
            x.hypot(y)
        };
        distance <= 1.0
    }

    fn distance(&self, find: &CellSite) -> f32 {
        (find.x - self.centre[0]).hypot(find.y - self.centre[1])
    }

    /// The diameter that a find should have.
    fn diameter(&self) -> f32 {
        (self.extent[0] * self.extent[1]).sqrt()
    }
}

impl Detection {
    /// Compares the finds in a field with its labels: one to one, the surest find first, each with the nearest label that
    /// it is right for. `is_complete` says whether every leukocyte of the field is labelled.
    pub(crate) fn of_field(finds: &[CellSite], targets: &[Target], is_complete: bool) -> Self {
        let mut detection = Self {
            fields: 1,
            complete_fields: usize::from(is_complete),
            ..Self::default()
        };
        let mut finds: Vec<&CellSite> = finds.iter().collect();
        finds.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut is_found = vec![false; targets.len()];
        for find in finds {
            let fitting = (0..targets.len())
                .filter(|&at| !is_found[at] && targets[at].is_hit_by(find))
                .min_by(|&a, &b| {
                    let [a, b] = [a, b].map(|at| &targets[at]);
                    let by_distance = a.distance(find).total_cmp(&b.distance(find));
                    a.is_cut.cmp(&b.is_cut).then(by_distance)
                });
            match fitting {
                // Several finds may lie in what the frame leaves of a cell.
                Some(at) if targets[at].is_cut => {}
                Some(at) => {
                    is_found[at] = true;
                    if targets[at].is_measured {
                        let ratio = find.diameter / targets[at].diameter();
                        detection.diameter_ratios.push(ratio);
                    }
                }
                None if is_complete => detection.false_finds += 1,
                None => detection.unknown_finds += 1,
            }
        }
        detection.found = is_found.iter().filter(|found| **found).count();
        let whole = targets.iter().filter(|target| !target.is_cut).count();
        detection.missed = whole - detection.found;
        if is_complete {
            detection.found_in_complete = detection.found;
        }
        detection
    }

    /// Adds other fields.
    pub(crate) fn add(&mut self, other: &Self) {
        self.fields += other.fields;
        self.complete_fields += other.complete_fields;
        self.found += other.found;
        self.found_in_complete += other.found_in_complete;
        self.missed += other.missed;
        self.false_finds += other.false_finds;
        self.unknown_finds += other.unknown_finds;
        self.diameter_ratios.extend(&other.diameter_ratios);
    }

    /// The figures; `None` without fields.
    pub(crate) fn figures(&self) -> Option<DetectionFigures> {
        (self.fields > 0).then(|| DetectionFigures {
            fields: self.fields,
            complete_fields: self.complete_fields,
            recall: Share {
                count: self.found,
                of: self.found + self.missed,
            },
            precision: Share {
                count: self.found_in_complete,
                of: self.found_in_complete + self.false_finds,
            },
            false_finds_per_field: (self.complete_fields > 0)
                .then(|| self.false_finds as f64 / self.complete_fields as f64),
            unknown_finds: self.unknown_finds,
            diameter_error: DiameterError::of(&self.diameter_ratios),
        })
    }
}

impl DiameterError {
    fn of(ratios: &[f32]) -> Option<Self> {
        if ratios.is_empty() {
            return None;
        }
        let mut sorted = ratios.to_vec();
        sorted.sort_by(f32::total_cmp);
        let error = |share| quantile(&sorted, share) - 1.0;
        Some(Self {
            cells: ratios.len(),
            median: error(0.5),
            range: [error(0.05), error(0.95)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(x: f32, y: f32, width: f32, height: f32) -> Target {
        Target {
            centre: [x, y],
            extent: [width, height],
            is_measured: true,
            is_cut: false,
        }
    }

    fn find(x: f32, y: f32, diameter: f32, score: f32) -> CellSite {
        CellSite {
            x,
            y,
            diameter,
            score,
        }
    }

    #[test]
    fn the_surest_find_takes_the_nearest_label_in_whose_box_it_lies() {
        let targets = [
            target(50.0, 50.0, 20.0, 40.0),
            target(62.0, 50.0, 20.0, 40.0),
            target(150.0, 50.0, 30.0, 30.0),
            // At the edge of its ellipse it is still found; its size is not known.
            Target {
                is_measured: false,
                ..target(200.0, 50.0, 20.0, 20.0)
            },
        ];
        let finds = [
            // Within both of the first boxes and nearer to the second.
            find(57.0, 50.0, 22.0, 0.9),
            // Nearer to the second as well, which is taken by a surer find.
            find(58.0, 50.0, 34.0, 0.7),
            find(210.0, 50.0, 99.0, 0.6),
            // A second find in a cell, one beside the box of a cell, and one far away.
            find(206.0, 50.0, 30.0, 0.5),
            find(150.0, 65.1, 30.0, 0.8),
            find(300.0, 300.0, 30.0, 0.4),
        ];
        let detection = Detection::of_field(&finds, &targets, true);
        let figures = detection.figures().unwrap();
        assert_eq!(figures.recall, Share { count: 3, of: 4 });
        assert_eq!(figures.precision, Share { count: 3, of: 6 });
        assert_eq!(figures.false_finds_per_field, Some(3.0));
        // 22 and 34 pixels for √800 = 28.284.
        let error = figures.diameter_error.unwrap();
        assert_eq!(error.cells, 2);
        let [low, high] = [22.0, 34.0].map(|found: f32| found / 800.0_f32.sqrt() - 1.0);
        // numpy.quantile interpolates in the same way.
        for (found, expected) in [
            (error.median, f32::midpoint(low, high)),
            (error.range[0], low + 0.05 * (high - low)),
            (error.range[1], low + 0.95 * (high - low)),
        ] {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn cells_that_the_frame_cuts_are_neither_missed_nor_false() {
        let cut = Target {
            is_cut: true,
            ..target(10.0, 50.0, 20.0, 20.0)
        };
        let targets = [cut, target(14.0, 50.0, 20.0, 20.0)];
        // Two of them are in the cut cell; one is in both, and belongs to the whole cell.
        let finds = [
            find(10.0, 50.0, 20.0, 0.9),
            find(2.0, 50.0, 20.0, 0.8),
            find(1.0, 42.0, 20.0, 0.7),
        ];
        let figures = Detection::of_field(&finds, &targets, true)
            .figures()
            .unwrap();
        assert_eq!(figures.recall, Share { count: 1, of: 1 });
        assert_eq!(figures.precision, Share { count: 1, of: 1 });
        let missed = Detection::of_field(&[], &targets, true).figures().unwrap();
        assert_eq!(missed.recall, Share { count: 0, of: 1 });
    }

    #[test]
    fn finds_without_a_label_are_unknown_where_labels_are_not_complete() {
        let targets = [
            target(50.0, 50.0, 20.0, 20.0),
            target(90.0, 50.0, 20.0, 20.0),
        ];
        let finds = [find(50.0, 50.0, 20.0, 0.9), find(200.0, 50.0, 20.0, 0.9)];
        let mut detection = Detection::of_field(&finds, &targets, false);
        let figures = detection.figures().unwrap();
        assert_eq!(figures.recall, Share { count: 1, of: 2 });
        assert_eq!(figures.precision, Share::default());
        assert_eq!(figures.false_finds_per_field, None);
        assert_eq!(figures.unknown_finds, 1);

        detection.add(&Detection::of_field(&finds, &targets, true));
        detection.add(&Detection::of_field(&[], &[], true));
        let figures = detection.figures().unwrap();
        assert_eq!((figures.fields, figures.complete_fields), (3, 2));
        assert_eq!(figures.recall, Share { count: 2, of: 4 });
        assert_eq!(figures.precision, Share { count: 1, of: 2 });
        assert_eq!(figures.false_finds_per_field, Some(0.5));
        assert_eq!(figures.unknown_finds, 1);
        assert_eq!(Detection::default().figures(), None);
    }
}
