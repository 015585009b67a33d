//! Comparison of exported networks with the runtimes that run them.

use rten::{Model, ValueView};
use serde_json::json;

use super::{Graph, interpreter, ir, onnx};
use crate::testing::python;

/// A network, its input, and how much the runtimes may differ from the interpreter.
pub(crate) struct Exported<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) input: &'a [f32],
    pub(crate) outputs: &'a [&'a str],
    pub(crate) tolerance: f64,
}

impl Exported<'_> {
    fn expected(&self) -> Vec<f64> {
        let values = interpreter::run(self.graph, self.input);
        let outputs = self.outputs.iter();
        outputs
            .flat_map(|name| interpreter::output(self.graph, &values, name).to_vec())
            .collect()
    }

    fn shape(&self) -> &[usize] {
        self.graph.parameters().next().unwrap()
    }

    fn check(&self, runtime: &str, found: &[f64]) {
        let expected = self.expected();
        assert_eq!(found.len(), expected.len(), "{runtime}");
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found - expected).abs();
            assert!(error < self.tolerance, "{runtime}: {found} {expected}");
        }
    }

    /// What the embedded engine computes of the ONNX file.
    fn embedded(&self, onnx: Vec<u8>) -> Vec<f64> {
        let network = Model::load(onnx).unwrap();
        let nodes = self
            .outputs
            .iter()
            .map(|name| network.node_id(name).unwrap());
        let nodes: Vec<_> = nodes.collect();
        let input = ValueView::from_shape(self.shape(), self.input).unwrap();
        let inputs = vec![(network.input_ids()[0], input.into())];
        let values = network.run(inputs, &nodes, None).unwrap();
        let values = values
            .iter()
            .map(|value| value.as_tensor_view::<f32>().unwrap());
        values
            .flat_map(|tensor| tensor.iter().copied().map(f64::from).collect::<Vec<f64>>())
            .collect()
    }
}

/// Asserts that the embedded engine, OpenVINO and ONNX Runtime compute what the interpreter does. The last
/// two are skipped where they are missing, and ONNX for networks that are not in single precision.
pub(crate) fn assert_runtimes_agree(networks: &[Exported]) {
    let folder = tempfile::tempdir().unwrap();
    let (mut requests, mut asked) = (Vec::new(), Vec::new());
    for (network, number) in networks.iter().zip(0..) {
        let mut ask = |path: &std::path::Path| {
            requests.push(json!({
                "path": path,
                "shape": network.shape(),
                "input": network.input,
                "outputs": network.outputs,
            }));
            asked.push(network);
        };
        let path = folder.path().join(format!("{number}.xml"));
        let ir = ir::write(network.graph, "example").unwrap();
        std::fs::write(&path, ir.xml).unwrap();
        std::fs::write(path.with_extension("bin"), ir.bin).unwrap();
        ask(&path);
        if let Ok(onnx) = onnx::write(network.graph, "example") {
            let path = path.with_extension("onnx");
            std::fs::write(&path, &onnx).unwrap();
            ask(&path);
            network.check("rten", &network.embedded(onnx));
        }
    }
    let Some(answers) = python("export_reference.py", &json!(requests).to_string()) else {
        return;
    };
    let answers: Vec<Vec<f64>> = serde_json::from_str(&answers).unwrap();
    assert_eq!(answers.len(), requests.len());
    for ((network, request), found) in asked.iter().zip(&requests).zip(&answers) {
        network.check(&request["path"].to_string(), found);
    }
}
