//! Tests of the inputs of the check.

use super::{check_fault, read};
use crate::app_check::Mode;

#[test]
fn inputs_of_a_check_that_is_off_get_a_warning() {
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
fn endpoint_name_may_have_spaces() {
    let name = |text: &str| read(&[("api_name", text)]).0.deploy.space.check.api_name.unwrap();
    assert_eq!(name("Generate speech"), "/Generate speech");
    assert_eq!(name("/Generate speech"), "/Generate speech");
    check_fault(
        &[("api_name", "/"), ("huggingface_repo", "ada/demo")],
        "`api_name` must be the name of an endpoint like `/predict`, not `/`",
    );
}

#[test]
fn check_is_off_with_false_and_none() {
    let mode = |set: &[(&str, &str)]| read(set).0.deploy.space.check.mode;
    assert_eq!(mode(&[("verify", "false"), ("api_name", " "), ("health_contains", "")]), Mode::Off);
    assert_eq!(mode(&[("verify", "true"), ("api_name", "/predict")]), Mode::Auto);
    for off in ["none", "off", "no"] {
        assert_eq!(mode(&[("verify", off)]), Mode::Off, "{off}");
    }
}

#[test]
fn json_with_single_quotes_gets_advice() {
    check_fault(
        &[("api_args", "['hello']")],
        "`api_args` must be JSON (JSON has double quotation marks): expected value at line 1 column 2",
    );
}
