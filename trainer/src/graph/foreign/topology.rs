//! What a network declares about its input and outputs, and what has to change for a model folder.

use std::fmt::{self, Write};

use smearscope_artifacts::Layout;

/// Name of an adapted network's output.
pub(crate) const PROBABILITY: &str = "probability";

/// Type of the elements of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    F16,
    Bf16,
    F64,
    U8,
    I32,
    I64,
}

impl Element {
    /// Each type with its name in an IR, and its number in ONNX.
    const NAMES: [(Self, &str, i32); 7] = [
        (Self::F32, "f32", 1),
        (Self::F16, "f16", 10),
        (Self::Bf16, "bf16", 16),
        (Self::F64, "f64", 11),
        (Self::U8, "u8", 2),
        (Self::I32, "i32", 6),
        (Self::I64, "i64", 7),
    ];

    /// Whether it holds whole numbers only: such a network normalises the samples itself.
    pub(crate) fn is_integer(self) -> bool {
        matches!(self, Self::U8 | Self::I32 | Self::I64)
    }

    pub(super) fn in_ir(name: &str) -> Option<Self> {
        Self::NAMES
            .into_iter()
            .find(|(_, known, _)| *known == name)
            .map(|(element, ..)| element)
    }

    pub(super) fn in_onnx(number: i32) -> Option<Self> {
        Self::NAMES
            .into_iter()
            .find(|(.., known)| *known == number)
            .map(|(element, ..)| element)
    }

    fn names(self) -> (&'static str, i32) {
        Self::NAMES
            .into_iter()
            .find(|(element, ..)| *element == self)
            .map_or(("f32", 1), |(_, name, number)| (name, number))
    }

    pub(super) fn ir_name(self) -> &'static str {
        self.names().0
    }

    pub(super) fn onnx_number(self) -> i32 {
        self.names().1
    }
}

/// The extents of a tensor, `None` where they are not fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extents(pub(super) Vec<Option<u32>>);

impl fmt::Display for Extents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|extent| extent.map_or_else(|| "?".into(), |extent| extent.to_string()))
            .collect();
        write!(f, "[{}]", words.join(", "))
    }
}

/// The input and the outputs of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topology {
    pub(super) input: Input,
    pub(super) outputs: Vec<Output>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) element: Element,
    /// `None` if not even the number of axes is fixed.
    pub(super) shape: Option<Extents>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// The operation that computes it, and that operation's name.
    pub(super) operation: String,
    pub(super) name: String,
    pub(super) is_softmax: bool,
    pub(super) is_f32: bool,
    pub(super) shape: Option<Extents>,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.name.escape_debug())?;
        match &self.shape {
            Some(shape) => write!(f, " {shape}"),
            None => Ok(()),
        }
    }
}

/// What the user says about a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Position of the output, from 1.
    pub(crate) output: Option<usize>,
    pub(crate) layout: Option<Layout>,
    /// Width and height of an input whose size is not fixed.
    pub(crate) size: Option<(u32, u32)>,
    /// Whether the output holds logits, so that a softmax is appended.
    pub(crate) logits: bool,
}

/// How a network is adapted to a model folder: one `f32` image of fixed size to one softmax named
/// [`PROBABILITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Adaptation {
    pub(crate) layout: Layout,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Index of the output.
    pub(super) output: usize,
    pub(super) append_softmax: bool,
}

impl Adaptation {
    /// Shape of the input.
    pub(super) fn shape(&self) -> [u32; 4] {
        match self.layout {
            Layout::Nchw => [1, 3, self.height, self.width],
            Layout::Nhwc => [1, self.height, self.width, 3],
        }
    }
}

impl Topology {
    /// Type of the input's elements.
    pub(crate) fn element(&self) -> Element {
        self.input.element
    }

