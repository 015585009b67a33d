//! ONNX, operator set 13.
//!
//! The messages are the part of <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto> that is
//! used here; written by hand, because `protoc` would be one more thing to install.

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

/// Writes a network.
pub(crate) fn write(graph: &Graph, name: &str) -> Vec<u8> {
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
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(proto),
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
    }
    .encode_to_vec()
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
