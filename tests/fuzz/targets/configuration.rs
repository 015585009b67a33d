//! Configuration files: every error names its cause.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| smearscope::fuzzing::configuration(text));
