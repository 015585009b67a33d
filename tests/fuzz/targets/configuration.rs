//! Configuration files: every error names its cause.
#![no_main]

use smearscope::config::Raw;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(raw) = Raw::parse(text) {
        let _ = raw.validate();
    }
});
