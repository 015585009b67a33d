//! ONNX, operator set 13.
//!
//! The messages are the part of <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto> that is
//! used here; written by hand, because `protoc` would be one more thing to install.

use std::collections::HashMap;

use prost::Message;

use super::graph::{Graph, Node, Operation, Value};

/// ONNX 1.10's, which runtimes of any age read.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 13;

const ELEMENT_FLOAT: i32 = 1;
const ELEMENT_INT64: i32 = 7;
const ATTRIBUTE_INT: i32 = 2;
const ATTRIBUTE_INTS: i32 = 7;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(string, tag = "3")]
    producer_version: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSetIdProto>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    // Explicit presence: a checker insists on the value even where it is 0.
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    #[prost(int32, tag = "20")]
    r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<DimensionProto>,
}

#[derive(Clone, PartialEq, Message)]
struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
}

/// Reads a network that [`write()`] wrote.
///
/// # Errors
/// In words, if it is no such network.
pub(crate) fn read(bytes: &[u8]) -> Result<Graph, String> {
    let model = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
    let proto = model.graph.ok_or("it holds no graph")?;
    let mut graph = Graph::default();
    let mut values: HashMap<&str, Value> = HashMap::new();
    for input in &proto.input {
        values.insert(&input.name, graph.parameter(&input.name, &shape_of(input)?));
    }
    for tensor in &proto.initializer {
        let shape = extents(&tensor.dims)?;
        let value = match tensor.data_type {
            ELEMENT_FLOAT => {
                let (numbers, []) = tensor.raw_data.as_chunks() else {
                    return Err(format!("{} is cut off", tensor.name));
                };
                let numbers: Vec<f32> = numbers.iter().map(|&b| f32::from_le_bytes(b)).collect();
                if numbers.len() != shape.iter().product::<usize>() {
                    return Err(format!("{} does not fill its shape", tensor.name));
                }
                graph.weights(&tensor.name, &shape, numbers)
            }
            // Shapes and axes, which the operations that read them bring along.
            ELEMENT_INT64 => continue,
            other => return Err(format!("{} has elements of type {other}", tensor.name)),
        };
        values.insert(&tensor.name, value);
    }
    for node in &proto.node {
        let input = |position: usize| -> Result<Value, String> {
            let name = node.input.get(position).map(String::as_str);
            let value = name.and_then(|name| values.get(name));
            value
                .copied()
                .ok_or_else(|| format!("{} lacks an input", node.name))
        };
        let integers = |name: &str| -> Result<Vec<usize>, String> {
            let attribute = node
                .attribute
                .iter()
                .find(|attribute| attribute.name == name);
            let attribute = attribute.ok_or_else(|| format!("{} lacks {name}", node.name))?;
            extents(&attribute.ints)
        };
        let first = |name: &str| -> Result<usize, String> {
            let integers = integers(name)?;
            integers
                .first()
                .copied()
                .ok_or_else(|| format!("{name} of {} is empty", node.name))
        };
        let name = node.name.as_str();
        let value = match node.op_type.as_str() {
            "Conv" => {
                let (stride, padding) = (first("strides")?, first("pads")?);
                graph.convolution(name, input(0)?, input(1)?, stride, padding)
            }
            "MaxPool" => graph.max_pool(name, input(0)?, first("strides")?),
            "GlobalAveragePool" => graph.global_average_pool(name, input(0)?),
            "Add" => graph.add(name, input(0)?, input(1)?),
            "Mul" => graph.multiply(name, input(0)?, input(1)?),
            "MatMul" => graph.mat_mul(name, input(0)?, input(1)?),
            "Relu" => graph.relu(name, input(0)?),
            "Softmax" => graph.softmax(name, input(0)?),
            "ReduceSum" => graph.sum_channels(name, input(0)?),
            "Reshape" => {
                let target = node.input.get(1);
                let target = proto.initializer.iter().find(|t| Some(&t.name) == target);
                let target = target.ok_or_else(|| format!("{name} lacks its shape"))?;
                let (numbers, _) = target.raw_data.as_chunks();
                let shape: Vec<i64> = numbers.iter().map(|&b| i64::from_le_bytes(b)).collect();
                graph.reshape(name, input(0)?, &extents(&shape)?)
            }
            other => {
                return Err(format!(
                    "{name} is a {other}, which this trainer never writes"
                ));
            }
        };
        values.insert(name, value);
    }
    for output in &proto.output {
        let value = values.get(output.name.as_str());
        graph.result(*value.ok_or_else(|| format!("nothing gives {}", output.name))?);
    }
    Ok(graph)
}

