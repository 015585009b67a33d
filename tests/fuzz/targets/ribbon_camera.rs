//! What the program of a ribbon camera writes: pictures, metadata, and the list of cameras. The input's first byte is the
//! length of the pieces in which it arrives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let [piece, output @ ..] = bytes {
        smearscope_hardware::fuzzing::images(output, usize::from(*piece));
        smearscope_hardware::fuzzing::texts(output);
    }
});