    /// Finds out how to adapt the network.
    ///
    /// # Errors
    /// A message, if the network does not map one image to two probabilities, or if the user must say
    /// more about it.
    pub(crate) fn adapt(&self, wanted: &Wanted) -> Result<Adaptation, String> {
        let output = self.choose_output(wanted)?;
        let (layout, width, height) = self.input.image(wanted)?;
        Ok(Adaptation {
            layout,
            width,
            height,
            output,
            append_softmax: wanted.logits,
        })
    }

    fn choose_output(&self, wanted: &Wanted) -> Result<usize, String> {
        let index = match (wanted.output, &self.outputs[..]) {
            (_, []) => return Err("it has no output".into()),
            (None, [_]) => 0,
            (Some(position), outputs) if (1..=outputs.len()).contains(&position) => position - 1,
            (position, outputs) => {
                let mut message = match position {
                    None => format!("it has {} outputs", outputs.len()),
                    Some(position) => format!("it has no output {position}"),
                };
                message.push_str("; choose the one with the probabilities by --output POSITION:");
                for (index, output) in outputs.iter().enumerate() {
                    // Writing to a String cannot fail.
                    let _ = write!(message, "\n  {}: {output}", index + 1);
                }
                return Err(message);
            }
        };
        let output = &self.outputs[index];
        let is_pair = output
            .shape
            .as_ref()
            .is_none_or(|shape| matches!(shape.0[..], [None | Some(1), None | Some(2)]));
        if !is_pair {
            return Err(format!(
                "its output {output} is not a pair of probabilities [1, 2]; smearscope runs networks for two classes"
            ));
        }
        match (output.is_softmax, wanted.logits) {
            (true, false) | (false, true) => Ok(index),
            (true, true) => Err(format!(
                "its output {output} is a softmax already; leave out --logits"
            )),
            (false, false) => Err(format!(
                "its output {output} is no softmax; if it holds logits, add --logits, which appends a softmax"
            )),
        }
    }
}

