//! The file of the checks: a list in YAML, with all its faults at once.

use std::collections::HashMap;

use hub::shorten;
use hub::suggest::{closest, letters_of};
use serde_yaml::{Mapping, Value};

use crate::app_check::{Check, Mode};
use crate::commands::groups::app_check as group;
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{self, Parsed, SHOWN};
use crate::folder::yaml;
use crate::ops::verify::{CheckPlace, NamedCheck};

/// Keys of a check.
const KEYS: [&str; 11] = [
    "name",
    "api_name",
    "args",
    "kwargs",
    "expect",
    "expect_contains",
    "expect_regex",
    "max_latency",
    "health_path",
    "health_status",
    "health_contains",
];
/// Keys that request a call.
const CALL: [&str; 7] =
    ["api_name", "args", "kwargs", "expect", "expect_contains", "expect_regex", "max_latency"];
/// Keys that request a page.
const PAGE: [&str; 3] = ["health_path", "health_status", "health_contains"];
/// Names of inputs that are shorter here.
const SHORTER: [(&str, &str); 2] = [("api_args", "args"), ("api_kwargs", "kwargs")];
/// Longest name of a check, in characters.
const MAX_NAME: usize = 200;

/// A file of checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChecksFile<'a> {
    /// Path as the user wrote it.
    pub(super) path: &'a str,
    pub(super) text: &'a str,
}

/// One check of the file, while it is read.
struct Entry<'a> {
    file: ChecksFile<'a>,
    /// Position in the list, from 0.
    index: usize,
    keys: &'a Mapping,
    diagnostics: &'a mut Diagnostics,
}

impl ChecksFile<'_> {
    /// Reads the checks. Each has what `base` has, beside its own keys.
    pub(super) fn read(self, base: &Check, diagnostics: &mut Diagnostics) -> Vec<NamedCheck> {
        let parsed = yaml::parse(self.text);
        let list = match &parsed {
            Ok(Value::Sequence(list)) => list,
            Ok(Value::Null) => {
                self.fault(1, "holds no check", diagnostics);
                return Vec::new();
            }
            Ok(_) => {
                self.fault(1, "must be a list of checks, such as `- name: greets`", diagnostics);
                return Vec::new();
            }
            Err(error) => {
                self.fault(error.line, &format!("is not valid YAML: {}", error.message), diagnostics);
                return Vec::new();
            }
        };
        if list.is_empty() {
            self.fault(1, "holds no check", diagnostics);
        }
        let mut names: HashMap<String, u32> = HashMap::new();
        let mut checks = Vec::new();
        for (index, entry) in list.iter().enumerate() {
            let Some(keys) = entry.as_mapping() else {
                let line = self.line(&format!("[{index}]"));
                self.fault(line, "must have `key: value` lines for each check", diagnostics);
                continue;
            };
            let mut entry = Entry { file: self, index, keys, diagnostics };
            let Some(mut check) = entry.read(base) else { continue };
            let line = entry.line("name");
            if let Some(first) = names.insert(check.name.clone(), line) {
                entry.fault(
                    "name",
                    &format!("repeats `{}`, the name of the check on line {first}", check.name),
                );
            }
            check.check.number = Some(index + 1);
            checks.push(check);
        }
        checks
    }

    fn line(self, path: &str) -> u32 {
        yaml::line_of(self.text, path).unwrap_or(1)
    }

    fn fault(self, line: u32, sentence: &str, diagnostics: &mut Diagnostics) {
        diagnostics.fault_in_file(self.path, line, None, sentence);
    }
}

