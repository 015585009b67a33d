//! Weighted sums of rows, the basic operation of resampling and blurring.

/// Number of sums that stay in a processor's registers until all rows are added.
const BLOCK: usize = 32;

/// Sets each element of `sums` to the weighted sum of the rows' elements at the same index. `rows` gives
/// each row with its weight. Rows are added in order and in plain `f32` without fused operations, so
/// that every processor gives the same bits.
///
/// # Panics
/// If a row is shorter than `sums`.
pub fn weighted_sum<'a, T, Rows>(sums: &mut [f32], rows: Rows)
where
    T: Copy + Into<f32> + 'a,
    Rows: Iterator<Item = (&'a [T], f32)> + Clone,
{
    let mut at = 0;
    let (blocks, rest) = sums.as_chunks_mut::<BLOCK>();
    for block in blocks {
        // A local array, because the compiler knows that nothing else changes it.
        let mut sum = [0.0; BLOCK];
        for (row, weight) in rows.clone() {
            add(&mut sum, weight, &row[at..at + BLOCK]);
        }
        *block = sum;
        at += BLOCK;
    }
    rest.fill(0.0);
    for (row, weight) in rows {
        add(rest, weight, &row[at..at + rest.len()]);
    }
}

#[inline]
fn add<T: Copy + Into<f32>>(sums: &mut [f32], weight: f32, samples: &[T]) {
    for (sum, sample) in sums.iter_mut().zip(samples) {
        *sum += weight * (*sample).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Copy + Into<f32>>(sample: impl Fn(usize, usize) -> T) {
        let weights = [0.1, 0.7, 1.0 / 3.0, 0.9, 1e-3];
        for length in [0, 1, 31, 32, 33, 100] {
            let rows: Vec<Vec<T>> = (0..weights.len())
                .map(|row| (0..length).map(|at| sample(row, at)).collect())
                .collect();
            let mut sums = vec![f32::NAN; length];
            weighted_sum(&mut sums, rows.iter().map(Vec::as_slice).zip(weights));
            for (at, sum) in sums.into_iter().enumerate() {
                let mut expected = 0.0_f32;
                for (row, weight) in rows.iter().zip(weights) {
                    let product = weight * row[at].into();
                    expected += product;
                }
                assert_eq!(sum.to_bits(), expected.to_bits(), "{at} of {length}");
            }
        }
    }

    #[test]
    fn every_sum_is_exact_to_the_last_bit() {
        check(|row, at| (row * 91 + at * 57) as u8);
        check(|row, at| (row * 91 + at * 57) as f32 / 7.0);
    }
}
