//! Tables of labelled images.
#![no_main]

#[path = "../../../trainer/src/dataset/table.rs"]
mod table;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for row in table::read(bytes).unwrap_or_default() {
        assert_eq!(row.label, row.label.trim());
        std::hint::black_box((row.path, row.group));
    }
});
