//! Commands from a broker. Anyone who may publish there can send them, so a command does no more than a
//! press of the button.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use smearscope_hardware::ButtonEvent;

use crate::appliance::handle::ApplianceHandle;
use crate::appliance::state::State;

/// Longest accepted id, in bytes.
const MAX_ID: usize = 64;
/// How many replies are remembered, so that a repeated command is executed once.
const REMEMBERED: usize = 64;

/// What a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Capture and analyse a field.
    Capture,
    /// Close the slide.
    NextSlide,
    /// Run a self-test.
    Selftest,
}

/// A command on the topic `command`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    /// Chosen by the sender; its reply repeats it.
    pub(crate) id: String,
    /// What to do.
    pub(crate) command: Action,
}

/// A command on the HIAS topic `Commands`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HiasCommand {
    r#type: String,
    value: String,
}

/// The reply to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reply {
    /// The command's id; none if the command has no valid one.
    pub(crate) id: Option<String>,
    /// Whether the command is executed.
    pub(crate) accepted: bool,
    /// Why not.
    pub(crate) reason: Option<&'static str>,
}

impl Reply {
    /// The reply to a message that is not a valid command.
    fn invalid(reason: &'static str) -> Self {
        Self {
            id: None,
            accepted: false,
            reason: Some(reason),
        }
    }

    /// The reply to a command that was started or refused.
    pub(crate) fn new(command: &Command, started: Result<(), &'static str>) -> Self {
        Self {
            id: Some(command.id.clone()),
            accepted: started.is_ok(),
            reason: started.err(),
        }
    }
}

impl Command {
    /// Parses a command; unknown keys are an error.
    ///
    /// # Errors
    /// The reply, if the payload is not a valid command.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Reply> {
        let command: Self = serde_json::from_slice(payload).map_err(|_| {
            Reply::invalid(
                "not a command; send {\"id\": TEXT, \"command\": \"capture\", \"next_slide\" or \"selftest\"}",
            )
        })?;
        let id = &command.id;
        if id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
            return Err(Reply::invalid(
                "not a command; the id must be a text of 1 to 64 bytes",
            ));
        }
        Ok(command)
    }
}

impl Action {
    /// Parses a HIAS command; `None` if it is not a command or its value is unknown.
    pub(crate) fn parse_hias(payload: &[u8]) -> Option<Self> {
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

    /// Presses the button, if the action is one of the button's.
    ///
    /// # Errors
    /// Why the appliance refuses the press.
    pub(crate) fn press(self, handle: &ApplianceHandle) -> Result<(), &'static str> {
        // It is only switched on again on site.
        if let State::Off(after) = &*handle.status().borrow().state {
            return Err(after.sentence());
        }
        let is_accepted = match self {
            Self::Capture => handle.button().press(),
            Self::NextSlide => handle.button().send(ButtonEvent::NextSlide),
            Self::Selftest => true,
        };
        if is_accepted {
            Ok(())
        } else {
            Err("the appliance is busy; try again")
        }
    }
}

/// The replies to the latest commands.
#[derive(Debug, Default)]
pub(crate) struct RecentReplies(VecDeque<Reply>);

impl RecentReplies {
    /// The reply to the command with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Reply> {
        self.0.iter().find(|reply| reply.id.as_deref() == Some(id))
    }

    /// Adds a reply and drops the oldest if there are too many.
    pub(crate) fn push(&mut self, reply: Reply) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(reply);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_commands_are_refused() {
        let command = Command::parse(br#"{"id": "7", "command": "next_slide"}"#).unwrap();
        assert_eq!(
            (command.id.as_str(), command.command),
            ("7", Action::NextSlide)
        );
        let long = format!(r#"{{"id": "{}", "command": "capture"}}"#, "x".repeat(65));
        for invalid in [
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
            let reply = Command::parse(invalid.as_bytes()).unwrap_err();
            assert!(!reply.accepted && reply.id.is_none(), "{invalid}");
        }
    }

    #[test]
    fn hias_commands_are_recognised_by_type_and_value() {
        let parse = |kind: &str, value: &str| {
            let text = serde_json::json!({
                "Type": kind, "Property": "Bench", "Value": value, "Message": "please"
            });
            Action::parse_hias(text.to_string().as_bytes())
        };
        assert_eq!(parse("Command", "Capture"), Some(Action::Capture));
        assert_eq!(parse("Command", "next slide"), Some(Action::NextSlide));
        assert_eq!(parse("Command", "SELF-TEST"), Some(Action::Selftest));
        assert_eq!(parse("Prediction", "Capture"), None);
        assert_eq!(parse("Command", "Shutdown"), None);
        assert_eq!(Action::parse_hias(b"[]"), None);
        assert_eq!(Action::parse_hias(&[0xff, 0xfe]), None);
    }

    #[test]
    fn the_latest_replies_are_remembered() {
        let mut replies = RecentReplies::default();
        for id in 0..100 {
            let command = Command {
                id: id.to_string(),
                command: Action::Capture,
            };
            replies.push(Reply::new(&command, Ok(())));
        }
        assert_eq!(replies.get("35"), None);
        assert!(replies.get("36").unwrap().accepted);
        assert!(replies.get("99").is_some());
    }
}
