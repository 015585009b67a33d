//! ONNX, operator set 13.

use std::collections::HashMap;

use prost::Message;

use super::nodes::{Graph, Node, Value};
use super::onnx_messages::{
    ATTRIBUTE_INTS, AttributeProto, ELEMENT_FLOAT, ELEMENT_INT64, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto,
};
use super::operation::Operation;
use super::shapes;

/// That of ONNX 1.10, which runtimes of any age read.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 13;

/// Reads a network that [`write()`] wrote.
///
/// # Errors
/// A message, if it is not such a network.
pub(crate) fn read(bytes: &[u8]) -> Result<Graph, String> {
    let model = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
    let proto = model.graph.ok_or("it has no graph")?;
    let mut graph = Graph::default();
    let mut values: HashMap<&str, Value> = HashMap::new();
    let named = |name: &str, problem: String| format!("{name}: {problem}");
    for input in &proto.input {
        let shape = shape_of(input).map_err(|problem| named(&input.name, problem))?;
        define(
            &mut values,
            &input.name,
            graph.parameter(&input.name, &shape),
        )?;
    }
    for tensor in &proto.initializer {
        let value = constant(&mut graph, tensor).map_err(|problem| named(&tensor.name, problem))?;
        define(&mut values, &tensor.name, value)?;
    }
    for node in &proto.node {
        let operation = operation(node).map_err(|problem| named(&node.name, problem))?;
        let input = |name: &String| values.get(name.as_str()).copied();
        let inputs: Option<Vec<Value>> = node.input.iter().map(input).collect();
        let inputs = inputs.ok_or_else(|| named(&node.name, "an input is undefined".into()))?;
        if node.output != [node.name.as_str()] {
            return Err(named(&node.name, "its output has another name".into()));
        }
        let value = graph.apply(&node.name, operation, &inputs)?;
        define(&mut values, &node.name, value)?;
    }
    for output in &proto.output {
        let value = values.get(output.name.as_str());
        graph.result(*value.ok_or_else(|| named(&output.name, "it is undefined".into()))?);
    }
    let sizes = graph
        .nodes()
        .iter()
        .map(|node| shapes::elements(&node.shape));
    let total = sizes.sum::<Result<usize, String>>()?;
    shapes::elements(&[total]).map_err(|problem| format!("all tensors together: {problem}"))?;
    Ok(graph)
}

/// Names a value.
fn define<'a>(
    values: &mut HashMap<&'a str, Value>,
    name: &'a str,
    value: Value,
) -> Result<(), String> {
    match values.insert(name, value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is defined twice")),
    }
}

fn shape_of(info: &ValueInfoProto) -> Result<Vec<usize>, String> {
    let tensor = info
        .r#type
        .as_ref()
        .and_then(|kind| kind.tensor_type.as_ref());
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let dimensions = shape.ok_or("it has no shape")?.dim.iter();
    let numbers: Option<Vec<i64>> = dimensions.map(|dimension| dimension.dim_value).collect();
    extents(&numbers.ok_or("its shape is not fixed")?)
}

/// Converts the extents of a tensor and checks its number of elements.
fn extents(numbers: &[i64]) -> Result<Vec<usize>, String> {
    let extents = numbers.iter().map(|&number| usize::try_from(number));
    let shape: Vec<usize> = extents
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    shapes::elements(&shape).map(|_| shape)
}

fn constant(graph: &mut Graph, tensor: &TensorProto) -> Result<Value, String> {
    let shape = extents(&tensor.dims)?;
    let count = shapes::elements(&shape)?;
    match tensor.data_type {
        ELEMENT_FLOAT => {
            let numbers = numbers(tensor, count, f32::from_le_bytes)?;
            Ok(graph.weights(&tensor.name, &shape, numbers))
        }
        // Shapes and axes.
        ELEMENT_INT64 => {
            let numbers = numbers(tensor, count, i64::from_le_bytes)?;
            Ok(graph.integers(&tensor.name, numbers))
        }
        other => Err(format!("it has elements of type {other}")),
    }
}

fn numbers<T, const BYTES: usize>(
    tensor: &TensorProto,
    count: usize,
    number: impl Fn([u8; BYTES]) -> T,
) -> Result<Vec<T>, String> {
    match tensor.raw_data.as_chunks() {
        (chunks, []) if chunks.len() == count => {
            Ok(chunks.iter().map(|&bytes| number(bytes)).collect())
        }
        _ => Err("it does not fill its shape".into()),
    }
}

