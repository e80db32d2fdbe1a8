//! A session of the session format: its header, its messages, and the ids of the calls in it.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::{Map, Value};

use super::message::{MessageLine, is_message, take, take_text, text_of};

type Object = Map<String, Value>;

/// First line of a session.
#[derive(Debug, Serialize)]
pub(super) struct Header {
    #[serde(rename = "type")]
    kind: &'static str,
    harness: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Fields of the conversation that are no messages.
    #[serde(flatten)]
    metadata: Object,
}

/// Shape of an object.
#[derive(Debug)]
pub(super) enum Shape {
    /// A whole conversation: its messages, and its other fields.
    Conversation { messages: Vec<Value>, rest: Object },
    /// A part of a session that may have more. `key` names the session.
    Part { key: Option<String>, object: Object },
}

const LISTS: &[&str] = &[
    "messages",
    "conversation",
    "conversations",
    "trajectory",
    "history",
    "turns",
    "steps",
    "events",
    "traces",
    "chat",
];
const KEYS: &[&str] = &[
    "session_id",
    "sessionId",
    "conversation_id",
    "conversationId",
    "thread_id",
    "trace_id",
    "run_id",
    "episode_id",
];
const PROMPTS: &[&str] = &["prompt", "instruction", "question", "query"];
const RESPONSES: &[&str] = &["response", "completion", "answer", "output"];
const NAMES: &[&str] = &["name", "title"];
const HARNESSES: &[&str] = &["harness", "agent", "framework"];
/// Harness of a session that names none.
const UNKNOWN_HARNESS: &str = "custom";

impl Shape {
    pub(super) fn of(mut object: Object) -> Self {
        let is_list = |name: &&&str| {
            object.get(**name).and_then(Value::as_array).is_some_and(|list| {
                !list.is_empty() && list.iter().all(|item| item.is_object() || item.is_string())
            })
        };
        if !is_message(&object) {
            if let Some(list) = LISTS.iter().find(is_list)
                && let Some(Value::Array(messages)) = object.remove(*list)
            {
                return Self::Conversation { messages, rest: object };
            }
            let has = |names: &[&str]| names.iter().any(|name| object.get(*name).is_some_and(is_said));
            if has(PROMPTS) && has(RESPONSES) {
                return pair(object);
            }
        }
        let key = KEYS.iter().find_map(|name| match object.get(*name)? {
            Value::String(key) => Some(key.clone()),
            Value::Number(key) => Some(key.to_string()),
            _ => None,
        });
        Self::Part { key, object }
    }
}

/// Returns true for a text, or for a list of messages.
fn is_said(value: &Value) -> bool {
    value.is_string() || value.is_array()
}

/// Returns the conversation of a prompt and its response.
fn pair(mut object: Object) -> Shape {
    let mut messages = Vec::new();
    for (role, names) in [
        ("system", &["system", "system_prompt"][..]),
        ("user", PROMPTS),
        ("user", &["input"]),
        ("assistant", RESPONSES),
    ] {
        match take(&mut object, names) {
            Some(Value::Array(list)) => messages.extend(list),
            Some(said) => {
                let said = text_of(said);
                if !said.is_empty() {
                    messages.push(serde_json::json!({ "role": role, "content": said }));
                }
            }
            None => {}
        }
    }
    Shape::Conversation { messages, rest: object }
}

impl Header {
    /// Returns the header of a session. `metadata` may have its id, its name and its harness.
    pub(super) fn new(mut metadata: Object, fallback_id: String) -> Self {
        let own = take_text(&mut metadata, HARNESSES);
        let harness = own.unwrap_or_else(|| UNKNOWN_HARNESS.to_owned());
        let id = take(&mut metadata, &["id"]).or_else(|| take(&mut metadata, KEYS)).map(text_of);
        let name = take_text(&mut metadata, NAMES);
        // The header has fields of these names already.
        for field in ["type", "harness", "id", "name"] {
            if let Some(value) = metadata.remove(field) {
                metadata.insert(format!("original_{field}"), value);
            }
        }
        let id = id.filter(|id| !id.is_empty()).unwrap_or(fallback_id);
        Self { kind: "session", harness, id, name, metadata }
    }
}

/// Ids of the calls of a session that have no result yet.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: VecDeque<String>,
    number: u64,
}

impl Calls {
    /// Gives each call an id, and each result without one the id of the oldest call without a result.
    pub(super) fn link(&mut self, line: &mut MessageLine) {
        for call in &mut line.message.tool_calls {
            if call.id.is_empty() {
                self.number += 1;
                call.id = format!("call-{}", self.number);
            }
            self.open.push_back(call.id.clone());
        }
        if line.message.role != "tool" {
            return;
        }
        match &line.message.tool_call_id {
            Some(id) => self.open.retain(|open| open != id),
            None => line.message.tool_call_id = self.open.pop_front(),
        }
    }
}

/// Returns the messages of one item of a conversation.
pub(super) fn messages_of(item: Value, position: usize) -> Vec<MessageLine> {
    match item {
        Value::Object(object) => MessageLine::of(object),
        // A list of texts: the person begins, and both take turns.
        other => vec![MessageLine::new(
            if position.is_multiple_of(2) { "user" } else { "assistant" },
            text_of(other),
        )],
    }
}
