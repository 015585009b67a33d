//! Models that count cells: their manifests, files, and what they find.

use std::path::{Path, PathBuf};

use smearscope_artifacts::decode::{self, Limits};
use smearscope_artifacts::{
    ArtifactError, Cell, CellCall, CellCount, CellCounter, CellSite, CellsModel, EngineChoice,
    EngineConfig, FieldCells, FileEntry, Interface, Manifest, Model, ModelFiles, ModelKind,
    NoScale, Scale,
};

use crate::common::{CRATE, Copy, engine, has_openvino};

fn folder() -> PathBuf {
    Path::new(CRATE).join("tests/fixtures/cells")
}

fn text() -> String {
    std::fs::read_to_string(folder().join("manifest.toml")).unwrap()
}

fn parse(text: &str) -> Result<Manifest, ArtifactError> {
    Manifest::parse(text, Path::new("m/manifest.toml"))
}

fn cells(manifest: Manifest) -> CellsModel {
    match manifest.model {
        ModelKind::Cells(model) => *model,
        ModelKind::Field(_) => panic!("it counts cells"),
    }
}

/// The manifest after an edit of its text.
fn edited(from: &str, to: &str) -> Result<Manifest, ArtifactError> {
    let text = text();
    assert!(text.contains(from), "{from} is not in the manifest");
    parse(&text.replacen(from, to, 1))
}

#[test]
fn a_manifest_describes_both_networks_and_the_rules() {
    let model = cells(parse(&text()).unwrap());
    let Interface {
        input_shape,
        outputs,
        ..
    } = model.finder.interface();
    assert_eq!(input_shape, [1, 2, 32, 32]);
    let shapes: Vec<_> = outputs.iter().map(|output| &output.shape[..]).collect();
    assert_eq!(
        shapes,
        [[1, 2, 8, 8], [1, 1, 8, 8]].map(|shape| shape.map(Some))
    );

    let Interface {
        input_shape,
        outputs,
        ..
    } = model.cell.interface();
    assert_eq!(input_shape, [3, 1, 8, 8]);
    let [probability, features, evidence] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(probability.shape, [Some(3), Some(3)]);
    // As many as the novelty has.
    assert_eq!(features.shape, [Some(3), Some(4)]);
    assert_eq!(evidence.shape, [Some(3), Some(1), None, None]);
    let blasts: Vec<bool> = model.cell.classes.iter().map(|class| class.blast).collect();
    assert_eq!(blasts, [true, false, false]);
    assert_eq!(
        (model.count.min_cells, model.count.sensitivity.of),
        (200, 400)
    );
}

#[test]
fn manifests_survive_writing_and_reading() {
    let manifest = parse(&text()).unwrap();
    let written = manifest.to_toml().unwrap();
    assert!(
        written.starts_with("format_version = 2\nname = \"cells\""),
        "{written}"
    );
    assert!(written.contains("\nkind = \"cells\"\n"), "{written}");
    assert_eq!(parse(&written).unwrap(), manifest);

    let without = |manifest: &Manifest| {
        let mut manifest = manifest.clone();
        let ModelKind::Cells(model) = &mut manifest.model else {
            panic!("it counts cells");
        };
        model.ruler = None;
        model.figures = None;
        model.cell.novelty = None;
        model.cell.outputs.features = None;
        model.cell.outputs.evidence = None;
        model.finder.files.onnx = None;
        manifest
    };
    let least = without(&manifest);
    assert_eq!(parse(&least.to_toml().unwrap()).unwrap(), least);
    assert_eq!(cells(least).cell.interface().outputs.len(), 1);
}

#[test]
fn version_and_kind_are_refused_by_name() {
    for (from, to, field, remedy) in [
        (
            "format_version = 2",
            "format_version = 1",
            "kind",
            "remove kind",
        ),
        ("kind = \"cells\"\n", "", "kind", "kind = \"cells\""),
        ("\"cells\"", "\"cell\"", "kind", "did you mean `cells`?"),
        ("\"cells\"", "\"slide\"", "kind", "update smearscope"),
        ("\"cells\"", "7", "kind", "update smearscope"),
        (
            "format_version = 2",
            "format_version = 3",
            "format_version",
            "update smearscope",
        ),
    ] {
        let message = edited(from, to).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("m/manifest.toml: {field}: ")),
            "{message}"
        );
        assert!(message.contains(remedy), "{message}");
    }
    let message = edited("[ruler]", "[rulers]").unwrap_err().to_string();
    assert!(message.contains("did you mean `ruler`?"), "{message}");
    let message = edited("min_cells = 20\n", "").unwrap_err().to_string();
    assert!(message.contains("missing field `min_cells`"), "{message}");
}

