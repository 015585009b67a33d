//! Tests that all networks run on a Neural Compute Stick 2.
//!
//! The table follows the source of the last release of the stick's plugin: `src/plugins/intel_myriad/graph_transformer` of
//! <https://github.com/openvinotoolkit/openvino>, release 2022.3. `src/frontend/frontend.cpp` lists the supported layers and
//! the operations that become them; `src/stages/*.cpp` (convolution, pooling, reduce, softmax, eltwise, fc) has the requirements of each.
//! Every runtime since 2022.1 reads `opset1` to `opset8`, and every one since 2020.1 reads IR version 10 with `opset1`.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::architecture::Architecture;
use super::cell::{CellNetwork, Classes};
use super::finder::{self, Finder};
use super::network::Network;
use crate::graph::ir;
use crate::graph::precision::halve;

/// How the plugin maps an operation to a layer, and which attribute values it supports.
struct Supported {
    operation: &'static str,
    /// The layer in the plugin's list of parsers, or how the operation is replaced before.
    layer: &'static str,
    attributes: &'static [(&'static str, Allowed)],
}

#[derive(Clone, Copy)]
enum Allowed {
    OneOf(&'static [&'static str]),
    /// Two integers, one per axis of the image.
    Pair,
    /// Any number of integers.
    Numbers,
}

use Allowed::{Numbers, OneOf, Pair};

const NUMPY: Allowed = OneOf(&["numpy"]);
const FALSE: Allowed = OneOf(&["false"]);

const TABLE: &[Supported] = &[
    Supported {
        operation: "Parameter",
        layer: "the network's input; one of 4 dimensions, converted to FP16",
        attributes: &[("shape", Numbers), ("element_type", OneOf(&["f32"]))],
    },
    Supported {
        operation: "Const",
        layer: "weights; FP32 becomes FP16, I64 becomes I32",
        attributes: &[
            ("element_type", OneOf(&["f32", "f16", "i64"])),
            ("shape", Numbers),
            ("offset", Numbers),
            ("size", Numbers),
        ],
    },
    Supported {
        operation: "Convert",
        layer: "folded: it expands weights",
        attributes: &[("destination_type", OneOf(&["f32"]))],
    },
    Supported {
        operation: "Convolution",
        layer: "Convolution, of 3 to 5 dimensions",
        attributes: &[
            ("strides", Pair),
            ("dilations", OneOf(&["1,1"])),
            ("pads_begin", Pair),
            ("pads_end", Pair),
            ("auto_pad", OneOf(&["explicit"])),
        ],
    },
    Supported {
        operation: "MaxPool",
        layer: "Pooling",
        attributes: &[
            ("kernel", Pair),
            ("strides", Pair),
            ("pads_begin", Pair),
            ("pads_end", Pair),
            ("rounding_type", OneOf(&["floor", "ceil"])),
            ("auto_pad", OneOf(&["explicit"])),
        ],
    },
    Supported {
        operation: "AvgPool",
        layer: "Pooling; without padding, of which the stick's own makes wrong borders",
        attributes: &[
            ("kernel", Pair),
            ("strides", Pair),
            ("pads_begin", OneOf(&["0,0"])),
            ("pads_end", OneOf(&["0,0"])),
            ("exclude-pad", OneOf(&["true"])),
            ("rounding_type", OneOf(&["floor", "ceil"])),
            ("auto_pad", OneOf(&["explicit"])),
        ],
    },
    Supported {
        operation: "Add",
        layer: "Eltwise, ScaleShift or a convolution's bias",
        attributes: &[("auto_broadcast", NUMPY)],
    },
    Supported {
        operation: "Multiply",
        layer: "Eltwise or ScaleShift",
        attributes: &[("auto_broadcast", NUMPY)],
    },
    Supported {
        operation: "MatMul",
        layer: "FullyConnected, or folded where both are weights",
        attributes: &[
            ("transpose_a", FALSE),
            ("transpose_b", OneOf(&["false", "true"])),
        ],
    },
    Supported {
        operation: "ReLU",
        layer: "ReLU",
        attributes: &[],
    },
    Supported {
        operation: "Sigmoid",
        layer: "Sigmoid",
        attributes: &[],
    },
    Supported {
        operation: "Tile",
        layer: "Tile, by repeats that are known",
        attributes: &[],
    },
    Supported {
        operation: "Reshape",
        layer: "Reshape, to a shape that is known",
        attributes: &[("special_zero", OneOf(&["false", "true"]))],
    },
    Supported {
        operation: "SoftMax",
        layer: "SoftMax",
        attributes: &[("axis", OneOf(&["1"]))],
    },
    Supported {
        operation: "ReduceSum",
        layer: "ReduceSum, along axes that are known",
        attributes: &[("keep_dims", OneOf(&["true", "false"]))],
    },
    Supported {
        operation: "Result",
        layer: "the network's output",
        attributes: &[],
    },
];

