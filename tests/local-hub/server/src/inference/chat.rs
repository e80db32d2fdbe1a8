//! `POST /v1/chat/completions`.

use axum::response::Response;
use serde_json::{Value, json};

use super::answers::{answered, events, failed};
use super::model::ChatModel;
use super::scripted;
use crate::http::answer::set;

pub(super) fn answer(models: &[ChatModel], body: &Value) -> Response {
    let asked = body["model"].as_str().unwrap_or_default();
    let (id, suffix) = match asked.split_once(':') {
        Some((id, suffix)) => (id, Some(suffix)),
        None => (asked, None),
    };
    let model = models.iter().find(|model| model.id == id);
    let Some((model, offer)) = model.and_then(|model| Some((model, model.choose(suffix)?))) else {
        return not_supported(id, suffix);
    };
    if !model.script.is_empty() {
        let mut response = scripted::answer(id, &model.script, body);
        set(&mut response, "x-inference-provider", &offer.provider);
        return response;
    }
    let messages: Vec<&str> = body["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|message| message["content"].as_str())
        .collect();
    let Some(last) = messages.last() else {
        return failed(
            400,
            &json!({ "message": "messages: a message needs content", "code": "bad_request" }),
        );
    };
    let prompt: usize = messages.iter().map(|text| text.split_whitespace().count()).sum();
    let said = format!("You said: {last}");
    let words: Vec<&str> = said.split_inclusive(char::is_whitespace).collect();
    let most = body["max_tokens"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let kept = &words[..words.len().min(most)];
    let finish = if kept.len() < words.len() { "length" } else { "stop" };
    let usage = json!({
        "prompt_tokens": prompt, "completion_tokens": kept.len(), "total_tokens": prompt + kept.len(),
    });
    let mut response = if body["stream"] == true {
        let is_counted = body["stream_options"]["include_usage"] == true;
        stream(id, kept, finish, is_counted.then_some(&usage))
    } else {
        answered(&json!({
            "id": "chat-1", "object": "chat.completion", "created": 1_760_000_000, "model": id, "usage": usage,
            "system_fingerprint": "",
            "choices": [{
                "index": 0, "finish_reason": finish, "logprobs": null,
                "message": { "role": "assistant", "content": kept.concat() },
            }],
        }))
    };
    set(&mut response, "x-inference-provider", &offer.provider);
    response
}

fn stream(id: &str, words: &[&str], finish: &str, usage: Option<&Value>) -> Response {
    let chunk = |choices: Value, usage: &Value| {
        json!({
            "id": "chat-1", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": id,
            "system_fingerprint": "", "choices": choices, "usage": usage,
        })
        .to_string()
    };
    let delta =
        |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    let mut all: Vec<String> = words
        .iter()
        .map(|word| chunk(delta(json!({ "role": "assistant", "content": word }), Value::Null), &Value::Null))
        .collect();
    all.push(chunk(delta(json!({ "role": "assistant", "content": "" }), json!(finish)), &Value::Null));
    all.extend(usage.map(|usage| chunk(json!([]), usage)));
    all.push("[DONE]".to_owned());
    events(&all)
}

fn not_supported(id: &str, suffix: Option<&str>) -> Response {
    let message = match suffix {
        None | Some("fastest" | "cheapest" | "preferred") => {
            format!("The requested model '{id}' is not supported by any provider you have enabled.")
        }
        Some(provider) => format!("The requested model '{id}' is not supported by provider '{provider}'."),
    };
    failed(
        400,
        &json!({
            "message": message, "type": "invalid_request_error", "param": "model", "code": "model_not_supported",
        }),
    )
}
