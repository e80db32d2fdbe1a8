//! The check of a running app.

use std::path::PathBuf;

use hub::{shorten, suggest};
use regex::Regex;
use serde_json::{Map, Value};

use crate::app_check::{Check, CheckStatus, Expect, FailOn, Mode};
use crate::commands::inputs::declaration::{DefaultValue, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::lists;
use crate::commands::inputs::parse::{self, Parsed, SHOWN, not_like, refuse};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;

inputs! {
    /// Inputs of the check.
    APP_CHECK: "App check", "The check runs on Spaces that are waited for. The other inputs have no effect if `verify` is `false`.";
    VERIFY = Input {
        kind: ValueKind::Choice(&["auto", "health", "inference", "false"]),
        summary: "Check of the running app",
        details: "`auto` (or `true`) requires an answer, and of a Gradio app a description of its API, which is called if one of the inputs below is about a call. `health` calls nothing. `inference` always calls. `false` (or `none`) checks nothing.",
        default: DefaultValue::Value("auto"),
        only: &[Only::Spaces],
        ..Input::new("verify")
    };
    HEALTH_PATH = Input {
        kind: ValueKind::Text("PATH"),
        summary: "Path of the app that must answer",
        default: DefaultValue::Words("`/`, with any 2xx status unless `health_status` is set"),
        only: OF_THE_CHECK,
        ..Input::new("health_path")
    };
    HEALTH_STATUS = Input {
        kind: ValueKind::Text("STATUS"),
        summary: "HTTP status that `health_path` must answer with",
        default: DefaultValue::Words("`200`, or any 2xx if `health_path` is not set"),
        only: OF_THE_CHECK,
        ..Input::new("health_status")
    };
    HEALTH_CONTAINS = Input {
        summary: "Text that the answer of the app must contain",
        default: DefaultValue::Words("any answer"),
        only: OF_THE_CHECK,
        ..Input::new("health_contains")
    };
    API_NAME = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Gradio endpoint to call, such as `/predict`",
        default: DefaultValue::Words("the check chooses one"),
        only: OF_THE_CHECK,
        ..Input::new("api_name")
    };
    API_ARGS = Input {
        kind: ValueKind::Text("JSON"),
        summary: "Arguments of the call, as a JSON list",
        details: "`@path` names a file of the workspace.",
        default: DefaultValue::Words("the defaults or examples of the app"),
        only: OF_THE_CHECK,
        ..Input::new("api_args")
    };
    API_KWARGS = Input {
        kind: ValueKind::Text("JSON"),
        summary: "Arguments of the call by name, as a JSON object",
        only: OF_THE_CHECK,
        ..Input::new("api_kwargs")
    };
    EXPECT = Input {
        kind: ValueKind::Choice(&["image", "video", "audio", "text", "any"]),
        summary: "Type that the call must return",
        default: DefaultValue::Words("the type that the endpoint declares"),
        only: OF_THE_CHECK,
        ..Input::new("expect")
    };
    EXPECT_CONTAINS = Input {
        summary: "Text that the result must contain",
        default: DefaultValue::Words("any result"),
        only: OF_THE_CHECK,
        ..Input::new("expect_contains")
    };
    EXPECT_REGEX = Input {
        kind: ValueKind::Text("REGEX"),
        summary: "Regular expression that the result must match",
        default: DefaultValue::Words("any result"),
        only: OF_THE_CHECK,
        ..Input::new("expect_regex")
    };
    MAX_LATENCY = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time that the call may take, without the time in the queue, such as `20s`",
        default: DefaultValue::Words("no limit"),
        only: OF_THE_CHECK,
        ..Input::new("max_latency")
    };
    FAIL_ON = Input {
        kind: ValueKind::Text("WORDS"),
        summary: "Results of the check that fail the step, separated by lines or commas",
        details: "The words of `verify_status`, or `none`. A result without a judgement is a warning otherwise.",
        default: DefaultValue::Value("failed"),
        only: OF_THE_CHECK,
        ..Input::new("fail_on")
    };
}

const OF_THE_CHECK: &[Only] = &[Only::Spaces, Only::With(VERIFY.name)];

