//! A run bundle, for people and for other programs.

use serde_json::{Value, json};

use crate::ops::bundle_bucket::StoredBundle;
use crate::text::human_bytes;

/// Renders the bundle as JSON.
pub(super) fn json(bundle: &StoredBundle) -> Value {
    let StoredBundle { state, events, report, files } = bundle;
    let files: Vec<Value> =
        files.iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
    json!({ "state": state, "events": events, "report": report, "files": files })
}

/// Renders the bundle as text: state, events, report, files. It has text from outside.
pub(super) fn text(bundle: &StoredBundle) -> String {
    let state = &bundle.state;
    let field = |name: &str| state[name].as_str().unwrap_or("unknown");
    let mut lines = vec![
        format!("run {}", field("run_id")),
        format!("{} {} in phase {}", field("kind"), field("status"), field("phase")),
    ];
    let named = [
        ("space", &state["space"]),
        ("model", &state["model"]),
        ("gate", &state["gate_status"]),
        ("job", &state["job"]["url"]),
        ("workflow run", &state["git"]["run_url"]),
        ("started", &state["started_at"]),
        ("finished", &state["finished_at"]),
    ];
    lines.extend(named.iter().filter_map(|(name, value)| Some(format!("{name}: {}", value.as_str()?))));
    if let ("running", Some(updated)) = (field("status"), state["updated_at"].as_str()) {
        lines.push(format!("no end: the run goes on, or its process was killed after {updated}"));
    }
    let error = &state["error"];
    if let (Some(code), Some(message)) = (error["code"].as_str(), error["message"].as_str()) {
        lines.push(format!("error: {code}: {message}"));
        let hints = error["hints"].as_array().into_iter().flatten().filter_map(Value::as_str);
        lines.extend(hints.map(|hint| format!("hint: {hint}")));
    }
    lines.push("\nevents:".to_owned());
    lines.extend(bundle.events.iter().map(|event| {
        let field = |name: &str| event[name].as_str().unwrap_or_default();
        format!("{} {:<7} {:<9} {}", field("ts"), field("level"), field("phase"), field("message"))
    }));
    if let Some(report) = &bundle.report {
        lines.push(format!("\nreport:\n{}", report.trim_end()));
    }
    lines.push("\nfiles:".to_owned());
    lines.extend(bundle.files.iter().map(|(path, bytes)| format!("{path} ({})", human_bytes(*bytes))));
    lines.join("\n") + "\n"
}
