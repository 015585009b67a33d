//! Declares the settings of a configuration file.
//!
//! [`settings!`](crate::settings!) declares a section once: each setting with its type, default, valid range and
//! documentation. It expands to the struct that serde reads and writes, its [`Default`], and [`Settings`]: a table from
//! which range checks, the comments of `smearscope config show` and the table in the firmware's README are generated.

use std::fmt::{self, Display, Formatter};

use serde::de::{self, DeserializeOwned, Deserializer, Expected, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

/// Declares a section of the configuration file.
///
/// ```
/// use smearscope_hardware::settings::Settings;
///
/// smearscope_hardware::settings! {
///     /// The fan.
///     pub struct FanSettings in "fan" {
///         /// Speed; 0: off.
///         speed: u32 = 0, valid(0 or 800..=2_000, "rpm");
///         /// Text on its label.
///         label: String = "fan".into();
///     }
/// }
///
/// let fan = FanSettings { speed: 100, ..FanSettings::default() };
/// assert_eq!(
///     fan.check_ranges().unwrap_err().to_string(),
///     "fan.speed = 100 is not valid: must be 0, or between 800 and 2000 (rpm)"
/// );
/// assert_eq!(FanSettings::SECTION.settings[1].valid_values(), "text");
/// ```
///
/// `valid(...)` takes a range, `0 or` a range, or `one of` some numbers. A range may name its unit. The root of the file
/// names its sections in `with sections { ... }`.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $section_doc:literal])+
        $visibility:vis struct $name:ident in $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty = $default:expr $(, valid($($rule:tt)+))?;
            )*
        }
        $(with sections {
            $($subsection:ident: $subsection_type:ty;)*
        })?
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        // Each is a switch in the file.
        #[allow(clippy::struct_excessive_bools)]
        $visibility struct $name {
            $(
                $(#[doc = $doc])+
                pub $key: $type,
            )*
            $($(
                #[doc = concat!("The section `", stringify!($subsection), "`.")]
                pub $subsection: $subsection_type,
            )*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($key: $default,)*
                    $($($subsection: Default::default(),)*)?
                }
            }
        }

        // `f64::from` is not const.
        #[allow(clippy::cast_lossless)]
        impl $crate::settings::Settings for $name {
            const SECTION: &'static $crate::settings::Section = &$crate::settings::Section {
                name: $section,
                doc: concat!($($section_doc),+).trim_ascii(),
                settings: &[$(
                    $crate::settings::Setting {
                        key: stringify!($key),
                        doc: concat!($($doc),+).trim_ascii(),
                        rule: $crate::settings!(@rule $($($rule)+)?),
                        accepted: $crate::settings::accepted::<$type>,
                    },
                )*],
                sections: &[$($(
                    <$subsection_type as $crate::settings::Settings>::SECTION,
                )*)?],
            };

            fn check_ranges(&self) -> Result<(), $crate::settings::InvalidValue> {
                $($(
                    if let Some(rule) = $crate::settings!(@rule $($rule)+) {
                        let key = concat!($section, ".", stringify!($key));
                        rule.check(key.trim_start_matches('.'), self.$key)?;
                    }
                )?)*
                Ok(())
            }
        }
    };
    (@rule) => { None };
    (@rule 0 or $min:literal ..= $max:literal, $unit:literal) => {
        $crate::settings!(@range true, $min, $max, $unit)
    };
    (@rule $min:literal ..= $max:literal) => {
        $crate::settings!(@range false, $min, $max, "")
    };
    (@rule $min:literal ..= $max:literal, $unit:literal) => {
        $crate::settings!(@range false, $min, $max, $unit)
    };
    (@rule one of $($value:literal),+) => {
        Some($crate::settings::Rule::OneOf(&[$($value as f64),+]))
    };
    (@range $or_zero:literal, $min:literal, $max:literal, $unit:literal) => {
        Some($crate::settings::Rule::Range {
            min: $min as f64,
            max: $max as f64,
            or_zero: $or_zero,
            unit: $unit,
        })
    };
}

/// A struct that [`settings!`](crate::settings!) declared.
pub trait Settings {
    /// Description of the section.
    const SECTION: &'static Section;

    /// Checks the numbers of this section against their rules. The sections of a root check their own.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first one that breaks its rule.
    fn check_ranges(&self) -> Result<(), InvalidValue>;
}

