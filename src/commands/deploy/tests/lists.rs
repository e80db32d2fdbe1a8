//! Tests of lists.

use super::{check_fault, read, refused};

fn variables(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (inputs, warnings) = read(&[("variables", text)]);
    let variables = inputs.deploy.space.settings.variables.into_iter();
    (variables.map(|variable| (variable.key, variable.value)).collect(), warnings)
}

#[test]
fn list_of_comments_is_empty() {
    for input in ["variables", "secrets", "fallback_hardware", "volumes"] {
        let (inputs, _) = read(&[(input, "# none yet\n")]);
        assert!(inputs.deploy.space.settings.variables.is_empty(), "{input}");
    }
}

#[test]
fn quotation_marks_around_a_value_are_removed() {
    for (line, value) in [
        ("Q=\"quoted\"", "quoted"),
        ("Q='quoted'", "quoted"),
        ("Q = \"My App\"", "My App"),
        ("Q='\"kept\"'", "\"kept\""),
        ("Q=\"\"", ""),
        ("Q=\"1 # no comment\"", "1 # no comment"),
        ("Q=\"1, B=2\"", "1, B=2"),
        ("Q=it's", "it's"),
        ("Q={\"a\": 1}", "{\"a\": 1}"),
        ("Q=#general", "#general"),
        ("Q=https://x.example/#top", "https://x.example/#top"),
        ("Q=a=1,b=2", "a=1,b=2"),
        ("Q=1, 2, 3", "1, 2, 3"),
    ] {
        let (found, warnings) = variables(line);
        assert_eq!(found, [("Q".to_owned(), value.to_owned())], "{line}");
        assert!(warnings.is_empty(), "{line}: {warnings:?}");
    }
}

#[test]
fn ambiguous_value_gets_a_warning() {
    for (line, value, part) in [
        ("C=1 # a comment", "1 # a comment", "`C` includes the text behind `#`"),
        ("C= # a comment", "# a comment", "`C` includes the text behind `#`"),
        ("A=1, B=2", "1, B=2", "`A` includes `B=…`: write one `KEY=VALUE` per line"),
        ("A=1;B=2", "1;B=2", "`A` includes `B=…`"),
        ("A=\"x\" and \"y\"", "\"x\" and \"y\"", "`A` keeps its quotation marks"),
    ] {
        let (found, warnings) = variables(line);
        assert_eq!(found[0].1, value, "{line}");
        assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
        assert!(warnings[0].starts_with("`variables`: ") && warnings[0].contains(part), "{warnings:?}");
    }
}

#[test]
fn list_in_yaml_or_json_is_one_fault() {
    for (input, text, message) in [
        (
            "secrets",
            "- A\n- B",
            "`secrets` must hold names, separated by lines or commas, not a list of YAML: leave out the `-` in front of each",
        ),
        (
            "secrets",
            "[\"A\", \"B\"]",
            "`secrets` must hold names, separated by lines or commas, not JSON: leave out the brackets and the quotation marks",
        ),
        (
            "secrets",
            "\"A\", \"B\"",
            "`secrets` must hold names, separated by lines or commas: leave out the quotation marks",
        ),
        (
            "fallback_hardware",
            "- t4-small\n- cpu-basic",
            "`fallback_hardware` must hold names, separated by lines or commas, not a list of YAML: leave out the `-` in front of each",
        ),
        (
            "variables",
            "- A=1\n- B=2",
            "`variables` must hold `KEY=VALUE` lines, not a list of YAML: leave out the `-` in front of each",
        ),
        (
            "variables",
            "{\"A\": \"1\"}",
            "`variables` must hold `KEY=VALUE` lines, not JSON: leave out the brackets and the quotation marks",
        ),
        ("variables", "A: 1", "`variables` must hold `KEY=VALUE` lines: line 1 has `:` in place of `=`"),
        ("variables", "export A=1", "`variables` must hold `KEY=VALUE` lines: leave out `export` on line 1"),
    ] {
        check_fault(&[(input, text), ("hardware", "t4-small")], message);
    }
    let failure = refused(&[("create_proxy", "true"), ("proxy_allow_origins", "[\"https://a.example\"]")]);
    assert_eq!(failure.message.lines().count(), 1, "{failure}");
    assert!(failure.message.contains("not JSON"), "{failure}");
}

#[test]
fn lines_commas_and_blanks_separate_names() {
    for listed in [
        "t4-small, cpu-basic",
        "t4-small\ncpu-basic",
        "# first\nt4-small,\n\n cpu-basic\n",
        "t4-small cpu-basic",
    ] {
        let (inputs, _) = read(&[("hardware", "a10g-small"), ("fallback_hardware", listed)]);
        let wanted: Vec<&str> =
            inputs.deploy.space.hardware.wanted.iter().map(|flavor| flavor.as_str()).collect();
        assert_eq!(wanted, ["a10g-small", "t4-small", "cpu-basic"], "{listed}");
    }
}
