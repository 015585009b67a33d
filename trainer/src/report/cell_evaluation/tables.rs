//! The figures as text.

use std::fmt;

use smearscope_artifacts::Share;

use super::measured::{CellEvaluation, CellFigures};
use crate::metrics::{DetectionFigures, KindCalls, SlideCoverage};

impl fmt::Display for CellEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for source in &self.sources {
            writeln!(f, "{}: {}", source.source.display(), source.figures)?;
        }
        if self.sources.len() > 1 {
            writeln!(f, "all sources: {}", self.total)?;
        }
        if let Some([sensitivity, false_positives]) = self.blast_calls() {
            writeln!(
                f,
                "for the count: {} of {} blasts and {} of {} other leukocytes are called blasts, as if cells of one \
                 group were independent",
                sensitivity.called, sensitivity.of, false_positives.called, false_positives.of
            )?;
        }
        if let Some(SlideCoverage { all, by_share }) = &self.slide_coverage {
            writeln!(
                f,
                "the 95 % interval contains the true share of blasts on simulated slides: {all}"
            )?;
            for row in by_share {
                let share = format!("{:.0} % blasts", 100.0 * row.true_share);
                writeln!(f, "  {share:<24}{}", row.covered)?;
            }
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CellFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.images {
            1 => writeln!(f, "1 image")?,
            images => writeln!(f, "{images} images")?,
        }
        if let Some(found) = &self.found {
            write_detection(f, "leukocytes found", found)?;
            if let Some(error) = found.diameter_error {
                let [median, low, high] =
                    [error.median, error.range[0], error.range[1]].map(|error| 100.0 * error);
                writeln!(
                    f,
                    "  their diameters: {median:+.0} % in the median, 5 to 95 %: {low:+.0} to {high:+.0} %"
                )?;
            }
        }
        if let Some(counted) = &self.counted {
            write_detection(f, "leukocytes counted", counted)?;
        }
        if let Some(ruler) = &self.ruler {
            write!(
                f,
                "  scale by red cells: within 10 % in {}; none in {}",
                ruler.within_10_percent, ruler.without_scale.count
            )?;
            if let Some(ratio) = ruler.median_ratio {
                write!(f, "; median ratio {ratio:.3}")?;
            }
            writeln!(f)?;
        }
        if !self.kinds.is_empty() {
            writeln!(f, "  {:<22}{:<36}called", "kind", "called blasts")?;
        }
        for (kind, KindCalls { called, blast }) in &self.kinds {
            let mut called: Vec<(&String, &usize)> = called.iter().collect();
            called.sort_by(|a, b| b.1.cmp(a.1));
            let called: Vec<String> = called
                .into_iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let blast = blast.to_string();
            writeln!(f, "  {kind:<22}{blast:<36}{}", called.join(", "))?;
        }
        for (name, area) in &self.blast_auroc {
            let shown = match name.strip_prefix("blast_auroc_") {
                Some(kind) => format!("{kind}s").replace('_', " "),
                None => "all other leukocytes".into(),
            };
            writeln!(f, "  AUROC of blasts against {shown}: {area:.3}")?;
        }
        Ok(())
    }
}

fn write_detection(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    figures: &DetectionFigures,
) -> fmt::Result {
    write!(f, "  {title}: {}", figures.recall)?;
    if let Some(per_field) = figures.false_finds_per_field {
        let Share { count, of } = figures.precision;
        write!(f, "; false: {}, {per_field:.2} per field", of - count)?;
    }
    if figures.unknown_finds > 0 {
        write!(f, "; without a label: {}", figures.unknown_finds)?;
    }
    writeln!(f)
}
