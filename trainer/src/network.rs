//! The reference network: two convolutions, one pooling, one linear head (after the network that
//! the ALL-IDB classification literature calls a shallow CNN).

use burn::module::{Module, Param};
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::module::{conv2d, linear, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use smearscope_artifacts::{ChannelOrder, InputContract, Layout, ResizeFilter};

use crate::export::{Graph, Value};

/// Size of the network; the reference has 100 × 100 inputs and 30 filters a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Architecture {
    /// Columns and rows of the input; even.
    pub(crate) side: usize,
    /// Filters of each convolution.
    pub(crate) filters: usize,
}

impl Architecture {
    pub(crate) const REFERENCE: Self = Self {
        side: 100,
        filters: 30,
    };

    /// The network's name in manifests.
    pub(crate) const NAME: &str = "reference-cnn";

    /// How an image becomes the network's input: RGB around the brightness of a bright field.
    pub(crate) fn input_contract(self) -> InputContract {
        InputContract {
            width: self.side as u32,
            height: self.side as u32,
            channels: ChannelOrder::Rgb,
            layout: Layout::Nchw,
            resize: ResizeFilter::Area,
            scale: 1.0 / 255.0,
            mean: [0.7; 3],
            std: [0.15; 3],
        }
    }

    /// Rows and columns after pooling.
    fn pooled(self) -> usize {
        self.side / POOL
    }

    fn features(self) -> usize {
        self.filters * self.pooled() * self.pooled()
    }
}

const KERNEL: usize = 5;
/// Zero padding that keeps the size.
const PADDING: usize = 2;
const POOL: usize = 2;
const CHANNELS: usize = 3;
const CLASSES: usize = 2;
/// Indices of the classes in the head.
const NEGATIVE: usize = 0;
pub(crate) const POSITIVE: usize = 1;

/// The network's weights.
#[derive(Module, Debug)]
pub(crate) struct Network {
    /// `[filters, 3, 5, 5]`
    first_kernel: Param<Tensor<4>>,
    first_bias: Param<Tensor<1>>,
    /// `[filters, filters, 5, 5]`
    second_kernel: Param<Tensor<4>>,
    second_bias: Param<Tensor<1>>,
    /// `[filters × side/2 × side/2, 2]`
    head_weight: Param<Tensor<2>>,
    head_bias: Param<Tensor<1>>,
}

impl Network {
    /// A network as Keras would begin it: Glorot-uniform weights (Glorot and Bengio 2010), zero
    /// biases.
    pub(crate) fn begin(architecture: Architecture, seed: u64, device: &Device) -> Self {
        let Architecture { filters, .. } = architecture;
        let features = architecture.features();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let window = KERNEL * KERNEL;
        let mut glorot = |fan_in: usize, fan_out: usize, count: usize| -> Vec<f32> {
            let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
            (0..count)
                .map(|_| rng.random_range(-limit..limit))
                .collect()
        };
        let kernel = |weights: Vec<f32>, channels: usize| {
            let data = TensorData::new(weights, [filters, channels, KERNEL, KERNEL]);
            Param::from_data(data, device)
        };
        let zeros =
            |count: usize| Param::from_data(TensorData::new(vec![0.0_f32; count], [count]), device);
        let first = glorot(
            CHANNELS * window,
            filters * window,
            filters * CHANNELS * window,
        );
        let second = glorot(
            filters * window,
            filters * window,
            filters * filters * window,
        );
        let head = TensorData::new(
            glorot(features, CLASSES, features * CLASSES),
            [features, CLASSES],
        );
        Self {
            first_kernel: kernel(first, CHANNELS),
            first_bias: zeros(filters),
            second_kernel: kernel(second, filters),
            second_bias: zeros(filters),
            head_weight: Param::from_data(head, device),
            head_bias: zeros(CLASSES),
        }
    }

    /// `[n, 3, side, side]` to the head's input, `[n, filters, side/2, side/2]`.
    fn features(&self, input: Tensor<4>) -> Tensor<4> {
        let same = || ConvOptions::new([1, 1], [PADDING, PADDING], [1, 1], 1);
        let bias = |bias: &Param<Tensor<1>>| Some(bias.val());
        let first = relu(conv2d(
            input,
            self.first_kernel.val(),
            bias(&self.first_bias),
            same(),
        ));
        let second = relu(conv2d(
            first,
            self.second_kernel.val(),
            bias(&self.second_bias),
            same(),
        ));
        max_pool2d(second, MaxPoolOptions::new([POOL, POOL]))
    }

    /// `[n, 3, side, side]` to logits, `[n, 2]`.
    pub(crate) fn logits(&self, input: Tensor<4>) -> Tensor<2> {
        let features = self.features(input).flatten::<2>(1, 3);
        linear(features, self.head_weight.val(), Some(self.head_bias.val()))
    }

