//! Files of JSON that hold sessions, among others such as settings.

use std::io::{self, BufRead};

use serde_json::Value;

use super::error::TraceError;
use super::format::Format;
use super::message::is_message;
use super::rows::{Form, Lines};
use super::session::Shape;

/// Returns true if the first object of a file is a session, or a conversation or message of another program. A file that
/// is empty or no JSON counts as well, because its conversion reports that.
///
/// # Errors
///
/// The file cannot be read.
pub fn holds_sessions(input: &mut dyn BufRead) -> io::Result<bool> {
    let mut lines = Lines::new(input);
    let form = match lines.first_byte() {
        Ok(None) => return Ok(true),
        Ok(Some(b'[')) => Form::List,
        Ok(Some(_)) => Form::Values,
        Err(error) => return of_error(error),
    };
    let mut first = None;
    let read = lines.values("", form, &mut |_, value| {
        first = Some(is_session(value));
        // Only the first value is needed.
        Err(TraceError::new(1, "is enough"))
    });
    match (first, read) {
        (Some(is_session), _) => Ok(is_session),
        (None, Ok(())) => Ok(false),
        (None, Err(error)) => of_error(error),
    }
}

fn of_error(error: TraceError) -> io::Result<bool> {
    match error {
        TraceError::Read { source, .. } | TraceError::Write(source) => Err(source),
        TraceError::Fault { .. } => Ok(true),
    }
}

fn is_session(value: Value) -> bool {
    match value {
        Value::Object(object) if Format::of(&object) != Format::Other || is_message(&object) => true,
        Value::Object(object) => match Shape::of(object) {
            Shape::Conversation { .. } => true,
            Shape::Part { key, .. } => key.is_some(),
        },
        Value::Array(messages) => messages.iter().any(|item| item.as_object().is_some_and(is_message)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_conversations_and_messages_count() {
        for (text, expected) in [
            (r#"{"type":"user","sessionId":"s","message":{}}"#, true),
            ("{\n  \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]\n}\n", true),
            (r#"[{"conversations":[{"from":"human","value":"x"}]}]"#, true),
            (r#"[[{"role":"user","content":"x"}]]"#, true),
            (r#"[{"role":"user","content":"x"}, 7]"#, true),
            (r#"{"prompt":"a","completion":"b"}"#, true),
            (r#"{"trajectory":[{"thought":"a","action":"b"}]}"#, true),
            (r#"{"session_id":"s","event":"start"}"#, true),
            ("", true),
            ("{ // settings\n}", true),
            ("[1,", false),
            (r#"{"name":"app","version":"1.0.0","scripts":{"build":"x"}}"#, false),
            (r#"{"permissions":{"allow":["Bash"]},"model":"x"}"#, false),
            (r#"[{"content":"write tests","status":"pending","id":"1"}]"#, false),
            ("{\"messages\": []}", false),
            ("[]", false),
            ("{}", false),
            ("\"text\"", false),
            ("42", false),
        ] {
            let mut reader = io::BufReader::with_capacity(5, text.as_bytes());
            assert_eq!(holds_sessions(&mut reader).unwrap(), expected, "{text}");
        }
    }
}
