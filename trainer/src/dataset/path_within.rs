//! Paths of a dataset's files, as reports and warnings show them.

use std::path::Path;

/// The path of a file within its dataset, whose root is a folder or a table in one; outside of it only
/// the file name, since the rest of the path describes the machine.
pub(crate) fn path_within<'a>(file: &'a Path, root: &Path) -> &'a Path {
    let folder = if root.is_file() {
        root.parent().unwrap_or(Path::new(""))
    } else {
        root
    };
    file.strip_prefix(folder)
        .unwrap_or_else(|_| file.file_name().map_or(file, Path::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_outside_of_the_dataset_are_shortened() {
        let place = |file: &'static str| path_within(Path::new(file), Path::new("/data/mine"));
        assert_eq!(place("/data/mine/blasts/1.png"), Path::new("blasts/1.png"));
        assert_eq!(place("/home/someone/1.png"), Path::new("1.png"));
    }
}
