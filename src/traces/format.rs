//! Formats of session files, by their first line.

use serde_json::{Map, Value};

/// Format of a file with sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    ClaudeCode,
    Codex,
    Pi,
    /// The Hub's own simple format.
    Session,
    /// Objects of another program.
    Other,
}

impl Format {
    /// Returns the format as the words of a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex",
            Self::Pi => "Pi",
            Self::Session => "the session format",
            Self::Other => "another program",
        }
    }

    /// Returns the format of a file with this first object.
    pub(super) fn of(first: &Map<String, Value>) -> Self {
        let has_text = |key: &str| first.get(key).is_some_and(Value::is_string);
        let kind = first.get("type").and_then(Value::as_str);
        match kind {
            Some("session") if has_text("harness") && has_text("id") => Self::Session,
            Some("session") if has_text("id") && (has_text("cwd") || first.contains_key("version")) => {
                Self::Pi
            }
            Some(kind)
                if CODEX_TYPES.contains(&kind) && first.get("payload").is_some_and(Value::is_object) =>
            {
                Self::Codex
            }
            Some(kind) if CLAUDE_TYPES.contains(&kind) && CLAUDE_KEYS.iter().any(|key| has_text(key)) => {
                Self::ClaudeCode
            }
            // The first line of Codex until 2025 has no type.
            None if has_text("id") && has_text("timestamp") && first.contains_key("instructions") => {
                Self::Codex
            }
            _ => Self::Other,
        }
    }
}

const CODEX_TYPES: &[&str] = &["session_meta", "response_item", "event_msg", "turn_context", "compacted"];

const CLAUDE_TYPES: &[&str] = &[
    "user",
    "assistant",
    "system",
    "summary",
    "progress",
    "attachment",
    "file-history-snapshot",
    "queue-operation",
    "custom-title",
    "agent-name",
    "last-prompt",
    "permission-mode",
];

/// Texts of which a line of Claude Code has at least one.
const CLAUDE_KEYS: &[&str] = &["sessionId", "leafUuid", "messageId", "uuid"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn first_line_says_the_format() {
        for (line, format) in [
            (json!({"type": "user", "sessionId": "s", "uuid": "u", "message": {}}), Format::ClaudeCode),
            (json!({"type": "summary", "summary": "x", "leafUuid": "u"}), Format::ClaudeCode),
            (json!({"type": "file-history-snapshot", "messageId": "m", "snapshot": {}}), Format::ClaudeCode),
            (
                json!({"type": "queue-operation", "operation": "enqueue", "sessionId": "s"}),
                Format::ClaudeCode,
            ),
            (json!({"timestamp": "t", "type": "session_meta", "payload": {"id": "x"}}), Format::Codex),
            (json!({"id": "x", "timestamp": "t", "instructions": null}), Format::Codex),
            (json!({"type": "session", "version": 3, "id": "x", "timestamp": "t", "cwd": "/w"}), Format::Pi),
            (json!({"type": "session", "harness": "llama.app", "id": "x"}), Format::Session),
            (json!({"messages": []}), Format::Other),
            (json!({"type": "user", "content": "x"}), Format::Other),
            (json!({"type": "session", "id": "x"}), Format::Other),
            (json!({"role": "user", "content": "x"}), Format::Other),
        ] {
            assert_eq!(Format::of(line.as_object().unwrap()), format, "{line}");
        }
    }
}