impl Entry<'_> {
    fn read(&mut self, base: &Check) -> Option<NamedCheck> {
        self.refuse_unknown_keys();
        let name = self.name();
        let has =
            |keys: &[&str]| keys.iter().any(|key| self.keys.get(*key).is_some_and(|value| !value.is_null()));
        let (is_call, is_page) = (has(&CALL), has(&PAGE));
        if !is_call && !is_page {
            self.fault("", "names nothing to check: add `api_name`, `expect` or `health_path`");
        }
        let health_status = self.scalar("health_status", group::health_status);
        let health_path = self.text("health_path", group::health_path);
        let check = Check {
            mode: if is_call { Mode::Inference } else { Mode::Health },
            health_path: health_path.or_else(|| health_status.map(|_| "/".to_owned())),
            health_status: health_status.unwrap_or(base.health_status),
            health_contains: self.text("health_contains", whole),
            api_name: self.text("api_name", group::api_name),
            api_args: self.json("args", "a list, such as `[hello, 3]`").unwrap_or_default(),
            api_kwargs: self
                .json("kwargs", "`key: value` pairs, such as `{text: hello}`")
                .unwrap_or_default(),
            expect: self.text("expect", group::expect),
            expect_contains: self.text("expect_contains", whole),
            expect_regex: self.text("expect_regex", group::regex),
            max_latency: self.scalar("max_latency", parse::duration),
            ..base.clone()
        };
        let place = CheckPlace { file: self.file.path.to_owned(), line: self.line("") };
        Some(NamedCheck { name: name?, check, place: Some(place) })
    }

    fn refuse_unknown_keys(&mut self) {
        for key in self.keys.keys() {
            let Some(key) = key.as_str() else {
                self.fault("", "has a key that is no text");
                continue;
            };
            if KEYS.contains(&key) {
                continue;
            }
            let shorter = SHORTER.iter().find(|(long, _)| letters_of(long) == letters_of(key));
            let meant = shorter.map(|(_, short)| *short).or_else(|| closest(key, KEYS));
            let advice = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys are `{}`", KEYS.join("`, `")),
            };
            self.fault(key, &format!("is no key of a check: {advice}"));
        }
    }

    fn name(&mut self) -> Option<String> {
        if self.keys.get("name").is_none_or(Value::is_null) {
            self.fault("", "must have a `name`");
            return None;
        }
        self.text("name", |text| {
            if text.chars().any(char::is_control) || text.chars().count() > MAX_NAME {
                return parse::refuse(format!("must be one line of at most {MAX_NAME} characters"));
            }
            Ok(text.to_owned())
        })
    }

    /// Reads a text. A number is refused, because YAML may have changed it (`1e3`, `0x10`).
    fn text<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Option<T> {
        match self.keys.get(key)? {
            Value::Null => None,
            Value::String(text) => self.parsed(key, text.trim(), parse),
            other => {
                let advice = match other {
                    Value::Number(_) | Value::Bool(_) => ": put it in quotation marks",
                    _ => "",
                };
                self.fault(key, &format!("must be text{advice}"));
                None
            }
        }
    }

    /// Reads a text or a number.
    fn scalar<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Option<T> {
        match self.keys.get(key)? {
            Value::Number(number) => self.parsed(key, &number.to_string(), parse),
            _ => self.text(key, parse),
        }
    }

    fn parsed<T>(&mut self, key: &str, text: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Option<T> {
        let parsed = if text.is_empty() { parse::refuse("must not be empty") } else { parse(text) };
        parsed.map_err(|refusal| self.fault(key, &refusal.0)).ok()
    }

    /// Reads a list or a mapping as JSON.
    fn json<T: serde::de::DeserializeOwned>(&mut self, key: &str, wanted: &str) -> Option<T> {
        let value = self.keys.get(key).filter(|value| !value.is_null())?;
        let parsed = serde_json::to_value(value).ok().and_then(|json| serde_json::from_value(json).ok());
        if parsed.is_none() {
            let shown = match value {
                Value::String(text) => format!(", not the text `{}`", shorten(text, SHOWN)),
                _ => String::new(),
            };
            self.fault(key, &format!("must be {wanted}{shown}"));
        }
        parsed
    }

    /// Returns the line of a key, or of the check for the empty key.
    fn line(&self, key: &str) -> u32 {
        self.file.line(&format!("[{}].{key}", self.index))
    }

    /// Notes a fault of a key, or of the check for the empty key.
    fn fault(&mut self, key: &str, sentence: &str) {
        let line = self.line(key);
        let key = Some(key).filter(|key| !key.is_empty());
        self.diagnostics.fault_in_file(self.file.path, line, key, sentence);
    }
}