/// Description of a section of the configuration file.
#[derive(Debug)]
pub struct Section {
    /// Name as in `[name]`; empty for the root of the file.
    pub name: &'static str,
    /// What the section configures: its documentation comment.
    pub doc: &'static str,
    /// The settings in the order of the file.
    pub settings: &'static [Setting],
    /// The sections below the root, in the order of the file.
    pub sections: &'static [&'static Section],
}

/// Description of a setting, from which tables, comments and range checks are generated.
#[derive(Debug)]
pub struct Setting {
    /// Key within its section, such as `bus` for `oled.bus`.
    pub key: &'static str,
    /// What the setting does: its documentation comment.
    pub doc: &'static str,
    /// Which numbers are valid; `None`: every value of the type.
    pub rule: Option<Rule>,
    /// Values that the type accepts, in words.
    pub accepted: fn() -> String,
}

impl Setting {
    /// The valid values in words, such as `between 1 and 64` or `"auto" or "token"`.
    pub fn valid_values(&self) -> String {
        match &self.rule {
            Some(rule) => rule.to_string(),
            None => (self.accepted)(),
        }
    }

    /// What a value must be, in words that follow "must be".
    pub fn requirement(&self) -> String {
        let accepted = (self.accepted)();
        let kind = match &*accepted {
            "text" | "path" => "a text in quotes",
            "number" => "a number without quotes",
            "whole number" => "a whole number without quotes",
            "list of texts" => "a list of texts in square brackets",
            other => other,
        };
        match &self.rule {
            Some(rule) => format!("{kind}: {rule}"),
            None => kind.to_owned(),
        }
    }
}

/// Which numbers are valid. A number that is not is reported as [`InvalidValue`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Numbers from `min` to `max`, both included.
    Range {
        /// Smallest valid number, apart from 0 if `or_zero` is set.
        min: f64,
        /// Largest valid number.
        max: f64,
        /// Whether 0 is valid as well.
        or_zero: bool,
        /// Unit for messages, such as `seconds`; empty if the number has none.
        unit: &'static str,
    },
    /// These numbers and no others.
    OneOf(&'static [f64]),
}

impl Rule {
    /// Checks the value of a key.
    ///
    /// # Errors
    /// [`InvalidValue`] if the value breaks this rule.
    pub fn check(&self, key: &str, value: impl Number) -> Result<(), InvalidValue> {
        let number = value.as_f64();
        // NaN is in no range.
        let is_valid = match *self {
            Self::Range {
                min, max, or_zero, ..
            } => (min..=max).contains(&number) || (or_zero && number == 0.0),
            Self::OneOf(values) => values.contains(&number),
        };
        if is_valid {
            Ok(())
        } else {
            Err(InvalidValue::new(key, value, format!("must be {self}")))
        }
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range {
                min,
                max,
                or_zero,
                unit,
            } => {
                if *or_zero {
                    f.write_str("0, or ")?;
                }
                write!(f, "between {min} and {max}")?;
                if unit.is_empty() {
                    Ok(())
                } else {
                    write!(f, " ({unit})")
                }
            }
            Self::OneOf(values) => {
                let values: Vec<_> = values.iter().map(f64::to_string).collect();
                f.write_str(&either(&values))
            }
        }
    }
}

/// A number that a [`Rule`] can check. The limits of rules are exact as `f64`.
pub trait Number: Copy + Display {
    /// The nearest `f64`.
    fn as_f64(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl Number for $type {
            fn as_f64(self) -> f64 {
                self as f64
            }
        })+
    };
}

numbers!(f64, u64, usize);

macro_rules! small_numbers {
    ($($type:ty),+) => {
        $(impl Number for $type {
            fn as_f64(self) -> f64 {
                self.into()
            }
        })+
    };
}

small_numbers!(u8, u16, u32);

/// A setting with an invalid value. The message says what is valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is not valid: {requirement}")]
pub struct InvalidValue {
    /// The key with its section.
    pub key: String,
    /// The value as it was written.
    pub value: String,
    /// What the value must be.
    pub requirement: String,
}

impl InvalidValue {
    /// The error of `key` with `value`; the requirement completes a sentence, such as "must be above 0".
    pub fn new(key: &str, value: impl Display, requirement: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.to_string(),
            requirement: requirement.into(),
        }
    }
}