fn operation(node: &NodeProto) -> Result<Operation, String> {
    let first = |name: &str| -> Result<usize, String> {
        let mut attributes = node.attribute.iter();
        let attribute = attributes.find(|attribute| attribute.name == name);
        let number = attribute.and_then(|attribute| attribute.ints.first());
        let number = number.ok_or_else(|| format!("it lacks {name}"))?;
        usize::try_from(*number).map_err(|error| format!("{name}: {error}"))
    };
    let operation = match node.op_type.as_str() {
        "Conv" => Operation::Convolution {
            stride: first("strides")?,
            padding: first("pads")?,
        },
        "MaxPool" => Operation::MaxPool {
            window: first("strides")?,
        },
        "GlobalAveragePool" => Operation::GlobalAveragePool,
        "Add" => Operation::Add,
        "Mul" => Operation::Multiply,
        "MatMul" => Operation::MatMul,
        "Relu" => Operation::Relu,
        "Sigmoid" => Operation::Sigmoid,
        "Tile" => Operation::Tile,
        "Softmax" => Operation::Softmax,
        "ReduceSum" => Operation::ReduceSum,
        "Reshape" => Operation::Reshape,
        other => {
            return Err(format!(
                "{other} is not an operator that this trainer writes"
            ));
        }
    };
    // Other attributes or values are not supported.
    match operator(&operation) {
        Some((_, attributes)) if attributes == node.attribute => Ok(operation),
        _ => Err("its attributes are not those that this trainer writes".into()),
    }
}

/// The type and the attributes of an operation's node; none if ONNX has no such node, or not in single
/// precision.
fn operator(operation: &Operation) -> Option<(&'static str, Vec<AttributeProto>)> {
    Some(match operation {
        Operation::Convolution { stride, padding } => {
            let (strides, pads) = ([*stride as i64; 2], [*padding as i64; 4]);
            let attributes = vec![
                ints("pads", &pads),
                ints("strides", &strides),
                ints("dilations", &[1, 1]),
            ];
            ("Conv", attributes)
        }
        Operation::MaxPool { window } => {
            let window = [*window as i64; 2];
            let attributes = vec![ints("kernel_shape", &window), ints("strides", &window)];
            ("MaxPool", attributes)
        }
        Operation::GlobalAveragePool => ("GlobalAveragePool", Vec::new()),
        Operation::Add => ("Add", Vec::new()),
        Operation::Multiply => ("Mul", Vec::new()),
        Operation::MatMul => ("MatMul", Vec::new()),
        Operation::Relu => ("Relu", Vec::new()),
        Operation::Sigmoid => ("Sigmoid", Vec::new()),
        Operation::Reshape => ("Reshape", Vec::new()),
        Operation::Tile => ("Tile", Vec::new()),
        Operation::Softmax => ("Softmax", vec![AttributeProto::int("axis", -1)]),
        Operation::ReduceSum => ("ReduceSum", vec![AttributeProto::int("keepdims", 1)]),
        Operation::Parameter
        | Operation::Result
        | Operation::Weights(_)
        | Operation::HalfWeights(_)
        | Operation::ByteWeights(_)
        | Operation::Convert
        | Operation::FakeQuantise { .. }
        | Operation::Integers(_) => return None,
    })
}