    /// Mean cross-entropy of a batch; `labels` are class indices.
    pub(crate) fn loss(&self, input: Tensor<4>, labels: Tensor<1, Int>) -> Tensor<1> {
        let log_probability = log_softmax(self.logits(input), 1);
        let labels = labels.unsqueeze_dim::<2>(1);
        log_probability.gather(1, labels).mean().neg()
    }

    /// Logit margins (positive − negative) of a batch, `[n]`.
    pub(crate) fn margins(&self, input: Tensor<4>) -> Tensor<1> {
        let logits = self.logits(input);
        let [count, _] = logits.dims();
        let logit = |class: usize| logits.clone().slice([0..count, class..class + 1]);
        (logit(POSITIVE) - logit(NEGATIVE)).reshape([count])
    }

    /// What each position adds to the margin, `[n, 1, side/2, side/2]`; with the difference of
    /// the head's biases it sums to the margin.
    pub(crate) fn evidence(&self, input: Tensor<4>) -> Tensor<4> {
        let features = self.features(input);
        let [_, filters, rows, columns] = features.dims();
        let count = filters * rows * columns;
        let column = |class: usize| self.head_weight.val().slice([0..count, class..class + 1]);
        let difference = column(POSITIVE) - column(NEGATIVE);
        (features * difference.reshape([1, filters, rows, columns])).sum_dim(1)
    }
}

impl Network {
    /// The network as a graph for one image, with the outputs `probability` and `evidence`.
    pub(crate) fn graph(&self, architecture: Architecture) -> Graph {
        let Architecture { side, filters } = architecture;
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[1, CHANNELS, side, side]);
        let first = Self::convolution(
            &mut graph,
            "first",
            image,
            &self.first_kernel,
            &self.first_bias,
        );
        let second = Self::convolution(
            &mut graph,
            "second",
            first,
            &self.second_kernel,
            &self.second_bias,
        );
        let features = graph.max_pool("features", second, POOL);

        let count = architecture.features();
        let weight = graph.weights("head/weight", &[count, CLASSES], values(&self.head_weight));
        let bias = graph.weights("head/bias", &[1, CLASSES], values(&self.head_bias));
        let flat = graph.reshape("head/flat", features, &[1, count]);
        let product = graph.mat_mul("head/product", flat, weight);
        let logits = graph.add("head/logits", product, bias);
        let probability = graph.softmax(PROBABILITY, logits);
        graph.result(probability);

        // The head is linear, so each position's share of the margin is a dot product of its
        // features with the difference of the head's two columns.
        let mut signs = vec![-1.0; CLASSES];
        signs[POSITIVE] = 1.0;
        let signs = graph.weights("evidence/signs", &[CLASSES, 1], signs);
        let difference = graph.mat_mul("evidence/column", weight, signs);
        let pooled = architecture.pooled();
        let difference =
            graph.reshape("evidence/weight", difference, &[1, filters, pooled, pooled]);
        let weighted = graph.multiply("evidence/weighted", features, difference);
        let evidence = graph.sum_channels(EVIDENCE, weighted);
        graph.result(evidence);
        graph
    }

    fn convolution(
        graph: &mut Graph,
        name: &str,
        input: Value,
        kernel: &Param<Tensor<4>>,
        bias: &Param<Tensor<1>>,
    ) -> Value {
        let [filters, channels, rows, columns] = kernel.dims();
        let weights = graph.weights(
            &format!("{name}/kernel"),
            &[filters, channels, rows, columns],
            values(kernel),
        );
        let offsets = graph.weights(&format!("{name}/bias"), &[1, filters, 1, 1], values(bias));
        let product = graph.convolution(&format!("{name}/convolution"), input, weights, PADDING);
        let sum = graph.add(&format!("{name}/sum"), product, offsets);
        graph.relu(&format!("{name}/relu"), sum)
    }
}

/// Name of the softmax output.
pub(crate) const PROBABILITY: &str = "probability";
/// Name of the evidence output.
pub(crate) const EVIDENCE: &str = "evidence";

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    floats(param.val())
}