/// Reads the check. Its timeout is what the caller leaves, and comes later.
pub(crate) fn read(values: &Values, workspace: PathBuf, diagnostics: &mut Diagnostics) -> Check {
    let defaults = Check::new(workspace);
    let mode = values.value(&VERIFY, mode, diagnostics);
    let health_path = values.field(&HEALTH_PATH, health_path, diagnostics).ok();
    let health_status = values.field(&HEALTH_STATUS, health_status, diagnostics).ok();
    let check = Check {
        mode,
        // A status is required of a path: the front page, if no other is named.
        health_path: health_path.or_else(|| health_status.map(|_| "/".to_owned())),
        health_status: health_status.unwrap_or(defaults.health_status),
        health_contains: values.string(&HEALTH_CONTAINS),
        api_name: values.field(&API_NAME, api_name, diagnostics).ok(),
        api_args: values.field(&API_ARGS, json_list, diagnostics).or(Vec::new()),
        api_kwargs: values.field(&API_KWARGS, json_object, diagnostics).or(Map::new()),
        expect: values.field(&EXPECT, expect, diagnostics).ok(),
        expect_contains: values.string(&EXPECT_CONTAINS),
        expect_regex: values.field(&EXPECT_REGEX, regex, diagnostics).ok(),
        max_latency: time::read(values, &MAX_LATENCY, diagnostics).ok(),
        ..defaults
    };
    if mode == Mode::Off {
        let because = format!("{} is `false`", values.quoted(&VERIFY));
        values.warn_without(Only::With(VERIFY.name), because, diagnostics);
    }
    check
}

/// Reads the results that fail the run.
pub(crate) fn fail_on(values: &Values, diagnostics: &mut Diagnostics) -> FailOn {
    values.value(&FAIL_ON, statuses, diagnostics)
}

pub(crate) fn statuses(text: &str) -> Parsed<FailOn> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(FailOn(Vec::new()));
    }
    let words = CheckStatus::ALL.map(CheckStatus::as_str);
    let names = lists::lines(Some(text)).flat_map(|(_, line)| lists::names_of(line));
    let statuses = names.map(|name| {
        let known = CheckStatus::ALL.into_iter().find(|status| status.as_str() == name);
        known.map_or_else(|| suggest::one_of(&words, name), Ok)
    });
    Ok(FailOn(statuses.collect::<Parsed<Vec<_>>>()?))
}

fn mode(text: &str) -> Parsed<Mode> {
    parse::choice(&VERIFY, text, |word| match (word, parse::boolean(word)) {
        ("auto", _) | (_, Ok(true)) => Some(Mode::Auto),
        ("health", _) => Some(Mode::Health),
        ("inference", _) => Some(Mode::Inference),
        (_, Ok(false)) | ("none" | "off" | "no", _) => Some(Mode::Off),
        _ => None,
    })
}

/// Parses a path on the host of the app; `//host` would name another host.
pub(crate) fn health_path(text: &str) -> Parsed<String> {
    let shown = shorten(text, SHOWN);
    if !text.starts_with('/') || text.starts_with("//") {
        return refuse(format!("must be a path that starts with one `/`, not `{shown}`"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#' || c == '\\') {
        return refuse(format!("must not hold white space, `#` or `\\`: `{shown}`"));
    }
    Ok(text.to_owned())
}

pub(crate) fn health_status(text: &str) -> Parsed<u16> {
    match text.parse() {
        Ok(status @ 200..=599) => Ok(status),
        _ => not_like("an HTTP status between 200 and 599", text),
    }
}

/// Parses the name of an endpoint, with or without the slash that Gradio puts in front. It may hold spaces.
pub(crate) fn api_name(text: &str) -> Parsed<String> {
    let name = text.trim_start_matches('/');
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return refuse(format!(
            "must be the name of an endpoint like `/predict`, not `{}`",
            shorten(text, SHOWN)
        ));
    }
    Ok(format!("/{name}"))
}

fn json_list(text: &str) -> Parsed<Vec<Value>> {
    match json(text)? {
        Value::Array(list) => Ok(list),
        other => refuse(format!("must be a JSON list like `[\"hello\", 3]`, not {}", noun(&other))),
    }
}

pub(crate) fn json_object(text: &str) -> Parsed<Map<String, Value>> {
    match json(text)? {
        Value::Object(map) => Ok(map),
        other => {
            refuse(format!("must be a JSON object like `{{\"text\": \"hello\"}}`, not {}", noun(&other)))
        }
    }
}

fn json(text: &str) -> Parsed<Value> {
    serde_json::from_str(text).or_else(|error| {
        let quotes = if text.contains('\'') { " (JSON has double quotation marks)" } else { "" };
        refuse(format!("must be JSON{quotes}: {error}"))
    })
}

fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(crate) fn expect(text: &str) -> Parsed<Expect> {
    parse::choice(&EXPECT, text, |word| match word {
        "image" => Some(Expect::Image),
        "video" => Some(Expect::Video),
        "audio" => Some(Expect::Audio),
        "text" => Some(Expect::Text),
        "any" => Some(Expect::Any),
        _ => None,
    })
}

pub(crate) fn regex(text: &str) -> Parsed<Regex> {
    Regex::new(text).or_else(|error| {
        // The first lines of the error draw an arrow; the last one has the reason.
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        refuse(format!("must be a regular expression: {reason}"))
    })
}
