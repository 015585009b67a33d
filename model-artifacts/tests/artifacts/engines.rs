//! OpenVINO and the embedded engine on the same model agree with each other and with the manifest.

use crate::common::{Copy, engine, has_openvino, tiny};
use image::{Rgb, RgbImage};
use smearscope_artifacts::{ArtifactError, EngineChoice, EngineConfig, Inference, Model};

/// Positive minus negative bias of the fixture's dense layer.
const BIAS_DIFFERENCE: f32 = 0.375;

fn images() -> Vec<RgbImage> {
    [(8, 8), (64, 48), (5, 200), (640, 480)]
        .into_iter()
        .enumerate()
        .map(|(seed, (width, height))| {
            RgbImage::from_fn(width, height, |x, y| {
                let mix = (x * 31 + y * 17 + seed as u32 * 101).wrapping_mul(2_654_435_761);
                Rgb([(mix >> 24) as u8, (mix >> 16) as u8, (mix >> 8) as u8])
            })
        })
        .collect()
}

fn run(config: &EngineConfig) -> Vec<Inference> {
    let mut model = Model::load(&tiny(), config).unwrap();
    images()
        .iter()
        .map(|image| model.infer(image).unwrap())
        .collect()
}

#[test]
fn the_golden_sample_has_the_probability_from_numpy() {
    let mut choices = vec![EngineChoice::Embedded];
    if has_openvino() {
        choices.push(EngineChoice::OpenVino);
    }
    for choice in choices {
        let model = Model::load(&tiny(), &engine(choice)).unwrap();
        let [golden] = model.golden() else {
            panic!("there is one golden sample");
        };
        // NumPy computed it in f64; f32 rounding is all that may differ.
        assert!(
            (golden.actual - golden.expected).abs() < 1e-5,
            "{golden:?} on {:?}",
            model.engine()
        );
    }
}

#[test]
fn the_engines_agree() {
    if !has_openvino() {
        return;
    }
    let embedded = run(&engine(EngineChoice::Embedded));
    let openvino = run(&engine(EngineChoice::OpenVino));
    for (a, b) in embedded.iter().zip(&openvino) {
        assert!((a.probability - b.probability).abs() < 1e-4, "{a:?} {b:?}");
        assert!((a.margin - b.margin).abs() < 1e-3);
        let (a, b) = (a.evidence.as_ref().unwrap(), b.evidence.as_ref().unwrap());
        assert_eq!((a.width, a.height), (8, 8));
        assert_eq!((b.width, b.height), (8, 8));
        for (a, b) in a.values.iter().zip(&b.values) {
            assert!((a - b).abs() < 1e-4);
        }
    }
    let spread: Vec<f32> = embedded.iter().map(|result| result.probability).collect();
    assert!(
        spread.iter().any(|p| (p - spread[0]).abs() > 0.01),
        "the images do not tell the engines apart: {spread:?}"
    );
}

#[test]
fn evidence_and_bias_add_up_to_the_margin() {
    let mut results = run(&engine(EngineChoice::Embedded));
    if has_openvino() {
        results.extend(run(&engine(EngineChoice::OpenVino)));
    }
    for result in results {
        let sum: f32 = result.evidence.unwrap().values.iter().sum();
        assert!(
            (sum + BIAS_DIFFERENCE - result.margin).abs() < 1e-3,
            "{sum} + {BIAS_DIFFERENCE} is not {}",
            result.margin
        );
        let sigmoid = 1.0 / (1.0 + (-result.margin).exp());
        assert!((sigmoid - result.probability).abs() < 1e-5);
    }
}

#[test]
fn one_thread_gives_the_same_result() {
    for choice in [EngineChoice::Embedded, EngineChoice::Auto] {
        let config = EngineConfig {
            threads: Some(1),
            ..engine(choice)
        };
        for (a, b) in run(&config).iter().zip(run(&engine(choice))) {
            assert!((a.probability - b.probability).abs() < 1e-5);
        }
    }
}

#[test]
fn auto_uses_openvino_if_it_is_installed() {
    if !has_openvino() {
        return;
    }
    let model = Model::load(&tiny(), &engine(EngineChoice::Auto)).unwrap();
    let info = model.engine();
    assert_eq!((info.engine, info.device.as_str()), ("openvino", "CPU"));
    assert!(info.version.starts_with("202"), "{}", info.version);
    assert!(info.fallbacks.is_empty(), "{:?}", info.fallbacks);
}

