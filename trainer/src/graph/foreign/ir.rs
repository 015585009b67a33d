//! An OpenVINO IR of another program: its topology, and its XML with another input and output.
//!
//! The weights stay as they are, so that only the XML changes. Runtimes infer all shapes from the input's.

use std::collections::HashMap;
use std::fmt::Write;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, BytesText, Event};
use quick_xml::reader::Reader;
use quick_xml::writer::Writer;

use super::topology::{Adaptation, Element, Extents, Input, Output, PROBABILITY, Topology};

/// The oldest version that OpenVINO reads since its release 2022.1.
const OLDEST_VERSION: u32 = 10;
/// Operations that neither create nor destroy a softmax.
const TRANSPARENT: [&str; 4] = ["Convert", "Reshape", "Squeeze", "Unsqueeze"];

/// An IR's XML, with what it says about the network.
#[derive(Debug)]
pub(crate) struct ForeignIr<'a> {
    xml: &'a str,
    pub(crate) topology: Topology,
    input_layer: u64,
    /// Of each output of the topology.
    results: Vec<ResultLayer>,
    /// An id that no layer has; all larger ones are free, too.
    free_id: u64,
}

/// A layer of the type `Result`, and the port that feeds it.
#[derive(Debug)]
struct ResultLayer {
    id: u64,
    source: Port,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Port {
    layer: u64,
    port: String,
}

#[derive(Debug, Default)]
struct Layer {
    name: String,
    kind: String,
    shape: Option<String>,
    element: Option<String>,
    outputs: Vec<OutputPort>,
}

#[derive(Debug, Default)]
struct OutputPort {
    id: String,
    precision: String,
    extents: Vec<Option<u32>>,
}

impl<'a> ForeignIr<'a> {
    /// Reads the XML.
    ///
    /// # Errors
    /// A message, if it is not an IR of a network with one input.
    pub(crate) fn read(xml: &'a str) -> Result<Self, String> {
        let Elements { layers, edges } = Elements::read(xml)?;
        let of_kind = |kind: &str| -> Vec<(u64, &Layer)> {
            let mut found: Vec<_> = layers
                .iter()
                .filter(|(_, layer)| layer.kind == kind)
                .map(|(id, layer)| (*id, layer))
                .collect();
            found.sort_by_key(|(id, _)| *id);
            found
        };
        let inputs = of_kind("Parameter");
        let [(input_layer, input)] = inputs[..] else {
            return Err(format!("it has {} inputs, not one image", inputs.len()));
        };
        let name = input.element.as_deref().unwrap_or_default();
        let element = Element::in_ir(name).ok_or_else(|| {
            format!("its input has elements of the type `{name}`; convert the network again with an input of f32")
        })?;
        let mut outputs = Vec::new();
        let mut results = Vec::new();
        for (id, _) in of_kind("Result") {
            let source = edges.get(&id).ok_or("an output is undefined")?.clone();
            let layer = layers.get(&source.layer).ok_or("an output is undefined")?;
            let port = layer.outputs.iter().find(|port| port.id == source.port);
            outputs.push(Output {
                operation: layer.kind.clone(),
                name: layer.name.clone(),
                is_softmax: is_softmax(&layers, &edges, source.layer),
                is_f32: port.is_none_or(|port| port.precision == "FP32"),
                shape: port.map(|port| Extents(port.extents.clone())),
            });
            results.push(ResultLayer { id, source });
        }
        Ok(Self {
            xml,
            topology: Topology {
                input: Input {
                    element,
                    shape: extents(input.shape.as_deref().unwrap_or_default()),
                },
                outputs,
            },
            input_layer,
            results,
            free_id: layers.keys().max().map_or(0, |id| id + 1),
        })
    }

