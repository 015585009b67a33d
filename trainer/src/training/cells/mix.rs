//! How often the examples of each source are learned from.

use rand::{Rng, RngExt};
use rand_distr::Distribution as _;
use rand_distr::weighted::WeightedIndex;

/// Chooses examples at random: first a source, by its weight, then one of its examples, all alike.
#[derive(Debug, Clone)]
pub(crate) struct Mix {
    /// The numbers of the examples of each source that has some.
    examples: Vec<Vec<usize>>,
    by_weight: WeightedIndex<f64>,
}

impl Mix {
    /// A mix of examples, given by their sources, with the weights of all sources, above 0. `None` without examples.
    pub(crate) fn of(sources: impl IntoIterator<Item = usize>, weights: &[f64]) -> Option<Self> {
        let mut examples = vec![Vec::new(); weights.len()];
        for (number, source) in sources.into_iter().enumerate() {
            examples[source].push(number);
        }
        let weights: Vec<f64> = examples
            .iter()
            .zip(weights)
            .filter(|(examples, _)| !examples.is_empty())
            .map(|(_, weight)| *weight)
            .collect();
        examples.retain(|examples| !examples.is_empty());
        let by_weight = WeightedIndex::new(weights).ok()?;
        Some(Self {
            examples,
            by_weight,
        })
    }

    /// The number of an example.
    pub(crate) fn choose(&self, rng: &mut impl Rng) -> usize {
        let examples = &self.examples[self.by_weight.sample(rng)];
        examples[rng.random_range(0..examples.len())]
    }

    /// The share of the chosen examples that are of each class on average; the rest are of none.
    pub(crate) fn expected(
        &self,
        class_of: impl Fn(usize) -> Option<usize>,
        classes: usize,
    ) -> Vec<f64> {
        let total = self.by_weight.total_weight();
        let mut expected = vec![0.0; classes];
        for (examples, weight) in self.examples.iter().zip(self.by_weight.weights()) {
            for &example in examples {
                if let Some(class) = class_of(example) {
                    expected[class] += weight / total / examples.len() as f64;
                }
            }
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn sources_have_their_share_however_many_examples_they_have() {
        // One example of the first source, none of the second, nine of the third.
        let sources = [0].into_iter().chain([2; 9]);
        let mix = Mix::of(sources, &[1.0, 5.0, 3.0]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut chosen = [0; 10];
        for _ in 0..4000 {
            chosen[mix.choose(&mut rng)] += 1;
        }
        // Four standard deviations of 1,000 and of 333.
        assert!((890..1110).contains(&chosen[0]), "{chosen:?}");
        assert!(
            chosen[1..].iter().all(|count| (260..410).contains(count)),
            "{chosen:?}"
        );
        let expected = mix.expected(|example| (example < 9).then_some(example % 2), 2);
        // The first, and the four of the others with even numbers; the last is of no class.
        let even = 0.25 + 0.75 * 4.0 / 9.0;
        let odd = 0.75 * 4.0 / 9.0;
        assert!((expected[0] - even).abs() < 1e-12 && (expected[1] - odd).abs() < 1e-12);
        assert!(Mix::of([], &[1.0]).is_none());
    }
}
