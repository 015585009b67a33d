//! Credentials of a HIAS agent and the configuration that imports them, separated by a zero byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (credentials, configuration) = text.split_once('\0').unwrap_or((text, ""));
    smearscope::fuzzing::credentials(credentials, configuration);
});
