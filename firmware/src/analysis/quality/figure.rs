//! Quality figures of a picture, their limits, and the problems that they reveal.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The quality figures of a picture. The first one that fails its limit decides which problem is reported.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quality(Vec<Figure>);

/// A quality figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Name in JSON and messages.
    pub name: &'static str,
    /// Measured value, in the unit of its limit.
    pub value: f32,
    /// Limit for the value.
    pub limit: Limit,
    /// The problem if the value is beyond the limit.
    pub problem: Problem,
}

/// Limit for a quality figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// The value must be at least this.
    Min(f32),
    /// The value must be at most this.
    Max(f32),
}

/// Why a picture cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Fewer pixels than a network takes as input.
    TooSmall,
    /// Even the bright parts of the picture are dark.
    TooDark,
    /// Too many pixels are clipped to white.
    TooBright,
    /// Too little contrast.
    Flat,
    /// One part of the field has far less light than another.
    Uneven,
    /// The light at the rim of the field has another colour than in its middle.
    ColourShading,
    /// The background between the cells is coloured more than a lamp explains.
    ColourCast,
    /// The colours are not those of a stained blood smear.
    NotASmear,
    /// A smear without white blood cells.
    NoWhiteCells,
    /// Purple and pink, but not white cells among red cells.
    NoBloodCells,
    /// No background between the cells.
    TooThick,
    /// The edges of the cells are soft.
    OutOfFocus,
    /// The field moved while it was photographed.
    Moved,
    /// The same field of view as before.
    SameField,
    /// Light, colour or structure differ from those in the training images of the model.
    Unfamiliar,
}

impl Problem {
    /// What the operator can do, in at most two lines of the OLED.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TooSmall => "use a larger picture",
            Self::TooDark => "turn up the light",
            Self::TooBright => "turn down the light",
            Self::Flat => "move to a field with cells",
            Self::Uneven => "centre the condenser",
            Self::ColourShading => "centre condenser and camera; check the camera's lens",
            Self::ColourCast => "set the white balance",
            Self::NotASmear => "check slide and stain",
            Self::NoWhiteCells => "move to a field with white cells",
            Self::NoBloodCells => "move to a field with cells; use the stained side",
            Self::TooThick => "move to a thinner area",
            Self::OutOfFocus => "turn the fine focus",
            Self::Moved => "hold the stage still",
            Self::SameField => "move the stage",
            Self::Unfamiliar => "check stain and light; this model was trained on others",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSmall => "too few pixels",
            Self::TooDark => "too dark",
            Self::TooBright => "too bright",
            Self::Flat => "no contrast",
            Self::Uneven => "uneven light",
            Self::ColourShading => "uneven colour",
            Self::ColourCast => "colour cast",
            Self::NotASmear => "not a stained smear",
            Self::NoWhiteCells => "no white cells",
            Self::NoBloodCells => "no blood cells seen",
            Self::TooThick => "too many cells",
            Self::OutOfFocus => "out of focus",
            Self::Moved => "the field moved",
            Self::SameField => "same field as before",
            Self::Unfamiliar => "unlike the training",
        })
    }
}

impl Figure {
    /// Whether the value is within its limit. NaN never is.
    pub fn passed(&self) -> bool {
        match self.limit {
            Limit::Min(min) => self.value >= min,
            Limit::Max(max) => self.value <= max,
        }
    }
}

/// `focus 1.18, at least 1.22`
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, limit) = match self.limit {
            Limit::Min(min) => ("at least", min),
            Limit::Max(max) => ("at most", max),
        };
        write!(f, "{} {}, {word} {limit}", self.name, rounded(self.value))
    }
}

/// Rounds to three significant digits.
fn rounded(value: f32) -> f32 {
    let digits = (2.0 - value.abs().max(1e-3).log10().floor()).clamp(0.0, 5.0);
    let scale = 10.0_f32.powf(digits);
    (value * scale).round() / scale
}

impl Quality {
    /// All figures, in the order in which they are checked.
    #[cfg(test)]
    pub fn figures(&self) -> &[Figure] {
        &self.0
    }

    /// The first figure that fails its limit.
    pub fn failure(&self) -> Option<&Figure> {
        self.0.iter().find(|figure| !figure.passed())
    }

    /// Adds a figure that must be at least `min`.
    pub(crate) fn require_min(
        &mut self,
        name: &'static str,
        value: f32,
        min: f32,
        problem: Problem,
    ) {
        self.add(name, value, Limit::Min(min), problem);
    }

    /// Adds a figure that must be at most `max`.
    pub(crate) fn require_max(
        &mut self,
        name: &'static str,
        value: f32,
        max: f32,
        problem: Problem,
    ) {
        self.add(name, value, Limit::Max(max), problem);
    }

    fn add(&mut self, name: &'static str, value: f32, limit: Limit, problem: Problem) {
        self.0.push(Figure {
            name,
            value,
            limit,
            problem,
        });
    }
}

/// `{"focus": {"value": 1.31, "min": 1.22, "passed": true}, …}`; a figure that failed also has a `reason` and a `hint`.
impl Serialize for Quality {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Entry {
            value: f32,
            #[serde(skip_serializing_if = "Option::is_none")]
            min: Option<f32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            max: Option<f32>,
            passed: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'static str>,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for figure in &self.0 {
            let (min, max) = match figure.limit {
                Limit::Min(min) => (Some(min), None),
                Limit::Max(max) => (None, Some(max)),
            };
            let problem = Some(figure.problem).filter(|_| !figure.passed());
            let entry = Entry {
                value: figure.value,
                min,
                max,
                passed: figure.passed(),
                reason: problem.map(|problem| problem.to_string()),
                hint: problem.map(Problem::hint),
            };
            map.serialize_entry(figure.name, &entry)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_reported_and_nan_fails() {
        let mut quality = Quality::default();
        quality.require_min("light", 90.0, 80.0, Problem::TooDark);
        assert_eq!(quality.failure(), None);
        quality.require_max("cast", f32::NAN, 1.8, Problem::ColourCast);
        quality.require_min("focus", 1.184_4, 1.22, Problem::OutOfFocus);
        assert_eq!(quality.failure().unwrap().problem, Problem::ColourCast);
        assert_eq!(
            quality.figures()[2].to_string(),
            "focus 1.18, at least 1.22"
        );
        let json = serde_json::to_value(&quality).unwrap();
        assert_eq!(json["light"]["min"], 80.0);
        assert_eq!(json["light"]["passed"], true);
        assert!(json["cast"]["value"].is_null());
        assert!(json["focus"].get("max").is_none());
        assert!(json["light"].get("hint").is_none());
        assert_eq!(json["focus"]["reason"], "out of focus");
        assert_eq!(json["focus"]["hint"], "turn the fine focus");
    }

    #[test]
    fn hints_fit_two_lines_of_the_screen() {
        use Problem::*;
        for problem in [
            TooSmall,
            TooDark,
            TooBright,
            Flat,
            Uneven,
            ColourShading,
            ColourCast,
            NotASmear,
            TooThick,
            OutOfFocus,
            Moved,
            SameField,
            NoWhiteCells,
            NoBloodCells,
            Unfamiliar,
        ] {
            assert!(problem.hint().len() <= 2 * 25 + 10, "{problem}");
            assert!(problem.to_string().len() <= 21, "{problem}");
        }
    }
}
