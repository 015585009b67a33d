//! Shape inference.

use super::operation::Operation;

/// Largest number of elements of a tensor: far above that of any network here, and small enough to
/// allocate.
const MAX_ELEMENTS: usize = 1 << 26;

/// The shape of an operation's output. `integers` are the values of the input that gives axes or a
/// shape.
///
/// # Errors
/// A message, if the operation is not defined for inputs of these shapes.
pub(super) fn infer(
    operation: &Operation,
    shapes: &[&[usize]],
    integers: Option<&[i64]>,
) -> Result<Vec<usize>, String> {
    let shape = match (operation, shapes) {
        (
            Operation::Convolution { stride, padding },
            &[
                &[images, channels, rows, columns],
                &[filters, depth, height, width],
            ],
        ) if channels == depth => {
            let extent = |image, kernel| convolved(image, kernel, *stride, *padding);
            let extents = extent(rows, height).zip(extent(columns, width));
            extents.map(|(rows, columns)| vec![images, filters, rows, columns])
        }
        (Operation::MaxPool { window }, &[&[images, channels, rows, columns]]) => {
            let extents = rows.checked_div(*window).zip(columns.checked_div(*window));
            extents.map(|(rows, columns)| vec![images, channels, rows, columns])
        }
        (Operation::GlobalAveragePool, &[&[images, channels, _, _]]) => {
            Some(vec![images, channels, 1, 1])
        }
        (Operation::Add | Operation::Multiply, &[left, right]) => {
            let mut pairs = left.iter().zip(right);
            let fits = left.len() == right.len() && pairs.all(|(l, r)| l == r || *r == 1);
            fits.then(|| left.to_vec())
        }
        (Operation::MatMul, &[&[rows, inner], &[other, columns]]) if inner == other => {
            Some(vec![rows, columns])
        }
        (Operation::Relu | Operation::Sigmoid | Operation::Convert, &[shape])
        | (Operation::FakeQuantise { .. }, &[shape, ..]) => Some(shape.to_vec()),
        (Operation::Softmax, &[&[images, classes]]) => Some(vec![images, classes]),
        (Operation::Reshape, &[from, _]) => {
            let extents = integers.unwrap_or_default().iter();
            let to: Option<Vec<usize>> = extents.map(|&extent| extent.try_into().ok()).collect();
            to.filter(|to| elements(to) == elements(from))
        }
        (Operation::Tile, &[from, _]) => {
            let repeats = integers.unwrap_or_default();
            let extents = from.iter().zip(repeats).map(|(&extent, &times)| {
                let times = usize::try_from(times).ok()?;
                extent.checked_mul(times)
            });
            let to: Option<Vec<usize>> = extents.collect();
            to.filter(|to| to.len() == from.len() && repeats.len() == from.len())
        }
        (Operation::ReduceSum, &[&[images, _, rows, columns], _]) if integers == Some(&[1]) => {
            Some(vec![images, 1, rows, columns])
        }
        _ => None,
    };
    shape
        .filter(|shape| elements(shape).is_ok())
        .ok_or_else(|| format!("{operation:?} is not defined for inputs of the shapes {shapes:?}"))
}

/// Rows or columns of a convolution's output. Padding must be smaller than the kernel.
fn convolved(image: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let room = (image + 2 * padding.min(kernel)).checked_sub(kernel)?;
    (padding < kernel).then_some(room.checked_div(stride)? + 1)
}

