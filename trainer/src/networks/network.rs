//! A network with its weights: what it computes, and its export as a graph.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use smearscope_artifacts::EvidenceMap;

use super::architecture::{Architecture, Kind};
use super::classifier::{CHANNELS, CLASSES, Classifier};
use super::compact::Compact;
use super::cross_entropy::cross_entropy;
use super::evidence_target::EvidenceTarget;
use super::reference::Reference;
use super::tensors::floats;
use crate::graph::Graph;

/// A network with its weights.
#[derive(Module, Debug)]
pub(crate) struct Network {
    layers: Layers,
    #[module(skip)]
    architecture: Architecture,
}

#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "few networks exist at a time, and their weights are on the heap"
)]
enum Layers {
    Reference(Reference),
    Compact(Compact),
}

impl Network {
    /// A network with random weights, determined by the seed.
    pub(crate) fn init(architecture: Architecture, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let layers = match architecture.kind {
            Kind::Reference(size) => Layers::Reference(Reference::init(size, &mut rng, device)),
            Kind::Compact(size) => Layers::Compact(Compact::init(size, &mut rng, device)),
        };
        Self {
            layers,
            architecture,
        }
    }

    /// The device of the weights.
    pub(crate) fn device(&self) -> Device {
        self.classifier().device()
    }

    pub(crate) fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The same network in evaluation, with normalisations folded into the convolutions.
    pub(crate) fn folded(self) -> Self {
        let layers = match self.layers {
            Layers::Reference(network) => Layers::Reference(network.folded()),
            Layers::Compact(network) => Layers::Compact(network.folded()),
        };
        Self { layers, ..self }
    }

    fn classifier(&self) -> &dyn Classifier {
        match &self.layers {
            Layers::Reference(network) => network,
            Layers::Compact(network) => network,
        }
    }

    /// Cross-entropy of a batch, `[n, 3, side, side]`, whose `labels`, `[n]`, are class indices: the mean of
    /// each image's loss times the weight of its class. Where cells are known, the share of the evidence
    /// outside of them times its weight is added.
    pub(crate) fn loss(
        &self,
        input: Tensor<4>,
        labels: Tensor<1, Int>,
        class_weights: [f32; CLASSES],
        evidence: Option<EvidenceTarget>,
    ) -> Tensor<1> {
        let classifier = self.classifier();
        let features = classifier.features(input);
        let outside = evidence.map(|target| target.loss(classifier.evidence(features.clone())));
        let loss = cross_entropy(classifier.logits(features), labels, &class_weights, 0.0);
        match outside {
            None => loss,
            Some(outside) => loss + outside,
        }
    }

    /// Logit margins (positive − negative) of a batch, `[n]`.
    pub(crate) fn margins(&self, input: Tensor<4>) -> Tensor<1> {
        let classifier = self.classifier();
        classifier.margins(classifier.features(input))
    }

    /// The contribution of each position to the margin, `[n, 1, rows, columns]`. The sum of all plus the
    /// difference of the head's biases is the margin.
    pub(crate) fn evidence(&self, input: Tensor<4>) -> Tensor<4> {
        let classifier = self.classifier();
        classifier.evidence(classifier.features(input))
    }

    /// The evidence of each image of a batch.
    pub(crate) fn evidence_maps(&self, input: Tensor<4>) -> Vec<EvidenceMap> {
        let evidence = self.evidence(input);
        let [_, _, height, width] = evidence.dims();
        let values = floats(evidence);
        let maps = values.chunks_exact(width * height);
        maps.map(|values| EvidenceMap {
            width,
            height,
            values: values.to_vec(),
        })
        .collect()
    }

    /// The network as a graph for one image, with the outputs `probability` and `evidence`.
    pub(crate) fn graph(&self) -> Graph {
        let side = self.architecture.side();
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[1, CHANNELS, side, side]);
        self.classifier().export(&mut graph, image);
        graph
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use burn::tensor::TensorData;

    use super::super::classifier::{EVIDENCE, POSITIVE, PROBABILITY};
    use super::super::testing::{images, receptive_field, values, varied, with_equal_kernels};
    use smearscope_artifacts::testing::venv;

    use super::*;
    use crate::graph::{interpreter, ir, onnx};

    const SMALL: [Architecture; 2] = [Architecture::tiny(12), Architecture::small_compact(24)];

    fn network(architecture: Architecture) -> Network {
        let mut network = varied(Network::init(architecture, 3, &Device::flex()));
        match &mut network.layers {
            Layers::Reference(network) => network.shift_biases(),
            Layers::Compact(network) => network.shift_biases(),
        }
        network
    }

    fn shape(architecture: Architecture) -> [usize; 4] {
        [1, CHANNELS, architecture.side(), architecture.side()]
    }

    fn image(architecture: Architecture, seed: u64) -> Tensor<4> {
        images(shape(architecture), seed, &Device::flex())
    }

    #[test]
    fn the_seed_determines_the_weights() {
        for architecture in SMALL {
            let margin = |seed| {
                let network = Network::init(architecture, seed, &Device::flex());
                floats(network.margins(image(architecture, 5)))
            };
            assert_eq!(margin(1), margin(1));
            assert_ne!(margin(1), margin(2));
        }
    }

