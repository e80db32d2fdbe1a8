//! Lists in inputs: names, separated by lines or commas, and lines of `KEY=VALUE`.

use super::faults::Findings;
use super::raw::given;
use crate::ops::space::Variable;

/// Rule of a list of names, as a fault states it.
pub(super) const NAMES: &str = "names, separated by lines or commas";
/// Rule of a list of settings.
pub(super) const KEY_VALUES: &str = "`KEY=VALUE` lines";

/// Returns the lines of a list, counted from 1, without empty ones and `#` comments.
pub(super) fn lines(text: Option<&str>) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.unwrap_or_default().lines().map(str::trim).enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the names of one line, which commas and blanks separate.
pub(super) fn names_of(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty())
}

/// Returns the names of a list, or notes that it is written in another notation.
pub(super) fn names<'a>(input: &str, text: Option<&'a str>, findings: &mut Findings) -> Vec<&'a str> {
    if is_another_notation(input, NAMES, text, findings) {
        return Vec::new();
    }
    lines(text).flat_map(|(_, line)| names_of(line)).collect()
}

/// Notes a list that is written as YAML or JSON. That is one fault, however many entries it has.
pub(super) fn is_another_notation(
    input: &str,
    wanted: &str,
    text: Option<&str>,
    findings: &mut Findings,
) -> bool {
    let Some(all) = given(text) else { return false };
    let is_json = all.starts_with(['[', '{']);
    let is_entry = |line: &str| line == "-" || line.starts_with("- ");
    let is_yaml = lines(text).next().is_some() && lines(text).all(|(_, line)| is_entry(line));
    let is_quoted = wanted == NAMES && lines(text).any(|(_, line)| line.starts_with(['"', '\'']));
    let sentence = if is_json {
        format!("must hold {wanted}, not JSON: leave out the brackets and the quotation marks")
    } else if is_yaml {
        format!("must hold {wanted}, not a list of YAML: leave out the `-` in front of each")
    } else if is_quoted {
        format!("must hold {wanted}: leave out the quotation marks")
    } else {
        return false;
    };
    findings.fault(input, sentence);
    true
}

/// The Hub's rule for names of variables and secrets: `^[a-zA-Z][_a-zA-Z0-9]*$`.
pub(super) fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads one `KEY=VALUE` line. Quotation marks around the whole value are left out, as in `.env` files.
pub(super) fn key_value(input: &str, number: usize, line: &str, findings: &mut Findings) -> Option<Variable> {
    let Some((key, value)) = line.split_once('=') else {
        let has_colon = line.split_once(':').is_some_and(|(key, _)| is_key(key.trim()));
        let instead = if has_colon { "`:` in place of `=`" } else { "no `=`" };
        findings.fault(input, format!("must hold {KEY_VALUES}: line {number} has {instead}"));
        return None;
    };
    let (key, value) = (key.trim_end(), value.trim_start());
    if key.starts_with("export ") {
        findings.fault(input, format!("must hold {KEY_VALUES}: leave out `export` on line {number}"));
        return None;
    }
    if !is_key(key) {
        findings.fault(
            input,
            format!(
                "must hold names of letters, digits and `_` that start with a letter: line {number} does not"
            ),
        );
        return None;
    }
    let value = match unquoted(value) {
        Some(inner) => inner,
        None => {
            question(input, key, value, findings);
            value
        }
    };
    Some(Variable { key: key.to_owned(), value: value.to_owned() })
}

/// Returns what stands between the quotation marks that enclose all of a value.
fn unquoted(value: &str) -> Option<&str> {
    let quoted = |mark: char| {
        let inner = value.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inner.contains(mark)).then_some(inner)
    };
    quoted('"').or_else(|| quoted('\''))
}

/// Warns of a value that other tools read otherwise. Quotation marks around it say that it is meant.
fn question(input: &str, key: &str, value: &str, findings: &mut Findings) {
    let doubt = if value.starts_with("# ") || value.contains(" #") {
        "includes the text behind `#`: write comments on lines of their own".to_owned()
    } else if let Some(next) = next_key(value) {
        format!("includes `{next}=…`: write one `KEY=VALUE` per line")
    } else if value.starts_with(['"', '\'']) {
        "keeps its quotation marks, since they do not enclose all of it".to_owned()
    } else {
        return;
    };
    findings.warn(format!(
        "`{input}`: the value of `{key}` {doubt} (put the whole value in quotation marks if it is meant so)"
    ));
}

/// Returns the key behind a comma or a semicolon, as in `1, B=2`. A value that is a list of pairs itself
/// (`a=1,b=2`) is none of that.
fn next_key(value: &str) -> Option<&str> {
    let (first, rest) = value.split_once([',', ';'])?;
    let (key, _) = rest.split_once('=')?;
    (!first.contains('=') && is_key(key.trim())).then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use crate::commands::deploy::inputs::tests::{check_fault, read, refused};

    fn variables(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let (inputs, warnings) = read(&[("variables", text)]);
        let variables = inputs.deploy.space.settings.variables.into_iter();
        (variables.map(|variable| (variable.key, variable.value)).collect(), warnings)
    }

    #[test]
    fn comments_alone_are_an_empty_list() {
        for input in ["variables", "secrets", "fallback_hardware", "volumes"] {
            let (inputs, _) = read(&[(input, "# none yet\n")]);
            assert!(inputs.deploy.space.settings.variables.is_empty(), "{input}");
        }
    }

    #[test]
    fn quotation_marks_around_a_value_are_left_out() {
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
    fn a_value_that_other_tools_read_otherwise_is_questioned() {
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
    fn a_list_in_another_notation_is_one_fault() {
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
            (
                "variables",
                "export A=1",
                "`variables` must hold `KEY=VALUE` lines: leave out `export` on line 1",
            ),
        ] {
            check_fault(&[(input, text), ("hardware", "t4-small")], message);
        }
        let failure =
            refused(&[("create_proxy", "true"), ("proxy_allow_origins", "[\"https://a.example\"]")]);
        assert_eq!(failure.message.lines().count(), 1, "{failure}");
        assert!(failure.message.contains("not JSON"), "{failure}");
    }

    #[test]
    fn names_are_separated_by_lines_or_commas() {
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
}
