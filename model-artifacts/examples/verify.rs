//! Verifies a model folder: manifest, checksums and golden samples.
//!
//! ```sh
//! cargo run -p smearscope-artifacts --example verify -- model-artifacts/smear-demo
//! ```

use std::error::Error;
use std::path::Path;

use smearscope_artifacts::{EngineConfig, Model, ModelFiles};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(folder) = std::env::args().nth(1) else {
        return Err("usage: verify MODEL_FOLDER".into());
    };
    let files = ModelFiles::open(Path::new(&folder))?.into_field()?;
    let manifest = files.manifest();
    println!(
        "{} {}: manifest and checksums OK",
        manifest.name, manifest.version
    );

    let model = Model::from_files(files, &EngineConfig::default())?;
    for sample in model.golden() {
        println!(
            "{}: expected {:.5}, actual {:.5}",
            sample.image.display(),
            sample.expected,
            sample.actual
        );
    }
    println!(
        "{} golden samples passed on {}",
        model.golden().len(),
        model.engine().name()
    );
    Ok(())
}
