//! An ONNX file of another program: its topology, and the file with another input and output.
//!
//! Nodes and weights are copied as bytes, so that they may be of any kind.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::super::onnx_messages::{
    AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto,
};
use super::topology::{Adaptation, Element, Extents, Input, Output, PROBABILITY, Topology};

/// Operators that neither create nor destroy a softmax.
const TRANSPARENT: [&str; 6] = [
    "Cast",
    "Flatten",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
];

/// An ONNX file, with what it says about the network.
#[derive(Debug)]
pub(crate) struct ForeignOnnx<'a> {
    bytes: &'a [u8],
    pub(crate) topology: Topology,
    /// Names of the input, of the outputs, and of all values.
    input: String,
    outputs: Vec<String>,
    values: HashSet<String>,
}

/// A model whose parts are bytes. What it leaves out describes the model, and runs nothing.
#[derive(Clone, PartialEq, Message)]
struct OpaqueModel {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(bytes = "vec", tag = "7")]
    graph: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    opset_import: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "25")]
    functions: Vec<Vec<u8>>,
}

/// A graph whose parts are bytes.
#[derive(Clone, PartialEq, Message)]
struct OpaqueGraph {
    #[prost(bytes = "vec", repeated, tag = "1")]
    node: Vec<Vec<u8>>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "vec", repeated, tag = "5")]
    initializer: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "11")]
    input: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "12")]
    output: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "15")]
    sparse_initializer: Vec<Vec<u8>>,
}

impl<'a> ForeignOnnx<'a> {
    /// Reads the file.
    ///
    /// # Errors
    /// A message, if it is not ONNX of a network with one input.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let model = ModelProto::decode(bytes)
            .map_err(|error| format!("it is not an ONNX file: {error}"))?;
        let graph = model
            .graph
            .ok_or("it is not an ONNX file: it has no graph")?;
        // Old files list their weights among the inputs.
        let weights: HashSet<&str> = graph
            .initializer
            .iter()
            .map(|tensor| tensor.name.as_str())
            .collect();
        let inputs: Vec<&ValueInfoProto> = graph
            .input
            .iter()
            .filter(|input| !weights.contains(input.name.as_str()))
            .collect();
        let [input] = inputs[..] else {
            return Err(format!("it has {} inputs, not one image", inputs.len()));
        };
        let number = element_of(input).unwrap_or_default();
        let element = Element::in_onnx(number).ok_or_else(|| {
            format!("its input has elements of the ONNX type {number}; export the network again with an input of f32")
        })?;
        let nodes = Producers::of(&graph);
        let outputs = graph
            .output
            .iter()
            .map(|output| Output {
                operation: nodes
                    .find(&output.name)
                    .map_or_else(|| "undefined".into(), |node| node.op_type.clone()),
                name: output.name.clone(),
                is_softmax: nodes.is_softmax(&output.name),
                is_f32: element_of(output) == Some(Element::F32.onnx_number()),
                shape: shape_of(output),
            })
            .collect();
        let computed = graph.node.iter().flat_map(|node| &node.output);
        let constant = graph.initializer.iter().map(|tensor| &tensor.name);
        let values = computed.chain(constant).chain([&input.name]);
        Ok(Self {
            bytes,
            values: values.cloned().collect(),
            topology: Topology {
                input: Input {
                    element,
                    shape: shape_of(input),
                },
                outputs,
            },
            input: input.name.clone(),
            outputs: graph
                .output
                .iter()
                .map(|output| output.name.clone())
                .collect(),
        })
    }

    /// The adapted network, and the name of its output.
    ///
    /// # Errors
    /// A message, if the file is damaged.
    pub(crate) fn adapted(&self, adaptation: &Adaptation) -> Result<(Vec<u8>, String), String> {
        let damaged = |error: prost::DecodeError| error.to_string();
        let mut model = OpaqueModel::decode(self.bytes).map_err(damaged)?;
        let mut graph = OpaqueGraph::decode(model.graph.as_slice()).map_err(damaged)?;

        let image = self.new_name("image");
        let element = self.topology.element();
        let first = if element == Element::F32 {
            node("Identity", &image, &self.input, &[])
        } else {
            node("Cast", &image, &self.input, &[cast_to(element)])
        };
        graph.node.insert(0, first);

        let mut last = self.outputs[adaptation.output].clone();
        if !self.topology.outputs[adaptation.output].is_f32 {
            let cast = self.new_name("f32");
            let attributes = [cast_to(Element::F32)];
            graph.node.push(node("Cast", &last, &cast, &attributes));
            last = cast;
        }
        let output = self.new_name(PROBABILITY);
        graph.node.push(if adaptation.append_softmax {
            let attributes = [AttributeProto::int("axis", 1)];
            node("Softmax", &last, &output, &attributes)
        } else {
            node("Identity", &last, &output, &[])
        });

        let tensor = |name: &str, shape: &[u32]| {
            let extents = shape.iter().map(|&extent| extent.into());
            vec![ValueInfoProto::of_floats(name, extents).encode_to_vec()]
        };
        graph.input = tensor(&image, &adaptation.shape());
        graph.output = tensor(&output, &[1, 2]);
        model.graph = graph.encode_to_vec();
        Ok((model.encode_to_vec(), output))
    }

    /// A name that no value has.
    fn new_name(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.values.contains(&name) {
            name.push('-');
        }
        name
    }
}

/// The node that computes each value.
struct Producers<'a>(HashMap<&'a str, &'a NodeProto>);

impl<'a> Producers<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let outputs = graph.node.iter().flat_map(|node| {
            node.output
                .iter()
                .map(move |output| (output.as_str(), node))
        });
        Self(outputs.collect())
    }

    fn find(&self, value: &str) -> Option<&'a NodeProto> {
        self.0.get(value).copied()
    }

    /// Whether a value is that of a softmax.
    fn is_softmax(&self, value: &str) -> bool {
        let mut at = value;
        // No path is longer than the number of values.
        for _ in 0..self.0.len() {
            match self.find(at) {
                Some(node) if node.op_type == "Softmax" => return true,
                Some(node) if TRANSPARENT.contains(&node.op_type.as_str()) => {
                    match node.input.first() {
                        Some(source) => at = source,
                        None => return false,
                    }
                }
                _ => return false,
            }
        }
        false
    }
}

fn node(op_type: &str, from: &str, to: &str, attributes: &[AttributeProto]) -> Vec<u8> {
    NodeProto {
        input: vec![from.into()],
        output: vec![to.into()],
        name: format!("{to}/{op_type}"),
        op_type: op_type.into(),
        attribute: attributes.to_vec(),
    }
    .encode_to_vec()
}

fn cast_to(element: Element) -> AttributeProto {
    AttributeProto::int("to", element.onnx_number().into())
}

fn element_of(value: &ValueInfoProto) -> Option<i32> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    Some(tensor.elem_type)
}

fn shape_of(value: &ValueInfoProto) -> Option<Extents> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    let dimensions = tensor.shape.as_ref()?.dim.iter();
    let extents = dimensions.map(|dimension| {
        let extent = u32::try_from(dimension.dim_value?).ok()?;
        (extent > 0).then_some(extent)
    });
    Some(Extents(extents.collect()))
}
