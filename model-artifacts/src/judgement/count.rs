//! From the cells of a slide to the share of blasts among them, and from that to a verdict.

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::validation::{FieldError, check_between};

/// The 97.5 % quantile of the standard normal distribution, for intervals of 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// Probability beyond each end of the interval.
const TAIL: f64 = 0.025;
/// Smallest and largest number of cells that a rule may require for a negative verdict.
const MIN_CELLS: std::ops::RangeInclusive<u32> = CountRule::FEWEST_CELLS..=10_000;
/// Smallest number of blasts, and of other cells, that the calls must have been measured on.
const MIN_MEASURED: u32 = 20;

/// How often the networks call a cell a blast, measured on cells of a known kind that they did not
/// learn from.
///
/// Cells of one patient resemble each other. If many cells come from few patients, give both numbers
/// divided by the design effect (Kish 1965, "Survey Sampling"), else the interval is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlastCalls {
    /// Number of cells that were called blasts.
    pub called: u32,
    /// Number of cells that were looked at.
    pub of: u32,
}

impl BlastCalls {
    /// The share of cells that were called blasts, 0 to 1; NaN if there were none.
    pub fn rate(self) -> f64 {
        f64::from(self.called) / f64::from(self.of)
    }

    /// The rate after one more cell of either outcome, which is never 0 or 1, and the variance of its
    /// estimate.
    fn shrunk(self) -> (f64, f64) {
        let cells = f64::from(self.of) + 2.0;
        let rate = (f64::from(self.called) + 1.0) / cells;
        (rate, rate * (1.0 - rate) / cells)
    }

    fn check(self, field: &str) -> Result<(), FieldError> {
        if self.of < MIN_MEASURED || self.called > self.of {
            return Err(FieldError::new(
                field,
                format!(
                    "must be measured on at least {MIN_MEASURED} cells, and call no more of them blasts than there are, \
                     it is {} of {}",
                    self.called, self.of
                ),
                "measure it again with `smearscope-train evaluate`",
            ));
        }
        Ok(())
    }
}

/// The leukocytes of a slide that were told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellCount {
    /// Number of leukocytes, blasts included.
    pub cells: u32,
    /// Number of those that the networks called blasts; at most `cells`.
    pub blasts: u32,
    /// Number of further leukocytes of which nothing can be said: they are unlike all that the network learned from, or
    /// network and measured figures contradict each other.
    pub unclear: u32,
}

/// How a count becomes a verdict: positive if the 95 % interval of the share of blasts lies above
/// [`share`](CountRule::share) and at least 20 cells were counted, negative if it lies below and at least
/// [`min_cells`](CountRule::min_cells) were, else inconclusive.
///
/// The interval is that of Lang and Reiczigel 2014, "Confidence limits for prevalence of disease adjusted
/// for estimated sensitivity and specificity" (Prev Vet Med 113:13–22): it takes the networks' errors out
/// of the count, and widens by the uncertainty with which those errors are known. Where the share is 0.1 or
/// more, 95 % of intervals contain it; it is conservative below (up to 99.7 % contain a share of 0).
///
/// Fewer calls than the networks' false positives explain would push both ends below 0. But `n`
/// cells without a single blast do not exclude shares below `1 − 0.025^(1/n)` (Clopper and Pearson 1934), so
/// the upper end is never less than that, nor the lower end more than `0.025^(1/n)`.
///
/// Cells that are unclear are in no count, but may be blasts, or none. So a verdict is positive only if it would be with all of
/// them as other cells and they are not the greater part, and negative only if they are no larger a share of all leukocytes than `share`.
///
/// Where the share is at the limit, a count is positive by chance in up to 3 % of slides. Whoever stops at the first
/// positive verdict of a growing count gives chance more opportunities: 12 % of such slides become positive at some time
/// before 200 cells, looked at after every 10 (simulated, with networks as in the tests).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRule {
    /// Share of blasts among leukocytes that decides; above 0 and below 1.
    pub share: f64,
    /// Smallest number of cells for a negative verdict, 20 to 10,000.
    pub min_cells: u32,
    /// Blasts that the networks called blasts.
    pub sensitivity: BlastCalls,
    /// Other leukocytes that the networks called blasts.
    pub false_positives: BlastCalls,
}

/// The result of a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountDecision {
    /// What was counted.
    pub count: CellCount,
    /// The verdict; Inconclusive without cells.
    pub verdict: Verdict,
    /// Estimated share of blasts, 0 to 1, with the networks' errors taken out (Rogan and Gladen 1978,
    /// "Estimating prevalence from the results of a screening test"); `None` if nothing is known.
    pub share: Option<f64>,
    /// The 95 % interval of the share, `[low, high]`; 0 to 1 if nothing is known.
    pub interval: [f64; 2],
    /// The rule that was applied.
    pub rule: CountRule,
    /// Whether unclear cells alone stand in the way of a verdict.
    pub is_obscured: bool,
}

