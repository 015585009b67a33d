//! What somebody asks of the appliance through a broker. Whoever it was, it is no more than a press of
//! the button.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::appliance::handle::ApplianceHandle;
use smearscope_hardware::ButtonEvent;

/// Longer names are no names.
const MAX_ID: usize = 64;
/// Commands whose names are remembered, so that one that comes twice is done once.
const MEMORY: usize = 64;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// A field is photographed and analysed.
    Capture,
    /// The slide is closed.
    NextSlide,
    /// What works and what does not.
    Selftest,
}

/// A command as everyone sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// By which its answer is known.
    pub(crate) id: String,
    /// What is asked for.
    pub(crate) command: Order,
}

/// A command as HIAS sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HiasCommand {
    r#type: String,
    value: String,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    /// The command's name; none if it had none that can be read.
    pub(crate) id: Option<String>,
    /// Whether it is being done.
    pub(crate) accepted: bool,
    /// Why not.
    pub(crate) reason: Option<&'static str>,
}

impl Answer {
    pub(crate) fn refused(id: Option<String>, reason: &'static str) -> Self {
        Self {
            id,
            accepted: false,
            reason: Some(reason),
        }
    }

    pub(crate) fn to(command: &Command, refusal: Option<&'static str>) -> Self {
        Self {
            id: Some(command.id.clone()),
            accepted: refusal.is_none(),
            reason: refusal,
        }
    }
}

impl Command {
    /// Reads a command, strictly.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Answer> {
        let command: Self = serde_json::from_slice(payload).map_err(|_| {
            Answer::refused(
                None,
                "not a command; send {\"id\": TEXT, \"command\": \"capture\", \"next_slide\" or \"selftest\"}",
            )
        })?;
        let id = &command.id;
        if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
            return Err(Answer::refused(
                None,
                "not a command; its id is a text of 1 to 64 bytes",
            ));
        }
        Ok(command)
    }
}

impl Order {
    /// Reads a command of HIAS, strictly; none if it asks for nothing that is known.
    pub(crate) fn of_hias(payload: &[u8]) -> Option<Self> {
        let command: HiasCommand = serde_json::from_slice(payload).ok()?;
        if command.r#type != "Command" {
            return None;
        }
        match command.value.to_ascii_lowercase().as_str() {
            "capture" => Some(Self::Capture),
            "next slide" => Some(Self::NextSlide),
            "self-test" => Some(Self::Selftest),
            _ => None,
        }
    }

    /// Presses the button, where that is what is asked for; gives why it is refused, if it is.
    pub(crate) fn press(self, handle: &ApplianceHandle) -> Option<&'static str> {
        let is_heard = match self {
            Self::Capture => handle.button().press(),
            Self::NextSlide => handle.button().send(ButtonEvent::NextSlide),
            Self::Selftest => true,
        };
        (!is_heard).then_some("the appliance is busy; try again")
    }
}

/// Names of the last commands.
#[derive(Debug, Default)]
pub(crate) struct Memory(VecDeque<Answer>);

impl Memory {
    /// The answer that a command of this name was given, if there was one.
    pub(crate) fn answer(&self, id: &str) -> Option<&Answer> {
        self.0
            .iter()
            .find(|answer| answer.id.as_deref() == Some(id))
    }

    pub(crate) fn remember(&mut self, answer: Answer) {
        if self.0.len() == MEMORY {
            self.0.pop_front();
        }
        self.0.push_back(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_strictly() {
        let command = Command::parse(br#"{"id": "7", "command": "next_slide"}"#).unwrap();
        assert_eq!(
            (command.id.as_str(), command.command),
            ("7", Order::NextSlide)
        );
        let long = format!(r#"{{"id": "{}", "command": "capture"}}"#, "x".repeat(65));
        for wrong in [
            "",
            "capture",
            "{}",
            r#"{"id": 7, "command": "capture"}"#,
            r#"{"id": "7", "command": "shutdown"}"#,
            r#"{"id": "7", "command": "capture", "more": 1}"#,
            r#"{"id": "", "command": "capture"}"#,
            r#"{"id": "\u0007", "command": "capture"}"#,
            "\u{0}\u{1}",
            &long,
        ] {
            let answer = Command::parse(wrong.as_bytes()).unwrap_err();
            assert!(!answer.accepted && answer.id.is_none(), "{wrong}");
        }
    }

    #[test]
    fn commands_of_hias_are_known_by_type_and_value() {
        let read = |kind: &str, value: &str| {
            let text = serde_json::json!({
                "Type": kind, "Property": "Bench", "Value": value, "Message": "please"
            });
            Order::of_hias(text.to_string().as_bytes())
        };
        assert_eq!(read("Command", "Capture"), Some(Order::Capture));
        assert_eq!(read("Command", "next slide"), Some(Order::NextSlide));
        assert_eq!(read("Command", "SELF-TEST"), Some(Order::Selftest));
        assert_eq!(read("Prediction", "Capture"), None);
        assert_eq!(read("Command", "Shutdown"), None);
        assert_eq!(Order::of_hias(b"[]"), None);
        assert_eq!(Order::of_hias(&[0xff, 0xfe]), None);
    }

    #[test]
    fn the_last_names_are_remembered() {
        let mut memory = Memory::default();
        for id in 0..100 {
            let command = Command {
                id: id.to_string(),
                command: Order::Capture,
            };
            memory.remember(Answer::to(&command, None));
        }
        assert_eq!(memory.answer("35"), None);
        assert!(memory.answer("36").unwrap().accepted);
        assert!(memory.answer("99").is_some());
    }
}
