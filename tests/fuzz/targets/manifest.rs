//! Manifests of models: a valid one survives writing and reading.
#![no_main]

use std::path::Path;

use smearscope_artifacts::Manifest;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(manifest) = Manifest::parse(text, Path::new("manifest.toml")) {
        let written = manifest.to_toml().expect("it is valid");
        let again =
            Manifest::parse(&written, Path::new("written.toml")).expect("it was written so");
        assert_eq!(again, manifest);
    }
});