/// The elements of a tensor, row-major.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::export::{interpreter, ir, onnx};

    const SMALL: Architecture = Architecture {
        side: 12,
        filters: 4,
    };

    fn network(architecture: Architecture) -> Network {
        let mut network = Network::begin(architecture, 3, &Device::flex());
        // Biases begin at zero, which would hide that they are exported.
        let shift = |bias: &Param<Tensor<1>>| {
            let [count] = bias.dims();
            let values: Vec<f32> = (0..count).map(|i| 0.1 - 0.07 * i as f32).collect();
            Param::from_data(TensorData::new(values, [count]), &Device::flex())
        };
        network.first_bias = shift(&network.first_bias);
        network.second_bias = shift(&network.second_bias);
        network.head_bias = shift(&network.head_bias);
        network
    }

    fn image(architecture: Architecture, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = CHANNELS * architecture.side * architecture.side;
        (0..count).map(|_| rng.random_range(-3.0..1.5)).collect()
    }

    fn tensor(architecture: Architecture, values: Vec<f32>) -> Tensor<4> {
        let Architecture { side, .. } = architecture;
        Tensor::from_data(
            TensorData::new(values, [1, CHANNELS, side, side]),
            &Device::flex(),
        )
    }

    #[test]
    fn the_reference_has_174_812_parameters() {
        let network = Network::begin(Architecture::REFERENCE, 1, &Device::flex());
        assert_eq!(network.num_params(), 174_812);
    }

    #[test]
    fn weights_begin_within_glorot_limits_and_follow_the_seed() {
        let begin = |seed| {
            let network = Network::begin(SMALL, seed, &Device::flex());
            floats(network.second_kernel.val())
        };
        let limit = (6.0 / (200.0_f32)).sqrt();
        let weights = begin(1);
        let largest = weights
            .iter()
            .fold(0.0_f32, |most, weight| most.max(weight.abs()));
        assert!(largest <= limit && largest > 0.9 * limit);
        assert_eq!(weights, begin(1));
        assert_ne!(weights, begin(2));
    }

    #[test]
    fn the_graph_computes_what_the_network_computes() {
        let network = network(SMALL);
        let graph = network.graph(SMALL);
        for seed in 0..3 {
            let image = image(SMALL, seed);
            let truth = interpreter::run(&graph, &image);
            let margin: f32 = network.margins(tensor(SMALL, image.clone())).into_scalar();
            let probability = interpreter::output(&graph, &truth, PROBABILITY);
            let expected = 1.0 / (1.0 + (-f64::from(margin)).exp());
            // Single against double precision over a few hundred terms.
            assert!((probability[POSITIVE] - expected).abs() < 1e-5);
            let evidence = floats(network.evidence(tensor(SMALL, image)));
            let truth = interpreter::output(&graph, &truth, EVIDENCE);
            assert_eq!(evidence.len(), truth.len());
            for (actual, expected) in evidence.iter().zip(truth) {
                assert!((f64::from(*actual) - expected).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn evidence_and_biases_sum_to_the_margin() {
        let architecture = Architecture::REFERENCE;
        let network = network(architecture);
        let image = image(architecture, 9);
        let margin: f32 = network
            .margins(tensor(architecture, image.clone()))
            .into_scalar();
        let biases = floats(network.head_bias.val());
        let sum: f32 = floats(network.evidence(tensor(architecture, image)))
            .iter()
            .sum();
        let explained = sum + biases[POSITIVE] - biases[NEGATIVE];
        assert!(margin.abs() > 0.05, "{margin}");
        assert!((explained - margin).abs() < 1e-3, "{explained} {margin}");
    }

    #[test]
    fn the_loss_is_cross_entropy() {
        let network = network(SMALL);
        let input = Tensor::cat(
            vec![
                tensor(SMALL, image(SMALL, 1)),
                tensor(SMALL, image(SMALL, 2)),
            ],
            0,
        );
        let margins = floats(network.margins(input.clone()));
        let labels = Tensor::from_data(TensorData::new(vec![1_i64, 0], [2]), &Device::flex());
        let loss: f32 = network.loss(input, labels).into_scalar();
        let surprises = [(-margins[0]).exp().ln_1p(), margins[1].exp().ln_1p()];
        let expected = surprises.iter().sum::<f32>() / 2.0;
        assert!((loss - expected).abs() < 1e-5);
    }

    #[test]
    fn ir_uses_the_oldest_operations_and_names_its_outputs() {
        let ir = ir::write(&network(SMALL).graph(SMALL), "small").unwrap();
        let xml = String::from_utf8(ir.xml).unwrap();
        assert!(xml.contains(r#"<net name="small" version="10">"#));
        let layers = xml.matches("<layer ").count();
        assert_eq!(xml.matches(r#"version="opset1""#).count(), layers);
        for name in [PROBABILITY, EVIDENCE] {
            assert!(xml.contains(&format!(r#"names="{name}""#)));
        }
        // Weights once, and a few shapes.
        let weights =
            SMALL.filters * 75 + SMALL.filters * SMALL.filters * 25 + SMALL.features() * 2;
        assert!(ir.bin.len() >= weights * 4 && ir.bin.len() < weights * 4 + 400);
    }

    #[test]
    fn onnx_passes_its_own_checker() {
        let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
        if !python.exists() {
            println!("skipped: no Python with the onnx package; scripts/setup --python makes one");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, onnx::write(&network(SMALL).graph(SMALL), "small")).unwrap();
        let script = "import onnx, sys\n\
            model = onnx.load(sys.argv[1])\n\
            onnx.checker.check_model(model, full_check=True)\n\
            print(*[(o.name, [d.dim_value for d in o.type.tensor_type.shape.dim]) for o in model.graph.output])";
        let output = Command::new(python)
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
        assert_eq!(
            stdout.trim(),
            "('probability', [1, 2]) ('evidence', [1, 1, 6, 6])"
        );
    }
}
