//! Chat models that follow a script, and call tools: stand-ins for the model of a coding agent.

use axum::response::Response;
use serde_json::{Value, json};

use super::answers::{answered, events};

/// An answer of a scripted model.
#[derive(Clone, Debug)]
pub enum ScriptedTurn {
    /// A text, after which an agent stops.
    Say(String),
    /// The call of a tool with these arguments.
    Call(String, Value),
}

impl ScriptedTurn {
    /// Makes a turn that runs a command in the agent's shell.
    #[must_use]
    pub fn shell(command: &str) -> Self {
        Self::Call("bash".to_owned(), json!({ "command": command }))
    }

    /// Makes a turn that writes a file.
    #[must_use]
    pub fn write(path: &str, content: &str) -> Self {
        Self::Call("write".to_owned(), json!({ "path": path, "content": content }))
    }
}

/// Tokens of each answer.
const USAGE: (usize, usize) = (1000, 50);

/// Answers with the turn that follows the answers in the conversation. The last turn is repeated.
pub(super) fn answer(id: &str, script: &[ScriptedTurn], body: &Value) -> Response {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let done = messages.iter().filter(|message| message["role"] == "assistant").count();
    let silence = ScriptedTurn::Say(String::new());
    let turn = script.get(done).or(script.last()).unwrap_or(&silence);
    let (message, finish) = match turn {
        ScriptedTurn::Say(text) => (json!({ "role": "assistant", "content": text }), "stop"),
        ScriptedTurn::Call(tool, arguments) => {
            let call = json!({
                "index": 0, "id": format!("call_{done}"), "type": "function",
                "function": { "name": tool, "arguments": arguments.to_string() },
            });
            (json!({ "role": "assistant", "content": null, "tool_calls": [call] }), "tool_calls")
        }
    };
    let (prompt, completion) = USAGE;
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
    });
    let fixed =
        |object: &str| json!({ "id": "chat-1", "object": object, "created": 1_760_000_000, "model": id });
    if body["stream"] != true {
        let mut whole = fixed("chat.completion");
        whole["choices"] = json!([{ "index": 0, "finish_reason": finish, "message": message }]);
        whole["usage"] = usage;
        return answered(&whole);
    }
    let chunk = |choices: Value, usage: &Value| {
        let mut chunk = fixed("chat.completion.chunk");
        chunk["choices"] = choices;
        chunk["usage"] = usage.clone();
        chunk.to_string()
    };
    let none = Value::Null;
    let mut all = vec![
        chunk(json!([{ "index": 0, "delta": message, "finish_reason": null }]), &none),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": finish }]), &none),
    ];
    if body["stream_options"]["include_usage"] == true {
        all.push(chunk(json!([]), &usage));
    }
    all.push("[DONE]".to_owned());
    events(&all)
}