#[cfg(feature = "openvino")]
#[test]
fn auto_falls_back_to_the_embedded_engine_and_says_why() {
    let config = EngineConfig {
        library: Some("/nonexistent/libopenvino_c.so".into()),
        ..engine(EngineChoice::Auto)
    };
    let model = Model::load(&tiny(), &config).unwrap();
    assert_eq!(model.engine().engine, "embedded");
    let [reason] = model.engine().fallbacks.as_slice() else {
        panic!("{:?}", model.engine().fallbacks);
    };
    assert!(reason.contains("/nonexistent/libopenvino_c.so"), "{reason}");
    assert!(reason.contains("scripts/setup"), "{reason}");
}

#[cfg(not(feature = "ncs2"))]
#[test]
fn an_engine_that_is_not_built_in_is_an_error() {
    let error = Model::load(&tiny(), &engine(EngineChoice::Ncs2)).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("not built into this program"), "{message}");
    assert!(message.contains("feature `ncs2`"), "{message}");
}

#[cfg(feature = "openvino")]
#[test]
fn configured_openvino_is_openvino_or_an_error() {
    for library in ["/nonexistent", "/dev/null", "/proc/self/exe"] {
        let config = EngineConfig {
            library: Some(library.into()),
            ..engine(EngineChoice::OpenVino)
        };
        let Err(error) = Model::load(&tiny(), &config) else {
            panic!("{library} was taken for OpenVINO");
        };
        assert!(
            matches!(
                error,
                ArtifactError::Engine {
                    engine: "openvino",
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("scripts/setup"), "{error}");
    }
}

fn devices(names: &[&str], choice: EngineChoice) -> Result<Model, ArtifactError> {
    let config = EngineConfig {
        devices: names.iter().map(ToString::to_string).collect(),
        ..engine(choice)
    };
    Model::load(&tiny(), &config)
}

#[test]
fn absent_devices_are_reported() {
    if !has_openvino() {
        return;
    }
    let model = devices(&["MYRIAD", "CPU"], EngineChoice::OpenVino).unwrap();
    assert_eq!(model.engine().device, "CPU");
    assert_eq!(
        model.engine().fallbacks,
        ["MYRIAD is not present; OpenVINO sees CPU"]
    );

    for names in [
        &["MYRIAD"][..],
        &["HETERO:MYRIAD,CPU"],
        &["HETERO:"],
        &["CPU.7"],
        &["cpu"],
        &[""],
    ] {
        let Err(error) = devices(names, EngineChoice::OpenVino) else {
            panic!("{names:?} ran");
        };
        let message = error.to_string();
        assert!(message.contains(names[0]), "{message}");
        assert!(
            message.contains("name a device that is present: CPU"),
            "{message}"
        );
    }
    for name in ["AUTO", "AUTO:MYRIAD,CPU", "MULTI:CPU"] {
        let Err(error) = devices(&[name], EngineChoice::OpenVino) else {
            panic!("{name} ran");
        };
        assert!(
            error.to_string().contains("hides which device runs"),
            "{error}"
        );
    }
    let model = devices(&["HETERO:CPU"], EngineChoice::OpenVino).unwrap();
    assert_eq!(model.engine().device, "HETERO:CPU");

    let model = devices(&["MYRIAD"], EngineChoice::Auto).unwrap();
    assert_eq!(model.engine().engine, "embedded");
    assert!(model.engine().fallbacks[0].contains("MYRIAD is not present"));
}

#[test]
fn a_damaged_cache_does_no_harm() {
    if !has_openvino() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = EngineConfig {
        cache_dir: Some(folder.path().join("made/when/needed")),
        ..engine(EngineChoice::OpenVino)
    };
    let fresh = run(&config);
    let cached: Vec<_> = folder
        .path()
        .join("made/when/needed")
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    assert!(!cached.is_empty(), "nothing was cached");
    assert_eq!(run(&config), fresh);
    for damage in [&b""[..], b"garbage", &[0; 4096]] {
        for file in &cached {
            std::fs::write(file, damage).unwrap();
        }
        assert_eq!(run(&config), fresh);
    }
}

#[test]
fn a_cache_that_cannot_be_created_is_ignored() {
    let config = EngineConfig {
        cache_dir: Some("/dev/null/cache".into()),
        ..engine(EngineChoice::Auto)
    };
    assert!(Model::load(&tiny(), &config).is_ok());
}

#[test]
fn the_positive_class_may_come_first() {
    let swapped = || Copy::new().edit("positive_index = 1", "positive_index = 0");
    // Unchanged, the golden sample notices that the classes are mixed up.
    let message = swapped().refusal();
    assert!(message.contains("gives 0.9161"), "{message}");

    let swapped = swapped().edit("probability = 0.0838301", "probability = 0.9161699");
    let model = swapped.load(EngineChoice::Embedded).unwrap();
    assert_eq!(model.manifest().model.labels.positive_index, 0);
}