impl Input {
    /// Layout, width and height of the image.
    fn image(&self, wanted: &Wanted) -> Result<(Layout, u32, u32), String> {
        let any = Extents(vec![None; 4]);
        let shape = self.shape.as_ref().unwrap_or(&any);
        let refuse = || format!("its input {shape} is not one image of three channels");
        let &[batch, second, third, fourth] = &shape.0[..] else {
            return Err(refuse());
        };
        if !matches!(batch, None | Some(1)) {
            return Err(format!(
                "its input {shape} is not one image; convert the network again with a batch of 1"
            ));
        }
        let may_be = |channels: Option<u32>| matches!(channels, None | Some(3));
        let layout = match wanted.layout {
            Some(layout) => layout,
            None => match (second, fourth) {
                (Some(3), channels) if channels != Some(3) => Layout::Nchw,
                (channels, Some(3)) if channels != Some(3) => Layout::Nhwc,
                (one, other) if may_be(one) && may_be(other) => {
                    return Err(format!(
                        "its input {shape} does not say where the channels are; say it by --layout nchw or --layout nhwc"
                    ));
                }
                _ => return Err(refuse()),
            },
        };
        let (channels, height, width) = match layout {
            Layout::Nchw => (second, third, fourth),
            Layout::Nhwc => (fourth, second, third),
        };
        if !may_be(channels) {
            return Err(format!(
                "its input {shape} contradicts --layout; leave it out"
            ));
        }
        let side = |fixed: Option<u32>, wanted: Option<u32>| match (fixed, wanted) {
            (Some(fixed), Some(wanted)) if fixed != wanted => Err(format!(
                "its input {shape} has a fixed size, which --size contradicts; leave out --size"
            )),
            (None, None) => Err(format!(
                "its input {shape} has no fixed size; give the size that it was trained with by --size WIDTHxHEIGHT"
            )),
            (fixed, wanted) => Ok(fixed.or(wanted).unwrap_or_default()),
        };
        let width = side(width, wanted.size.map(|(width, _)| width))?;
        let height = side(height, wanted.size.map(|(_, height)| height))?;
        Ok((layout, width, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOFTMAX: &[Option<u32>] = &[None, Some(2)];

    fn topology(input: &[Option<u32>], outputs: &[&[Option<u32>]]) -> Topology {
        Topology {
            input: Input {
                element: Element::F32,
                shape: Some(Extents(input.to_vec())),
            },
            outputs: outputs
                .iter()
                .enumerate()
                .map(|(index, shape)| Output {
                    operation: "SoftMax".into(),
                    name: format!("out,{index}"),
                    is_softmax: true,
                    is_f32: true,
                    shape: Some(Extents(shape.to_vec())),
                })
                .collect(),
        }
    }

    fn adapt(input: &[Option<u32>], wanted: Wanted) -> Result<(Layout, u32, u32), String> {
        topology(input, &[SOFTMAX])
            .adapt(&wanted)
            .map(|adapted| (adapted.layout, adapted.width, adapted.height))
    }

    #[test]
    fn sizes_that_are_not_fixed_are_asked_for() {
        let (n, c) = (None, Some(3));
        let plain = Wanted::default();
        let size = Wanted {
            size: Some((64, 48)),
            ..plain
        };
        assert_eq!(
            adapt(&[n, c, Some(30), Some(40)], plain),
            Ok((Layout::Nchw, 40, 30))
        );
        assert_eq!(
            adapt(&[Some(1), Some(30), Some(40), c], plain),
            Ok((Layout::Nhwc, 40, 30))
        );
        assert_eq!(adapt(&[n, c, n, n], size), Ok((Layout::Nchw, 64, 48)));
        for (shape, wanted, part) in [
            (&[n, c, n, n][..], plain, "--size"),
            (&[n, c, Some(30), Some(40)], size, "contradicts"),
            (&[n, n, n, n], size, "--layout"),
            (&[n, Some(1), Some(30), Some(40)], plain, "three channels"),
            (&[Some(8), c, Some(30), Some(40)], plain, "batch of 1"),
            (&[n, c, Some(30)], plain, "three channels"),
        ] {
            let message = adapt(shape, wanted).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
        let layout = Wanted {
            layout: Some(Layout::Nhwc),
            ..size
        };
        assert_eq!(adapt(&[n, n, n, n], layout), Ok((Layout::Nhwc, 64, 48)));
        assert!(adapt(&[n, n, n, c], layout).is_ok());
        assert!(adapt(&[n, c, n, n], layout).is_err());
        assert!(adapt(&[n, n, n, Some(1)], layout).is_err());
    }

    #[test]
    fn one_of_several_outputs_is_chosen_by_its_position() {
        let image = [Some(1), Some(3), Some(30), Some(40)];
        let two = topology(&image, &[&[None, Some(100)], SOFTMAX]);
        let wanted = |output| Wanted {
            output,
            ..Wanted::default()
        };
        let message = two.adapt(&wanted(None)).unwrap_err();
        assert!(message.contains("--output"), "{message}");
        assert!(message.contains("2: SoftMax out,1 [?, 2]"), "{message}");
        assert_eq!(two.adapt(&wanted(Some(2))).unwrap().output, 1);
        for (position, part) in [(1, "two classes"), (3, "no output 3"), (0, "no output 0")] {
            let message = two.adapt(&wanted(Some(position))).unwrap_err();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn logits_are_named_by_the_user() {
        let image = [Some(1), Some(3), Some(30), Some(40)];
        let mut network = topology(&image, &[SOFTMAX]);
        let logits = Wanted {
            logits: true,
            ..Wanted::default()
        };
        assert!(network.adapt(&logits).unwrap_err().contains("already"));
        network.outputs[0].is_softmax = false;
        assert!(network.adapt(&logits).unwrap().append_softmax);
        let message = network.adapt(&Wanted::default()).unwrap_err();
        assert!(message.contains("--logits"), "{message}");
    }
}
