//! Networks: what all of them can do, and which there are.
//!
//! A new one is a file with a [`Body`], and a line in [`Architecture`] and each of its methods.

mod compact;
mod layers;
mod reference;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use clap::ValueEnum;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use smearscope_artifacts::{ChannelOrder, InputContract, Layout, ResizeFilter};

use crate::export::{Graph, Value};
use compact::Compact;
use reference::Reference;

/// A network's kind and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Reference(reference::Size),
    Compact(compact::Size),
}

/// The networks that one can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Our own for the Pi: 17 thousand weights, 16 million multiplications
    Compact,
    /// The one of the paper that the reference project follows: 175 thousand weights, 250 million
    /// multiplications
    Reference,
}

impl From<Choice> for Architecture {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Compact => Self::Compact(compact::Size::PI),
            Choice::Reference => Self::Reference(reference::Size::PAPER),
        }
    }
}

impl Architecture {
    /// In manifests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference(_) => "reference-cnn",
            Self::Compact(_) => "compact-cnn",
        }
    }

    /// As the command line calls it.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Reference(_) => "reference",
            Self::Compact(_) => "compact",
        }
    }

    /// That Adam begins with where nobody says otherwise.
    pub(crate) fn learning_rate(self) -> f64 {
        match self {
            Self::Reference(_) => 1e-4,
            Self::Compact(_) => 1e-3,
        }
    }

    /// How an image becomes the network's input.
    pub(crate) fn input_contract(self) -> InputContract {
        match self {
            Self::Reference(size) => size.contract(),
            Self::Compact(size) => size.contract(),
        }
    }

    /// Columns and rows of the input.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::Reference(size) => size.side,
            Self::Compact(size) => size.side,
        }
    }
}

const CHANNELS: usize = 3;
const CLASSES: usize = 2;
/// Indices of the classes in the head.
const NEGATIVE: usize = 0;
pub(crate) const POSITIVE: usize = 1;
/// Name of the softmax output.
pub(crate) const PROBABILITY: &str = "probability";
/// Name of the evidence output.
pub(crate) const EVIDENCE: &str = "evidence";

/// RGB with one mean and deviation for all channels, of a squeezed square.
fn contract(side: usize, mean: [f32; 3], std: [f32; 3]) -> InputContract {
    InputContract {
        width: side as u32,
        height: side as u32,
        channels: ChannelOrder::Rgb,
        layout: Layout::Nchw,
        resize: ResizeFilter::Area,
        scale: 1.0 / 255.0,
        mean,
        std,
    }
}

/// What distinguishes one network from another.
trait Body {
    /// `[n, 3, side, side]` to logits, `[n, 2]`.
    fn logits(&self, input: Tensor<4>) -> Tensor<2>;

    /// What each position adds to the margin, `[n, 1, rows, columns]`; with the difference of
    /// the head's biases it sums to the margin.
    fn evidence(&self, input: Tensor<4>) -> Tensor<4>;

    /// Where the weights are.
    fn device(&self) -> Device;

    /// Adds everything from the image to the outputs `probability` and `evidence`.
    fn export(&self, graph: &mut Graph, image: Value);

    /// The difference of the head's biases.
    #[cfg(test)]
    fn offset(&self) -> f32;

    #[cfg(test)]
    fn shift_biases(&mut self);
}

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
    reason = "there is one network at a time, and its weights lie elsewhere"
)]
enum Layers {
    Reference(Reference),
    Compact(Compact),
}