    /// The XML of the adapted network.
    ///
    /// # Errors
    /// A message, if the XML is damaged.
    pub(crate) fn adapted(&self, adaptation: &Adaptation) -> Result<Vec<u8>, String> {
        let changes = Changes::new(self, adaptation);
        let mut writer = Writer::new(Vec::new());
        let mut walk = Walk::new(self.xml);
        let mut write =
            |event: Event<'_>| writer.write_event(event).map_err(|error| error.to_string());
        let mut layer = 0;
        while let Some((event, depth)) = walk.next()? {
            match event {
                Event::Start(element) => {
                    if element.name().into_inner() == "layer" && depth == 3 {
                        layer = id(&element, "id")?;
                    }
                    write(Event::Start(changes.of(&element, depth, layer)?))?;
                }
                Event::Empty(element) => {
                    write(Event::Empty(changes.of(&element, depth, layer)?))?;
                }
                Event::End(element) => {
                    let appended = match (element.name().into_inner(), depth) {
                        ("layers", 2) => &changes.layers,
                        ("edges", 2) => &changes.edges,
                        _ => "",
                    };
                    write(Event::Text(BytesText::from_escaped(appended)))?;
                    write(Event::End(element))?;
                }
                other => write(other)?,
            }
        }
        Ok(writer.into_inner())
    }
}

/// Whether a layer is a softmax, or passes one on.
fn is_softmax(layers: &HashMap<u64, Layer>, edges: &HashMap<u64, Port>, id: u64) -> bool {
    let mut at = id;
    // No path is longer than the number of layers.
    for _ in 0..layers.len() {
        let Some(layer) = layers.get(&at) else {
            return false;
        };
        match layer.kind.as_str() {
            "SoftMax" | "Softmax" => return true,
            kind if TRANSPARENT.contains(&kind) => match edges.get(&at) {
                Some(source) => at = source.layer,
                None => return false,
            },
            _ => return false,
        }
    }
    false
}

/// The extents in the attribute `shape` of an input, such as `?,3,1..8,224`.
fn extents(shape: &str) -> Option<Extents> {
    if shape.contains("...") {
        return None;
    }
    let extents = shape.split(',').map(|extent| extent.trim().parse().ok());
    Some(Extents(extents.collect()))
}

/// The parts of the XML that change.
struct Changes {
    shape: String,
    /// The layer of the input, and the port that takes its place for those that used it.
    input: u64,
    input_becomes: Option<Port>,
    /// The layer of the type `Result`, and the port that feeds it from now on.
    result: u64,
    source_becomes: Option<Port>,
    /// An existing port that gets the name of the output. All other names are removed, so that it is the
    /// only one.
    named: Option<Port>,
    /// To be appended.
    layers: String,
    edges: String,
}

impl Changes {
    fn new(ir: &ForeignIr<'_>, adaptation: &Adaptation) -> Self {
        let shape = adaptation.shape();
        let result = &ir.results[adaptation.output];
        let mut appended = Appended {
            next_id: ir.free_id,
            layers: String::new(),
            edges: String::new(),
        };
        let element = ir.topology.element();
        let input_becomes = (element != Element::F32).then(|| {
            let data = format!("destination_type=\"{}\"", element.ir_name());
            let input = Port {
                layer: ir.input_layer,
                port: "0".into(),
            };
            appended.append(&input, "Convert", &data, &shape, None)
        });
        let mut source = result.source.clone();
        if !ir.topology.outputs[adaptation.output].is_f32 {
            let data = "destination_type=\"f32\"";
            let name = (!adaptation.append_softmax).then_some(PROBABILITY);
            source = appended.append(&source, "Convert", data, &[1, 2], name);
        }
        if adaptation.append_softmax {
            let name = Some(PROBABILITY);
            source = appended.append(&source, "SoftMax", "axis=\"1\"", &[1, 2], name);
        }
        let is_new = source != result.source;
        Self {
            shape: shape.map(|extent| extent.to_string()).join(","),
            input: ir.input_layer,
            input_becomes,
            result: result.id,
            source_becomes: is_new.then(|| source.clone()),
            named: (!is_new).then_some(source),
            layers: appended.layers,
            edges: appended.edges,
        }
    }

