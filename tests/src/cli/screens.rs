//! `smearscope screens`: every screen equals its picture in the repository.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::*;

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_screen_equals_its_reviewed_picture() {
    let drawn = tempfile::tempdir().unwrap();
    smearscope(["screens", "--out"])
        .arg(drawn.path())
        .assert()
        .success();
    let known = root().join("firmware/docs/screens");
    assert_eq!(names(drawn.path()), names(&known));
    for name in names(&known) {
        let [new, old] =
            [drawn.path(), &known].map(|folder| image::open(folder.join(&name)).unwrap().to_rgb8());
        assert!(
            new == old,
            "{name} has changed; look at it, then draw all again with `smearscope screens --out \
             firmware/docs/screens`"
        );
    }
}
