//! Files of earlier versions still load, with the values that they had.

mod configuration;
mod state;

use std::path::PathBuf;

use serde_json::Value;

use crate::support::root;

/// A file that version 0.1.0 wrote.
fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/0.1.0").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

/// Checks that `new` has every value of `old`; it may have more.
fn assert_keeps(new: &Value, old: &Value, place: &str) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (key, old) in old {
                let place = format!("{place}.{key}");
                let new = new.get(key).unwrap_or_else(|| panic!("{place} is gone"));
                assert_keeps(new, old, &place);
            }
        }
        _ => assert_eq!(new, old, "{place}"),
    }
}
