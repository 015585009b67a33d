//! A field of any size through a network of fixed size: tiles that overlap, and the maps put together again.

use crate::image::density::DensityField;
use crate::image::tensor::Tensor;
use crate::manifest::cells::TileInput;

/// How a field is cut into tiles, along both axes alike.
///
/// Where tiles meet, the `margin` of each sees too little of what surrounds it, and is left out of the maps. Tiles begin
/// at the field's left and upper edge; outside of the field there is nothing, density 0, as the network's own padding has
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Columns and rows of a tile, in pixels.
    side: usize,
    /// Width of the border that is left out where tiles meet, in pixels; a multiple of `stride`.
    margin: usize,
    /// Pixels per position of the maps.
    stride: usize,
}

/// The maps of a whole field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldMaps {
    /// Number of columns.
    pub(super) width: usize,
    /// Number of rows.
    pub(super) height: usize,
    /// Row by row from the top, for each map in the order of the network's planes.
    pub(super) planes: Vec<Vec<f32>>,
}

impl Tiling {
    /// The tiling of a finder's input, whose manifest was validated: margin and side are multiples of the stride, and
    /// the margins leave something of a tile.
    pub(super) fn of(input: TileInput) -> Self {
        Self {
            side: input.side as usize,
            margin: input.margin as usize,
            stride: input.stride as usize,
        }
    }

    /// Pixels per position of the maps.
    pub(super) fn stride(self) -> usize {
        self.stride
    }

    /// Positions per side of a tile.
    pub(super) fn positions(self) -> usize {
        self.side / self.stride
    }

    /// Calls `run` with each tile of the field and puts the maps together that it returns, each of `count` planes.
    ///
    /// # Errors
    /// The first of `run`.
    pub(super) fn run<E>(
        self,
        field: &DensityField,
        input: &mut Tensor,
        count: usize,
        mut run: impl FnMut(&Tensor, &mut dyn FnMut(usize, &[f32])) -> Result<(), E>,
    ) -> Result<FieldMaps, E> {
        let size = |pixels: usize| pixels.div_ceil(self.stride);
        let mut maps = FieldMaps {
            width: size(field.width),
            height: size(field.height),
            planes: Vec::new(),
        };
        maps.planes = vec![vec![0.0; maps.width * maps.height]; count];
        for top in self.starts(field.height) {
            for left in self.starts(field.width) {
                self.fill(field, left, top, input);
                run(input, &mut |plane, values| {
                    self.place(&mut maps, plane, left, top, values);
                })?;
            }
        }
        Ok(maps)
    }

    /// The first pixels of the tiles along an axis of a field of this length.
    fn starts(self, length: usize) -> impl Iterator<Item = usize> {
        let step = self.side - 2 * self.margin;
        let more = length.saturating_sub(self.side).div_ceil(step);
        (0..=more).map(move |number| number * step)
    }

    /// Fills the input with the tile that begins at a pixel of the field.
    fn fill(self, field: &DensityField, left: usize, top: usize, input: &mut Tensor) {
        input.data.fill(0.0);
        let columns = self.side.min(field.width - left);
        let rows = self.side.min(field.height - top);
        let planes = input.data.chunks_exact_mut(self.side * self.side);
        for (tile, plane) in planes.zip([&field.red, &field.green]) {
            for line in 0..rows {
                let source = &plane[(top + line) * field.width + left..][..columns];
                tile[line * self.side..][..columns].copy_from_slice(source);
            }
        }
    }

    /// Copies a tile's map into that of the field, without the margins where another tile follows or goes before.
    fn place(self, maps: &mut FieldMaps, plane: usize, left: usize, top: usize, values: &[f32]) {
        let positions = self.positions();
        let margin = self.margin / self.stride;
        // The positions of the tile that are kept along an axis.
        let kept = |start: usize, length: usize| {
            let first = if start == 0 { 0 } else { margin };
            let rest = length - start / self.stride;
            let end = if rest > positions {
                positions - margin
            } else {
                rest
            };
            first..end
        };
        let (columns, rows) = (kept(left, maps.width), kept(top, maps.height));
        let (column, row) = (left / self.stride, top / self.stride);
        for line in rows {
            let source = &values[line * positions..][columns.clone()];
            maps.planes[plane][(row + line) * maps.width + column..][columns.clone()]
                .copy_from_slice(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const SIDE: usize = 32;
    const STRIDE: usize = 4;

    fn field(width: usize, height: usize) -> DensityField {
        let plane = |factor: usize| -> Vec<f32> {
            (0..width * height)
                .map(|at| ((at * factor) % 251) as f32 / 100.0 + 0.01)
                .collect()
        };
        DensityField {
            width,
            height,
            red: plane(7),
            green: plane(13),
        }
    }

    /// Sum of both planes over the pixels around a position, as a network with a receptive field of 12 × 12 has it.
    fn around(at: impl Fn(isize, isize) -> f32, column: usize, row: usize) -> f32 {
        let (x, y) = ((column * STRIDE) as isize, (row * STRIDE) as isize);
        let mut sum = 0.0;
        for dy in -4..8 {
            for dx in -4..8 {
                sum += at(x + dx, y + dy);
            }
        }
        sum
    }

    fn run(field: &DensityField) -> FieldMaps {
        let tiling = Tiling::of(TileInput {
            um_per_pixel: 0.5,
            side: SIDE as u32,
            margin: 8,
            stride: STRIDE as u32,
        });
        let mut input = Tensor {
            shape: [1, 2, SIDE, SIDE],
            data: vec![0.0; 2 * SIDE * SIDE],
        };
        let maps: Result<FieldMaps, Infallible> =
            tiling.run(field, &mut input, 1, |tile, place| {
                let (red, green) = tile.data.split_at(SIDE * SIDE);
                let at = |x: isize, y: isize| {
                    let within = |at: isize| (0..SIDE as isize).contains(&at);
                    if within(x) && within(y) {
                        let at = y as usize * SIDE + x as usize;
                        red[at] + green[at]
                    } else {
                        0.0
                    }
                };
                let positions = SIDE / STRIDE;
                let map: Vec<f32> = (0..positions * positions)
                    .map(|index| around(at, index % positions, index / positions))
                    .collect();
                place(0, &map);
                Ok(())
            });
        match maps {
            Ok(maps) => maps,
            Err(never) => match never {},
        }
    }

    #[test]
    fn tiles_leave_no_seams() {
        for (width, height) in [(100, 70), (32, 16), (33, 90), (48, 49), (5, 3)] {
            let field = field(width, height);
            let maps = run(&field);
            assert_eq!(
                (maps.width, maps.height),
                (width.div_ceil(4), height.div_ceil(4))
            );
            let at = |x: isize, y: isize| {
                if (0..width as isize).contains(&x) && (0..height as isize).contains(&y) {
                    let at = y as usize * width + x as usize;
                    field.red[at] + field.green[at]
                } else {
                    0.0
                }
            };
            for (index, actual) in maps.planes[0].iter().enumerate() {
                let expected = around(at, index % maps.width, index / maps.width);
                assert_eq!(
                    actual.to_bits(),
                    expected.to_bits(),
                    "{index} of {width} × {height}"
                );
            }
        }
    }
}
