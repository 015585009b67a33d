//! `smearscope screens`: every screen equals its picture in the repository.

use std::collections::BTreeSet;
use std::path::Path;

use smearscope_artifacts::testing::venv;

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

#[test]
fn a_phone_can_read_the_codes_on_the_screen() {
    let Some(python) = venv("python") else {
        return;
    };
    // The pixels of the OLED, four of the picture's each, enlarged without the lines between them.
    let script = "import cv2, numpy, sys\n\
                  for path in sys.argv[1:]:\n\
                  \x20   pixels = cv2.imread(path, cv2.IMREAD_GRAYSCALE)[25:281:4, 25:281:4]\n\
                  \x20   picture = numpy.kron(numpy.pad(pixels, 8), numpy.ones((6, 6), numpy.uint8))\n\
                  \x20   print(cv2.QRCodeDetector().detectAndDecode(picture)[0])\n";
    let screens = root().join("firmware/docs/screens");
    let output = std::process::Command::new(python)
        .args(["-c", script])
        .args(["page-address.png", "page-token.png"].map(|name| screens.join(name)))
        .output()
        .unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        read,
        "HTTPS://192.168.178.123:8080\n\
         HTTPS://192.168.178.123:8080/#ABCDEFGHIJKLMNOPQRSTUVWXYZ234567\n",
        "{errors}"
    );
}
