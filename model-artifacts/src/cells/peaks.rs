//! From a finder's maps to cells: peaks, their centres and diameters.

use super::cell_site::CellSite;

/// Most peaks that are looked at, the highest first. A field has a few hundred red cells; a picture that is no
/// smear may have a peak at every third position.
const MAX_PEAKS: usize = 4096;
/// Two cells of one kind lie at least this far apart, in diameters of the smaller and of the larger one.
const APART: [f32; 2] = [0.45, 0.3];

/// A finder's map of one kind of cell over a field.
#[derive(Debug, Clone, Copy)]
pub struct CentreMap<'a> {
    /// Number of columns; the rows follow from the length of the maps.
    pub width: usize,
    /// How sure the finder is that the centre of a cell lies at each position, 0 to 1, row by row.
    pub scores: &'a [f32],
    /// Natural logarithm of the diameter of the cell at each position, in pixels of the finder's input.
    pub log_diameters: &'a [f32],
    /// Pixels of the finder's input per position, in each direction. Position `i` covers the pixels from
    /// `i · stride` to `(i + 1) · stride`.
    pub stride: f32,
}

impl CentreMap<'_> {
    /// The cells whose score is at least `threshold`, the surest first, in pixels of the finder's input.
    ///
    /// A cell is a position with the highest score of its 3 × 3 neighbours; its centre is their mean, and the logarithm of
    /// its diameter that of theirs, weighted by their scores. Of two cells that lie closer than parts of cells do, the surer one stays.
    pub fn cells(&self, threshold: f32) -> Vec<CellSite> {
        let mut sites: Vec<CellSite> = (0..self.scores.len())
            .filter(|&at| self.scores[at] >= threshold && self.is_peak(at))
            .filter_map(|at| self.site(at))
            .collect();
        sites.sort_by(|a, b| b.score.total_cmp(&a.score));
        sites.truncate(MAX_PEAKS);
        let mut kept: Vec<CellSite> = Vec::with_capacity(sites.len());
        for site in sites {
            if kept.iter().all(|other| are_apart(&site, other)) {
                kept.push(site);
            }
        }
        kept
    }

    fn rows(&self) -> usize {
        self.scores.len() / self.width.max(1)
    }

    /// Positions around one, itself among them, that lie on the map.
    fn around(&self, at: usize) -> impl Iterator<Item = (usize, usize)> {
        let (column, row) = (at % self.width, at / self.width);
        let columns = column.saturating_sub(1)..(column + 2).min(self.width);
        let rows = row.saturating_sub(1)..(row + 2).min(self.rows());
        rows.flat_map(move |row| columns.clone().map(move |column| (column, row)))
    }

    /// Of equal neighbours, the first counts.
    fn is_peak(&self, at: usize) -> bool {
        let score = self.scores[at];
        self.around(at).all(|(column, row)| {
            let other = row * self.width + column;
            if other < at {
                self.scores[other] < score
            } else {
                self.scores[other] <= score
            }
        })
    }

    /// `None` if the diameter is no number.
    fn site(&self, at: usize) -> Option<CellSite> {
        let (mut x, mut y, mut log_diameter, mut total) = (0.0, 0.0, 0.0, 0.0);
        for (column, row) in self.around(at) {
            let at = row * self.width + column;
            let weight = self.scores[at].max(0.0);
            x += weight * (column as f32 + 0.5);
            y += weight * (row as f32 + 0.5);
            log_diameter += weight * self.log_diameters.get(at)?;
            total += weight;
        }
        let diameter = (log_diameter / total).exp();
        let site = CellSite {
            x: x / total * self.stride,
            y: y / total * self.stride,
            diameter,
            score: self.scores[at],
        };
        let is_real = diameter > 0.0 && [site.x, site.y, diameter].iter().all(|v| v.is_finite());
        is_real.then_some(site)
    }
}

