//! Fuzz targets for the answers of a Gradio app.

use std::time::Duration;

use serde_json::{Map, Value};

use super::api::{Config, Schema, choose};
use super::arguments;
use super::call_progress::{CallProgress, CallStep};
use super::latency::recommended_duration_seconds;
use super::observer::tests::TestObserver;
use super::options::Expect;
use super::places::Position;
use super::values;
use hub::sse;

/// Reads a config and a schema, with a zero byte in between, and chooses an endpoint and its arguments.
pub(crate) fn config(bytes: &[u8]) -> String {
    let (config, schema) = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, bytes),
    };
    let config = serde_json::from_slice::<Config>(config);
    let schema = serde_json::from_slice::<Schema>(schema);
    let (Ok(config), Ok(schema)) = (&config, &schema) else {
        return format!("{} {}", config.is_ok(), schema.is_ok());
    };
    let mut shape = format!("{} {}", config.is_supported(), config.prefix().len().min(20));
    for (wanted, expect) in [(None, None), (Some("/run"), None), (None, Some(Expect::Image))] {
        let chosen = choose(schema, wanted, expect);
        let Ok(name) = chosen else {
            shape.push_str(" none");
            continue;
        };
        let endpoint = match config.endpoint(schema, name) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                shape.push_str(&format!(" {}", error.detail.len().min(80)));
                continue;
            }
        };
        let arguments = arguments::fill(&endpoint, &[Value::Null], &Map::new());
        let count = arguments.map_or(0, |arguments| {
            let values = arguments.into_iter().map(|_| Value::Bool(true)).collect();
            let data = arguments::arrange(&endpoint.slots, values);
            assert_eq!(data.len(), endpoint.slots.len());
            data.len()
        });
        for parameter in &endpoint.parameters {
            let place = Position::root(&parameter.schema);
            shape.push_str(&format!(" {:?} {:?}", place.item(0).strings(), place.property("path").strings()));
        }
        shape.push_str(&format!(" {count} {} {}", endpoint.returns.len(), endpoint.fn_index.signum()));
    }
    shape
}

/// Reads the stream of a call to its end.
pub(crate) fn events(bytes: &[u8]) -> String {
    let observer = TestObserver::default();
    let mut progress = CallProgress::new();
    let mut shape = String::new();
    for event in sse::Decoder::default().push(bytes) {
        let step = match progress.on_event(event.data, Duration::from_secs(1), &observer) {
            CallStep::Running => "g",
            CallStep::Heartbeat => "b",
            CallStep::Finished(data) => {
                let count = data.len().min(3);
                let outputs =
                    data.into_iter().map(|value| values::take_apart("Json", value).text.len().min(9));
                &format!("finished {count} {:?}", outputs.max())
            }
            CallStep::Forgotten => "forgotten",
            CallStep::Failed(error) => {
                &format!("failed {:?} {}", error.failure.status(), error.detail.len().min(40))
            }
        };
        shape.push_str(if shape.len() < 40 { step } else { "" });
    }
    let latency = progress.latency(Duration::from_secs(2));
    let _ = (latency.to_string(), recommended_duration_seconds(&[latency]));
    format!("{shape} {}", progress.has_started())
}
