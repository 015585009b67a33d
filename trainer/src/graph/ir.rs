//! OpenVINO's intermediate representation (IR): topology as XML, weights in a second file.
//!
//! Version 10 with operations of `opset1` only, which OpenVINO 2020.1 and later read. Format:
//! <https://docs.openvino.ai/2024/documentation/openvino-ir-format.html>; operations:
//! <https://docs.openvino.ai/2024/documentation/openvino-ir-format/operation-sets/available-opsets/opset1.html>

use std::io;

use quick_xml::events::{BytesDecl, BytesText, Event};
use quick_xml::writer::Writer;

use super::nodes::{Graph, Node, Value};
use super::operation::Operation;

/// The two files of a network.
pub(crate) struct IntermediateRepresentation {
    pub(crate) xml: Vec<u8>,
    pub(crate) bin: Vec<u8>,
}

/// Alignment of constants in bytes.
const ALIGNMENT: usize = 8;

/// Writes a network.
pub(crate) fn write(graph: &Graph, name: &str) -> io::Result<IntermediateRepresentation> {
    let mut bin = Vec::new();
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", None, None)))?;
    writer
        .create_element("net")
        .with_attributes([("name", name), ("version", "10")])
        .write_inner_content(|net| {
            net.create_element("layers").write_inner_content(|layers| {
                for (id, node) in graph.nodes().iter().enumerate() {
                    write_layer(layers, graph, id, node, &mut bin)?;
                }
                Ok(())
            })?;
            net.create_element("edges")
                .write_inner_content(|edges| write_edges(edges, graph))?;
            Ok(())
        })?;
    writer.write_event(Event::Text(BytesText::new("\n")))?;
    Ok(IntermediateRepresentation {
        xml: writer.into_inner(),
        bin,
    })
}

fn write_layer(
    layers: &mut Writer<Vec<u8>>,
    graph: &Graph,
    id: usize,
    node: &Node,
    bin: &mut Vec<u8>,
) -> io::Result<()> {
    let id = id.to_string();
    let attributes = attributes(graph, node, bin);
    layers
        .create_element("layer")
        .with_attributes([
            ("id", id.as_str()),
            ("name", &node.name),
            ("type", kind(&node.operation)),
            ("version", "opset1"),
        ])
        .write_inner_content(|layer| {
            if !attributes.is_empty() {
                let pairs = attributes.iter().map(|(key, value)| (*key, value.as_str()));
                layer
                    .create_element("data")
                    .with_attributes(pairs)
                    .write_empty()?;
            }
            if is_decompression(graph, node) {
                layer
                    .create_element("rt_info")
                    .write_inner_content(|info| {
                        info.create_element("attribute")
                            .with_attributes([("name", "decompression"), ("version", "0")])
                            .write_empty()?;
                        Ok(())
                    })?;
            }
            if !node.inputs.is_empty() {
                layer.create_element("input").write_inner_content(|input| {
                    for (port, &value) in node.inputs.iter().enumerate() {
                        write_port(input, port, graph.node(value), None)?;
                    }
                    Ok(())
                })?;
            }
            if node.operation != Operation::Result {
                layer
                    .create_element("output")
                    .write_inner_content(|output| {
                        write_port(output, node.inputs.len(), node, Some(&node.name))
                    })?;
            }
            Ok(())
        })?;
    Ok(())
}

/// Whether the node expands half-precision weights; marked so, the runtime may keep them as they are.
fn is_decompression(graph: &Graph, node: &Node) -> bool {
    let of_half = |input: &Value| matches!(graph.node(*input).operation, Operation::HalfWeights(_));
    node.operation == Operation::Convert && node.inputs.iter().any(of_half)
}

