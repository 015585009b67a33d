//! The label in the file name of an ALL-IDB image.

use std::path::Path;

/// Whether an image is named as leukemia (`true`) or as healthy (`false`) by the rule of ALL-IDB:
/// `ImNNN_1` or `ImNNN_0` and an extension, in upper or lower case. Any other name has no label: a number
/// at its end may count captures.
///
/// ```
/// use smearscope_artifacts::all_idb_label;
///
/// assert_eq!(all_idb_label("fields/Im001_1.jpg".as_ref()), Some(true));
/// assert_eq!(all_idb_label("IM035_0.TIF".as_ref()), Some(false));
/// assert_eq!(all_idb_label("capture_1.jpg".as_ref()), None);
/// ```
pub fn all_idb_label(path: &Path) -> Option<bool> {
    let (name, label) = path.file_stem()?.to_str()?.split_once('_')?;
    let (prefix, number) = name.split_at_checked(2)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !(prefix.eq_ignore_ascii_case("im") && is_number) {
        return None;
    }
    match label {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_all_idb_have_a_label() {
        for (name, label) in [
            ("x/Im006_1.jpg", Some(true)),
            ("Im035_0.jpeg", Some(false)),
            ("IM011_1.JPG", Some(true)),
            ("im7_0", Some(false)),
        ] {
            assert_eq!(all_idb_label(Path::new(name)), label, "{name}");
        }
        for name in [
            "capture_0.jpg",
            "capture_1.jpg",
            "field01_1.jpg",
            "Im005__1.jpg",
            "Im003_1 (1).jpg",
            "Im004_1_rot90.jpg",
            "Im004_2.jpg",
            "Im_1.jpg",
            "Imx1_1.jpg",
            "Im035.jpg",
            "Im_035.jpg",
            "1.jpg",
            "a_1.tar.gz",
            "é_1.jpg",
            "",
        ] {
            assert_eq!(all_idb_label(Path::new(name)), None, "{name}");
        }
    }
}