fn extents(numbers: &[i64]) -> Result<Vec<usize>, String> {
    let numbers = numbers.iter().map(|&number| usize::try_from(number));
    numbers
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn shape_of(info: &ValueInfoProto) -> Result<Vec<usize>, String> {
    let tensor = info
        .r#type
        .as_ref()
        .and_then(|kind| kind.tensor_type.as_ref());
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let shape = shape.ok_or_else(|| format!("{} has no shape", info.name))?;
    let numbers: Vec<i64> = shape
        .dim
        .iter()
        .map(|dim| dim.dim_value.unwrap_or(1))
        .collect();
    extents(&numbers)
}

/// Writes a network.
///
/// # Errors
/// In words, for one that is not in single precision throughout.
pub(crate) fn write(graph: &Graph, name: &str) -> Result<Vec<u8>, String> {
    let mut proto = GraphProto {
        name: name.into(),
        ..GraphProto::default()
    };
    for node in graph.nodes() {
        let (op_type, attributes) = match &node.operation {
            Operation::Parameter => {
                proto.input.push(value_info(node));
                continue;
            }
            Operation::Result => {
                proto.output.push(value_info(graph.node(node.inputs[0])));
                continue;
            }
            Operation::Weights(values) => {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                proto.initializer.push(tensor(node, ELEMENT_FLOAT, bytes));
                continue;
            }
            Operation::HalfWeights(_)
            | Operation::ByteWeights(_)
            | Operation::Convert
            | Operation::FakeQuantise { .. } => {
                return Err(format!("{} is not in single precision", node.name));
            }
            Operation::Integers(values) => {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                proto.initializer.push(tensor(node, ELEMENT_INT64, bytes));
                continue;
            }
            Operation::Convolution { stride, padding } => {
                let (strides, pads) = ([*stride as i64; 2], [*padding as i64; 4]);
                (
                    "Conv",
                    vec![
                        ints("pads", &pads),
                        ints("strides", &strides),
                        ints("dilations", &[1, 1]),
                    ],
                )
            }
            Operation::MaxPool { window } => {
                let window = [*window as i64; 2];
                (
                    "MaxPool",
                    vec![ints("kernel_shape", &window), ints("strides", &window)],
                )
            }
            Operation::GlobalAveragePool => ("GlobalAveragePool", Vec::new()),
            Operation::Add => ("Add", Vec::new()),
            Operation::Multiply => ("Mul", Vec::new()),
            Operation::MatMul => ("MatMul", Vec::new()),
            Operation::Relu => ("Relu", Vec::new()),
            Operation::Reshape => ("Reshape", Vec::new()),
            Operation::Softmax => ("Softmax", vec![int("axis", -1)]),
            Operation::ReduceSum => ("ReduceSum", vec![int("keepdims", 1)]),
        };
        let name_of = |value: &Value| graph.node(*value).name.clone();
        proto.node.push(NodeProto {
            input: node.inputs.iter().map(name_of).collect(),
            output: vec![node.name.clone()],
            name: node.name.clone(),
            op_type: op_type.into(),
            attribute: attributes,
        });
    }
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(proto),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
    };
    Ok(model.encode_to_vec())
}

fn value_info(node: &Node) -> ValueInfoProto {
    let dim = node
        .shape
        .iter()
        .map(|&extent| DimensionProto {
            dim_value: Some(extent as i64),
        })
        .collect();
    ValueInfoProto {
        name: node.name.clone(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: ELEMENT_FLOAT,
                shape: Some(TensorShapeProto { dim }),
            }),
        }),
    }
}

fn tensor(node: &Node, data_type: i32, bytes: impl Iterator<Item = u8>) -> TensorProto {
    TensorProto {
        dims: node.shape.iter().map(|&extent| extent as i64).collect(),
        data_type,
        name: node.name.clone(),
        raw_data: bytes.collect(),
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        i: Some(value),
        ints: Vec::new(),
        r#type: ATTRIBUTE_INT,
    }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        i: None,
        ints: values.to_vec(),
        r#type: ATTRIBUTE_INTS,
    }
}
