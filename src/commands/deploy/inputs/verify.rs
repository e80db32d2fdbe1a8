//! The inputs of the live check: what a running app has to answer.

use std::path::PathBuf;

use hub::{shorten, suggest};
use regex::Regex;
use serde_json::{Map, Value};

use super::faults::Findings;
use super::parse::{self, Parsed};
use super::raw::{Raw, given};
use super::space::set_ones;
use super::{time, value};
use crate::app_check::{Check, Expect, Mode};

/// Reads the check; its timeout is what the wait leaves, and comes later.
pub(super) fn read(raw: &Raw, workspace: PathBuf, findings: &mut Findings) -> Option<Check> {
    let mode = value("verify", raw.verify.as_deref(), mode, findings);
    let health_path = value("health_path", raw.health_path.as_deref(), health_path, findings);
    let health_status = value("health_status", raw.health_status.as_deref(), health_status, findings);
    let api_name = value("api_name", raw.api_name.as_deref(), api_name, findings);
    let api_args = value("api_args", raw.api_args.as_deref(), json_list, findings);
    let api_kwargs = value("api_kwargs", raw.api_kwargs.as_deref(), json_object, findings);
    let expect = value("expect", raw.expect.as_deref(), expect, findings);
    let expect_regex = value("expect_regex", raw.expect_regex.as_deref(), regex, findings);
    let max_latency = time::read("max_latency", raw.max_latency.as_deref(), findings);
    let text = |value: &Option<String>| given(value.as_deref()).map(str::to_owned);
    if mode == Some(Some(Mode::Off)) {
        warn_of_unasked(raw, findings);
    }
    let (health_path, health_status) = (health_path?, health_status?);
    let defaults = Check::new(workspace);
    Some(Check {
        mode: mode?.unwrap_or(defaults.mode),
        // A status is asked of a path: that of the front page, where no other is named.
        health_path: health_path.or_else(|| health_status.map(|_| "/".to_owned())),
        health_status: health_status.unwrap_or(defaults.health_status),
        health_contains: text(&raw.health_contains),
        api_name: api_name?,
        api_args: api_args?.unwrap_or_default(),
        api_kwargs: api_kwargs?.unwrap_or_default(),
        expect: expect?,
        expect_contains: text(&raw.expect_contains),
        expect_regex: expect_regex?,
        max_latency: max_latency?,
        ..defaults
    })
}

/// Warns of what a check that is off does not look at.
fn warn_of_unasked(raw: &Raw, findings: &mut Findings) {
    let inputs = [
        ("health_path", &raw.health_path),
        ("health_status", &raw.health_status),
        ("health_contains", &raw.health_contains),
        ("api_name", &raw.api_name),
        ("api_args", &raw.api_args),
        ("api_kwargs", &raw.api_kwargs),
        ("expect", &raw.expect),
        ("expect_contains", &raw.expect_contains),
        ("expect_regex", &raw.expect_regex),
        ("max_latency", &raw.max_latency),
    ];
    let given = inputs.map(|(input, text)| (input, given(text.as_deref()).is_some()));
    findings.without_effect(&set_ones(&given), "`verify` is `false`");
}

fn mode(text: &str) -> Parsed<Mode> {
    match (text, parse::boolean(text)) {
        ("auto", _) | (_, Ok(true)) => Ok(Mode::Auto),
        ("health", _) => Ok(Mode::Health),
        ("inference", _) => Ok(Mode::Inference),
        (_, Ok(false)) | ("none" | "off" | "no", _) => Ok(Mode::Off),
        _ => suggest::one_of(&["auto", "health", "inference", "false"], text),
    }
}

