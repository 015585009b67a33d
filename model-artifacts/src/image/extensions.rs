//! File name extensions of images.

use std::path::Path;

/// Extensions of the image formats that [`decode`](crate::decode) reads, in lower case.
pub const IMAGE_EXTENSIONS: [&str; 9] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "tif", "tiff",
];

/// Whether a path has the extension of an image that [`decode`](crate::decode) reads, in upper or
/// lower case. The file is not opened: its contents may be something else.
///
/// ```
/// use smearscope_artifacts::is_image_path;
///
/// assert!(is_image_path("fields/Im001_1.JPG".as_ref()));
/// assert!(is_image_path("downloads/field.jfif".as_ref()));
/// assert!(!is_image_path("fields/Im001_1.xyc".as_ref()));
/// ```
pub fn is_image_path(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        IMAGE_EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}
