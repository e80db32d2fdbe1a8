//! A message of the session format, from the shapes in which programs write messages. Pure.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// A line with a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct MessageLine {
    #[serde(rename = "type")]
    kind: &'static str,
    pub(super) message: Message,
    /// Fields that the format does not have.
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Object,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) role: &'static str,
    pub(super) content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tool_calls: Vec<ToolCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<String>,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ToolCall {
    /// Empty until the session gives it one.
    pub(super) id: String,
    function: Function,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Function {
    name: String,
    /// JSON in a text.
    arguments: String,
}

const ROLES: &[&str] = &["role", "from", "speaker", "author", "sender"];
const CONTENTS: &[&str] = &["content", "value", "text", "message", "body"];
const REASONINGS: &[&str] = &["reasoning_content", "reasoningContent", "reasoning", "thinking", "thought"];
const CALLS: &[&str] = &["tool_calls", "toolCalls", "function_call"];
const CALL_IDS: &[&str] = &["tool_call_id", "toolCallId", "tool_use_id", "call_id"];
const TIMES: &[&str] = &["timestamp", "created_at", "createdAt", "time", "ts", "date"];
const ARGUMENTS: &[&str] = &["arguments", "input", "args", "parameters"];

/// Removes and returns the first of these fields that has a value.
pub(super) fn take(object: &mut Object, names: &[&str]) -> Option<Value> {
    let name = names.iter().find(|name| object.get(**name).is_some_and(|value| !value.is_null()))?;
    object.remove(*name)
}

/// Removes and returns the first of these fields that is a text.
pub(super) fn take_text(object: &mut Object, names: &[&str]) -> Option<String> {
    let name = names.iter().find(|name| object.get(**name).is_some_and(Value::is_string))?;
    match object.remove(*name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Returns true for an object with a role, or with another sign of a message.
pub(super) fn is_message(object: &Object) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| object.contains_key(*name));
    let has_role = ROLES.iter().any(|name| object.get(*name).is_some_and(Value::is_string));
    has_role && (has(CONTENTS) || has(CALLS) || has(REASONINGS))
}

impl MessageLine {
    pub(super) fn new(role: &'static str, content: String) -> Self {
        let message = Message { role, content, ..Message::default() };
        Self { kind: "message", message, metadata: Object::new() }
    }

    /// Returns the messages of an object. One that has no sign of a message becomes its own text, so that nothing is
    /// lost.
    pub(super) fn of(object: Object) -> Vec<Self> {
        if !is_message(&object) {
            return vec![Self::new("system", Value::Object(object).to_string())];
        }
        let mut rest = object;
        let role = role(take_text(&mut rest, ROLES).unwrap_or_default().as_str());
        let mut parts = Parts::default();
        parts.reasoning.extend(take_text(&mut rest, REASONINGS));
        match take(&mut rest, CONTENTS) {
            Some(Value::Array(list)) => list.into_iter().for_each(|part| parts.add(part)),
            Some(content) => parts.texts.push(text_of(content)),
            None => {}
        }
        match take(&mut rest, CALLS) {
            Some(Value::Array(list)) => parts.calls.extend(list.into_iter().filter_map(call)),
            Some(single) => parts.calls.extend(call(single)),
            None => {}
        }
        let tool_call_id = take_text(&mut rest, CALL_IDS);
        let timestamp = TIMES.iter().find_map(|name| milliseconds(rest.get(*name)?)).inspect(|_| {
            drop(take(&mut rest, TIMES));
        });
        let model = take_text(&mut rest, &["model"]);
        rest.retain(|_, value| !value.is_null());
        let reasoning = parts.reasoning.join("\n");
        let has_own = !parts.texts.is_empty() || !parts.calls.is_empty() || !reasoning.is_empty();
        let message = Message {
            role,
            content: parts.texts.join("\n"),
            reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
            tool_calls: parts.calls,
            tool_call_id,
            timestamp,
            model,
        };
        let mut lines = parts.results;
        lines.iter_mut().for_each(|line| line.message.timestamp = timestamp);
        // Results of calls come before the text that a program wrote beside them.
        if has_own || lines.is_empty() {
            lines.push(Self { kind: "message", message, metadata: rest });
        }
        lines
    }
}

/// Parts of a message whose content is a list.
#[derive(Default)]
struct Parts {
    texts: Vec<String>,
    reasoning: Vec<String>,
    calls: Vec<ToolCall>,
    /// Results of calls, which are messages of their own.
    results: Vec<MessageLine>,
}

impl Parts {
    fn add(&mut self, part: Value) {
        let Value::Object(mut part) = part else { return self.texts.push(text_of(part)) };
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        match kind.as_str() {
            "text" | "input_text" | "output_text" if part.get("text").is_some_and(Value::is_string) => {
                self.texts.extend(take_text(&mut part, &["text"]));
            }
            "thinking" | "reasoning" | "redacted_thinking" => {
                self.reasoning.extend(take_text(&mut part, &["thinking", "text", "reasoning"]));
            }
            "tool_use" | "toolCall" | "tool_call" | "function_call" => {
                self.calls.extend(call(Value::Object(part)));
            }
            "tool_result" | "toolResult" | "function_call_output" => {
                let id = take_text(&mut part, CALL_IDS);
                let content = take(&mut part, &["content", "output", "result", "text"]);
                let content = content.map(|content| match content {
                    Value::Array(list) => {
                        let mut inner = Self::default();
                        list.into_iter().for_each(|part| inner.add(part));
                        inner.texts.join("\n")
                    }
                    other => text_of(other),
                });
                let mut line = MessageLine::new("tool", content.unwrap_or_default());
                line.message.tool_call_id = id;
                self.results.push(line);
            }
            "image" | "image_url" | "input_image" | "audio" | "input_audio" | "file" | "document" => {
                self.texts.push(format!("[{kind}]"));
            }
            _ => self.texts.push(Value::Object(part).to_string()),
        }
    }
}

/// Returns the role of the format that a word stands for.
fn role(word: &str) -> &'static str {
    match word.to_ascii_lowercase().as_str() {
        "user" | "human" | "prompter" | "customer" => "user",
        "assistant" | "gpt" | "ai" | "bot" | "model" | "agent" | "chatgpt" => "assistant",
        "tool" | "function" | "observation" | "environment" | "ipython" | "toolresult" | "tool_result" => {
            "tool"
        }
        _ => "system",
    }
}