fn whole(text: &str) -> Parsed<String> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app_check::Expect;
    use crate::commands::inputs::place::InputPlace;

    fn read(text: &str) -> (Vec<NamedCheck>, String) {
        let mut diagnostics = Diagnostics::new(InputPlace::Workflow);
        let file = ChecksFile { path: "checks.yml", text };
        let checks = file.read(&Check::new("w"), &mut diagnostics);
        let faults = diagnostics.accept(Some(())).err().map(|failure| failure.message);
        (checks, faults.unwrap_or_default())
    }

    #[test]
    fn calls_and_pages_are_read() {
        let (checks, faults) = read(
            "- name: greets\n  api_name: predict\n  args: [Ada, 3, {a: null}]\n  kwargs: {loud: true}\n  expect: text\n  \
             expect_contains: Hello\n  expect_regex: ^Hello\n  max_latency: 20s\n- name: page\n  health_path: /x\n  \
             health_status: 418\n  health_contains: tea\n",
        );
        assert_eq!(faults, "");
        let [greets, page] = checks.as_slice() else { panic!("{checks:?}") };
        assert_eq!((greets.name.as_str(), greets.check.mode), ("greets", Mode::Inference));
        assert_eq!(greets.check.api_name.as_deref(), Some("/predict"));
        assert_eq!(serde_json::to_string(&greets.check.api_args).unwrap(), r#"["Ada",3,{"a":null}]"#);
        assert_eq!(greets.check.api_kwargs["loud"], true);
        assert_eq!((greets.check.expect, greets.check.number), (Some(Expect::Text), Some(1)));
        assert_eq!(greets.check.max_latency, Some(Duration::from_secs(20)));
        assert_eq!(greets.place, Some(CheckPlace { file: "checks.yml".to_owned(), line: 1 }));
        assert_eq!((page.check.mode, page.check.health_status), (Mode::Health, 418));
        assert_eq!(page.place.as_ref().unwrap().line, 9);
    }

    #[test]
    fn all_faults_are_found_with_their_lines() {
        let (_, faults) = read(
            "- name: a\n  api_nam: /x\n  api_args: [1]\n  colour: red\n- name: a\n  expect: picture\n- expect_contains: 3\n- name: b\n- \
             name: c\n  args: '[1]'\n  kwargs: [1]\n  health_status: 900\n  expect_regex: '('\n- just text\n- name: ''\n  max_latency: soon\n",
        );
        insta::assert_snapshot!(faults, @r"
        16 invalid inputs:
        `checks.yml:2: api_nam` is no key of a check: did you mean `api_name`?
        `checks.yml:3: api_args` is no key of a check: did you mean `args`?
        `checks.yml:4: colour` is no key of a check: the keys are `name`, `api_name`, `args`, `kwargs`, `expect`, `expect_contains`, `expect_regex`, `max_latency`, `health_path`, `health_status`, `health_contains`
        `checks.yml:1` names nothing to check: add `api_name`, `expect` or `health_path`
        `checks.yml:6: expect` must be `image`, `video`, `audio`, `text` or `any`, not `picture`
        `checks.yml:5: name` repeats `a`, the name of the check on line 1
        `checks.yml:7` must have a `name`
        `checks.yml:7: expect_contains` must be text: put it in quotation marks
        `checks.yml:8` names nothing to check: add `api_name`, `expect` or `health_path`
        `checks.yml:12: health_status` must be an HTTP status between 200 and 599, not `900`
        `checks.yml:10: args` must be a list, such as `[hello, 3]`, not the text `[1]`
        `checks.yml:11: kwargs` must be `key: value` pairs, such as `{text: hello}`
        `checks.yml:13: expect_regex` must be a regular expression: unclosed group
        `checks.yml:14` must have `key: value` lines for each check
        `checks.yml:15: name` must not be empty
        `checks.yml:16: max_latency` must be a time like `90s`, `10m` or `2h`, not `soon`
        ");
    }

    #[test]
    fn file_that_is_no_list_is_one_fault() {
        for (text, fault) in [
            ("", "`checks.yml:1` holds no check"),
            ("[]", "`checks.yml:1` holds no check"),
            ("name: a", "`checks.yml:1` must be a list of checks, such as `- name: greets`"),
            ("- name: a\n  api_name: [\n", "`checks.yml:3` is not valid YAML"),
        ] {
            let (checks, faults) = read(text);
            assert!(checks.is_empty() && faults.starts_with(fault), "{text:?}: {faults}");
        }
    }
}