/// A path on the app's own host: `//host` would be another one.
fn health_path(text: &str) -> Parsed<String> {
    let shown = shorten(text, parse::SHOWN);
    if !text.starts_with('/') || text.starts_with("//") {
        return parse::refuse(format!("must be a path that starts with one `/`, not `{shown}`"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#' || c == '\\') {
        return parse::refuse(format!("must not hold white space, `#` or `\\`: `{shown}`"));
    }
    Ok(text.to_owned())
}

fn health_status(text: &str) -> Parsed<u16> {
    match text.parse() {
        Ok(status @ 200..=599) => Ok(status),
        _ => parse::not_like("an HTTP status between 200 and 599", text),
    }
}

/// Reads the name of an endpoint. Gradio writes it with a leading slash, and many leave it out; it may hold spaces.
fn api_name(text: &str) -> Parsed<String> {
    let name = text.trim_start_matches('/');
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return parse::refuse(format!(
            "must be the name of an endpoint like `/predict`, not `{}`",
            shorten(text, parse::SHOWN)
        ));
    }
    Ok(format!("/{name}"))
}

fn json_list(text: &str) -> Parsed<Vec<Value>> {
    match json(text)? {
        Value::Array(list) => Ok(list),
        other => parse::refuse(format!("must be a JSON list like `[\"hello\", 3]`, not {}", noun(&other))),
    }
}

fn json_object(text: &str) -> Parsed<Map<String, Value>> {
    match json(text)? {
        Value::Object(map) => Ok(map),
        other => parse::refuse(format!(
            "must be a JSON object like `{{\"text\": \"hello\"}}`, not {}",
            noun(&other)
        )),
    }
}

fn json(text: &str) -> Parsed<Value> {
    serde_json::from_str(text).or_else(|error| {
        let quotes = if text.contains('\'') { " (JSON has double quotation marks)" } else { "" };
        parse::refuse(format!("must be JSON{quotes}: {error}"))
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

fn expect(text: &str) -> Parsed<Expect> {
    match text {
        "image" => Ok(Expect::Image),
        "video" => Ok(Expect::Video),
        "audio" => Ok(Expect::Audio),
        "text" => Ok(Expect::Text),
        "any" => Ok(Expect::Any),
        _ => suggest::one_of(&["image", "video", "audio", "text", "any"], text),
    }
}

fn regex(text: &str) -> Parsed<Regex> {
    Regex::new(text).or_else(|error| {
        // The first lines of the error draw an arrow; the last one says what is wrong.
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
        parse::refuse(format!("must be a regular expression: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use crate::app_check::Mode;
    use crate::commands::deploy::inputs::tests::{check_fault, read};

    #[test]
    fn what_a_check_that_is_off_does_not_look_at_is_a_warning() {
        for (set, warning) in [
            (vec![("api_name", "/predict")], "`api_name` has no effect: `verify` is `false`"),
            (
                vec![("health_path", "/health"), ("expect", "text"), ("max_latency", "20s")],
                "`health_path`, `expect`, `max_latency` have no effect: `verify` is `false`",
            ),
        ] {
            let (inputs, warnings) = read(&[&set[..], &[("verify", "false")]].concat());
            assert_eq!(warnings, [warning]);
            assert_eq!(inputs.deploy.space.check.mode, Mode::Off);
        }
    }

    #[test]
    fn the_name_of_an_endpoint_may_hold_spaces() {
        let name = |text: &str| read(&[("api_name", text)]).0.deploy.space.check.api_name.unwrap();
        assert_eq!(name("Generate speech"), "/Generate speech");
        assert_eq!(name("/Generate speech"), "/Generate speech");
        check_fault(
            &[("api_name", "/"), ("huggingface_repo", "ada/demo")],
            "`api_name` must be the name of an endpoint like `/predict`, not `/`",
        );
    }

    #[test]
    fn a_check_may_be_off() {
        let mode = |set: &[(&str, &str)]| read(set).0.deploy.space.check.mode;
        assert_eq!(mode(&[("verify", "false"), ("api_name", " "), ("health_contains", "")]), Mode::Off);
        assert_eq!(mode(&[("verify", "true"), ("api_name", "/predict")]), Mode::Auto);
        for off in ["none", "off", "no"] {
            assert_eq!(mode(&[("verify", off)]), Mode::Off, "{off}");
        }
    }

    #[test]
    fn json_with_single_quotes_names_the_double_ones() {
        check_fault(
            &[("api_args", "['hello']")],
            "`api_args` must be JSON (JSON has double quotation marks): expected value at line 1 column 2",
        );
    }
}