    /// The element with its changes. `layer` is the layer that it is in.
    fn of(
        &self,
        element: &BytesStart<'_>,
        depth: usize,
        layer: u64,
    ) -> Result<BytesStart<'static>, String> {
        match (element.name().into_inner(), depth) {
            ("data", 4) if layer == self.input => with_attributes(
                element,
                &[
                    ("shape", Some(&self.shape)),
                    ("element_type", Some(Element::F32.ir_name())),
                ],
            ),
            ("layer", 3) => with_attributes(element, &[("output_names", None)]),
            ("port", 5) => {
                let port = Port {
                    layer,
                    port: attribute(element, "id")?.unwrap_or_default(),
                };
                let name = (self.named.as_ref() == Some(&port)).then_some(PROBABILITY);
                with_attributes(element, &[("names", name)])
            }
            ("edge", 3) => {
                let becomes = if id(element, "to-layer")? == self.result {
                    &self.source_becomes
                } else if id(element, "from-layer")? == self.input {
                    &self.input_becomes
                } else {
                    &None
                };
                let Some(port) = becomes else {
                    return Ok(element.to_owned());
                };
                let layer = port.layer.to_string();
                with_attributes(
                    element,
                    &[
                        ("from-layer", Some(&layer)),
                        ("from-port", Some(&port.port)),
                    ],
                )
            }
            _ => Ok(element.to_owned()),
        }
    }
}

/// Layers and edges to be appended, as XML.
struct Appended {
    next_id: u64,
    layers: String,
    edges: String,
}

impl Appended {
    /// Appends a layer of one input and one output of this shape; returns the port of its output.
    fn append(
        &mut self,
        from: &Port,
        kind: &str,
        data: &str,
        shape: &[u32],
        name: Option<&str>,
    ) -> Port {
        let id = self.next_id;
        self.next_id += 1;
        let dims: Vec<String> = shape
            .iter()
            .map(|extent| format!("<dim>{extent}</dim>"))
            .collect();
        let dims = dims.concat();
        let names = name.map_or_else(String::new, |name| format!(" names=\"{name}\""));
        // Writing to a string does not fail.
        let _ = write!(
            self.layers,
            "<layer id=\"{id}\" name=\"smearscope/{kind}-{id}\" type=\"{kind}\" version=\"opset1\">\
             <data {data}/><input><port id=\"0\">{dims}</port></input>\
             <output><port id=\"1\" precision=\"FP32\"{names}>{dims}</port></output></layer>"
        );
        self.edges += &edge(from, id);
        Port {
            layer: id,
            port: "1".into(),
        }
    }
}

/// An edge to the first port of a layer, as XML.
fn edge(from: &Port, to: u64) -> String {
    let Port { layer, port } = from;
    format!("<edge from-layer=\"{layer}\" from-port=\"{port}\" to-layer=\"{to}\" to-port=\"0\"/>")
}

/// The relevant parts of an IR.
#[derive(Debug, Default)]
struct Elements {
    /// By id.
    layers: HashMap<u64, Layer>,
    /// The source of each layer's first input.
    edges: HashMap<u64, Port>,
}