/// Returns a value as text: a text itself, and JSON of anything else.
pub(super) fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn call(value: Value) -> Option<ToolCall> {
    let Value::Object(mut call) = value else { return None };
    let id = take_text(&mut call, &["id", "call_id", "tool_call_id"]).unwrap_or_default();
    let mut function = match call.remove("function") {
        Some(Value::Object(function)) => function,
        Some(Value::String(name)) => {
            call.insert("name".to_owned(), Value::String(name));
            call
        }
        _ => call,
    };
    let name = take_text(&mut function, &["name", "tool", "tool_name"])?;
    let arguments = match take(&mut function, ARGUMENTS) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => "{}".to_owned(),
    };
    Some(ToolCall { id, function: Function { name, arguments } })
}

/// Returns a time in milliseconds: seconds or milliseconds since 1970, or a text.
fn milliseconds(value: &Value) -> Option<i64> {
    /// Seconds since 1970 stay below this for 3,000 years.
    const LARGEST_SECONDS: f64 = 1e11;
    match value {
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| (0.0..1e15).contains(number))?;
            let milliseconds = if number < LARGEST_SECONDS { number * 1000.0 } else { number };
            format!("{milliseconds:.0}").parse().ok()
        }
        Value::String(text) => text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(value: Value) -> Vec<Value> {
        let Value::Object(object) = value else { panic!("no object") };
        MessageLine::of(object).iter().map(|line| serde_json::to_value(line).unwrap()).collect()
    }

    #[test]
    fn usual_shapes_become_messages() {
        for (from, to) in [
            (json!({"role": "user", "content": "hi"}), json!({"role": "user", "content": "hi"})),
            (json!({"from": "gpt", "value": "hi"}), json!({"role": "assistant", "content": "hi"})),
            (
                json!({"role": "assistant", "content": null, "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "ls", "arguments": {"path": "."}}}]}),
                json!({"role": "assistant", "content": "",
                    "toolCalls": [{"id": "a", "function": {"name": "ls", "arguments": "{\"path\":\".\"}"}}]}),
            ),
            (
                json!({"role": "tool", "tool_call_id": "a", "content": "x", "timestamp": 1_700_000_000}),
                json!({"role": "tool", "toolCallId": "a", "content": "x", "timestamp": 1_700_000_000_000_i64}),
            ),
            (
                json!({"role": "assistant", "reasoning": "why", "content": [{"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {}}], "model": "m", "ts": "2026-01-01T00:00:00Z"}),
                json!({"role": "assistant", "reasoningContent": "why", "content": "a\n[image_url]", "model": "m",
                    "timestamp": 1_767_225_600_000_i64}),
            ),
        ] {
            assert_eq!(lines(from), [json!({"type": "message", "message": to})]);
        }
    }

    #[test]
    fn results_in_a_message_are_messages_of_their_own() {
        let content = json!([
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "out"}]},
            {"type": "text", "text": "and now?"},
        ]);
        let found = lines(json!({"role": "user", "content": content}));
        assert_eq!(found[0]["message"], json!({"role": "tool", "content": "out", "toolCallId": "t"}));
        assert_eq!(found[1]["message"], json!({"role": "user", "content": "and now?"}));
        let call = json!([{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "id": "t", "name": "ls", "input": {}}]);
        let message = &lines(json!({"role": "assistant", "content": call}))[0]["message"];
        assert_eq!(message["reasoningContent"], "hm");
        assert_eq!(message["toolCalls"][0]["function"], json!({"name": "ls", "arguments": "{}"}));
    }

    #[test]
    fn nothing_of_an_object_is_lost() {
        let found = lines(json!({"role": "user", "content": "hi", "score": 0.5}));
        assert_eq!(found[0]["metadata"], json!({"score": 0.5}));
        let event = json!({"event": "click", "at": [1, 2]});
        let found = lines(event.clone());
        assert_eq!(found[0]["message"]["role"], "system");
        let text = found[0]["message"]["content"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), event);
    }
}