fn write_port(
    parent: &mut Writer<Vec<u8>>,
    port: usize,
    source: &Node,
    tensor_name: Option<&str>,
) -> io::Result<()> {
    let port = port.to_string();
    let precision = match source.operation {
        Operation::Integers(_) => "I64",
        Operation::HalfWeights(_) => "FP16",
        Operation::ByteWeights(_) => "I8",
        _ => "FP32",
    };
    let mut element = parent
        .create_element("port")
        .with_attributes([("id", port.as_str()), ("precision", precision)]);
    if let Some(name) = tensor_name {
        element = element.with_attribute(("names", name));
    }
    element.write_inner_content(|port| {
        for extent in &source.shape {
            port.create_element("dim")
                .write_text_content(BytesText::new(&extent.to_string()))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn write_edges(edges: &mut Writer<Vec<u8>>, graph: &Graph) -> io::Result<()> {
    for (to, node) in graph.nodes().iter().enumerate() {
        for (port, from) in node.inputs.iter().enumerate() {
            let numbers = [from.index(), graph.node(*from).inputs.len(), to, port]
                .map(|number| number.to_string());
            edges
                .create_element("edge")
                .with_attributes([
                    ("from-layer", numbers[0].as_str()),
                    ("from-port", &numbers[1]),
                    ("to-layer", &numbers[2]),
                    ("to-port", &numbers[3]),
                ])
                .write_empty()?;
        }
    }
    Ok(())
}

fn kind(operation: &Operation) -> &'static str {
    match operation {
        Operation::Parameter => "Parameter",
        Operation::Weights(_)
        | Operation::HalfWeights(_)
        | Operation::ByteWeights(_)
        | Operation::Integers(_) => "Const",
        Operation::Convert => "Convert",
        Operation::FakeQuantise { .. } => "FakeQuantize",
        Operation::Convolution { .. } => "Convolution",
        Operation::MaxPool { .. } => "MaxPool",
        Operation::GlobalAveragePool => "AvgPool",
        Operation::Add => "Add",
        Operation::Multiply => "Multiply",
        Operation::MatMul => "MatMul",
        Operation::Relu => "ReLU",
        Operation::Sigmoid => "Sigmoid",
        Operation::Reshape => "Reshape",
        Operation::Tile => "Tile",
        Operation::Softmax => "SoftMax",
        Operation::ReduceSum => "ReduceSum",
        Operation::Result => "Result",
    }
}

/// The layer's attributes; a constant's bytes go to `bin`.
fn attributes(graph: &Graph, node: &Node, bin: &mut Vec<u8>) -> Vec<(&'static str, String)> {
    let text = |pairs: &[(&'static str, &str)]| {
        pairs
            .iter()
            .map(|&(key, value)| (key, value.to_owned()))
            .collect()
    };
    match &node.operation {
        Operation::Parameter => vec![("shape", list(&node.shape)), ("element_type", "f32".into())],
        Operation::Weights(values) => constant(
            "f32",
            node,
            values.iter().flat_map(|value| value.to_le_bytes()),
            bin,
        ),
        Operation::HalfWeights(values) => constant(
            "f16",
            node,
            values.iter().flat_map(|value| value.to_le_bytes()),
            bin,
        ),
        Operation::ByteWeights(values) => constant(
            "i8",
            node,
            values.iter().flat_map(|value| value.to_le_bytes()),
            bin,
        ),
        Operation::Convert => text(&[("destination_type", "f32")]),
        Operation::FakeQuantise { levels } => vec![
            ("levels", levels.to_string()),
            ("auto_broadcast", "numpy".into()),
        ],
        Operation::Integers(values) => constant(
            "i64",
            node,
            values.iter().flat_map(|value| value.to_le_bytes()),
            bin,
        ),
        Operation::Convolution { stride, padding } => {
            let [strides, pads] = [*stride, *padding].map(|extent| list(&[extent; 2]));
            text(&[
                ("strides", &strides),
                ("dilations", "1,1"),
                ("pads_begin", &pads),
                ("pads_end", &pads),
                ("auto_pad", "explicit"),
            ])
        }
        Operation::MaxPool { window } => {
            let window = list(&[*window; 2]);
            text(&[
                ("kernel", &window),
                ("strides", &window),
                ("pads_begin", "0,0"),
                ("pads_end", "0,0"),
                ("rounding_type", "floor"),
                ("auto_pad", "explicit"),
            ])
        }
        // The whole image is one window.
        Operation::GlobalAveragePool => {
            let window = list(&graph.node(node.inputs[0]).shape[2..]);
            text(&[
                ("kernel", &window),
                ("strides", &window),
                ("pads_begin", "0,0"),
                ("pads_end", "0,0"),
                ("exclude-pad", "true"),
                ("rounding_type", "floor"),
                ("auto_pad", "explicit"),
            ])
        }
        Operation::Add | Operation::Multiply => text(&[("auto_broadcast", "numpy")]),
        Operation::MatMul => text(&[("transpose_a", "false"), ("transpose_b", "false")]),
        Operation::Reshape => text(&[("special_zero", "false")]),
        Operation::Softmax => vec![("axis", (node.shape.len() - 1).to_string())],
        Operation::ReduceSum => text(&[("keep_dims", "true")]),
        Operation::Relu | Operation::Sigmoid | Operation::Tile | Operation::Result => Vec::new(),
    }
}

fn constant(
    element_type: &str,
    node: &Node,
    bytes: impl Iterator<Item = u8>,
    bin: &mut Vec<u8>,
) -> Vec<(&'static str, String)> {
    bin.resize(bin.len().next_multiple_of(ALIGNMENT), 0);
    let offset = bin.len();
    bin.extend(bytes);
    vec![
        ("element_type", element_type.into()),
        ("shape", list(&node.shape)),
        ("offset", offset.to_string()),
        ("size", (bin.len() - offset).to_string()),
    ]
}

fn list(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    numbers.join(",")
}
