//! Invalid models are refused with a message that names the file, the field and the remedy.

use std::path::Path;

use crate::common::{Copy, engine, has_openvino};
use smearscope_artifacts::{ArtifactError, EngineChoice, Manifest, Model, ModelKind};

#[test]
fn other_format_versions_are_refused() {
    let future = "format_version = 3\nsomething = { entirely = 'different' }\n";
    for text in [future, "format_version = 0", "format_version = '1'"] {
        let message = Manifest::parse(text, Path::new("m/manifest.toml"))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("m/manifest.toml: format_version: "),
            "{message}"
        );
        assert!(message.contains("update smearscope"), "{message}");
    }
    let message = Manifest::parse("name = 'x'", Path::new("m"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("missing field `format_version`"),
        "{message}"
    );
}

/// Text to replace in the manifest, its replacement, and the field with the error.
const INVALID: &[(&str, &str, &str)] = &[
    ("name = \"tiny\"", "name = \"../tiny\"", "name"),
    ("name = \"tiny\"", "name = \"\"", "name"),
    ("license = \"MIT\"", "license = \" \"", "license"),
    (
        "architecture = \"conv3x3x4-dense2\"",
        "architecture = \"a\\nb\"",
        "architecture",
    ),
    (
        "trained_on = \"Nothing",
        "trained_on = \"\\u001b[2J",
        "trained_on",
    ),
    (
        "[evaluation.figures]",
        "[evaluation.figures]\n\"a\\u0007b\" = 0.5",
        "evaluation.figures",
    ),
    (
        "negative = \"tails\"",
        "negative = \"heads\"",
        "labels.positive",
    ),
    ("positive = \"heads\"", "positive = \"\"", "labels.positive"),
    (
        "positive_index = 1",
        "positive_index = 2",
        "labels.positive_index",
    ),
    ("width = 8", "width = 7", "input.width"),
    ("width = 8", "width = 4294967295", "input.width"),
    ("height = 8", "height = 4096", "input.height"),
    ("scale = 0.003921569", "scale = 0.0", "input.scale"),
    ("scale = 0.003921569", "scale = nan", "input.scale"),
    (
        "mean = [0.5, 0.5, 0.5]",
        "mean = [0.5, inf, 0.5]",
        "input.mean[1]",
    ),
    (
        "std = [0.25, 0.25, 0.25]",
        "std = [0.25, 0.25, 0.0]",
        "input.std[2]",
    ),
    (
        "std = [0.25, 0.25, 0.25]",
        "std = [1e-45, 0.25, 0.25]",
        "input.std[0]",
    ),
    ("threshold = 0.5", "threshold = 1.0", "decision.threshold"),
    ("threshold = 0.5", "threshold = nan", "decision.threshold"),
    (
        "threshold = 0.5",
        "threshold = 0.7",
        "decision.inconclusive",
    ),
    (
        "inconclusive = [0.4, 0.6]",
        "inconclusive = [0.6, 0.4]",
        "decision.inconclusive",
    ),
    (
        "inconclusive = [0.4, 0.6]",
        "inconclusive = [-0.1, 0.6]",
        "decision.inconclusive",
    ),
    (
        "inconclusive = [0.4, 0.6]",
        "inconclusive = [0.4, nan]",
        "decision.inconclusive",
    ),
    (
        "temperature = 1.0",
        "temperature = 0.0",
        "decision.temperature",
    ),
    (
        "temperature = 1.0",
        "temperature = inf",
        "decision.temperature",
    ),
    (
        "probability = \"probability\"",
        "probability = \"\"",
        "outputs.probability",
    ),
    (
        "evidence = \"evidence\"",
        "evidence = \"probability\"",
        "outputs.evidence",
    ),
    (
        "evidence = \"evidence\"",
        "evidence = \"a\\u0000b\"",
        "outputs.evidence",
    ),
    ("dataset = \"none\"", "dataset = \"\"", "evaluation.dataset"),
    (
        "positives = 0",
        "positives = 0\nwarnings = [\"\"]",
        "evaluation.warnings",
    ),
    (
        "[evaluation.figures]",
        "[evaluation.figures]\nauroc = 0.9",
        "evaluation.figures.auroc",
    ),
    (
        "positives = 0",
        "positives = 9\nfigures = { auroc = 1.1 }",
        "evaluation.figures.auroc",
    ),
    (
        "[evaluation.figures]",
        "[evaluation.figures]\n[evaluation.intervals]\nauroc = [0.8, 0.9]",
        "evaluation.intervals.auroc",
    ),
    (
        "positives = 0",
        "positives = 9\nfigures = { auroc = 0.9 }\nintervals = { auroc = [0.9, 0.8] }",
        "evaluation.intervals.auroc",
    ),
    (
        "probability = 0.08",
        "probability = 1.08",
        "golden[0].probability",
    ),
    (
        "tolerance = 0.0001",
        "tolerance = 0.0",
        "golden[0].tolerance",
    ),
    (
        "tolerance = 0.0001",
        "tolerance = 0.06",
        "golden[0].tolerance",
    ),
    (
        "tolerance = 0.0001",
        "tolerance = nan",
        "golden[0].tolerance",
    ),
    (
        "path = \"golden.png\"",
        "path = \"/etc/passwd\"",
        "golden[0].image.path",
    ),
    (
        "path = \"tiny.xml\"",
        "path = \"../tiny.xml\"",
        "files.ir_xml.path",
    ),
    (
        "path = \"tiny.bin\"",
        "path = \"a/../../tiny.bin\"",
        "files.ir_bin.path",
    ),
    ("path = \"tiny.onnx\"", "path = \"\"", "files.onnx.path"),
    (
        "path = \"tiny.onnx\"",
        "path = \"manifest.toml\"",
        "files.onnx.path",
    ),
    (
        "path = \"tiny.bin\"",
        "path = \"tiny.xml\"",
        "files.ir_bin.path",
    ),
    ("sha256 = \"", "sha256 = \"x", "golden[0].image.sha256"),
];