/// An edit of a line, and the field that is invalid after it.
const INVALID: &[(&str, &str, &str)] = &[
    (
        "um_per_pixel = 0.5",
        "um_per_pixel = 0.0",
        "finder.input.um_per_pixel",
    ),
    ("side = 32", "side = 31", "finder.input.side"),
    ("side = 32", "side = 34", "finder.input.side"),
    ("margin = 8", "margin = 16", "finder.input.margin"),
    ("margin = 8", "margin = 6", "finder.input.margin"),
    ("stride = 4", "stride = 0", "finder.input.stride"),
    (
        "leukocytes = 0.5",
        "leukocytes = 1.0",
        "finder.thresholds.leukocytes",
    ),
    (
        "red_cells = 0.4",
        "red_cells = nan",
        "finder.thresholds.red_cells",
    ),
    (
        "diameter = \"diameter\"",
        "diameter = \"centres\"",
        "finder.outputs.diameter",
    ),
    (
        "\"finder.onnx\"",
        "\"../finder.onnx\"",
        "finder.files.onnx.path",
    ),
    (
        "\"tile.png\"",
        "\"/tile.png\"",
        "finder.golden[0].image.path",
    ),
    (
        "um_per_pixel = 0.25, leu",
        "um_per_pixel = 9.0, leu",
        "finder.golden[0].um_per_pixel",
    ),
    ("temperature = 1.5", "temperature = 0.0", "cell.temperature"),
    (
        "um_per_pixel = 3.0",
        "um_per_pixel = nan",
        "cell.input.um_per_pixel",
    ),
    ("side = 8", "side = 7", "cell.input.side"),
    ("batch = 3", "batch = 0", "cell.input.batch"),
    (
        "name = \"artefact\"",
        "name = \"lymphocyte\"",
        "cell.classes[2].name",
    ),
    ("name = \"artefact\"", "name = \"\"", "cell.classes[2].name"),
    (
        "blast = true\nleukocyte = true",
        "blast = true\nleukocyte = false",
        "cell.classes[0].leukocyte",
    ),
    ("blast = true", "blast = false", "cell.classes"),
    (
        "blast = false\nleukocyte = true",
        "blast = false\nleukocyte = false",
        "cell.classes",
    ),
    (
        "evidence = \"evidence\"",
        "evidence = \"features\"",
        "cell.outputs.evidence",
    ),
    ("features = \"features\", ", "", "cell.outputs.features"),
    (
        "limit = [30.0, 30.0, 40.0]",
        "limit = [3.0, 3.0]",
        "cell.novelty.limit",
    ),
    ("\"cell.onnx\"", "\"finder.onnx\"", "cell.files.onnx.path"),
    (
        "[0.3826598, 0.0440645, 0.5732757]",
        "[0.5, 0.5]",
        "cell.golden[0].probabilities",
    ),
    (
        "[0.3826598, 0.0440645, 0.5732757]",
        "[0.5, 0.25, 0.5]",
        "cell.golden[0].probabilities",
    ),
    (
        "[0.3826598, 0.0440645, 0.5732757]",
        "[1.5, 0.0, -0.5]",
        "cell.golden[0].probabilities",
    ),
    ("share = 0.05", "share = 1.0", "count.share"),
    ("min_cells = 200", "min_cells = 0", "count.min_cells"),
    ("called = 380", "called = 401", "count.sensitivity"),
    (
        "red_cell_um = 7.2",
        "red_cell_um = 72.0",
        "ruler.red_cell_um",
    ),
    ("min_cells = 20\n", "min_cells = 0\n", "ruler.min_cells"),
    ("max_spread = 0.25", "max_spread = 0.0", "ruler.max_spread"),
    ("intercept = 0.5", "intercept = inf", "figures.intercept"),
    (
        "{ nucleus_um = 0.05, roundness = -1.0 }",
        "{}",
        "figures.weights",
    ),
    (
        "roundness = -1.0",
        "roundness = nan",
        "figures.weights.roundness",
    ),
    ("cells = 2\n", "cells = 3\n", "golden[0].probabilities"),
    ("blasts = 1", "blasts = 3", "golden[0].blasts"),
    (
        "[0.4054970, 0.3631407]",
        "[0.3631407, 0.4054970]",
        "golden[0].probabilities",
    ),
    (
        "0.3631407]\ntolerance = 0.01",
        "0.3631407]\ntolerance = 0.5",
        "golden[0].tolerance",
    ),
];

