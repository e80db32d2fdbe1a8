//! Tests of the inputs that only Spaces have.

use std::time::Duration;

use hub::SleepTime;

use super::{check_fault, read, refused};
use crate::app_check::{Expect, Mode};
use crate::failure::Code;
use crate::ops::deploy::options::{LeaveOpen, OnFailure};
use crate::ops::space::SettingsStrategy;

#[test]
fn space_inputs_have_defaults() {
    let space = read(&[]).0.deploy.space;
    assert!(space.settings.variables.is_empty() && space.settings.secrets.is_empty());
    assert_eq!(space.settings.strategy, SettingsStrategy::Merge);
    assert_eq!((space.settings.force_secrets, space.settings.volumes), (false, None));
    assert!(space.hardware.wanted.is_empty() && !space.hardware.required);
    assert_eq!(space.wait, Some(Duration::from_secs(2400)));
    assert_eq!((space.check.mode, space.check.expect), (Mode::Auto, None));
    assert_eq!((space.check.health_path, space.check.health_status), (None, 200));
    assert_eq!((space.on_failure, space.leave_open), (OnFailure::Keep, LeaveOpen::Never));
    let model = read(&[("repo_type", "model")]).0.deploy.space;
    assert_eq!((model.wait, model.check.mode), (None, Mode::Off));
}

#[test]
fn all_space_inputs_are_read() {
    let (inputs, warnings) = read(&[
        ("variables", "# comment\nMODE=fast\n\nURL = https://x/?a=b\nEMPTY=\n"),
        ("secrets", "API_KEY, OTHER\nAPI_KEY\n"),
        ("API_KEY", "s3cret-value"),
        ("OTHER", "line 1\nline 2\n"),
        ("settings_strategy", "overwrite"),
        ("force_secrets", "true"),
        ("hardware", "t4-small"),
        ("fallback_hardware", "cpu-upgrade, t4-small\ncpu-basic"),
        ("require_hardware", "true"),
        ("sleep_time", "never"),
        ("volumes", "bucket:ada/data:/data\nbucket:ada/cache/x:/cache:ro\n"),
        ("timeout", "90s"),
        ("verify", "inference"),
        ("health_path", "/health?deep=1"),
        ("health_status", "204"),
        ("health_contains", "ok"),
        ("api_name", "predict"),
        ("api_args", "[\"hi\", 3]"),
        ("api_kwargs", "{\"n\": 1}"),
        ("expect", "image"),
        ("expect_contains", "x"),
        ("expect_regex", "^a+$"),
        ("max_latency", "20s"),
        ("on_failure", "rollback"),
        ("leave_open_on_failure", "dev-mode"),
    ]);
    assert!(warnings.is_empty());
    assert!(!format!("{inputs:?}").contains("s3cret-value"));
    let space = inputs.deploy.space;
    let variables: Vec<_> =
        space.settings.variables.iter().map(|v| (v.key.as_str(), v.value.as_str())).collect();
    assert_eq!(variables, [("MODE", "fast"), ("URL", "https://x/?a=b"), ("EMPTY", "")]);
    let secrets: Vec<_> = space.settings.secrets.iter().map(|s| (s.key.as_str(), s.value.expose())).collect();
    assert_eq!(secrets, [("API_KEY", "s3cret-value"), ("OTHER", "line 1\nline 2\n")]);
    assert_eq!(space.settings.strategy, SettingsStrategy::Overwrite);
    let wanted: Vec<_> = space.hardware.wanted.iter().map(|flavor| flavor.as_str()).collect();
    assert_eq!(wanted, ["t4-small", "cpu-upgrade", "cpu-basic"]);
    assert_eq!((space.hardware.required, space.hardware.sleep_time), (true, Some(SleepTime::Never)));
    let volumes: Vec<_> = space.settings.volumes.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(volumes, ["bucket:ada/data:/data", "bucket:ada/cache/x:/cache:ro"]);
    assert_eq!(space.wait, Some(Duration::from_secs(90)));
    let verify = space.check;
    assert_eq!((verify.mode, verify.expect), (Mode::Inference, Some(Expect::Image)));
    assert_eq!((verify.health_path.as_deref(), verify.health_status), (Some("/health?deep=1"), 204));
    assert_eq!(verify.api_name.as_deref(), Some("/predict"));
    assert_eq!(verify.api_args.len(), 2);
    assert_eq!(verify.api_kwargs["n"], 1);
    assert!(verify.expect_regex.unwrap().is_match("aaa"));
    assert_eq!(verify.max_latency, Some(Duration::from_secs(20)));
    assert_eq!(space.on_failure, OnFailure::Rollback);
    assert_eq!(space.leave_open, LeaveOpen::IfPrivate { has_previews: false });
}

