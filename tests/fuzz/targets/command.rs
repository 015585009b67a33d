//! MQTT commands of smearscope and of HIAS.
#![no_main]

libfuzzer_sys::fuzz_target!(|payload: &[u8]| smearscope::fuzzing::command(payload));