    #[test]
    fn the_graph_computes_what_the_network_computes() {
        for architecture in SMALL {
            let network = network(architecture);
            let graph = network.graph();
            for seed in 0..3 {
                let truth = interpreter::run(&graph, &values(shape(architecture), seed));
                let input = || image(architecture, seed);
                let margin: f32 = network.margins(input()).into_scalar();
                let probability = interpreter::output(&graph, &truth, PROBABILITY);
                let expected = 1.0 / (1.0 + (-f64::from(margin)).exp());
                // Single against double precision over a few hundred terms.
                assert!((probability[POSITIVE] - expected).abs() < 1e-5);
                let evidence = floats(network.evidence(input()));
                let truth = interpreter::output(&graph, &truth, EVIDENCE);
                assert_eq!(evidence.len(), truth.len());
                for (actual, expected) in evidence.iter().zip(truth) {
                    assert!((f64::from(*actual) - expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn evidence_and_biases_sum_to_the_margin() {
        for architecture in Architecture::ALL {
            let network = network(architecture);
            let input = || image(architecture, 9);
            let margin: f32 = network.margins(input()).into_scalar();
            let sum: f32 = floats(network.evidence(input())).iter().sum();
            let explained = sum + network.classifier().offset();
            assert!(margin.abs() > 0.05, "{margin}");
            assert!((explained - margin).abs() < 1e-3, "{explained} {margin}");
        }
    }

    #[test]
    fn the_loss_is_weighted_cross_entropy() {
        for architecture in SMALL {
            let network = network(architecture);
            let images = [1, 2].map(|seed| image(architecture, seed));
            let input = Tensor::cat(images.into(), 0);
            let margins = floats(network.margins(input.clone()));
            let labels = Tensor::from_data(TensorData::new(vec![1_i64, 0], [2]), &Device::flex());
            let loss: f32 = network.loss(input, labels, [1.0, 3.0], None).into_scalar();
            let surprises = [3.0 * (-margins[0]).exp().ln_1p(), margins[1].exp().ln_1p()];
            let expected = surprises.iter().sum::<f32>() / 2.0;
            assert!((loss - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn evidence_lies_where_its_cause_is() {
        // Wide enough for positions whose cause lies inside.
        let compact = Architecture::small_compact(80);
        for (architecture, positions) in [(SMALL[0], [[2, 3], [3, 2]]), (compact, [[4, 5], [5, 4]])]
        {
            let network = Network::init(architecture, 3, &Device::flex());
            let network = with_equal_kernels(network);
            let [_, _, rows, columns] = network.evidence(image(architecture, 1)).dims();
            let side = architecture.side();
            for [row, column] in positions {
                let evidence = |input| network.evidence(input);
                let cause = receptive_field([CHANNELS, side, side], evidence, [row, column]);
                let mut map = EvidenceMap {
                    width: columns,
                    height: rows,
                    values: vec![0.0; rows * columns],
                };
                map.values[row * columns + column] = 1.0;
                let shown = map.strongest().unwrap();
                let [down, right] = [(cause.centre[0], shown.y), (cause.centre[1], shown.x)]
                    .map(|(cause, shown)| cause - f64::from(shown) * side as f64);
                assert!(down.hypot(right) < 1.0, "{architecture:?}: {down} {right}");
            }
        }
    }

    #[test]
    fn the_ir_uses_the_first_operation_set_and_names_its_outputs() {
        for architecture in SMALL {
            let network = network(architecture);
            let ir = ir::write(&network.graph(), "small").unwrap();
            let xml = String::from_utf8(ir.xml).unwrap();
            assert!(xml.contains(r#"<net name="small" version="10">"#));
            let layers = xml.matches("<layer ").count();
            assert_eq!(xml.matches(r#"version="opset1""#).count(), layers);
            for name in [PROBABILITY, EVIDENCE] {
                assert!(xml.contains(&format!(r#"names="{name}""#)));
            }
            // Weights once, and a few shapes.
            let weights = network.clone().folded().num_params() * 4;
            assert!(ir.bin.len() >= weights && ir.bin.len() < weights + 400);
        }
    }

    #[test]
    fn onnx_passes_the_onnx_checker() {
        let Some(python) = venv("python") else {
            return;
        };
        for (architecture, extent) in SMALL.into_iter().zip([6, 3]) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model.onnx");
            std::fs::write(
                &path,
                onnx::write(&network(architecture).graph(), "small").unwrap(),
            )
            .unwrap();
            let script = "import onnx, sys\n\
                model = onnx.load(sys.argv[1])\n\
                onnx.checker.check_model(model, full_check=True)\n\
                print(*[(o.name, [d.dim_value for d in o.type.tensor_type.shape.dim]) for o in model.graph.output])";
            let output = Command::new(&python)
                .args(["-c", script])
                .arg(&path)
                .output()
                .unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let expected =
                format!("('probability', [1, 2]) ('evidence', [1, 1, {extent}, {extent}])");
            assert_eq!(stdout.trim(), expected);
        }
    }
}