impl Elements {
    fn read(xml: &str) -> Result<Self, String> {
        let mut elements = Self::default();
        let mut walk = Walk::new(xml);
        let mut layer = 0;
        let (mut is_output, mut is_dim) = (false, false);
        let mut is_net = false;
        while let Some((event, depth)) = walk.next()? {
            match event {
                Event::Start(element) | Event::Empty(element) => {
                    let attribute = |name| attribute(&element, name);
                    match (element.name().into_inner(), depth) {
                        ("net", 1) => {
                            check_version(attribute("version")?.as_deref())?;
                            is_net = true;
                        }
                        ("layer", 3) => {
                            layer = id(&element, "id")?;
                            let read = Layer {
                                name: attribute("name")?.unwrap_or_default(),
                                kind: attribute("type")?.unwrap_or_default(),
                                ..Layer::default()
                            };
                            elements.layers.insert(layer, read);
                        }
                        ("data", 4) => {
                            if let Some(layer) = elements.layers.get_mut(&layer) {
                                layer.shape = attribute("shape")?;
                                layer.element = attribute("element_type")?;
                            }
                        }
                        (part, 4) => is_output = part == "output",
                        (part, 6) => is_dim = part == "dim",
                        ("port", 5) if is_output => {
                            if let Some(layer) = elements.layers.get_mut(&layer) {
                                layer.outputs.push(OutputPort {
                                    id: attribute("id")?.unwrap_or_default(),
                                    precision: attribute("precision")?.unwrap_or_default(),
                                    extents: Vec::new(),
                                });
                            }
                        }
                        ("edge", 3) if attribute("to-port")?.as_deref() == Some("0") => {
                            let from = Port {
                                layer: id(&element, "from-layer")?,
                                port: attribute("from-port")?.unwrap_or_default(),
                            };
                            elements.edges.insert(id(&element, "to-layer")?, from);
                        }
                        _ => {}
                    }
                }
                Event::Text(text) if depth == 7 && is_dim && is_output => {
                    let port = elements
                        .layers
                        .get_mut(&layer)
                        .and_then(|layer| layer.outputs.last_mut());
                    if let Some(port) = port {
                        port.extents.push(text.trim().parse().ok());
                    }
                }
                _ => {}
            }
        }
        if is_net {
            Ok(elements)
        } else {
            Err("it is not an OpenVINO IR".into())
        }
    }
}

fn check_version(version: Option<&str>) -> Result<(), String> {
    match version.and_then(|version| version.parse::<u32>().ok()) {
        Some(version) if version < OLDEST_VERSION => Err(format!(
            "it is an IR of version {version}, and OpenVINO reads versions from {OLDEST_VERSION}; \
             convert the original network again with a newer OpenVINO"
        )),
        _ => Ok(()),
    }
}

/// The events of an XML text, each with the depth of its element: 1 for the outermost one. Text has the
/// depth below its element.
struct Walk<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(xml: &'a str) -> Self {
        Self {
            reader: Reader::from_str(xml),
            depth: 0,
        }
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, usize)>, String> {
        let event = self
            .reader
            .read_event()
            .map_err(|error| error.to_string())?;
        let depth = match event {
            Event::Eof => return Ok(None),
            Event::Start(_) => {
                self.depth += 1;
                self.depth
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.depth + 1
            }
            _ => self.depth + 1,
        };
        Ok(Some((event, depth)))
    }
}

/// The element with other values of attributes, or without those that have none.
fn with_attributes(
    element: &BytesStart<'_>,
    changes: &[(&str, Option<&str>)],
) -> Result<BytesStart<'static>, String> {
    let mut copy = BytesStart::new(element.name().into_inner().to_owned());
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let is_changed = |(name, _): &(&str, _)| *name == attribute.key.into_inner();
        if !changes.iter().any(is_changed) {
            copy.push_attribute(attribute);
        }
    }
    for (name, value) in changes {
        if let Some(value) = value {
            copy.push_attribute((*name, *value));
        }
    }
    Ok(copy)
}

/// An attribute that is the id of a layer.
fn id(element: &BytesStart<'_>, name: &str) -> Result<u64, String> {
    let text = attribute(element, name)?.unwrap_or_default();
    text.parse()
        .map_err(|_| format!("`{}` is not the id of a layer", text.escape_debug()))
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_refused() {
        for (xml, problem) in [
            ("<html></html>", "not an OpenVINO IR"),
            ("<net version='11'><layers></layers></net>", "0 inputs"),
            ("<net><layers><layer id='0'", "syntax"),
            ("<net version='7'></net>", "version 7"),
            (
                "<net><layers><layer id='x' type='Result'/></layers></net>",
                "id of a layer",
            ),
        ] {
            let message = ForeignIr::read(xml).unwrap_err();
            assert!(message.contains(problem), "{message}");
        }
    }
}