impl CountRule {
    /// Fewest cells of any verdict. Two cells that are called blasts put the interval above most shares, but whatever fooled
    /// the network once, in one place of one slide, fooled it twice.
    pub const FEWEST_CELLS: u32 = 20;

    /// Applies the rule. Without cells, with more blasts than cells, or with rates that cannot tell blasts from
    /// other cells, the verdict is [`Verdict::Inconclusive`].
    pub fn decide(&self, count: CellCount) -> CountDecision {
        let estimate = self.estimate(count);
        let share = estimate.map(|(share, _)| share);
        let interval = estimate.map_or([0.0, 1.0], |(_, interval)| interval);
        let [low, high] = interval;
        let decided = if low > self.share && count.cells >= Self::FEWEST_CELLS {
            Verdict::Positive
        } else if high < self.share && count.cells >= self.min_cells {
            Verdict::Negative
        } else {
            Verdict::Inconclusive
        };
        let is_obscured = match decided {
            Verdict::Positive => {
                count.unclear > count.cells || !self.is_positive_whatever_is_unclear(count)
            }
            Verdict::Negative => {
                let all = f64::from(count.cells) + f64::from(count.unclear);
                f64::from(count.unclear) > self.share * all
            }
            Verdict::Inconclusive => count.cells == 0 && count.unclear > 0,
        };
        let verdict = if is_obscured {
            Verdict::Inconclusive
        } else {
            decided
        };
        CountDecision {
            count,
            verdict,
            share,
            interval,
            rule: *self,
            is_obscured,
        }
    }

    fn is_positive_whatever_is_unclear(&self, count: CellCount) -> bool {
        let all = CellCount {
            cells: count.cells.saturating_add(count.unclear),
            ..count
        };
        self.estimate(all)
            .is_some_and(|(_, [low, _])| low > self.share)
    }

    /// The rule in words.
    pub fn words(&self) -> String {
        format!(
            "positive if the 95 % interval of the share of blasts lies above {} % and {} leukocytes were counted, negative if it lies \
             below and {} were counted, else inconclusive",
            percent(self.share),
            Self::FEWEST_CELLS,
            self.min_cells
        )
    }

    /// The share of blasts and its interval; `None` if the count or the rates allow none.
    fn estimate(&self, count: CellCount) -> Option<(f64, [f64; 2])> {
        if count.cells == 0 || count.blasts > count.cells {
            return None;
        }
        let (cells, blasts) = (f64::from(count.cells), f64::from(count.blasts));
        let false_positive_rate = self.false_positives.rate();
        let gain = self.sensitivity.rate() - false_positive_rate;
        let (sensitivity, sensitivity_variance) = self.sensitivity.shrunk();
        let (false_positives, false_positives_variance) = self.false_positives.shrunk();
        let shrunk_gain = sensitivity - false_positives;
        if !(gain > 0.0 && shrunk_gain > 0.0) {
            return None;
        }
        // Names and numbers of the paper's equations: its specificity is 1 − false_positives.
        let shrunk_cells = cells + Z * Z;
        let apparent = (blasts + Z * Z / 2.0) / shrunk_cells; // (6), (7)
        let share = (apparent - false_positives) / shrunk_gain;
        let shift =
            2.0 * Z * Z * (share * sensitivity_variance - (1.0 - share) * false_positives_variance); // (17)
        let variance = apparent * (1.0 - apparent) / shrunk_cells
            + share * share * sensitivity_variance
            + (1.0 - share) * (1.0 - share) * false_positives_variance;
        let half = Z * variance.sqrt() / shrunk_gain; // (4), (16)
        let all_alike = TAIL.powf(1.0 / cells);
        let low = (share + shift - half).min(all_alike);
        let high = (share + shift + half).max(1.0 - all_alike);
        let estimate = (blasts / cells - false_positive_rate) / gain;
        Some((
            estimate.clamp(0.0, 1.0),
            [low.clamp(0.0, 1.0), high.clamp(0.0, 1.0)],
        ))
    }

