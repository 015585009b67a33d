//! Bad input gives a clear error, never a panic or a verdict.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::support::*;

/// Classifies `path` and returns the error that the program names for it.
fn error_for(path: &Path) -> String {
    let output = smearscope(["classify", "--json", "--engine", "embedded"])
        .arg(path)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{} was accepted", path.display());
    assert!(!stderr.contains("panicked"), "{stderr}");
    let lines = json_lines(&output.stdout);
    assert!(
        lines.iter().all(|line| line["verdict"].is_null()),
        "{lines:?}"
    );
    let error = lines
        .iter()
        .find_map(|line| line["error"].as_str())
        .unwrap_or_else(|| panic!("no error is named: {lines:?} {stderr}"));
    error.to_owned()
}

fn error_for_bytes(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    error_for(&path)
}

/// A PNG that claims 60,000 × 60,000 pixels, with a valid header checksum and no data.
fn bomb() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".to_vec();
    png.extend(crc32fast::hash(&png[12..]).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    png
}

#[test]
fn a_truncated_jpeg_is_refused() {
    let bytes = std::fs::read(&demo_fields()[0]).unwrap();
    let error = error_for_bytes("cut.jpg", &bytes[..bytes.len() * 2 / 3]);
    assert!(error.contains("truncated"), "{error}");
}

#[test]
fn empty_and_foreign_files_are_refused() {
    let error = error_for_bytes("empty.jpg", b"");
    assert!(error.contains("empty"), "{error}");
    let error = error_for_bytes("text.jpg", b"This is a letter, not a micrograph.\n");
    assert!(error.contains("JPEG"), "the formats are named: {error}");
}

#[test]
fn a_dimension_bomb_is_refused_by_its_header() {
    let error = error_for_bytes("bomb.png", &bomb());
    assert!(error.contains("60000"), "the size is named: {error}");
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let error = error_for(Path::new("no/such/field.jpg"));
    assert!(error.contains("no/such/field.jpg"), "{error}");
}

#[test]
fn one_bad_image_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    // A name that is not UTF-8 does not stop the others either.
    let name = std::ffi::OsStr::from_bytes(b"a\xff.jpg");
    std::fs::write(folder.path().join(name), b"nothing").unwrap();
    std::fs::copy(&demo_fields()[0], folder.path().join("b_1.jpg")).unwrap();
    let output = smearscope(["classify", "--json", "--engine", "embedded"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let lines = json_lines(&output.stdout);
    assert!(
        lines.iter().any(|line| line["error"].is_string()),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line["verdict"] == "Positive"),
        "{lines:?}"
    );
}

#[test]
fn a_damaged_model_is_refused_with_the_file_s_name() {
    let model = copy_of_demo_model();
    let manifest = model.path().join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let damage: [(&str, String, &str); 3] = [
        (
            "no TOML",
            text.replace("[input]", "[input"),
            "manifest.toml",
        ),
        (
            "future format",
            text.replacen("format_version = 1", "format_version = 99", 1),
            "format_version",
        ),
        (
            "impossible value",
            text.replacen("temperature = ", "temperature = -", 1),
            "temperature",
        ),
    ];
    for (what, damaged, named) in damage {
        assert_ne!(damaged, text, "{what}");
        std::fs::write(&manifest, damaged).unwrap();
        let output = smearscope(["classify", "hardware/fields", "--model"])
            .arg(model.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{what}");
        assert!(stderr.contains(named), "{what}: {stderr}");
        assert!(output.stdout.is_empty(), "{what}");
    }
}
