//! Input and output of a network, from the XML of its OpenVINO IR.

use std::collections::HashMap;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use smearscope_artifacts::Layout;

/// Input and output of a network that maps one image to the probabilities of two classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topology {
    pub(crate) layout: Layout,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Name of the output, a softmax over two classes.
    pub(crate) output: String,
}

#[derive(Default)]
struct Layer {
    name: String,
    kind: String,
    shape: Option<String>,
    /// Names of its output tensor.
    names: Option<String>,
}

impl Topology {
    /// Reads the XML.
    ///
    /// # Errors
    /// A message, if it is not an IR or the network has another input or output.
    pub(crate) fn read(xml: &str) -> Result<Self, String> {
        let Elements { layers, edges } = elements(xml)?;
        let of_kind = |kind: &str| -> Vec<(&String, &Layer)> {
            let mut found: Vec<_> = layers
                .iter()
                .filter(|(_, layer)| layer.kind == kind)
                .collect();
            found.sort_by_key(|(id, _)| *id);
            found
        };
        let (inputs, results) = (of_kind("Parameter"), of_kind("Result"));
        let [(_, input)] = inputs[..] else {
            return Err(format!("it has {} inputs, not one image", inputs.len()));
        };
        let [(result, _)] = results[..] else {
            return Err(format!(
                "it has {} outputs, not one probability",
                results.len()
            ));
        };
        let source = edges.get(result).and_then(|source| layers.get(source));
        let source = source.ok_or("its output is undefined")?;
        if source.kind != "SoftMax" && source.kind != "Softmax" {
            return Err(format!(
                "its output {} is a {}, not a softmax over two classes",
                source.name, source.kind
            ));
        }
        let shape = input.shape.as_deref().unwrap_or_default();
        let extents: Vec<u32> = shape
            .split(',')
            .map(|extent| extent.trim().parse().unwrap_or(0))
            .collect();
        let (layout, width, height) = match extents[..] {
            [1, 3, height, width] => (Layout::Nchw, width, height),
            [1, height, width, 3] => (Layout::Nhwc, width, height),
            _ => {
                return Err(format!(
                    "its input {shape} is not one image of three channels"
                ));
            }
        };
        Ok(Self {
            layout,
            width,
            height,
            output: source.names.clone().unwrap_or_else(|| source.name.clone()),
        })
    }
}

/// The relevant parts of an IR.
#[derive(Default)]
struct Elements {
    /// By id.
    layers: HashMap<String, Layer>,
    /// The source of each layer's first input.
    edges: HashMap<String, String>,
}

fn elements(xml: &str) -> Result<Elements, String> {
    let mut reader = Reader::from_str(xml);
    let Elements {
        mut layers,
        mut edges,
    } = Elements::default();
    let mut open = String::new();
    let mut is_net = false;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let (Event::Start(element) | Event::Empty(element)) = event else {
            if event == Event::Eof {
                break;
            }
            continue;
        };
        let attribute = |name| attribute(&element, name);
        match element.name().as_ref() {
            "net" => is_net = true,
            "layer" => {
                open = attribute("id")?.unwrap_or_default();
                let layer = Layer {
                    name: attribute("name")?.unwrap_or_default(),
                    kind: attribute("type")?.unwrap_or_default(),
                    ..Layer::default()
                };
                layers.insert(open.clone(), layer);
            }
            "data" => {
                if let Some(layer) = layers.get_mut(&open) {
                    layer.shape = attribute("shape")?;
                }
            }
            "port" => {
                if let (Some(layer), Some(names)) = (layers.get_mut(&open), attribute("names")?) {
                    let first = names.split(',').next().map(str::to_owned);
                    layer.names = first.filter(|name| !name.is_empty());
                }
            }
            "edge" => {
                if let (Some(from), Some(to)) = (attribute("from-layer")?, attribute("to-layer")?) {
                    edges.entry(to).or_insert(from);
                }
            }
            _ => {}
        }
    }
    if is_net {
        Ok(Elements { layers, edges })
    } else {
        Err("it is not an OpenVINO IR".into())
    }
}

fn attribute(element: &BytesStart, name: &str) -> Result<Option<String>, String> {
    let attribute = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    attribute
        .map(|attribute| {
            attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map(Into::into)
        })
        .transpose()
        .map_err(|error| error.to_string())
}