#[test]
fn value_in_the_place_of_a_name_is_hidden() {
    for (text, value) in [
        ("API_KEY=s3cret", "s3cret"),
        ("API_KEY: s3cret", "s3cret"),
        ("c2VjcmV0==", "c2VjcmV0"),
        ("aVeryLongValueWithoutAnythingElse", "aVeryLong"),
        ("not-a-name", "not-a-name"),
    ] {
        let failure = refused(&[("secrets", text)]);
        assert!(!format!("{failure:?}").contains(value), "{failure:?}");
        assert_eq!(failure.code, Code::InvalidInput);
    }
}

#[test]
fn secret_without_a_value_gets_advice() {
    let failure = refused(&[("secrets", "API_KEY"), ("API_KEY", " \n")]);
    assert_eq!(
        failure.message,
        "`secrets` names `API_KEY`, which the step's `env:` does not set, or sets to nothing"
    );
    assert!(failure.hints[0].contains("`API_KEY: ${{ secrets.API_KEY }}`"), "{:?}", failure.hints);
}

#[test]
fn space_inputs_are_validated() {
    for (set, message) in [
        (
            vec![("variables", "A=1"), ("secrets", "A"), ("A", "value")],
            "`secrets` names `A`, and so does `variables`: a Space with both does not start",
        ),
        (vec![("variables", "A=1\nA=2")], "`variables` names `A` twice"),
        (vec![("variables", "A")], "`variables` must hold `KEY=VALUE` lines: line 1 has no `=`"),
        (
            vec![("variables", "\n1A=1")],
            "`variables` must hold names of letters, digits and `_` that start with a letter: line 2 does not",
        ),
        (vec![("volumes", "bucket:a/b:/x\nbucket:a/c:/x/")], "`volumes` must not mount two things at `/x`"),
        (
            vec![("wait", "false"), ("verify", "inference")],
            "`wait` must not be `false` if the app is checked: only a Space that runs can be checked",
        ),
        (
            vec![("wait", "false"), ("on_failure", "rollback")],
            "`wait` must not be `false` if `on_failure` is `rollback`: the run would not see the failure",
        ),
        (vec![("timeout", "soon")], "`timeout` must be a time like `90s`, `10m` or `2h`, not `soon`"),
        (vec![("timeout", "0")], "`timeout` must be a time like `90s`, `10m` or `2h`, not `0`"),
        (vec![("timeout", "500ms")], "`timeout` must be a time like `90s`, `10m` or `2h`, not `500ms`"),
        (vec![("timeout", "10M")], "`timeout` must be a time like `90s`, `10m` or `2h`, not `10M`"),
        (vec![("timeout", "never")], "`timeout` must be a time like `90s`, `10m` or `2h`, not `never`"),
        (vec![("verify", "maybe")], "`verify` must be `auto`, `health`, `inference` or `false`, not `maybe`"),
        (
            vec![("expect", "sound")],
            "`expect` must be `image`, `video`, `audio`, `text` or `any`, not `sound`",
        ),
        (
            vec![("health_status", "99")],
            "`health_status` must be an HTTP status between 200 and 599, not `99`",
        ),
        (
            vec![("health_path", "//evil.example")],
            "`health_path` must be a path that starts with one `/`, not `//evil.example`",
        ),
        (vec![("api_args", "{}")], "`api_args` must be a JSON list like `[\"hello\", 3]`, not an object"),
        (
            vec![("api_kwargs", "[]")],
            "`api_kwargs` must be a JSON object like `{\"text\": \"hello\"}`, not a list",
        ),
        (vec![("api_args", "[")], "`api_args` must be JSON: EOF while parsing a list at line 1 column 1"),
        (vec![("expect_regex", "a(")], "`expect_regex` must be a regular expression: unclosed group"),
        (
            vec![("settings_strategy", "replace")],
            "`settings_strategy` must be `merge` or `overwrite`, not `replace`",
        ),
        (
            vec![("leave_open_on_failure", "ssh")],
            "`leave_open_on_failure` must be `none` or `dev-mode`, not `ssh`",
        ),
        (vec![("on_failure", "retry")], "`on_failure` must be `keep` or `rollback`, not `retry`"),
    ] {
        check_fault(&set, message);
    }
}

#[test]
fn secret_whose_value_is_its_name_is_refused() {
    for value in ["API_KEY", "$API_KEY", "${API_KEY}", "${{ secrets.API_KEY }}"] {
        check_fault(
            &[("secrets", "API_KEY"), ("API_KEY", value)],
            "`secrets` names `API_KEY`, whose value in the step's `env:` is only that name: write `API_KEY: ${{ secrets.API_KEY }}` there",
        );
    }
}

#[test]
fn variable_with_the_token_is_refused() {
    let failure = refused(&[("hf_token", "hf_verysecretvalue"), ("variables", "T=hf_verysecretvalue")]);
    assert!(failure.message.contains("everybody can read `T`"), "{failure}");
}
