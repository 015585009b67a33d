//! Which networks there are, in which sizes, and what they see.

use clap::ValueEnum;
use clap::builder::{EnumValueParser, TypedValueParser};
use smearscope_artifacts::{Colour, InputContract};

use super::{compact, reference};

/// The kind and the size of a network, and what it sees of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Architecture {
    pub(super) kind: Kind,
    colour: Colour,
}

/// The kind and the size of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Reference(reference::Size),
    Compact(compact::Size),
}

/// The values of `--network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Designed here for the Raspberry Pi: 16 thousand weights, 15 million multiplications
    Compact,
    /// From the paper that the reference project follows: 175 thousand weights, 250 million
    /// multiplications
    Reference,
}

impl From<Name> for Architecture {
    fn from(name: Name) -> Self {
        match name {
            Name::Compact => Self::COMPACT,
            Name::Reference => Self::REFERENCE,
        }
    }
}

impl Architecture {
    pub(crate) const COMPACT: Self = Self::of(Kind::Compact(compact::Size::PI));
    pub(crate) const REFERENCE: Self = Self::of(Kind::Reference(reference::Size::PAPER));
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::COMPACT, Self::REFERENCE];

    /// A network that sees images as they are.
    pub(super) const fn of(kind: Kind) -> Self {
        Self {
            kind,
            colour: Colour::Rgb,
        }
    }

    /// The same network, which sees this of an image.
    pub(crate) fn with_colour(self, colour: Colour) -> Self {
        Self { colour, ..self }
    }

    /// Parses the value of `--network`.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        EnumValueParser::<Name>::new().map(Self::from)
    }

    /// The name in manifests.
    pub(crate) fn name(self) -> &'static str {
        match self.kind {
            Kind::Reference(_) => "reference-cnn",
            Kind::Compact(_) => "compact-cnn",
        }
    }

    /// The value of `--network`.
    pub(crate) fn option(self) -> &'static str {
        match self.kind {
            Kind::Reference(_) => "reference",
            Kind::Compact(_) => "compact",
        }
    }

    /// Default of `--learning-rate`.
    pub(crate) fn learning_rate(self) -> f64 {
        match self.kind {
            Kind::Reference(_) => 1e-4,
            Kind::Compact(_) => 1e-3,
        }
    }

    /// How an image becomes the network's input.
    pub(crate) fn input_contract(self) -> InputContract {
        match self.kind {
            Kind::Reference(size) => size.contract(self.colour),
            Kind::Compact(size) => size.contract(self.colour),
        }
    }

    /// Columns and rows of the input.
    pub(crate) fn side(self) -> usize {
        match self.kind {
            Kind::Reference(size) => size.side,
            Kind::Compact(size) => size.side,
        }
    }
}

#[cfg(test)]
impl Architecture {
    /// The smallest network, for an input of an even side.
    pub(crate) const fn tiny(side: usize) -> Self {
        Self::of(Kind::Reference(reference::Size { side, filters: 4 }))
    }

    /// A smaller one of the networks with normalisation, for an input whose side is a multiple of 8.
    pub(crate) const fn small_compact(side: usize) -> Self {
        Self::of(Kind::Compact(compact::Size { side, width: 1 }))
    }
}