/// Writes a network.
///
/// # Errors
/// A message, if it is not entirely in single precision.
pub(crate) fn write(graph: &Graph, name: &str) -> Result<Vec<u8>, String> {
    let mut proto = GraphProto {
        name: name.into(),
        ..GraphProto::default()
    };
    for node in graph.nodes() {
        match &node.operation {
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
            _ => {}
        }
        let (op_type, attributes) = operator(&node.operation)
            .ok_or_else(|| format!("{} is not in single precision", node.name))?;
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
    let extents = node.shape.iter().map(|&extent| extent as i64);
    ValueInfoProto::of_floats(&node.name, extents)
}

fn tensor(node: &Node, data_type: i32, bytes: impl Iterator<Item = u8>) -> TensorProto {
    TensorProto {
        dims: node.shape.iter().map(|&extent| extent as i64).collect(),
        data_type,
        name: node.name.clone(),
        raw_data: bytes.collect(),
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

#[cfg(test)]
mod tests {
    use super::super::onnx_messages::DimensionProto;
    use super::*;

    /// A network with every operation.
    fn proto() -> ModelProto {
        let mut graph = Graph::default();
        let image = graph.parameter("image", &[1, 3, 8, 6]);
        let kernel = graph.weights("kernel", &[4, 3, 5, 5], vec![0.1; 300]);
        let bias = graph.weights("bias", &[1, 4, 1, 1], vec![0.1; 4]);
        let weight = graph.weights("weight", &[4, 2], vec![0.1; 8]);
        let convolved = graph.convolution("convolved", image, kernel, 1, 2);
        let shifted = graph.add("shifted", convolved, bias);
        let scaled = graph.multiply("scaled", shifted, bias);
        let rectified = graph.relu("rectified", scaled);
        let pooled = graph.max_pool("pooled", rectified, 2);
        let mean = graph.global_average_pool("mean", pooled);
        let flat = graph.reshape("flat", mean, &[1, 4]);
        let logits = graph.mat_mul("logits", flat, weight);
        let probability = graph.softmax("probability", logits);
        graph.result(probability);
        let evidence = graph.sum_channels("evidence", pooled);
        graph.result(evidence);
        ModelProto::decode(write(&graph, "example").unwrap().as_slice()).unwrap()
    }

    type Damage = fn(&mut GraphProto);

    fn node<'a>(graph: &'a mut GraphProto, name: &str) -> &'a mut NodeProto {
        let mut nodes = graph.node.iter_mut();
        nodes.find(|node| node.name == name).unwrap()
    }

    fn constant<'a>(graph: &'a mut GraphProto, name: &str) -> &'a mut TensorProto {
        let mut constants = graph.initializer.iter_mut();
        constants.find(|tensor| tensor.name == name).unwrap()
    }

    fn image(graph: &mut GraphProto) -> &mut Vec<DimensionProto> {
        let kind = graph.input[0].r#type.as_mut().unwrap();
        let tensor = kind.tensor_type.as_mut().unwrap();
        &mut tensor.shape.as_mut().unwrap().dim
    }

    fn set(node: &mut NodeProto, name: &str, values: &[i64]) {
        let mut attributes = node.attribute.iter_mut();
        let attribute = attributes.find(|attribute| attribute.name == name);
        attribute.unwrap().ints = values.to_vec();
    }

    fn reshape_to(graph: &mut GraphProto, extents: &[i64]) {
        let target = constant(graph, "flat/shape");
        target.dims = vec![extents.len() as i64];
        target.raw_data = extents.iter().flat_map(|e| e.to_le_bytes()).collect();
    }

    #[test]
    fn a_network_is_read_as_it_was_written() {
        let bytes = proto().encode_to_vec();
        let graph = read(&bytes).unwrap();
        let again = ModelProto::decode(write(&graph, "example").unwrap().as_slice()).unwrap();
        assert_eq!(again.graph.unwrap().node, proto().graph.unwrap().node);
    }

    #[test]
    fn broken_networks_are_refused_with_the_name_of_the_node() {
        let broken: [(&str, Damage); 29] = [
            ("convolved: Conv", |g| {
                set(node(g, "convolved"), "strides", &[0, 0]);
            }),
            ("convolved: its attributes", |g| {
                set(node(g, "convolved"), "strides", &[1, 2]);
            }),
            ("convolved: its attributes", |g| {
                set(node(g, "convolved"), "dilations", &[2, 2]);
            }),
            ("convolved: pads", |g| {
                set(node(g, "convolved"), "pads", &[-1; 4]);
            }),
            ("convolved: it lacks strides", |g| {
                set(node(g, "convolved"), "strides", &[]);
            }),
            ("convolved: Conv", |g| {
                set(node(g, "convolved"), "pads", &[i64::MAX; 4]);
            }),
            ("convolved: Conv", |g| {
                image(g).truncate(3);
            }),
            ("convolved: Conv", |g| {
                image(g)[1].dim_value = Some(4);
            }),
            ("convolved: Conv", |g| {
                constant(g, "kernel").dims = vec![4, 3, 25];
            }),
            ("convolved: Conv", |g| {
                constant(g, "kernel").dims = vec![1, 3, 100, 1];
            }),
            ("image: its shape is not fixed", |g| {
                image(g)[0].dim_value = None;
            }),
            ("image: the shape", |g| {
                image(g)[2].dim_value = Some(0);
            }),
            ("image: the shape", |g| {
                image(g)[2].dim_value = Some(i64::MAX);
            }),
            ("image: ", |g| {
                image(g)[2].dim_value = Some(-8);
            }),
            ("all tensors together", |g| {
                image(g)[2].dim_value = Some(1 << 20);
            }),
            ("kernel: it does not fill", |g| {
                constant(g, "kernel").raw_data.pop();
            }),
            ("kernel: it has elements of type 10", |g| {
                constant(g, "kernel").data_type = 10;
            }),
            ("kernel is defined twice", |g| {
                constant(g, "bias").name = "kernel".into();
            }),
            ("shifted: Add", |g| {
                constant(g, "bias").dims = vec![1, 4];
            }),
            ("scaled: Multiply", |g| {
                node(g, "scaled").input[1] = "kernel".into();
            }),
            ("pooled: MaxPool", |g| {
                set(node(g, "pooled"), "kernel_shape", &[7, 7]);
                set(node(g, "pooled"), "strides", &[7, 7]);
            }),
            ("mean: GlobalAveragePool", |g| {
                node(g, "mean").input[0] = "weight".into();
            }),
            ("flat: Reshape", |g| reshape_to(g, &[1, 5])),
            ("flat: Reshape", |g| reshape_to(g, &[1, -1])),
            ("logits: MatMul", |g| {
                constant(g, "weight").dims = vec![2, 4];
            }),
            ("probability: its attributes", |g| {
                node(g, "probability").attribute[0].i = Some(0);
            }),
            ("evidence: ReduceSum", |g| {
                let axes = constant(g, "evidence/axes");
                axes.raw_data = 2_i64.to_le_bytes().to_vec();
            }),
            ("rectified: an input is undefined", |g| {
                node(g, "rectified").input[0] = "later".into();
            }),
            ("rectified: Gelu", |g| {
                node(g, "rectified").op_type = "Gelu".into();
            }),
        ];
        for (place, damage) in broken {
            let mut model = proto();
            damage(model.graph.as_mut().unwrap());
            let message = read(&model.encode_to_vec()).unwrap_err();
            assert!(message.starts_with(place), "{place}: {message}");
        }
    }
}
