//! Which tuning file libcamera uses, and whether that corrects the shading of the lens.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What libcamera says of a tuning file that it loads.
const USED: &str = " Using tuning file ";
/// The name of its lens-shading correction in such a file.
const ALSC: &str = "rpi.alsc";
/// Far more than a tuning file.
const MAX_BYTES: u64 = 4 << 20;

/// The lens correction that libcamera applies, of which the program says in its messages from which file it is; `None` if it
/// does not say, or names the files of several cameras.
pub(super) fn lens_correction(messages: &str) -> Option<String> {
    let mut files = messages.lines().filter_map(|line| line.split_once(USED));
    let (_, file) = files.next()?;
    if files.any(|(_, other)| other != file) {
        return None;
    }
    let text = read(Path::new(file))?;
    Some(if text.contains(&format!("\"{ALSC}\"")) {
        format!("{ALSC} of {file}")
    } else {
        format!("none: {file} has no {ALSC}")
    })
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libcamera 0.7 says it.
    fn said(file: &Path) -> String {
        format!(
            "[1:37:37.103267246] [8072]  INFO Camera camera_manager.cpp:340 libcamera v0.7.0+rpt20260205\n\
             [1:37:37.179073933] [8075]  INFO IPAProxy ipa_proxy.cpp:180 Using tuning file {}\n\
             [1:37:37.201738406] [8075]  INFO RPI vc4.cpp:445 Registered camera imx477\n",
            file.display()
        )
    }

    #[test]
    fn the_correction_is_that_of_the_file_that_libcamera_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, algorithms: &str| {
            let path = folder.path().join(name);
            let text = format!("{{\"version\": 2.0, \"algorithms\": [{algorithms}]}}");
            std::fs::write(&path, text).unwrap();
            path
        };
        let with = file("with.json", "{\"rpi.alsc\": {\"n_iter\": 0}}");
        let without = file("without.json", "{\"x.rpi.alsc\": {}}, {\"rpi.awb\": {}}");
        let name = with.display();
        assert_eq!(
            lens_correction(&said(&with)),
            Some(format!("rpi.alsc of {name}"))
        );
        let twice = said(&with).repeat(2);
        assert_eq!(lens_correction(&twice), Some(format!("rpi.alsc of {name}")));
        let none = format!("none: {} has no rpi.alsc", without.display());
        assert_eq!(lens_correction(&said(&without)), Some(none));
        for unknown in [
            said(&with) + &said(&without),
            said(&folder.path().join("absent.json")),
            "#0 (0.00 fps) exp 9999.00".into(),
        ] {
            assert_eq!(lens_correction(&unknown), None, "{unknown}");
        }
    }
}