#[test]
fn invalid_values_are_refused_by_field() {
    for (from, to, field) in INVALID {
        let message = edited(from, to).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("m/manifest.toml: {field}: ")),
            "{to}: {message}"
        );
        assert!(message.contains("; "), "no remedy: {message}");
    }
    let golden = text().find("\n[[golden]]").unwrap();
    let evaluation = text().find("\n[evaluation]").unwrap();
    let without = format!(
        "golden = []\n{}{}",
        &text()[..golden],
        &text()[evaluation..]
    );
    let message = parse(&without).unwrap_err().to_string();
    assert!(
        message.contains("golden: must have 1 to 64 samples, it has 0"),
        "{message}"
    );
}

#[test]
fn its_files_are_verified_and_it_judges_no_whole_field() {
    let files = ModelFiles::open(&folder()).unwrap();
    let names: Vec<&Path> = files
        .manifest()
        .entries()
        .map(|entry| entry.path.as_path())
        .collect();
    let expected = [
        "finder.xml",
        "finder.bin",
        "finder.onnx",
        "cell.xml",
        "cell.bin",
        "cell.onnx",
        "tile.png",
        "crop.png",
        "field.png",
    ];
    assert_eq!(names, expected.map(Path::new));
    let crop = FileEntry {
        path: "crop.png".into(),
        sha256: String::new(),
    };
    assert_eq!(files.golden_image(&crop).unwrap().dimensions(), (96, 96));

    let message = Model::load(&folder(), &EngineConfig::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        message,
        format!(
            "{}: kind: it is `cells`, and whole fields are to be judged; \
             use a model with kind = \"field\"",
            folder().join("manifest.toml").display()
        )
    );
}

#[test]
fn a_damaged_file_of_either_network_is_noticed() {
    for file in ["finder.bin", "cell.onnx", "tile.png"] {
        let copy = Copy::of(&folder());
        let path = copy.path().join(file);
        std::fs::write(&path, "damaged").unwrap();
        let message = ModelFiles::open(copy.path()).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{} is damaged: ", path.display())),
            "{message}"
        );
    }
}

/// Cells of the field in the fixture, by the engine.
fn analysed(choice: EngineChoice, um_per_pixel: Option<f32>) -> FieldCells {
    // Loading compares both networks and the chain with values of NumPy and OpenCV.
    let mut counter = CellCounter::load(&folder(), &engine(choice)).unwrap();
    let golden: Vec<_> = counter
        .golden()
        .iter()
        .map(|golden| golden.image.clone())
        .collect();
    assert_eq!(
        golden,
        ["tile.png", "crop.png", "field.png"].map(PathBuf::from)
    );
    let image = decode::read(&folder().join("field.png"), &Limits::default()).unwrap();
    counter.analyse(&image, um_per_pixel).unwrap()
}

