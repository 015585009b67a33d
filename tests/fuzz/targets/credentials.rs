//! Credentials of a HIAS agent, and the configuration that they are written into: separated by a zero.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (credentials, configuration) = text.split_once('\0').unwrap_or((text, ""));
    smearscope::fuzzing::credentials(credentials, configuration);
});