/// The values that serde accepts for a type, in words.
pub fn accepted<T: DeserializeOwned>() -> String {
    let expected = match T::deserialize(Probe) {
        Ok(_) => String::new(),
        Err(Expectation(expected)) => expected,
    };
    match &*expected {
        "a boolean" => "true or false",
        "a sequence" => "list of texts",
        "a string" => "text",
        "path string" => "path",
        "f64" => "number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "whole number",
        // What an untagged enum says in its `expecting`, and the variants of another.
        words => words.strip_prefix("must be ").unwrap_or(words),
    }
    .to_owned()
}

/// Joins words to "a, b or c".
fn either(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// A deserializer without a value. It fails with what the type expects.
struct Probe;

impl<'de> Deserializer<'de> for Probe {
    type Error = Expectation;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Expectation> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Expectation> {
        let variants: Vec<_> = variants.iter().map(|name| format!("{name:?}")).collect();
        Err(Expectation(either(&variants)))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// What a type expects to read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Expectation(String);

impl de::Error for Expectation {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn invalid_type(_unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(expected.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Display as DisplayKind, GpioLine};

    crate::settings! {
        /// The root.
        struct Root in "" {
            /// First line,
            /// second line.
            name: String = "x".into();
        }
        with sections {
            part: Part;
        }
    }

    crate::settings! {
        /// A part.
        struct Part in "part" {
            /// A time.
            time_s: f64 = 1.5, valid(0 or 0.1..=600.0, "seconds");
            /// A count.
            count: usize = 1, valid(1..=64);
            /// An angle.
            angle: u16 = 0, valid(one of 0, 90, 180);
            /// A switch.
            on: bool = true;
        }
    }

    #[test]
    fn a_table_describes_sections_and_settings() {
        assert_eq!(Root::SECTION.doc, "The root.");
        assert_eq!(Root::SECTION.settings[0].doc, "First line, second line.");
        let part = Root::SECTION.sections[0];
        assert_eq!(part.name, "part");
        let described: Vec<_> = part
            .settings
            .iter()
            .map(|setting| (setting.key, setting.valid_values()))
            .collect();
        let expected = [
            ("time_s", "0, or between 0.1 and 600 (seconds)"),
            ("count", "between 1 and 64"),
            ("angle", "0, 90 or 180"),
            ("on", "true or false"),
        ];
        assert_eq!(
            described,
            expected.map(|(key, valid)| (key, valid.to_owned()))
        );
    }

    #[test]
    fn defaults_are_those_declared() {
        let root = Root::default();
        assert_eq!(root.name, "x");
        assert_eq!(root.part.time_s.to_bits(), 1.5_f64.to_bits());
        assert!(root.part.on);
        root.part.check_ranges().unwrap();
    }

    #[test]
    fn values_out_of_range_name_the_key_and_what_is_valid() {
        let message = |part: Part| part.check_ranges().unwrap_err().to_string();
        let part = Part::default;
        assert_eq!(
            message(Part {
                time_s: 601.0,
                ..part()
            }),
            "part.time_s = 601 is not valid: must be 0, or between 0.1 and 600 (seconds)"
        );
        assert_eq!(
            message(Part { count: 0, ..part() }),
            "part.count = 0 is not valid: must be between 1 and 64"
        );
        assert_eq!(
            message(Part {
                angle: 45,
                ..part()
            }),
            "part.angle = 45 is not valid: must be 0, 90 or 180"
        );
        let nan = Part {
            time_s: f64::NAN,
            ..part()
        };
        assert!(message(nan).contains("part.time_s = NaN"));
        let zero = Part {
            time_s: 0.0,
            ..part()
        };
        zero.check_ranges().unwrap();
    }

    #[test]
    fn accepted_values_follow_from_the_type() {
        assert_eq!(accepted::<String>(), "text");
        assert_eq!(accepted::<PathBuf>(), "path");
        assert_eq!(accepted::<Vec<String>>(), "list of texts");
        assert_eq!(accepted::<u8>(), "whole number");
        assert_eq!(accepted::<f64>(), "number");
        assert_eq!(
            accepted::<DisplayKind>(),
            "\"128x64\", \"128x32\" or \"none\""
        );
        assert_eq!(accepted::<GpioLine>(), "the name or the number of a line");
    }
}
