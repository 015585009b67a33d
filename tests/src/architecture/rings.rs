//! Rings: files that import one another around a loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::Path;

use super::imports::Import;

/// Files that import one another: each imports the next, and the last the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ring {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    from: String,
    to: String,
    names: Vec<String>,
}

impl Ring {
    /// Its files, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.from.as_str())
    }
}

impl fmt::Display for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ring: ")?;
        for (position, step) in self.steps.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let names = step.names.join(", ");
            write!(f, "{comma}{} uses {} ({names})", step.from, step.to)?;
        }
        Ok(())
    }
}

type Graph<'a> = BTreeMap<&'a Path, BTreeMap<&'a Path, BTreeSet<&'a str>>>;

/// The shortest ring around each import that takes part in one, shortest first.
pub fn rings(imports: &BTreeSet<Import>) -> Vec<Ring> {
    let mut graph = Graph::new();
    for import in imports {
        let names = graph.entry(&import.from).or_default();
        names
            .entry(&import.to)
            .or_default()
            .insert(import.name.as_str());
    }
    let mut found = BTreeSet::new();
    for (from, targets) in &graph {
        for to in targets.keys() {
            if let Some(way) = shortest_way(&graph, to, from) {
                found.insert(ring(&graph, &way));
            }
        }
    }
    let mut rings: Vec<_> = found.into_iter().collect();
    rings.sort_by_key(|ring| ring.steps.len());
    rings
}

/// The files from `start` to `end`, both included.
fn shortest_way<'a>(graph: &Graph<'a>, start: &'a Path, end: &'a Path) -> Option<Vec<&'a Path>> {
    let mut came_from: BTreeMap<&Path, Option<&Path>> = BTreeMap::from([(start, None)]);
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        if file == end {
            let mut way: Vec<_> =
                std::iter::successors(Some(file), |file| came_from.get(file).copied().flatten())
                    .collect();
            way.reverse();
            return Some(way);
        }
        for next in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if !came_from.contains_key(next) {
                came_from.insert(next, Some(file));
                queue.push_back(next);
            }
        }
    }
    None
}

/// The ring of these files, begun at the first by name, so that each ring is found once.
fn ring(graph: &Graph<'_>, files: &[&Path]) -> Ring {
    let begin = files
        .iter()
        .enumerate()
        .min_by_key(|(_, file)| **file)
        .map_or(0, |(position, _)| position);
    let around = files.iter().cycle().skip(begin);
    let steps = around
        .clone()
        .zip(around.skip(1))
        .take(files.len())
        .map(|(from, to)| Step {
            from: from.display().to_string(),
            to: to.display().to_string(),
            names: graph
                .get(from)
                .and_then(|targets| targets.get(to))
                .into_iter()
                .flatten()
                .map(|name| (*name).to_owned())
                .collect(),
        })
        .collect();
    Ring { steps }
}
