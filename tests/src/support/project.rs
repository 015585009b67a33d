//! The files of the repository that tests use.

use std::path::{Path, PathBuf};

use image::RgbImage;
use smearscope_artifacts::testing::jpegs_in;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
}

/// The demo model.
pub(crate) fn demo_model() -> PathBuf {
    root().join("model-artifacts/smear-demo")
}

/// The model that counts cells.
pub(crate) fn cells_model() -> PathBuf {
    root().join("model-artifacts/smear-cells")
}

/// A copy of it in a folder, with a ruler that needs this many red cells.
pub(crate) fn cells_model_with_ruler(folder: &Path, min_cells: u32) -> PathBuf {
    let copy = folder.join(format!("ruler-{min_cells}"));
    std::fs::create_dir(&copy).expect("folder");
    copy_folder(&cells_model(), &copy);
    let manifest = copy.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest).expect("manifest");
    let ruler = format!(
        "[ruler]\nred_cell_um = 7.2\nmin_cells = {min_cells}\nmax_spread = 0.25\n\n[figures]"
    );
    std::fs::write(manifest, text.replacen("[figures]", &ruler, 1)).expect("manifest");
    copy
}

/// A folder with the drawn panorama as a field.
pub(crate) fn panorama_field(folder: &Path) -> PathBuf {
    let fields = folder.join("panorama");
    std::fs::create_dir(&fields).expect("folder");
    let panorama = root().join("model-artifacts/tests/fixtures/panorama.jpg");
    std::fs::copy(panorama, fields.join("panorama.jpg")).expect("panorama");
    fields
}

/// Size of a pixel of the drawn panorama, µm.
pub(crate) const PANORAMA_UM_PER_PIXEL: f32 = 0.112_766;

/// Writes two fields of a drawn panorama into a folder, a third of a field apart. Returns the columns at which they begin.
pub(crate) fn panorama_fields(folder: &Path) -> [u32; 2] {
    let panorama = root().join("model-artifacts/tests/fixtures/panorama.jpg");
    let panorama = image::open(panorama).expect("panorama").to_rgb8();
    let starts = [107, 320];
    for start in starts {
        let field = image::imageops::crop_imm(&panorama, start, 0, 640, 480).to_image();
        let path = folder.join(format!("field{start}.png"));
        field.save(path).expect("field");
    }
    starts
}

/// The synthetic fields in the repository, sorted; names end in `_0` (negative) or `_1` (positive).
pub(crate) fn demo_fields() -> Vec<PathBuf> {
    jpegs_in(&root().join("hardware/fields"))
}

/// Copies of the synthetic fields in a folder, sorted, with the names of ALL-IDB, which are labels.
pub(crate) fn labelled_fields(folder: &Path) -> Vec<PathBuf> {
    let fields = demo_fields().into_iter().enumerate();
    let copies = fields.map(|(index, field)| {
        let name = field.to_string_lossy();
        let (_, label) = name.rsplit_once('_').expect("label");
        let copy = folder.join(format!("Im{index:03}_{label}"));
        std::fs::copy(&field, &copy).expect("copy");
        copy
    });
    copies.collect()
}

/// A copy of the demo model that a test may damage.
pub(crate) fn copy_of_demo_model() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("temporary folder");
    copy_folder(&demo_model(), copy.path());
    copy
}

/// Copies a folder with all that is in it into one that exists.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            std::fs::create_dir(&target).expect("folder");
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copy");
        }
    }
}

/// The pixels of a field that passes the quality gate.
pub(crate) fn field_pixels() -> RgbImage {
    image::open(&demo_fields()[0])
        .expect("shipped field")
        .to_rgb8()
}