/// A layer of the IR.
#[derive(Default)]
struct Layer {
    name: String,
    operation: String,
    opset: String,
    attributes: Vec<(String, String)>,
    /// Ranks of its inputs.
    ranks: Vec<usize>,
    /// Operations that compute its inputs.
    sources: Vec<String>,
}

fn attributes(element: &BytesStart) -> HashMap<String, String> {
    element
        .attributes()
        .map(|attribute| attribute.unwrap())
        .map(|attribute| (attribute.key.as_ref().to_owned(), attribute.value.into()))
        .collect()
}

/// The IR's version and layers.
fn layers(xml: &[u8]) -> (String, Vec<Layer>) {
    let mut reader = Reader::from_reader(xml);
    let (mut version, mut layers, mut is_input) = (String::new(), Vec::<Layer>::new(), false);
    let mut ids = Vec::new();
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Event::Eof => return (version, layers),
            Event::End(element) if element.name().as_ref() == "input" => is_input = false,
            Event::Start(element) | Event::Empty(element) => {
                let mut known = attributes(element);
                let mut take = |key: &str| known.remove(key).unwrap_or_default();
                let element = element.name();
                match element.as_ref() {
                    "net" => version = take("version"),
                    "layer" => {
                        ids.push(take("id"));
                        layers.push(Layer {
                            name: take("name"),
                            operation: take("type"),
                            opset: take("version"),
                            ..Layer::default()
                        });
                    }
                    "data" => {
                        layers.last_mut().unwrap().attributes = known.into_iter().collect();
                    }
                    "input" => is_input = true,
                    "port" if is_input => layers.last_mut().unwrap().ranks.push(0),
                    "dim" if is_input => {
                        *layers.last_mut().unwrap().ranks.last_mut().unwrap() += 1;
                    }
                    "edge" => {
                        let index = |id: &str| ids.iter().position(|known| known == id).unwrap();
                        let source = layers[index(&take("from-layer"))].operation.clone();
                        layers[index(&take("to-layer"))].sources.push(source);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// What the stick does not support of a network.
fn unsupported(xml: &[u8]) -> Vec<String> {
    let (version, layers) = layers(xml);
    let mut problems = Vec::new();
    if !["10", "11"].contains(&version.as_str()) {
        problems.push(format!("IR version {version}"));
    }
    assert!(layers.len() > 10, "there are layers");
    for layer in &layers {
        let Layer {
            name, operation, ..
        } = layer;
        let is_old = layer
            .opset
            .strip_prefix("opset")
            .and_then(|number| number.parse().ok())
            .is_some_and(|number: u32| (1..=8).contains(&number));
        if !is_old {
            problems.push(format!("{name}: {}", layer.opset));
        }
        let Some(supported) = TABLE.iter().find(|entry| entry.operation == operation) else {
            problems.push(format!("{name}: {operation}"));
            continue;
        };
        for (key, value) in &layer.attributes {
            let allowed = supported.attributes.iter().find(|(known, _)| known == key);
            let numbers = value
                .split(',')
                .filter(|number| number.parse::<u64>().is_ok());
            let count = value.split(',').count();
            let is_allowed = match allowed.map(|(_, allowed)| *allowed) {
                Some(OneOf(values)) => values.contains(&value.as_str()),
                Some(Pair) => count == 2 && numbers.count() == 2,
                Some(Numbers) => numbers.count() == count,
                None => false,
            };
            if !is_allowed {
                let layer = supported.layer;
                problems.push(format!("{name}: {operation} with {key}={value} ({layer})"));
            }
        }
        problems.extend(
            unmet_requirement(layer)
                .map(|requirement| format!("{name}: {operation} not {requirement}")),
        );
    }
    problems
}

/// A requirement of the layer's parser that is not met.
fn unmet_requirement(layer: &Layer) -> Option<&'static str> {
    let is_weights = |source: Option<&String>| {
        source.is_some_and(|operation| operation == "Const" || operation == "Convert")
    };
    match layer.operation.as_str() {
        "Convolution" | "MaxPool" | "AvgPool" if layer.ranks[0] != 4 => Some("of an image"),
        "Convolution" if !is_weights(layer.sources.get(1)) => Some("with weights that are known"),
        "ReduceSum" | "Reshape" | "Tile"
            if layer.sources.get(1).is_none_or(|from| from != "Const") =>
        {
            Some("with axes, a shape or repeats that are known")
        }
        "Convert" if layer.sources.first().is_none_or(|from| from != "Const") => {
            Some("of weights only")
        }
        "SoftMax" if layer.ranks[0] != 2 => Some("of two dimensions"),
        _ => None,
    }
}

#[test]
fn the_stick_supports_every_network() {
    let device = burn::tensor::Device::flex();
    let fields = Architecture::ALL.map(|it| Network::init(it, 3, &device).graph());
    let finder = Finder::init(finder::Size::of_planes(1), 3, &device).graph(1, [64, 96]);
    let classes = Classes { count: 9, blast: 0 };
    // The stick splits batches.
    let cells = CellNetwork::init(classes, 3, &device).graph(8);
    for graph in fields.into_iter().chain([finder, cells]) {
        for graph in [halve(&graph), graph] {
            let xml = ir::write(&graph, "example").unwrap().xml;
            assert_eq!(unsupported(&xml), Vec::<String>::new());
        }
    }
    let shipped = include_bytes!("../../../model-artifacts/smear-demo/model.xml");
    assert_eq!(unsupported(shipped), Vec::<String>::new());
}

#[test]
fn unsupported_operations_are_found() {
    let shipped = include_str!("../../../model-artifacts/smear-demo/model.xml");
    for (from, to, problem) in [
        ("version=\"10\"", "version=\"12\"", "IR version 12"),
        (
            "type=\"ReLU\" version=\"opset1\"",
            "type=\"ReLU\" version=\"opset9\"",
            "convolution1/relu: opset9",
        ),
        (
            "type=\"ReLU\"",
            "type=\"SoftSign\"",
            "convolution1/relu: SoftSign",
        ),
        ("dilations=\"1,1\"", "dilations=\"2,2\"", "dilations=2,2"),
        ("axis=\"1\"", "axis=\"0\"", "axis=0"),
        (
            "keep_dims=\"true\"",
            "keep_dims=\"true\" mode=\"x\"",
            "mode=x",
        ),
        (
            "element_type=\"f32\" shape=\"8,3,5,5\"",
            "element_type=\"i8\" shape=\"8,3,5,5\"",
            "element_type=i8",
        ),
        (
            "type=\"Const\" version=\"opset1\">\n      <data element_type=\"i64\" shape=\"1\"",
            "type=\"Add\" version=\"opset1\">\n      <data element_type=\"i64\" shape=\"1\"",
            "a shape or repeats that are known",
        ),
    ] {
        assert!(shipped.contains(from), "{from}");
        let found = unsupported(shipped.replacen(from, to, 1).as_bytes());
        assert!(
            found.iter().any(|found| found.contains(problem)),
            "{to}: {found:?}"
        );
    }
}