/// The number of elements of a tensor.
///
/// # Errors
/// A message, if there are none or too many.
pub(super) fn elements(shape: &[usize]) -> Result<usize, String> {
    let product = shape
        .iter()
        .try_fold(1_usize, |product, &extent| product.checked_mul(extent));
    product
        .filter(|product| (1..=MAX_ELEMENTS).contains(product))
        .ok_or_else(|| format!("the shape {shape:?} does not have 1 to {MAX_ELEMENTS} elements"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &[usize] = &[1, 3, 8, 6];

    #[test]
    fn shapes_follow_the_operations() {
        let convolution = |stride, padding| Operation::Convolution { stride, padding };
        let kernel: &[usize] = &[4, 3, 5, 5];
        for (operation, inputs, expected) in [
            (convolution(1, 2), &[IMAGE, kernel][..], [1, 4, 8, 6]),
            (convolution(1, 1), &[IMAGE, kernel], [1, 4, 6, 4]),
            (convolution(2, 2), &[IMAGE, kernel], [1, 4, 4, 3]),
            (Operation::MaxPool { window: 2 }, &[IMAGE], [1, 3, 4, 3]),
            (Operation::GlobalAveragePool, &[IMAGE], [1, 3, 1, 1]),
            (Operation::Multiply, &[IMAGE, &[1, 3, 1, 1]], [1, 3, 8, 6]),
        ] {
            assert_eq!(infer(&operation, inputs, None).unwrap(), expected);
        }
    }

    #[test]
    fn undefined_shapes_are_refused() {
        let convolution = |stride, padding| Operation::Convolution { stride, padding };
        let pool = |window| Operation::MaxPool { window };
        let kernel: &[usize] = &[4, 3, 5, 5];
        for (operation, inputs) in [
            (convolution(1, 0), &[][..]),
            (convolution(1, 0), &[IMAGE]),
            (convolution(0, 2), &[IMAGE, kernel]),
            (convolution(1, usize::MAX), &[IMAGE, kernel]),
            (convolution(1, 0), &[&[1, 3, 8], kernel]),
            (convolution(1, 0), &[IMAGE, &[4, 3, 5]]),
            (convolution(1, 0), &[IMAGE, &[4, 2, 5, 5]]),
            (convolution(1, 0), &[IMAGE, &[4, 3, 9, 5]]),
            (convolution(1, 0), &[IMAGE, &[1 << 30, 3, 1, 1]]),
            (pool(0), &[IMAGE]),
            (pool(7), &[IMAGE]),
            (pool(2), &[&[1, 48]]),
            (Operation::GlobalAveragePool, &[&[1, 3]]),
            (Operation::MatMul, &[&[1, 3], &[4, 2]]),
            (Operation::MatMul, &[&[1, 3, 1], &[3, 2]]),
            (Operation::MatMul, &[&[1 << 20, 1], &[1, 1 << 20]]),
            (Operation::Add, &[&[1, 2], &[2]]),
            (Operation::Multiply, &[&[1, 2], &[1, 3]]),
            (Operation::Softmax, &[&[1, 2, 2]]),
            (Operation::Relu, &[]),
            (Operation::Reshape, &[&[1, 2], &[2]]),
            (Operation::ReduceSum, &[IMAGE, &[1]]),
        ] {
            let message = infer(&operation, inputs, None).unwrap_err();
            assert!(message.contains("not defined for inputs"), "{message}");
        }
    }

    #[test]
    fn a_reshape_keeps_the_elements() {
        for (target, kept) in [
            (&[1, 144][..], true),
            (&[1, 143], false),
            (&[-1, -144], false),
            (&[0, 144], false),
            (&[], false),
        ] {
            let shape = infer(&Operation::Reshape, &[IMAGE, &[target.len()]], Some(target));
            assert_eq!(shape.is_ok(), kept, "{shape:?}");
        }
    }

    #[test]
    fn a_tile_repeats_every_axis() {
        for (repeats, expected) in [
            (&[1, 1, 2, 3][..], Some([1, 3, 16, 18])),
            (&[1, 1, 2], None),
            (&[1, 1, 1, 1, 2], None),
            (&[1, 1, 0, 1], None),
            (&[1, 1, -1, 1], None),
            (&[1, 1, i64::MAX, 1], None),
        ] {
            let shape = infer(&Operation::Tile, &[IMAGE, &[repeats.len()]], Some(repeats));
            assert_eq!(shape.ok(), expected.map(|shape| shape.to_vec()));
        }
    }

    #[test]
    fn several_images_keep_their_number() {
        let images: &[usize] = &[2, 3, 8, 6];
        for (operation, inputs, expected) in [
            (
                Operation::Convolution {
                    stride: 2,
                    padding: 1,
                },
                &[images, &[4, 3, 4, 4]][..],
                &[2, 4, 4, 3][..],
            ),
            (Operation::MaxPool { window: 2 }, &[images], &[2, 3, 4, 3]),
            (Operation::GlobalAveragePool, &[images], &[2, 3, 1, 1]),
            (Operation::Softmax, &[&[2, 5]], &[2, 5]),
        ] {
            assert_eq!(infer(&operation, inputs, None).unwrap(), expected);
        }
        let sum = infer(&Operation::ReduceSum, &[images, &[1]], Some(&[1]));
        assert_eq!(sum.unwrap(), [2, 1, 8, 6]);
    }

    #[test]
    fn the_number_of_elements_is_limited() {
        assert_eq!(elements(&[]), Ok(1));
        assert_eq!(elements(&[2, 3, 4]), Ok(24));
        for shape in [&[2, 0][..], &[usize::MAX, 2], &[1 << 14, 1 << 14]] {
            assert!(elements(shape).is_err());
        }
    }
}