fn are_apart(first: &CellSite, second: &CellSite) -> bool {
    let distance = (first.x - second.x).hypot(first.y - second.y);
    let [smaller, larger] = APART;
    distance >= smaller * first.diameter.min(second.diameter)
        && distance >= larger * first.diameter.max(second.diameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 12;

    fn map(peaks: &[(usize, usize, f32)]) -> Vec<f32> {
        let mut scores = vec![0.0; WIDTH * 8];
        for &(column, row, score) in peaks {
            scores[row * WIDTH + column] = score;
        }
        scores
    }

    fn cells(scores: &[f32], diameter: f32, threshold: f32) -> Vec<CellSite> {
        let log_diameters = vec![diameter.ln(); scores.len()];
        CentreMap {
            width: WIDTH,
            scores,
            log_diameters: &log_diameters,
            stride: 4.0,
        }
        .cells(threshold)
    }

    #[test]
    fn centres_are_weighted_means_in_pixels() {
        let scores = map(&[
            (3, 2, 0.9),
            (4, 2, 0.3),
            (3, 3, 0.0),
            (9, 5, 0.5),
            (0, 0, 0.2),
        ]);
        let found = cells(&scores, 12.0, 0.4);
        assert_eq!(found.len(), 2);
        // Columns 3 and 4 have the centres 14 and 18: (0.9 · 14 + 0.3 · 18) / 1.2 = 15.
        assert!((found[0].x - 15.0).abs() < 1e-4 && (found[0].y - 10.0).abs() < 1e-4);
        assert!((found[0].diameter - 12.0).abs() < 1e-4);
        assert!((found[1].x - 38.0).abs() < 1e-4 && (found[1].y - 22.0).abs() < 1e-4);
    }

    #[test]
    fn diameters_are_geometric_means() {
        let scores = map(&[(3, 2, 0.9), (4, 2, 0.3)]);
        let mut log_diameters = vec![f32::MAX; scores.len()];
        for row in 1..4 {
            log_diameters[row * WIDTH + 2..][..3].fill(10.0_f32.ln());
        }
        log_diameters[2 * WIDTH + 4] = 20.0_f32.ln();
        let map = CentreMap {
            width: WIDTH,
            scores: &scores,
            log_diameters: &log_diameters,
            stride: 4.0,
        };
        let found = map.cells(0.4);
        // 10^¾ · 20^¼
        assert!((found[0].diameter - 11.892).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn of_two_peaks_in_one_cell_the_surer_one_stays() {
        // Two positions, 8 pixels, apart.
        let scores = map(&[(3, 2, 0.8), (5, 2, 0.9)]);
        assert_eq!(cells(&scores, 12.0, 0.4).len(), 2);
        let found = cells(&scores, 24.0, 0.4);
        assert_eq!(found.len(), 1);
        assert!((found[0].score - 0.9).abs() < 1e-6);
    }

    #[test]
    fn a_plateau_is_one_cell() {
        let scores = map(&[(3, 2, 0.8), (4, 2, 0.8), (3, 3, 0.8), (4, 3, 0.8)]);
        let found = cells(&scores, 6.0, 0.4);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn maps_without_numbers_have_no_cells() {
        assert_eq!(cells(&[f32::NAN; WIDTH * 2], 10.0, 0.4), []);
        let scores = map(&[(3, 2, 0.8)]);
        for diameter in [f32::NAN, f32::INFINITY, 0.0] {
            assert_eq!(cells(&scores, diameter, 0.4), []);
        }
        assert_eq!(cells(&[], 10.0, 0.4), []);
    }

    #[test]
    fn the_number_of_peaks_is_bounded() {
        let scores: Vec<f32> = (0..WIDTH * 6000)
            .map(|at| {
                if (at % WIDTH).is_multiple_of(2) && (at / WIDTH).is_multiple_of(2) {
                    0.9
                } else {
                    0.0
                }
            })
            .collect();
        assert_eq!(cells(&scores, 4.0, 0.4).len(), MAX_PEAKS);
    }
}
