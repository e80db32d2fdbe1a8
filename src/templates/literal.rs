//! Texts from outside as literals of the language that a template is written in.
//!
//! A template inserts a text through one of these filters. Rendering refuses any other text, so that no model id, card
//! or example can become code.

use std::fmt::Write as _;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

/// Adds the filters to an environment, and refuses texts without one.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    // With a mode of its own, minijinja marks what a filter or a macro returns, and the formatter can see the mark.
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::Custom("literal".into()));
    environment.set_formatter(|out, _, value| match value.kind() {
        ValueKind::Number | ValueKind::Bool => write!(out, "{value}").map_err(Error::from),
        ValueKind::String if value.is_safe() => write!(out, "{value}").map_err(Error::from),
        kind => {
            Err(Error::new(ErrorKind::InvalidOperation, format!("{kind} without a filter of its language")))
        }
    });
    // It would mark any text.
    environment.remove_filter("safe");
    environment.add_filter("py", |value: Value| literal(&value, python));
    environment.add_filter("js", |value: Value| literal(&value, script));
    environment.add_filter("html", |text: &str| Value::from_safe_string(html(text)));
    environment.add_filter("md", |text: &str| Value::from_safe_string(markdown(text)));
    environment.add_filter("path", |text: &str| Value::from_safe_string(path(text)));
    environment.add_filter("comment", |text: &str| Value::from_safe_string(comment(text)));
}

fn literal(value: &Value, write: fn(&serde_json::Value) -> String) -> Result<Value, Error> {
    let value = serde_json::to_value(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, "no literal").with_source(error))?;
    Ok(Value::from_safe_string(write(&value)))
}

/// Returns a literal of Python.
pub(super) fn python(value: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => python_string(text),
        Json::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let pair = |(key, value): (&String, &Json)| format!("{}: {}", python_string(key), python(value));
            format!("{{{}}}", map.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Returns a string literal. Only printable ASCII, letters and digits stand for themselves, because Python breaks
/// lines at more characters than a reader sees.
fn python_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            ' '..='~' => literal.push(c),
            _ if c.is_alphanumeric() => literal.push(c),
            _ => {
                let _ = match u32::from(c) {
                    code @ 0..=0xff => write!(literal, "\\x{code:02x}"),
                    code @ 0..=0xffff => write!(literal, "\\u{code:04x}"),
                    code => write!(literal, "\\U{code:08x}"),
                };
            }
        }
    }
    literal.push('"');
    literal
}

/// Returns a literal of JavaScript that also keeps its meaning inside `<script>`: JSON in printable ASCII, letters and
/// digits, without `<`, `>` and `&`.
pub(super) fn script(value: &serde_json::Value) -> String {
    let mut literal = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' | '>' | '&' => {}
            ' '..='~' => {
                literal.push(c);
                continue;
            }
            _ if c.is_alphanumeric() => {
                literal.push(c);
                continue;
            }
            _ => {}
        }
        // Only strings hold other characters, and UTF-16 is how JSON escapes them (RFC 8259, 7).
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(literal, "\\u{unit:04x}");
        }
    }
    literal
}

/// Returns a text for an element or a quoted attribute of HTML.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            ' '..='~' if !"&<>\"'`".contains(c) => escaped.push(c),
            _ if c.is_alphanumeric() => escaped.push(c),
            // No reference stands for these characters (HTML, 13.5, "numeric character reference end state").
            _ if c.is_control() => escaped.push(' '),
            _ => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
        }
    }
    escaped
}

/// Returns a text on one line of Markdown, in which no character marks anything up.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            // CommonMark 2.4: any ASCII punctuation may be escaped. A mark between letters or digits needs no escape.
            '-' | '.' | '/' => escaped.push(c),
            _ if c.is_ascii_punctuation() => escaped.extend(['\\', c]),
            ' '..='~' => escaped.push(c),
            _ if c.is_alphanumeric() => escaped.push(c),
            _ if c.is_control() || c.is_whitespace() => escaped.push(' '),
            _ => {
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
        }
    }
    escaped
}

/// Returns a text for the path of an address.
pub(super) fn path(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                write!(escaped, "{}", char::from(byte))
            }
            _ => write!(escaped, "%{byte:02X}"),
        };
        escaped
    })
}

/// Returns a text for a comment that ends with its line.
pub(super) fn comment(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') || c.is_alphanumeric() { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;
    use serde_json::json;

    #[test]
    fn texts_become_literals() {
        let hostile = "a\"b\\\n'''\u{2028}\u{85}{{ x }}</script>é😀\u{0}";
        assert_eq!(python(&json!(hostile)), r#""a\"b\\\n'''\u2028\x85{{ x }}</script>é\U0001f600\x00""#);
        assert_eq!(
            script(&json!(hostile)),
            r#""a\"b\\\n'''\u2028\u0085{{ x }}\u003c/script\u003eé\ud83d\ude00\u0000""#
        );
        assert_eq!(html("a<b>&\"c'\n\u{2028}"), "a&#60;b&#62;&#38;&#34;c&#39; &#8232;");
        assert_eq!(markdown("a_b-1.0 [x](y) <z>\n# t"), "a\\_b-1.0 \\[x\\]\\(y\\) \\<z\\> \\# t");
        assert_eq!(path("a/b-1 (\"é"), "a/b-1%20%28%22%C3%A9");
        assert_eq!(comment("a\n\u{2028}#é"), "a??#é");
    }

    #[test]
    fn values_become_literals_of_python() {
        let value = json!([null, true, false, 1, -0.5, 1e300, {"k\"": ["v"]}]);
        assert_eq!(python(&value), r#"[None, True, False, 1, -0.5, 1e+300, {"k\"": ["v"]}]"#);
    }

    #[test]
    fn text_without_a_filter_is_refused() {
        let mut environment = Environment::new();
        add_to(&mut environment);
        let render =
            |template: &str| environment.render_str(template, context! { x => "text", n => 7, l => ["a"] });
        assert_eq!(render("{{ n }} {{ x | py }} {{ l | py }}").unwrap(), r#"7 "text" ["a"]"#);
        for refused in
            ["{{ x }}", "{{ l }}", "{{ x | safe }}", "{{ 'a' ~ x }}", "{{ missing }}", "{{ x | upper }}"]
        {
            assert!(render(refused).is_err(), "{refused}");
        }
    }
}