    /// Refuses invalid values.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        if !(self.share > 0.0 && self.share < 1.0) {
            return Err(FieldError::invalid(
                "count.share",
                format!("must be above 0 and below 1, it is {}", self.share),
            ));
        }
        check_between("count.min_cells", self.min_cells, MIN_CELLS)?;
        self.sensitivity.check("count.sensitivity")?;
        self.false_positives.check("count.false_positives")?;
        let [called, wrongly] = [self.sensitivity, self.false_positives].map(BlastCalls::rate);
        if called <= wrongly {
            return Err(FieldError::new(
                "count.sensitivity",
                format!(
                    "must be a larger share than count.false_positives, they are {called} and {wrongly}"
                ),
                "train the cell network again: it does not tell blasts from other cells",
            ));
        }
        Ok(())
    }
}

impl CountDecision {
    /// The count in words, with shares to two digits: `12 of 140, 8.6 % (4.9–14)`,
    /// `0 blasts among 200 cells: below 1.8 % (95 %)` or `no cells`, each with `; 7 unclear` if there are such cells.
    pub fn words(&self) -> String {
        let CellCount {
            cells,
            blasts,
            unclear,
        } = self.count;
        let share = self.share_words();
        let counted = if cells == 0 {
            "no cells".into()
        } else if blasts == 0 && self.share.is_some() {
            format!("0 blasts among {cells} cells: {share}")
        } else {
            format!("{blasts} of {cells}, {share}")
        };
        match unclear {
            0 => counted,
            unclear => format!("{counted}; {unclear} unclear"),
        }
    }

    /// The share of blasts and its 95 % interval in words: `8.6 % (4.9–14)`, `below 1.8 % (95 %)` if no blast was found, or
    /// `share unknown`.
    pub fn share_words(&self) -> String {
        let [low, high] = self.interval.map(percent);
        match self.share {
            None => "share unknown".into(),
            Some(_) if self.count.blasts == 0 => format!("below {high} % (95 %)"),
            Some(share) => format!("{} % ({low}–{high})", percent(share)),
        }
    }
}

