//! Classifies one image with a model.
//!
//! ```sh
//! cargo run -p smearscope-artifacts --example classify -- model-artifacts/smear-demo hardware/fields/field01_1.jpg
//! ```

use std::error::Error;
use std::path::Path;

use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{EngineConfig, Model};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: classify MODEL_FOLDER IMAGE".into());
    };
    let mut model = Model::load(Path::new(&folder), &EngineConfig::default())?;
    let image = decode::read(Path::new(&path), &Limits::default())?;
    let inference = model.infer(&image)?;
    let decision = model.manifest().model.decision.decide(inference.margin);
    println!(
        "{path}: {}, p = {:.3}, {}",
        decision.verdict,
        decision.probability,
        model.engine().name()
    );
    if let Some(position) = inference.evidence.and_then(|map| map.strongest()) {
        println!(
            "strongest evidence at {:.0} % of the width and {:.0} % of the height",
            100.0 * position.x,
            100.0 * position.y
        );
    }
    Ok(())
}
