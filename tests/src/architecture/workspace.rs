//! This workspace has no rings of modules and keeps the invariants of its design.

use std::path::Path;

use super::{PACKAGES, check};

#[test]
fn no_crate_has_a_ring_or_a_forbidden_import() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut wrong = String::new();
    for (folder, with_tests) in PACKAGES {
        let findings = check(&workspace, folder, with_tests).unwrap();
        assert!(
            findings.files > 10,
            "{folder}: only {} files",
            findings.files
        );
        if !findings.is_empty() {
            wrong += &findings.to_string();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