#[test]
fn invalid_values_are_refused_by_field() {
    for (from, to, field) in INVALID {
        let mut copy = Copy::new();
        if to.contains("figures = {") {
            copy = copy.edit("[evaluation.figures]", "");
        }
        let copy = copy.edit(from, to);
        let message = copy.refusal();
        let path = copy.path().join("manifest.toml");
        assert!(
            message.starts_with(&format!("{}: {field}: ", path.display())),
            "{to}: {message}"
        );
        assert!(message.contains("; "), "no remedy: {message}");
    }
}

#[test]
fn invalid_slide_rules_and_domains_are_refused() {
    // The first field's row is missing, the last is too short, a diagonal is nought.
    let triangle: Vec<Vec<f32>> = (1..=10).map(|count| vec![1.0; count]).collect();
    let mut short = triangle.clone();
    short[9].pop();
    let mut flat = triangle.clone();
    flat[4][4] = 0.0;
    let domain = |factor: &[Vec<f32>], limit: &str| {
        format!(
            "domain = {{ mean = {:?}, factor = {factor:?}, limit = {limit} }}",
            [0.5; 10]
        )
    };
    for (text, field) in [
        (
            "slide = { min_fields = 0, correlation = 1.0 }".to_owned(),
            "slide.min_fields",
        ),
        (
            "slide = { min_fields = 3, correlation = 1.5 }".to_owned(),
            "slide.correlation",
        ),
        (
            "slide = { min_fields = 3, correlation = nan }".to_owned(),
            "slide.correlation",
        ),
        (domain(&triangle[1..], "3.0"), "domain.factor"),
        (domain(&short, "3.0"), "domain.factor"),
        (domain(&flat, "3.0"), "domain"),
        (domain(&triangle, "0.0"), "domain"),
        (domain(&triangle, "inf"), "domain"),
    ] {
        let message = Copy::new()
            .edit("demo = true", &format!("demo = true\n{text}"))
            .refusal();
        assert!(
            message.contains(&format!(": {field}: ")),
            "{text}: {message}"
        );
    }
}

#[test]
fn unknown_and_missing_keys_are_refused_with_a_suggestion() {
    let message = Copy::new().edit("threshold =", "thresold =").refusal();
    assert!(message.contains("decision: line "), "{message}");
    assert!(message.contains("did you mean `threshold`?"), "{message}");

    let message = Copy::new()
        .edit("resize = \"area\"", "resize = \"aera\"")
        .refusal();
    assert!(message.contains("input: line "), "{message}");
    assert!(message.contains("did you mean `area`?"), "{message}");

    let message = Copy::new().edit("license = \"MIT\"\n", "").refusal();
    assert!(message.contains("missing field `license`"), "{message}");

    let message = Copy::new().edit("[labels]", "[labels").refusal();
    assert!(message.contains("manifest.toml"), "{message}");
}

