//! Which classes count as positive, which as negative, and how many images each has.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::Serialize;

/// The classes of each side with their numbers of images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Classes {
    pub(crate) positive: BTreeMap<String, usize>,
    pub(crate) negative: BTreeMap<String, usize>,
}

impl Classes {
    /// Counts images by class and side.
    pub(crate) fn count<'a>(images: impl Iterator<Item = (&'a str, bool)>) -> Self {
        let mut classes = Self::default();
        for (name, is_positive) in images {
            let side = if is_positive {
                &mut classes.positive
            } else {
                &mut classes.negative
            };
            *side.entry(name.to_owned()).or_default() += 1;
        }
        classes
    }

    /// All names, in alphabetical order on each side.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.positive
            .keys()
            .chain(self.negative.keys())
            .map(String::as_str)
    }

    /// Two classes whose names differ in upper and lower case only.
    pub(super) fn alike(&self) -> Option<[&str; 2]> {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        self.names().find_map(|name| {
            seen.insert(name.to_lowercase(), name)
                .filter(|other| *other != name)
                .map(|other| [other, name])
        })
    }

    /// The name of a side in a manifest: that of its class, or a common one for several or none.
    pub(super) fn side(&self, is_positive: bool) -> String {
        let (side, common) = if is_positive {
            (&self.positive, "positive")
        } else {
            (&self.negative, "negative")
        };
        match side.first_key_value() {
            Some((name, _)) if side.len() == 1 => name.clone(),
            _ => common.to_owned(),
        }
    }
}

/// Names in a line that a manifest can hold: those after the tenth are counted.
pub(super) fn named<T: AsRef<str>>(names: impl ExactSizeIterator<Item = T>) -> String {
    const MAX_NAMED: usize = 10;

    let more = names.len().saturating_sub(MAX_NAMED);
    let mut line = String::new();
    for name in names.take(MAX_NAMED) {
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(name.as_ref());
    }
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = write!(line, " and {more} more");
    }
    line
}

fn listed(side: &BTreeMap<String, usize>) -> String {
    named(side.iter().map(|(name, count)| format!("{name} {count}")))
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "positive: {}; negative: {}",
            listed(&self.positive),
            listed(&self.negative)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_classes_are_named() {
        let names = |count: usize| -> Vec<String> {
            (1..=count).map(|number| number.to_string()).collect()
        };
        assert_eq!(named(names(0).iter()), "");
        assert_eq!(named(names(10).iter()), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
        assert_eq!(
            named(names(400).iter()),
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 390 more"
        );
    }
}
