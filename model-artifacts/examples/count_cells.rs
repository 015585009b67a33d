//! Counts the cells of fields, and those of all fields together as a slide, each once where fields overlap.
//!
//! ```sh
//! cargo run --release -p smearscope-artifacts --example count_cells -- MODEL_FOLDER SCALE FIELD.jpg...
//! ```
//!
//! `SCALE` is the width of a pixel in µm, or `-` for fields of unknown scale, whose red cells are the ruler.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{CellCount, CellCounter, EngineConfig, SlideCells};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(scale)) = (args.next(), args.next()) else {
        return Err("usage: count_cells MODEL_FOLDER SCALE|- FIELD...".into());
    };
    let scale = match scale.as_str() {
        "-" => None,
        scale => Some(scale.parse()?),
    };
    let mut counter = CellCounter::load(Path::new(&folder), &EngineConfig::default())?;
    let (mut seen, mut slide) = (SlideCells::default(), CellCount::default());
    for path in args {
        let started = Instant::now();
        let limits = Limits::default();
        let bytes = decode::read_bytes(Path::new(&path), &limits)?;
        let picture = counter.decode(&bytes, &limits, scale)?;
        let field = counter.analyse_picture(&picture, scale)?;
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        let CellCount { cells, blasts, .. } = field.count();
        let added = seen.add(&field);
        slide.cells += added.count.cells;
        slide.blasts += added.count.blasts;
        slide.unclear += added.count.unclear;
        match field.scale {
            Ok(scale) => println!(
                "{path}: {blasts} blasts among {cells} leukocytes, {} red cells, {:.3} µm per pixel, {milliseconds:.0} ms",
                field.red_cells.len(),
                scale.um_per_pixel()
            ),
            Err(problem) => println!("{path}: {problem}, {milliseconds:.0} ms"),
        }
    }
    let decision = counter.manifest().model.count.decide(slide);
    let [low, high] = decision.interval.map(|share| 100.0 * share);
    println!(
        "all: {} of {} leukocytes are blasts, {low:.1} to {high:.1} %: {}",
        slide.blasts, slide.cells, decision.verdict
    );
    Ok(())
}