impl Network {
    /// A network with random weights that follow the seed.
    pub(crate) fn begin(architecture: Architecture, seed: u64, device: &Device) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let layers = match architecture {
            Architecture::Reference(size) => {
                Layers::Reference(Reference::begin(size, &mut rng, device))
            }
            Architecture::Compact(size) => Layers::Compact(Compact::begin(size, &mut rng, device)),
        };
        Self {
            layers,
            architecture,
        }
    }

    /// Where the weights are.
    pub(crate) fn device(&self) -> Device {
        self.body().device()
    }

    pub(crate) fn architecture(&self) -> Architecture {
        self.architecture
    }

    fn body(&self) -> &dyn Body {
        match &self.layers {
            Layers::Reference(network) => network,
            Layers::Compact(network) => network,
        }
    }

    /// Mean cross-entropy of a batch, `[n, 3, side, side]`; `labels` are class indices.
    pub(crate) fn loss(&self, input: Tensor<4>, labels: Tensor<1, Int>) -> Tensor<1> {
        let log_probability = log_softmax(self.body().logits(input), 1);
        let labels = labels.unsqueeze_dim::<2>(1);
        log_probability.gather(1, labels).mean().neg()
    }

    /// Logit margins (positive − negative) of a batch, `[n]`.
    pub(crate) fn margins(&self, input: Tensor<4>) -> Tensor<1> {
        let logits = self.body().logits(input);
        let [count, _] = logits.dims();
        let logit = |class: usize| logits.clone().slice([0..count, class..class + 1]);
        (logit(POSITIVE) - logit(NEGATIVE)).reshape([count])
    }

    /// What each position adds to the margin, `[n, 1, rows, columns]`; with the difference of
    /// the head's biases it sums to the margin.
    pub(crate) fn evidence(&self, input: Tensor<4>) -> Tensor<4> {
        self.body().evidence(input)
    }

    /// The network as a graph for one image, with the outputs `probability` and `evidence`.
    pub(crate) fn graph(&self) -> Graph {
        let side = self.architecture.side();
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[1, CHANNELS, side, side]);
        self.body().export(&mut graph, image);
        graph
    }
}

/// The elements of a tensor, row-major.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[cfg(test)]
impl Architecture {
    /// As small as networks come; of an even side.
    pub(crate) const fn tiny(side: usize) -> Self {
        Self::Reference(reference::Size { side, filters: 4 })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use burn::tensor::TensorData;
    use rand::RngExt;
    use smearscope_artifacts::testing::venv;

    use super::*;
    use crate::export::{interpreter, ir, onnx};

    const SMALL: [Architecture; 2] = [
        Architecture::Reference(reference::Size {
            side: 12,
            filters: 4,
        }),
        Architecture::Compact(compact::Size { side: 24, width: 1 }),
    ];

    fn network(architecture: Architecture) -> Network {
        let mut network = Network::begin(architecture, 3, &Device::flex());
        match &mut network.layers {
            Layers::Reference(network) => network.shift_biases(),
            Layers::Compact(network) => network.shift_biases(),
        }
        network
    }

    fn image(architecture: Architecture, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = CHANNELS * architecture.side().pow(2);
        (0..count).map(|_| rng.random_range(-3.0..1.5)).collect()
    }

    fn tensor(architecture: Architecture, values: Vec<f32>) -> Tensor<4> {
        let side = architecture.side();
        Tensor::from_data(
            TensorData::new(values, [1, CHANNELS, side, side]),
            &Device::flex(),
        )
    }

    #[test]
    fn weights_follow_the_seed() {
        for architecture in SMALL {
            let margin = |seed| {
                let network = Network::begin(architecture, seed, &Device::flex());
                floats(network.margins(tensor(architecture, image(architecture, 5))))
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
                let image = image(architecture, seed);
                let truth = interpreter::run(&graph, &image);
                let input = || tensor(architecture, image.clone());
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
        for choice in [Choice::Compact, Choice::Reference] {
            let architecture = Architecture::from(choice);
            let network = network(architecture);
            let input = || tensor(architecture, image(architecture, 9));
            let margin: f32 = network.margins(input()).into_scalar();
            let sum: f32 = floats(network.evidence(input())).iter().sum();
            let explained = sum + network.body().offset();
            assert!(margin.abs() > 0.05, "{margin}");
            assert!((explained - margin).abs() < 1e-3, "{explained} {margin}");
        }
    }

    #[test]
    fn the_loss_is_cross_entropy() {
        for architecture in SMALL {
            let network = network(architecture);
            let images = [1, 2].map(|seed| tensor(architecture, image(architecture, seed)));
            let input = Tensor::cat(images.into(), 0);
            let margins = floats(network.margins(input.clone()));
            let labels = Tensor::from_data(TensorData::new(vec![1_i64, 0], [2]), &Device::flex());
            let loss: f32 = network.loss(input, labels).into_scalar();
            let surprises = [(-margins[0]).exp().ln_1p(), margins[1].exp().ln_1p()];
            let expected = surprises.iter().sum::<f32>() / 2.0;
            assert!((loss - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn ir_uses_the_oldest_operations_and_names_its_outputs() {
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
            let weights = network.num_params() * 4;
            assert!(ir.bin.len() >= weights && ir.bin.len() < weights + 400);
        }
    }

    #[test]
    fn onnx_passes_its_own_checker() {
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
