//! Images: a picture within the limits, or a reason.
#![no_main]

use smearscope_artifacts::decode::{Limits, decode};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits {
        max_bytes: 1 << 20,
        max_pixels: 1 << 20,
    };
    if let Ok(picture) = decode(bytes, &limits) {
        let pixels = u64::from(picture.width()) * u64::from(picture.height());
        assert!((1..=limits.max_pixels).contains(&pixels));
    }
});
