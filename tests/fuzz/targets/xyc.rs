//! Files of blast centroids: reading returns what was written.
#![no_main]

#[path = "../../../trainer/src/dataset/centroids.rs"]
mod centroids;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Some(found) = centroids::parse(text) {
        let written: String = found.iter().map(|[x, y]| format!("{x} {y}\n")).collect();
        assert_eq!(centroids::parse(&written), Some(found));
    }
});
