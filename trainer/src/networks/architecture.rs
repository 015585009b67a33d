//! Which networks there are, and in which sizes.

use clap::ValueEnum;
use clap::builder::{EnumValueParser, TypedValueParser};
use smearscope_artifacts::InputContract;

use super::{compact, reference};

/// The kind and the size of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
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
    pub(crate) const COMPACT: Self = Self::Compact(compact::Size::PI);
    pub(crate) const REFERENCE: Self = Self::Reference(reference::Size::PAPER);
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::COMPACT, Self::REFERENCE];

    /// Parses the value of `--network`.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        EnumValueParser::<Name>::new().map(Self::from)
    }

    /// The name in manifests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reference(_) => "reference-cnn",
            Self::Compact(_) => "compact-cnn",
        }
    }

    /// The value of `--network`.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Reference(_) => "reference",
            Self::Compact(_) => "compact",
        }
    }

    /// Default of `--learning-rate`.
    pub(crate) fn learning_rate(self) -> f64 {
        match self {
            Self::Reference(_) => 1e-4,
            Self::Compact(_) => 1e-3,
        }
    }

    /// How an image becomes the network's input.
    pub(crate) fn input_contract(self) -> InputContract {
        match self {
            Self::Reference(size) => size.contract(),
            Self::Compact(size) => size.contract(),
        }
    }

    /// Columns and rows of the input.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::Reference(size) => size.side,
            Self::Compact(size) => size.side,
        }
    }
}

#[cfg(test)]
impl Architecture {
    /// The smallest network, for an input of an even side.
    pub(crate) const fn tiny(side: usize) -> Self {
        Self::Reference(reference::Size { side, filters: 4 })
    }

    /// A smaller one of the networks with normalisation, for an input whose side is a multiple of 8.
    pub(crate) const fn small_compact(side: usize) -> Self {
        Self::Compact(compact::Size { side, width: 1 })
    }
}
