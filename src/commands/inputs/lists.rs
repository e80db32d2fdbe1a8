//! Lists in inputs: names, separated by lines or commas, and lines of `KEY=VALUE`.

use super::declaration::Input;
use super::diagnostics::Diagnostics;
use super::environment::given;
use crate::ops::space::Variable;

/// Rule of a list of names, as a fault states it.
pub(crate) const NAMES: &str = "names, separated by lines or commas";
/// Rule of a list of settings.
pub(crate) const KEY_VALUES: &str = "`KEY=VALUE` lines";

/// Returns the lines of a list, counted from 1, without empty ones and `#` comments.
pub(crate) fn lines(text: Option<&str>) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.unwrap_or_default().lines().map(str::trim).enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the names of one line, which commas and blanks separate.
pub(crate) fn names_of(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty())
}

/// Returns the names of a list, or notes that it is written in another notation.
pub(crate) fn names<'a>(input: &Input, text: Option<&'a str>, diagnostics: &mut Diagnostics) -> Vec<&'a str> {
    if is_another_notation(input, NAMES, text, diagnostics) {
        return Vec::new();
    }
    lines(text).flat_map(|(_, line)| names_of(line)).collect()
}

/// Notes a list that is written as YAML or JSON. That is one fault, however many entries it has.
pub(crate) fn is_another_notation(
    input: &Input,
    wanted: &str,
    text: Option<&str>,
    diagnostics: &mut Diagnostics,
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
    diagnostics.fault(input, sentence);
    true
}

/// Returns true if the Hub allows this name for a variable or a secret: `^[a-zA-Z][_a-zA-Z0-9]*$`.
pub(crate) fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Reads one `KEY=VALUE` line. Quotation marks around the whole value are left out, as in `.env` files.
pub(crate) fn key_value(
    input: &Input,
    number: usize,
    line: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Variable> {
    let Some((key, value)) = line.split_once('=') else {
        let has_colon = line.split_once(':').is_some_and(|(key, _)| is_key(key.trim()));
        let instead = if has_colon { "`:` in place of `=`" } else { "no `=`" };
        diagnostics.fault(input, format!("must hold {KEY_VALUES}: line {number} has {instead}"));
        return None;
    };
    let (key, value) = (key.trim_end(), value.trim_start());
    if key.starts_with("export ") {
        diagnostics.fault(input, format!("must hold {KEY_VALUES}: leave out `export` on line {number}"));
        return None;
    }
    if !is_key(key) {
        diagnostics.fault(
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
            warn_of_ambiguity(input, key, value, diagnostics);
            value
        }
    };
    Some(Variable { key: key.to_owned(), value: value.to_owned() })
}

/// Returns the text between the quotation marks that enclose all of a value.
fn unquoted(value: &str) -> Option<&str> {
    let quoted = |mark: char| {
        let inner = value.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inner.contains(mark)).then_some(inner)
    };
    quoted('"').or_else(|| quoted('\''))
}

/// Warns of a value that other tools read differently. Quotation marks around it show that it is meant.
fn warn_of_ambiguity(input: &Input, key: &str, value: &str, diagnostics: &mut Diagnostics) {
    let doubt = if value.starts_with("# ") || value.contains(" #") {
        "includes the text behind `#`: write comments on lines of their own".to_owned()
    } else if let Some(next) = next_key(value) {
        format!("includes `{next}=…`: write one `KEY=VALUE` per line")
    } else if value.starts_with(['"', '\'']) {
        "keeps its quotation marks, since they do not enclose all of it".to_owned()
    } else {
        return;
    };
    diagnostics.warn(format!(
        "`{}`: the value of `{key}` {doubt} (put the whole value in quotation marks if it is meant so)",
        diagnostics.name(input)
    ));
}

/// Returns the key behind a comma or a semicolon, as in `1, B=2`. A value that is a list of pairs itself
/// (`a=1,b=2`) has no such key.
fn next_key(value: &str) -> Option<&str> {
    let (first, rest) = value.split_once([',', ';'])?;
    let (key, _) = rest.split_once('=')?;
    (!first.contains('=') && is_key(key.trim())).then(|| key.trim())
}