#[test]
fn deeply_nested_text_is_refused() {
    for nest in ["[", "{a=", "[{a="] {
        let text = format!("format_version = {}", nest.repeat(50_000));
        assert!(Manifest::parse(&text, Path::new("manifest.toml")).is_err());
    }
}

#[test]
fn models_need_a_network_and_a_golden_sample() {
    let line = |copy: &Copy, key: &str| {
        let text = std::fs::read_to_string(copy.path().join("manifest.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        line.to_owned()
    };
    let without = |keys: &[&str]| {
        keys.iter().fold(Copy::new(), |copy, key| {
            let found = line(&copy, key);
            copy.edit(&found, "")
        })
    };
    for (keys, field) in [
        (&["ir_xml"][..], "files.ir_xml"),
        (&["ir_bin"], "files.ir_bin"),
        (&["ir_xml", "ir_bin", "onnx"], "files"),
    ] {
        let message = without(keys).refusal();
        assert!(message.contains(&format!(": {field}: ")), "{message}");
    }
    let copy = Copy::new();
    let found = line(&copy, "golden");
    let message = copy.edit(&found, "golden = []").refusal();
    assert!(
        message.contains("golden: must have 1 to 64 samples, it has 0"),
        "{message}"
    );

    let message = without(&["onnx"]).refusal();
    assert!(message.contains("has no ONNX file"), "{message}");
    let error = without(&["ir_xml", "ir_bin"]).load(EngineChoice::OpenVino);
    assert!(error.is_err_and(|e| e.to_string().contains("has no OpenVINO IR")));

    let config = smearscope_artifacts::EngineConfig {
        library: Some("/nonexistent".into()),
        ..engine(EngineChoice::Auto)
    };
    let Err(error) = Model::load(without(&["onnx"]).path(), &config) else {
        panic!("there is nothing to run it");
    };
    let message = error.to_string();
    assert!(message.contains("has no ONNX file"), "{message}");
    assert!(message.contains("/nonexistent"), "{message}");
}

#[test]
fn missing_files_are_named() {
    for file in [
        "tiny.xml",
        "tiny.bin",
        "tiny.onnx",
        "golden.png",
        "manifest.toml",
    ] {
        let copy = Copy::new();
        let path = copy.path().join(file);
        std::fs::remove_file(&path).unwrap();
        let message = copy.refusal();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );

        std::fs::create_dir(&path).unwrap();
        let message = copy.refusal();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
    }
    let message = Model::load(Path::new("/nonexistent"), &engine(EngineChoice::Auto))
        .err()
        .unwrap()
        .to_string();
    assert!(message.contains("/nonexistent/manifest.toml"), "{message}");
    assert!(message.contains("give the folder of a model"), "{message}");
}

#[test]
fn pipes_and_huge_manifests_are_refused_without_blocking() {
    let copy = Copy::new();
    let path = copy.path().join("golden.png");
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert!(copy.refusal().starts_with(&path.display().to_string()));

    let copy = Copy::new();
    let huge = "#".repeat(1 << 20);
    std::fs::write(copy.path().join("manifest.toml"), huge).unwrap();
    let error = copy.load(EngineChoice::Embedded).err().unwrap();
    assert!(matches!(error, ArtifactError::Unreadable { .. }), "{error}");

    std::fs::write(copy.path().join("manifest.toml"), [0xFF; 64]).unwrap();
    assert!(copy.refusal().contains("must be UTF-8"));
}

#[test]
fn one_changed_bit_is_noticed() {
    for file in ["tiny.xml", "tiny.bin", "tiny.onnx", "golden.png"] {
        let copy = Copy::new();
        let path = copy.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let message = copy.refusal();
        assert!(
            message.starts_with(&format!("{} is damaged: SHA-256 is ", path.display())),
            "{message}"
        );
        assert!(message.contains("install the model again"), "{message}");
    }
}

/// Damage that the checksums agree with, as a broken exporter would make it.
fn damages() -> [fn(Vec<u8>) -> Vec<u8>; 4] {
    [
        |_| Vec::new(),
        |_| b"garbage".repeat(99),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |bytes| bytes[..bytes.len() - 9].to_vec(),
    ]
}

#[test]
fn damaged_networks_with_correct_checksums_are_refused() {
    for damage in damages() {
        let message = Copy::new().replace("tiny.onnx", damage).refusal();
        assert!(message.contains("files.onnx"), "{message}");
    }
    if !has_openvino() {
        return;
    }
    for damage in damages() {
        for file in ["tiny.xml", "tiny.bin"] {
            let copy = Copy::new().replace(file, damage);
            let Err(error) = copy.load(EngineChoice::OpenVino) else {
                panic!("a damaged {file} was accepted");
            };
            assert!(error.to_string().contains("files.ir_xml"), "{error}");

            let model = copy.load(EngineChoice::Auto).unwrap();
            assert_eq!(model.engine().engine, "embedded");
            assert!(model.engine().fallbacks[0].contains("files.ir_xml"));
        }
    }
}

#[test]
fn a_failed_golden_sample_refuses_the_model() {
    let copy = || Copy::new().edit("probability = 0.08", "probability = 0.13");
    let message = copy().refusal();
    assert!(
        message.contains("golden sample golden.png gives 0.083"),
        "{message}"
    );
    assert!(message.contains("embedded on CPU"), "{message}");
    assert!(message.contains("must not be used"), "{message}");
    assert!(copy().load(EngineChoice::Auto).is_err());
    if has_openvino() {
        let error = copy().load(EngineChoice::OpenVino).err().unwrap();
        assert!(matches!(error, ArtifactError::Golden { .. }), "{error}");
    }
    let message = Copy::new()
        .replace("golden.png", |bytes| bytes[..400].to_vec())
        .refusal();
    assert!(message.contains("golden.png"), "{message}");
}

#[test]
fn overflowing_weights_are_an_error() {
    // The kernel's first weights become infinite; the sums then are infinite or NaN.
    let copy = Copy::new().replace("tiny.bin", |mut bytes| {
        for weight in bytes[..432].chunks_exact_mut(4) {
            weight.copy_from_slice(&f32::INFINITY.to_le_bytes());
        }
        bytes
    });
    if has_openvino() {
        let error = copy.load(EngineChoice::OpenVino).err().unwrap();
        assert!(
            matches!(
                error,
                ArtifactError::Inference { .. } | ArtifactError::Golden { .. }
            ),
            "{error}"
        );
    }
}

#[test]
fn networks_with_other_inputs_or_outputs_are_refused() {
    let mut choices = vec![EngineChoice::Embedded];
    if has_openvino() {
        choices.push(EngineChoice::OpenVino);
    }
    for choice in choices {
        for (from, to, field, problem) in [
            ("width = 8", "width = 16", "input", "[1, 3, 8, 8]"),
            (
                "layout = \"nchw\"",
                "layout = \"nhwc\"",
                "input",
                "[1, 8, 8, 3]",
            ),
            (
                "probability = \"probability\"",
                "probability = \"softmax\"",
                "outputs.probability",
                "no output `softmax`",
            ),
            (
                "evidence = \"evidence\"",
                "evidence = \"hidden\"",
                "outputs.evidence",
                "no output `hidden`",
            ),
            (
                "probability = \"probability\"\nevidence = \"evidence\"",
                "probability = \"evidence\"",
                "outputs.probability",
                "[1, 1, 8, 8]",
            ),
        ] {
            let error = Copy::new().edit(from, to).load(choice).err().unwrap();
            let message = error.to_string();
            assert!(
                message.contains(&format!("manifest.toml: {field}: ")),
                "{message}"
            );
            assert!(message.contains(problem), "{message}");
        }
        let plain = Copy::new().edit("evidence = \"evidence\"\n", "");
        let mut model = plain.load(choice).unwrap();
        let result = model.infer(&image::RgbImage::new(9, 9)).unwrap();
        assert_eq!(result.evidence, None);
    }
}

#[test]
fn an_empty_image_is_refused() {
    let mut model = Copy::new().load(EngineChoice::Embedded).unwrap();
    let error = model.infer(&image::RgbImage::new(0, 9)).unwrap_err();
    assert!(matches!(error, ArtifactError::Image { .. }), "{error}");
}

#[test]
fn manifests_survive_writing_and_reading() {
    let text = std::fs::read_to_string(crate::common::tiny().join("manifest.toml")).unwrap();
    let manifest = Manifest::parse(&text, Path::new("manifest.toml")).unwrap();
    let written = manifest.to_toml().unwrap();
    assert!(written.contains("scale = 0.003921569\n"), "{written}");
    assert_eq!(
        Manifest::parse(&written, Path::new("manifest.toml")).unwrap(),
        manifest
    );

    let mut impossible = manifest;
    let ModelKind::Field(model) = &mut impossible.model else {
        panic!("it is of a field");
    };
    model.decision.temperature = -1.0;
    let message = impossible.to_toml().unwrap_err().to_string();
    assert!(message.contains("decision.temperature"), "{message}");
}