#[test]
fn both_engines_find_the_same_cells_as_numpy() {
    let mut engines = vec![EngineChoice::Embedded];
    if has_openvino() {
        engines.push(EngineChoice::OpenVino);
    }
    for choice in engines {
        let field = analysed(choice, Some(0.25));
        assert_eq!(field.scale, Ok(Scale::Given(0.25)));
        assert_eq!(field.red_cells.len(), 7);
        let calls: Vec<CellCall> = field.cells.iter().map(|cell| cell.call).collect();
        assert_eq!(
            calls,
            [
                CellCall::OtherLeukocyte,
                CellCall::Blast,
                CellCall::Artefact,
                CellCall::Artefact
            ]
        );
        assert_eq!(
            field.count(),
            CellCount {
                cells: 2,
                blasts: 1,
                unclear: 0
            }
        );
        // Where cells_reference.py has them. Resampling differs by at most one of 256 levels.
        let places = [
            (180.01, 51.97),
            (60.03, 60.03),
            (131.86, 140.02),
            (7.94, 123.86),
        ];
        for (cell, (x, y)) in field.cells.iter().zip(places) {
            assert!(
                (cell.site.x - x).abs() < 0.1 && (cell.site.y - y).abs() < 0.1,
                "{cell:?}"
            );
            assert!((cell.diameter_um - 0.25 * cell.site.diameter).abs() < 1e-4);
            assert!((cell.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(cell.figures.is_some() && cell.evidence.is_some());
        }
        assert!((field.cells[0].site.diameter - 60.89).abs() < 0.3);
    }
}

#[test]
fn without_a_scale_nothing_is_looked_at() {
    let field = analysed(EngineChoice::Embedded, None);
    let error = field.scale.unwrap_err();
    assert!(error.to_string().starts_with("scale unknown: "), "{error}");
    assert_eq!((field.cells.len(), field.count().cells), (0, 0));
    for um_per_pixel in [0.5, 0.0, -0.25, f32::NAN, f32::INFINITY, 1e-9, 100.0] {
        let field = analysed(EngineChoice::Embedded, Some(um_per_pixel));
        assert!(field.scale.is_err(), "{um_per_pixel}: {field:?}");
        assert!(field.cells.is_empty());
    }
}

#[test]
fn a_model_without_a_ruler_needs_a_known_scale() {
    let copy = Copy::of(&folder()).edit(
        "[ruler]\nred_cell_um = 7.2\nmin_cells = 20\nmax_spread = 0.25\n",
        "",
    );
    let mut counter = CellCounter::load(copy.path(), &engine(EngineChoice::Embedded)).unwrap();
    let image = decode::read(&folder().join("field.png"), &Limits::default()).unwrap();
    let field = counter.analyse(&image, None).unwrap();
    assert_eq!(field.scale, Err(NoScale::NoRuler));
    assert_eq!(field.count().cells, 0);
    assert_eq!(counter.analyse(&image, Some(0.25)).unwrap().cells.len(), 4);
}

#[test]
fn a_golden_sample_of_either_network_stops_the_model() {
    for (from, to) in [
        ("red_cells = 3 }", "red_cells = 4 }"),
        (
            "[0.3826598, 0.0440645, 0.5732757]",
            "[0.3626598, 0.0440645, 0.5932757]",
        ),
        ("[0.4054970, 0.3631407]", "[0.4254970, 0.3631407]"),
    ] {
        let copy = Copy::of(&folder()).edit(from, to);
        let error = CellCounter::load(copy.path(), &engine(EngineChoice::Embedded)).unwrap_err();
        assert!(matches!(error, ArtifactError::Golden { .. }), "{error}");
    }
}

#[test]
fn cells_at_known_places_are_those_that_are_found_there() {
    let mut counter = CellCounter::load(&folder(), &engine(EngineChoice::Embedded)).unwrap();
    let image = decode::read(&folder().join("field.png"), &Limits::default()).unwrap();
    let found = counter.analyse(&image, Some(0.25)).unwrap().cells;
    let mut sites: Vec<CellSite> = found.iter().map(|cell| cell.site).collect();
    // Within the first of two batches, so that those after it move up in the network's input.
    let outside = CellSite {
        x: -1.0,
        ..sites[0]
    };
    sites.insert(1, outside);
    let looked_at = counter.look_at(&image, 0.25, &sites).unwrap();
    let mut expected: Vec<Option<Cell>> = found.into_iter().map(Some).collect();
    expected.insert(1, None);
    assert_eq!(looked_at, expected);
    // Too coarse, too fine, and none.
    for um_per_pixel in [0.41, 0.005, f32::NAN] {
        let none = counter.look_at(&image, um_per_pixel, &sites).unwrap();
        assert_eq!(none, vec![None; sites.len()], "{um_per_pixel}");
    }
    assert_eq!(counter.look_at(&image, 0.25, &[]).unwrap(), []);
}
