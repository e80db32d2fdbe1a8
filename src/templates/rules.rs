//! Rules that each generated Space keeps, checked in the files. They also judge files that an agent has changed.

use std::sync::LazyLock;

use regex::Regex;

/// Modules that touch CUDA when they are imported.
const CUDA_MODULES: &str = "torch|torchvision|torchaudio|transformers|diffusers|accelerate|timm|peft|sentence_transformers|bitsandbytes";

/// Packages that the Hub installs itself, in versions that fit together.
const HUB_PACKAGES: [&str; 4] = ["gradio", "spaces", "huggingface-hub", "torch"];

/// A rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule, as a sentence.
    pub rule: &'static str,
    /// Line of the file, from 1, if one line breaks it.
    pub line: Option<usize>,
}

impl Violation {
    fn at(rule: &'static str, line: usize) -> Self {
        Self { rule, line: Some(line + 1) }
    }

    fn whole(rule: &'static str) -> Self {
        Self { rule, line: None }
    }
}

static IMPORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"^\s*(?:import|from)\s+(?:\w+\s*,\s*)*({CUDA_MODULES})\b")).ok());
static SPACES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(?:import|from)\s+spaces\b").ok());
static DECORATED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*@spaces\.GPU\b.*\n(?:\s*@.*\n)*\s*(async\s+)?def\s").ok());
static LAUNCH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\.launch\(([^()]*)\)").ok());
static SHOWN_ERRORS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"show_error\s*=\s*True").ok());
static REFUSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"torch\.compile\(|device_map\s*=\s*["']auto["']|^\s*(?:import|from)\s+flash_attn"#).ok()
});

/// Returns the rules that a file of a Gradio Space breaks. Files other than `app.py` and `requirements.txt` break none.
pub fn check_rules(path: &str, text: &str) -> Vec<Violation> {
    match path {
        "app.py" => check_app(text),
        "requirements.txt" => check_requirements(text),
        _ => Vec::new(),
    }
}

fn check_app(text: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let code = without_texts(text);
    let is = |rule: &'static LazyLock<Option<Regex>>, text: &str| {
        rule.as_ref().is_some_and(|rule| rule.is_match(text))
    };
    let spaces = code.lines().position(|line| is(&SPACES, line));
    let cuda = code.lines().position(|line| is(&IMPORT, line));
    match (spaces, cuda) {
        (None, _) => found.push(Violation::whole("the app imports `spaces`")),
        (Some(spaces), Some(cuda)) if cuda < spaces => {
            found.push(Violation::at("`spaces` is imported before any module that touches CUDA", cuda));
        }
        _ => {}
    }
    match DECORATED.as_ref().and_then(|rule| rule.captures(&code)) {
        None => found.push(Violation::whole("a function is decorated with `@spaces.GPU`")),
        Some(captures) if captures.get(1).is_some() => {
            found.push(Violation::whole("the function with `@spaces.GPU` is not `async`"));
        }
        Some(_) => {}
    }
    let launch = LAUNCH.as_ref().and_then(|rule| rule.captures(&code)).and_then(|captures| captures.get(1));
    match launch {
        None => found.push(Violation::whole("the app calls `launch`")),
        Some(options) if !is(&SHOWN_ERRORS, options.as_str()) => {
            let line = code[..options.start()].matches('\n').count();
            found.push(Violation::at("`launch` has `show_error=True`", line));
        }
        Some(_) => {}
    }
    let refused = text.lines().position(|line| is(&REFUSED, line.split('#').next().unwrap_or_default()));
    if let Some(line) = refused {
        let rule = "the app uses no `torch.compile`, no `device_map=\"auto\"` and no `flash_attn`";
        found.push(Violation::at(rule, line));
    }
    found
}

fn check_requirements(text: &str) -> Vec<Violation> {
    let name = |line: &str| -> String {
        let end =
            line.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(line.len());
        line[..end].to_ascii_lowercase().replace(['_', '.'], "-")
    };
    let is_hub_package = |line: &str| HUB_PACKAGES.contains(&name(line.trim()).as_str());
    let lines = text.lines().enumerate().filter(|(_, line)| is_hub_package(line));
    lines
        .map(|(at, _)| {
            Violation::at("the requirements name no `gradio`, `spaces`, `huggingface_hub` or `torch`", at)
        })
        .collect()
}

/// Returns Python without comments and without the contents of strings, line by line.
pub fn without_texts(python: &str) -> String {
    let mut code = String::with_capacity(python.len());
    let mut rest = python;
    while let Some(c) = rest.chars().next() {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| rest.starts_with(quote));
        if let Some(quote) = quote {
            let inner = &rest[quote.len()..];
            let end = end_of_string(inner, quote);
            code.push_str(quote);
            code.extend(inner[..end].chars().filter(|c| *c == '\n'));
            code.push_str(quote);
            rest = inner[end..].strip_prefix(quote).unwrap_or(&inner[end..]);
        } else if c == '#' {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

/// Returns the place where a string ends: at its quote, or for a short one at the end of the line.
fn end_of_string(text: &str, quote: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if text[at..].starts_with(quote) || (c == '\n' && quote.len() == 1) {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "import spaces\nimport torch\n\n@spaces.GPU(duration=60)\ndef predict(x):\n    return x\n\n\
                        demo.queue().launch(show_error=True)\n";

    #[test]
    fn each_broken_rule_is_found() {
        assert_eq!(check_rules("app.py", GOOD), []);
        let cases = [
            ("import spaces\nimport torch\n", "import torch\nimport spaces\n", Some(1)),
            ("import spaces\n", "from transformers import pipeline\nimport spaces\n", Some(1)),
            ("import spaces\n", "\"\"\"\nimport spaces\n\"\"\"\n", None),
            ("import spaces\n", "# import spaces\n", None),
            ("@spaces.GPU(duration=60)\n", "", None),
            ("@spaces.GPU(duration=60)\n", "# @spaces.GPU\n", None),
            ("def predict", "async def predict", None),
            ("launch(show_error=True)", "launch()", Some(8)),
            ("demo.queue().launch(show_error=True)", "pass", None),
            ("    return x\n", "    return torch.compile(x)\n", Some(6)),
            ("    return x\n", "    return load(device_map = 'auto')\n", Some(6)),
            ("import torch\n", "import torch\nfrom flash_attn import f\n", Some(3)),
        ];
        for (old, new, line) in cases {
            let broken = GOOD.replacen(old, new, 1);
            let found = check_rules("app.py", &broken);
            assert_eq!(found.len(), 1, "{new:?}: {found:?}");
            assert_eq!(found[0].line, line, "{new:?}");
        }
        for kept in ["x = '''\nimport torch\n'''\n", "x = 'it\\'s'  # \"\n", "@other\n"] {
            let text =
                GOOD.replacen("@spaces.GPU(duration=60)\n", &format!("{kept}@spaces.GPU(duration=60)\n"), 1);
            assert_eq!(check_rules("app.py", &text), [], "{kept:?}");
        }
    }

    #[test]
    fn packages_of_the_hub_are_found() {
        let lines =
            |text| check_rules("requirements.txt", text).iter().map(|found| found.line).collect::<Vec<_>>();
        assert_eq!(lines("transformers\ntorchvision\nspaces-x\n"), []);
        assert_eq!(lines("Torch==2.8\nx\nhuggingface_hub[cli]>=1\n"), [Some(1), Some(3)]);
    }
}