/// A share as a percentage with two significant digits, but not less than a tenth of a percent: `8.6`, `14`.
fn percent(share: f64) -> String {
    let percentage = 100.0 * share;
    let digits = usize::from(percentage > 0.0 && percentage < 9.95);
    format!("{percentage:.digits$}")
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Binomial, Distribution, Uniform};

    use super::*;

    const fn calls(called: u32, of: u32) -> BlastCalls {
        BlastCalls { called, of }
    }

    const RULE: CountRule = CountRule {
        share: 0.05,
        min_cells: 200,
        sensitivity: calls(380, 400),
        false_positives: calls(40, 4000),
    };

    fn decide(cells: u32, blasts: u32) -> CountDecision {
        decide_with(cells, blasts, 0)
    }

    fn decide_with(cells: u32, blasts: u32, unclear: u32) -> CountDecision {
        RULE.decide(CellCount {
            cells,
            blasts,
            unclear,
        })
    }

    #[test]
    fn unclear_cells_are_in_no_count_but_prevent_verdicts_that_they_could_change() {
        // 500 cells without a blast are below 5 %; 26 of 526 are not more than 5 % of all, 27 of 527 are.
        for (unclear, verdict) in [(26, Verdict::Negative), (27, Verdict::Inconclusive)] {
            let decision = decide_with(500, 0, unclear);
            assert_eq!(decision.verdict, verdict, "{unclear}");
            let [_, high] = decision.interval;
            assert!((high - decide(500, 0).interval[1]).abs() < 1e-12);
            assert_eq!(decision.is_obscured, verdict == Verdict::Inconclusive);
        }
        // 30 or 15 blasts of 60 cells stay blasts among as many more that may be none; 9 do not, and unclear cells that are more than
        // the others prevent any verdict.
        for blasts in [30, 15] {
            assert_eq!(decide_with(60, blasts, 60).verdict, Verdict::Positive);
        }
        for (blasts, unclear) in [(30, 61), (9, 60)] {
            let decision = decide_with(60, blasts, unclear);
            assert_eq!(
                decision.verdict,
                Verdict::Inconclusive,
                "{blasts}, {unclear}"
            );
        }
        let nothing = decide_with(0, 0, 3);
        assert!(nothing.is_obscured);
        assert_eq!(nothing.words(), "no cells; 3 unclear");
        assert!(!decide(0, 0).is_obscured && !decide_with(60, 0, 30).is_obscured);
        assert_eq!(
            RULE.words(),
            "positive if the 95 % interval of the share of blasts lies above 5.0 % and 20 leukocytes were counted, negative if it lies \
             below and 200 were counted, else inconclusive"
        );
    }

    #[test]
    fn shares_and_intervals_are_those_of_an_independent_implementation() {
        #[derive(Deserialize)]
        struct Row {
            cells: u32,
            blasts: u32,
            sensitivity: [u32; 2],
            false_positives: [u32; 2],
            share: f64,
            interval: [f64; 2],
        }
        let rows: Vec<Row> =
            serde_json::from_str(include_str!("../../tests/fixtures/count.json")).unwrap();
        assert!(rows.len() >= 20);
        for row in rows {
            let rule = CountRule {
                sensitivity: calls(row.sensitivity[0], row.sensitivity[1]),
                false_positives: calls(row.false_positives[0], row.false_positives[1]),
                ..RULE
            };
            let found = rule.decide(CellCount {
                cells: row.cells,
                blasts: row.blasts,
                unclear: 0,
            });
            // Both compute in f64, in another order.
            let pairs = [found.share.unwrap(), found.interval[0], found.interval[1]]
                .into_iter()
                .zip([row.share, row.interval[0], row.interval[1]]);
            for (found, expected) in pairs {
                assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
            }
        }
    }

    /// Networks with these true rates, which were measured on so many blasts and other cells.
    struct Networks {
        sensitivity: f64,
        false_positives: f64,
        blasts: u32,
        others: u32,
    }

    const NETWORKS: [Networks; 4] = [
        Networks {
            sensitivity: 0.95,
            false_positives: 0.03,
            blasts: 400,
            others: 4000,
        },
        Networks {
            sensitivity: 0.90,
            false_positives: 0.02,
            blasts: 150,
            others: 1500,
        },
        Networks {
            sensitivity: 0.85,
            false_positives: 0.05,
            blasts: 200,
            others: 800,
        },
        Networks {
            sensitivity: 0.97,
            false_positives: 0.01,
            blasts: 100,
            others: 300,
        },
    ];

    fn draw(rng: &mut ChaCha8Rng, of: u32, rate: f64) -> u32 {
        Binomial::new(of.into(), rate).unwrap().sample(rng) as u32
    }

    /// Measures the networks' rates anew, counts a slide of 50 to 500 cells with them, and decides.
    fn simulate(rng: &mut ChaCha8Rng, networks: &Networks, share: f64) -> CountDecision {
        let (sensitivity, false_positives) = (networks.sensitivity, networks.false_positives);
        let rule = CountRule {
            sensitivity: calls(draw(rng, networks.blasts, sensitivity), networks.blasts),
            false_positives: calls(draw(rng, networks.others, false_positives), networks.others),
            ..RULE
        };
        let cells = Uniform::new_inclusive(50, 500).unwrap().sample(rng);
        let blasts = draw(rng, cells, share);
        let found = draw(rng, blasts, sensitivity) + draw(rng, cells - blasts, false_positives);
        rule.decide(CellCount {
            cells,
            blasts: found,
            unclear: 0,
        })
    }

    const SLIDES: u32 = 10_000;

    /// The share of simulated slides for which `holds` is true.
    fn share_of(slides: impl IntoIterator<Item = bool>) -> f64 {
        let (count, holding) = slides
            .into_iter()
            .fold((0_u32, 0_u32), |(all, held), holds| {
                (all + 1, held + u32::from(holds))
            });
        f64::from(holding) / f64::from(count)
    }

    fn covers(decision: &CountDecision, share: f64) -> bool {
        let [low, high] = decision.interval;
        (low..=high).contains(&share)
    }

    #[test]
    fn ninety_five_percent_of_intervals_contain_the_true_share() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let shares = Uniform::new_inclusive(0.0, 0.5).unwrap();
        let coverage = share_of((0..SLIDES).map(|slide| {
            let share = shares.sample(&mut rng);
            let networks = &NETWORKS[slide as usize % NETWORKS.len()];
            covers(&simulate(&mut rng, networks, share), share)
        }));
        assert!((coverage - 0.95).abs() <= 0.01, "{coverage}");
    }

    #[test]
    fn coverage_holds_for_each_share_and_network() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for networks in &NETWORKS {
            // The interval is conservative for small shares, since it ends at 0: see `CountRule`.
            for (share, range) in [
                (0.0, 0.96..=0.997),
                (0.01, 0.95..=0.985),
                (0.05, 0.945..=0.975),
                (0.1, 0.94..=0.96),
                (0.2, 0.94..=0.96),
                (0.5, 0.94..=0.96),
            ] {
                let slides = (0..SLIDES).map(|_| simulate(&mut rng, networks, share));
                let coverage = share_of(slides.map(|decision| covers(&decision, share)));
                assert!(range.contains(&coverage), "{share}: {coverage}");
            }
        }
    }

    #[test]
    fn a_share_at_the_limit_is_rarely_decided() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for networks in &NETWORKS {
            for wrong in [Verdict::Positive, Verdict::Negative] {
                let slides = (0..SLIDES).map(|_| simulate(&mut rng, networks, RULE.share));
                let decided = share_of(slides.map(|decision| decision.verdict == wrong));
                // Either end is meant for 2.5 %; the lower one misses up to 3 %, the upper one up to 2 %.
                assert!(decided <= 0.035, "{wrong}: {decided}");
            }
        }
    }

    #[test]
    fn verdicts_follow_interval_and_number_of_cells() {
        for (cells, blasts, verdict) in [
            (200, 40, Verdict::Positive),
            (200, 12, Verdict::Inconclusive),
            (200, 2, Verdict::Negative),
            (199, 2, Verdict::Inconclusive),
            (60, 20, Verdict::Positive),
            (20, 20, Verdict::Positive),
            (19, 19, Verdict::Inconclusive),
            (0, 0, Verdict::Inconclusive),
            (1, 1, Verdict::Inconclusive),
            (5, 6, Verdict::Inconclusive),
            (u32::MAX, 0, Verdict::Negative),
            (u32::MAX, u32::MAX, Verdict::Positive),
        ] {
            assert_eq!(
                decide(cells, blasts).verdict,
                verdict,
                "{blasts} of {cells}"
            );
        }
    }

    #[test]
    fn what_is_not_known_is_inconclusive() {
        let blind = calls(5, 100);
        for rule in [
            CountRule {
                share: f64::NAN,
                ..RULE
            },
            CountRule {
                sensitivity: calls(0, 0),
                ..RULE
            },
            CountRule {
                false_positives: calls(0, 0),
                ..RULE
            },
            CountRule {
                sensitivity: blind,
                false_positives: blind,
                ..RULE
            },
        ] {
            for blasts in [0, 150, 300] {
                let count = CellCount {
                    cells: 300,
                    blasts,
                    unclear: 0,
                };
                assert_eq!(rule.decide(count).verdict, Verdict::Inconclusive);
            }
        }
        let nothing = decide(0, 0);
        assert_eq!(nothing.share, None);
        assert!(nothing.interval[0] <= 0.0 && nothing.interval[1] >= 1.0);
    }

    #[test]
    fn no_interval_is_narrower_than_the_cells_allow() {
        // 40 false positives are expected among 200 cells, and none is found.
        let rule = CountRule {
            false_positives: calls(200, 1000),
            ..RULE
        };
        let none = rule.decide(CellCount {
            cells: 200,
            ..CellCount::default()
        });
        let bound = 1.0 - 0.025_f64.powf(1.0 / 200.0);
        assert!(none.interval[0] <= 0.0 && (none.interval[1] - bound).abs() < 1e-12);
        let all = rule.decide(CellCount {
            cells: 200,
            blasts: 200,
            unclear: 0,
        });
        assert!((all.interval[0] - (1.0 - bound)).abs() < 1e-12 && all.interval[1] >= 1.0);
    }

    #[test]
    fn words_say_what_was_counted() {
        assert_eq!(
            decide(200, 0).words(),
            "0 blasts among 200 cells: below 1.8 % (95 %)"
        );
        assert_eq!(decide(140, 12).words(), "12 of 140, 8.1 % (4.1–14)");
        assert_eq!(decide(500, 250).words(), "250 of 500, 52 % (47–57)");
        assert_eq!(decide(0, 0).words(), "no cells");
        assert_eq!(decide(5, 6).words(), "6 of 5, share unknown");
    }

    #[test]
    fn invalid_rules_are_refused() {
        RULE.check().unwrap();
        for (rule, field) in [
            (CountRule { share: 0.0, ..RULE }, "count.share"),
            (
                CountRule {
                    share: f64::NAN,
                    ..RULE
                },
                "count.share",
            ),
            (
                CountRule {
                    min_cells: 19,
                    ..RULE
                },
                "count.min_cells",
            ),
            (
                CountRule {
                    sensitivity: calls(401, 400),
                    ..RULE
                },
                "count.sensitivity",
            ),
            (
                CountRule {
                    false_positives: calls(0, 19),
                    ..RULE
                },
                "count.false_positives",
            ),
            (
                CountRule {
                    sensitivity: calls(4, 400),
                    ..RULE
                },
                "count.sensitivity",
            ),
        ] {
            let error = rule.check().unwrap_err().at("manifest.toml".as_ref());
            let message = error.to_string();
            assert!(
                message.starts_with(&format!("manifest.toml: {field}: ")),
                "{message}"
            );
        }
    }
}
