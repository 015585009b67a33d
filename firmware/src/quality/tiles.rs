//! The field in four by three parts, for what must hold everywhere.

/// Columns and rows.
const GRID: [usize; 2] = [4, 3];

/// Which part a pixel lies in, looked up rather than divided for each.
pub(super) struct Tiles {
    columns: Vec<usize>,
    rows: Vec<usize>,
}

impl Tiles {
    pub(super) const COUNT: usize = GRID[0] * GRID[1];

    /// Of a picture of this size.
    pub(super) fn of(width: u32, height: u32) -> Self {
        let parts = |side: u32, parts: usize| {
            let side = side as usize;
            (0..side).map(move |at| at * parts / side)
        };
        Self {
            columns: parts(width, GRID[0]).collect(),
            rows: parts(height, GRID[1]).map(|row| row * GRID[0]).collect(),
        }
    }

    pub(super) fn at(&self, x: usize, y: usize) -> usize {
        self.rows[y] + self.columns[x]
    }
}
