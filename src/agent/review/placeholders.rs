//! Parts of an app that an agent left open.

use std::sync::LazyLock;

use regex::Regex;

use super::super::editable::APP;
use super::super::refusal::Fault;

/// Number of lines that are searched for the end of a function's head.
const MAX_HEAD: usize = 100;

/// Words for work that is left, in comments and texts.
static LEFT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\b(?:TODO|FIXME)\b|(?i:your (?:code|implementation|logic) (?:here|goes)|not (?:yet )?implemented|implement (?:me|this)\b|(?:rest|remainder) of the (?:code|file|app)|existing code|(?:dummy|fake|mock) (?:output|result|response|answer|inference|prediction))",
    )
    .ok()
});
static NOT_IMPLEMENTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bNotImplemented(?:Error)?\b").ok());
static FUNCTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(\s*)(?:async\s+)?def\s+(\w+)\s*\(").ok());
/// A statement that does nothing, or returns a constant.
static IDLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(?:pass|\.\.\.|[rR]?(?:"+|'+)|(?:return|yield)(?:\s+(?:None|True|False|[0-9.]+|"+|'+|\[\s*\]|\{\s*\}|\(\s*\)))?)$"#).ok()
});

/// Finds the parts that were left open. `code` is the text without comments and without the contents of strings.
pub(super) fn find(text: &str, code: &str) -> Vec<Fault> {
    let is = |rule: &'static LazyLock<Option<Regex>>, line: &str| {
        rule.as_ref().is_some_and(|rule| rule.is_match(line))
    };
    let mut faults: Vec<Fault> = Vec::new();
    for (at, (line, code)) in text.lines().zip(code.lines()).enumerate() {
        if is(&NOT_IMPLEMENTED, code) || is(&LEFT, line) {
            faults.push(Fault::at(APP, at + 1, "holds a placeholder"));
        }
    }
    let lines: Vec<&str> = code.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(found) = FUNCTION.as_ref().and_then(|rule| rule.captures(line)) else { continue };
        let function = Function { indent: found[1].len(), lines: &lines[at..] };
        if function.has_parameters() && function.body().iter().all(|statement| is(&IDLE, statement)) {
            let text = format!("`{}` does nothing with its parameters", &found[2]);
            faults.push(Fault::at(APP, at + 1, text));
        }
    }
    faults
}

/// A function, from its first line to the end of the file.
struct Function<'a> {
    indent: usize,
    lines: &'a [&'a str],
}

impl Function<'_> {
    /// Returns the number of lines before the body, and the rest of the last one after its colon.
    fn head(&self) -> (usize, &str) {
        let mut depth = 0_usize;
        for (at, line) in self.lines.iter().take(MAX_HEAD).enumerate() {
            for (place, c) in line.char_indices() {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    ':' if depth == 0 => return (at + 1, line[place + 1..].trim()),
                    _ => {}
                }
            }
        }
        (self.lines.len().min(MAX_HEAD), "")
    }

    fn has_parameters(&self) -> bool {
        let (lines, _) = self.head();
        let head = self.lines[..lines].join(" ");
        let inside = head.split_once('(').map_or("", |(_, rest)| rest);
        let names =
            inside.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|name| !name.is_empty());
        let is_empty = inside.trim_start().starts_with(')');
        !is_empty && names.take(1).all(|name| !["self", "cls"].contains(&name))
    }

    /// Returns the statements of the body. A statement on several lines has a part on each.
    fn body(&self) -> Vec<&str> {
        let (lines, rest) = self.head();
        if !rest.is_empty() {
            return rest.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
        }
        let below = self.lines[lines..].iter();
        let indent = |line: &str| line.len() - line.trim_start().len();
        below
            .filter(|line| !line.trim().is_empty())
            .take_while(|line| indent(line) > self.indent)
            .map(|line| line.trim())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::without_texts;

    fn lines(text: &str) -> Vec<usize> {
        find(text, &without_texts(text)).into_iter().filter_map(|fault| fault.line).collect()
    }

    #[test]
    fn open_parts_are_found() {
        for (open, line) in [
            ("def predict(x):\n    raise NotImplementedError(\"later\")\n", 2),
            ("def predict(x):\n    \"\"\"Answers.\n\n    With care.\n    \"\"\"\n    pass\n", 1),
            ("\ndef predict(x):\n    ...\n", 2),
            ("def predict(x): pass\n", 1),
            (
                "def f(\n    x: str = \"a:b\",\n) -> dict[str, int]:\n    # an answer\n    return \"Hello\"\n",
                1,
            ),
            ("async def predict(x):\n    '''x'''\n    return {}\n", 1),
            ("def predict(x):\n    yield \"\"\"a\n    text\"\"\"\n", 1),
            ("x = 1  # TODO: call the model\n", 1),
            ("\nx = \"your code here\"\n", 2),
            ("# ... rest of the code ...\n", 1),
        ] {
            assert_eq!(lines(open), [line], "{open}");
        }
        for whole in [
            "def check_gpu() -> None:\n    \"\"\"Does nothing.\"\"\"\n",
            "class A:\n    def __init__(self):\n        pass\n",
            "def is_ready():\n    return True\n",
            "def predict(x):\n    \"\"\"Answers.\"\"\"\n    return model(x)\n",
            "def predict(x):\n    return f\"{x}\"\n",
            "def predict(x):\n    for y in x:\n        pass\n    return y\n",
            "def predict(x):\n    return [\n        x,\n    ]\n",
            "gr.Textbox(placeholder=\"Ask anything\")\n",
            "todo = [implement(x) for x in y]\n",
        ] {
            assert_eq!(lines(whole), Vec::<usize>::new(), "{whole}");
        }
    }
}
