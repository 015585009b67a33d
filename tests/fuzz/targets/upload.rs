//! Multipart forms with an image; the input's first line is the header `Content-Type`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (kind, body) = bytes.split_at(end);
    smearscope::fuzzing::upload(kind, body.get(1..).unwrap_or_default());
});
