//! Shares of the kinds of cells in a collection.

use std::fmt;
use std::str::FromStr;

use super::kind::{DRAWN_KINDS, drawn_kind};
use crate::cell_kind::CellKind;

/// Kinds with their shares, which are above 0 and need not add up to anything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shares(Vec<(CellKind, f64)>);

impl Default for Shares {
    /// All kinds in equal shares.
    fn default() -> Self {
        Self(DRAWN_KINDS.map(|kind| (kind, 1.0)).into())
    }
}

impl Shares {
    /// The kinds, each once.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = CellKind> {
        self.0.iter().map(|&(kind, _)| kind)
    }

    /// The kinds of `count` cells, spread evenly: of any number of first cells, each kind's share is
    /// kept to within a cell or so.
    pub(crate) fn spread(&self, count: usize) -> Vec<CellKind> {
        let total: f64 = self.0.iter().map(|(_, share)| share).sum();
        let mut given = vec![0.0; self.0.len()];
        (1..=count)
            .map(|so_far| {
                let owed = |place: usize| self.0[place].1 / total * so_far as f64 - given[place];
                let mut next = 0;
                for place in 1..self.0.len() {
                    if owed(place) > owed(next) {
                        next = place;
                    }
                }
                given[next] += 1.0;
                self.0[next].0
            })
            .collect()
    }
}

impl FromStr for Shares {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut shares: Vec<(CellKind, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').unwrap_or((part, "1"));
            let kind = drawn_kind(name)?;
            let share = match share.parse::<f64>() {
                Ok(share) if share > 0.0 && share.is_finite() => share,
                _ => {
                    return Err(format!(
                        "the share `{share}` of {name} must be a number above 0"
                    ));
                }
            };
            if shares.iter().any(|&(other, _)| other == kind) {
                return Err(format!("{name} is named twice"));
            }
            shares.push((kind, share));
        }
        Ok(Self(shares))
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (kind, share)) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "," };
            write!(formatter, "{separator}{}={share}", kind.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_written() {
        for (text, written) in [
            ("lymphoblast=2,lymphocyte", "lymphoblast=2,lymphocyte=1"),
            ("basophil=0.5", "basophil=0.5"),
        ] {
            let shares: Shares = text.parse().unwrap();
            assert_eq!(shares.to_string(), written);
        }
        let every: Shares = Shares::default().to_string().parse().unwrap();
        assert_eq!(every, Shares::default());
        for (text, part) in [
            ("", "`` is no kind; the kinds are lymphoblast, "),
            ("monocytes", "`monocytes` is no kind"),
            ("monocyte=0", "the share `0` of monocyte"),
            ("monocyte=NaN", "the share `NaN` of monocyte"),
            ("monocyte,monocyte=2", "monocyte is named twice"),
        ] {
            let error = text.parse::<Shares>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_part_of_a_collection_has_each_kind_in_its_share() {
        let shares: Shares = "monocyte=1,lymphoblast=3".parse().unwrap();
        let kinds = shares.spread(100);
        for (cells, monocytes) in [(4, 1), (40, 10), (100, 25)] {
            let monocyte = |kind: &&CellKind| **kind == CellKind::Monocyte;
            assert_eq!(kinds[..cells].iter().filter(monocyte).count(), monocytes);
        }
        let even = Shares::default().spread(18);
        for kind in DRAWN_KINDS {
            assert_eq!(even.iter().filter(|&&other| other == kind).count(), 2);
        }
    }
}
