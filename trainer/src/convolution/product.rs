//! Matrix products of slices: a checked interface to the `gemm` crate, which takes raw pointers.

use gemm::Parallelism;

/// A matrix inside a slice: element `(i, j)` is at `i · row_step + j · column_step`. Elements may
/// overlap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// # Panics
    ///
    /// If an element is outside of the slice.
    pub(super) fn new(
        values: &'a [f32],
        [rows, columns]: [usize; 2],
        [row_step, column_step]: [usize; 2],
    ) -> Self {
        let last = rows.saturating_sub(1) * row_step + columns.saturating_sub(1) * column_step;
        assert!(rows * columns == 0 || last < values.len());
        Self {
            values,
            rows,
            columns,
            row_step,
            column_step,
        }
    }
}

/// Writes `left · right` to `into`, in column-major order, or adds it to the values there.
///
/// # Panics
///
/// If the sizes do not match.
pub(super) fn multiply(left: Matrix, right: Matrix, into: &mut [f32], add: bool) {
    assert_eq!(left.columns, right.rows);
    assert_eq!(into.len(), left.rows * right.columns);
    #[expect(unsafe_code, reason = "gemm takes raw pointers")]
    // SAFETY: every element that gemm reads of `left` and `right` lies inside their slices, as
    // `Matrix::new` checked, and the product has as many elements as `into`, which it fills densely
    // and which nothing else refers to. Sizes and steps are at most the length of a slice and
    // so fit into `isize`; a step that is larger belongs to a side of length one and is never taken.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            into.as_mut_ptr(),
            left.rows.cast_signed(),
            1,
            add,
            left.values.as_ptr(),
            left.column_step.cast_signed(),
            left.row_step.cast_signed(),
            right.values.as_ptr(),
            right.column_step.cast_signed(),
            right.row_step.cast_signed(),
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_rows_multiply() {
        // Windows of three that begin two apart: [1 2 3], [3 4 5].
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        let windows = Matrix::new(&values, [3, 2], [1, 2]);
        let weights = Matrix::new(&[1.0, 0.0, 10.0, 1.0, 100.0, 0.0], [2, 3], [1, 2]);
        let mut product = [0.5; 4];
        multiply(weights, windows, &mut product, true);
        let exactly = |values: [f32; 4]| values.map(f32::to_bits);
        assert_eq!(exactly(product), exactly([321.5, 2.5, 543.5, 4.5]));
        multiply(weights, windows, &mut product, false);
        assert_eq!(exactly(product), exactly([321.0, 2.0, 543.0, 4.0]));
    }

    #[test]
    #[should_panic(expected = "last < values.len()")]
    fn a_matrix_beyond_its_slice_is_refused() {
        let _ = Matrix::new(&[0.0; 5], [3, 2], [1, 3]);
    }

    #[test]
    #[should_panic(expected = "left == right")]
    fn a_product_of_another_size_is_refused() {
        let values = [0.0; 4];
        let square = Matrix::new(&values, [2, 2], [1, 2]);
        multiply(square, square, &mut [0.0; 5], false);
    }
}
