//! The outputs of a call: their texts, their files, and the judgement on them.

use hub::shorten;
use serde_json::{Value, json};

use super::api::{Endpoint, Return, promised};
use super::error::{CheckError, CheckFailure};
use super::fetch::{Fetched, Foreign, family, fetch, is};
use super::media;
use super::options::{Check, Expect};
use super::quote::{listed, quoted};
use super::session::Session;
use super::values::{self, Contents, File, Spacing};
use crate::setting::{EXPECT_CONTAINS, EXPECT_REGEX};

/// The most files of one result that are fetched.
const MAX_FILES: usize = 16;
/// Longest text in the report, in characters.
const MAX_TEXT: usize = 2000;

/// One output of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) component: String,
    label: String,
    contents: Contents,
    pub(super) files: Vec<Fetched>,
}

/// Sorts the values into outputs, and fetches their files.
pub(super) async fn collect(session: &Session<'_>, endpoint: &Endpoint, data: Vec<Value>) -> Vec<Output> {
    let mut outputs = Vec::new();
    let mut count = 0;
    for (value, given) in data.into_iter().zip(&endpoint.returns) {
        let Some(Return { label, component }) = given else { continue };
        let mut contents = values::take_apart(component, value);
        let mut files = Vec::new();
        for file in std::mem::take(&mut contents.files) {
            count += 1;
            if count > MAX_FILES {
                break;
            }
            files.push(match file {
                File::Served(file) => fetch(session, component, &file, count).await,
                File::Embedded(address) => match values::embedded(&address) {
                    Some(bytes) => Fetched::of(session.artifacts.keep_bytes(&bytes, count)),
                    None => {
                        Fetched { problem: Some("its Base64 is not valid".to_owned()), ..Fetched::default() }
                    }
                },
            });
        }
        let label = label.clone().unwrap_or_default();
        outputs.push(Output { component: component.clone(), label, contents, files });
    }
    outputs
}

/// Sorts the values into outputs without fetching a file, and trusts the app's description of each.
pub(super) fn preview(endpoint: &Endpoint, data: &[Value]) -> Vec<Output> {
    let shown = |(value, given): (&Value, &Option<Return>)| {
        let Return { label, component } = given.clone()?;
        let mut contents = values::take_apart(&component, value.clone());
        let files = std::mem::take(&mut contents.files).into_iter().map(|file| match file {
            File::Served(file) => {
                let foreign = Foreign { host: String::new(), family: family(&component, &file) };
                Fetched { foreign: Some(foreign), ..Fetched::default() }
            }
            File::Embedded(address) => {
                let head = values::embedded(&address).unwrap_or_default();
                let format = media::sniff(&head);
                let size = head.len() as u64;
                let is_empty = size == 0 || format.is_some_and(|format| media::is_empty(format, &head, size));
                Fetched { format, is_empty, size, ..Fetched::default() }
            }
        });
        let files = files.collect();
        Some(Output { component, label: label.unwrap_or_default(), contents, files })
    };
    data.iter().zip(&endpoint.returns).filter_map(shown).collect()
}

/// Returns the content that the outputs must have: as expected, or else as the endpoint promises.
pub(super) fn expected(outputs: &[Output], check: &Check) -> Option<Expect> {
    // An update without a value neither keeps nor breaks a promise.
    let is_update = outputs.iter().any(|output| output.contents.update.is_some());
    let promise = outputs.iter().find_map(|output| promised(&output.component)).filter(|_| !is_update);
    check.expect.or(promise)
}

/// Compares the outputs with the expected content, or else with the content that the endpoint promises.
pub(super) fn judge(outputs: &[Output], check: &Check) -> Result<(), CheckError> {
    let expect = expected(outputs, check);
    match expect {
        Some(Expect::Text) if outputs.iter().all(|output| output.contents.text.is_empty()) => {
            return Err(unlike("text", outputs));
        }
        Some(Expect::Any | Expect::Text) => {}
        Some(wanted @ (Expect::Image | Expect::Video | Expect::Audio)) => {
            let files = || outputs.iter().flat_map(|output| &output.files);
            if !files().any(|file| is(file, wanted)) {
                return Err(unlike(wanted.as_str(), outputs));
            }
        }
        None if !outputs.is_empty() && outputs.iter().all(Output::is_nothing) => {
            return Err(unexpected("the endpoint returned nothing".to_owned()));
        }
        None => {}
    }
    if expect != Some(Expect::Any)
        && let Some((file, problem)) = outputs
            .iter()
            .flat_map(|output| &output.files)
            .find_map(|file| Some((file, file.problem.as_ref()?)))
    {
        let detail = format!("cannot fetch a file of the result: {problem}");
        return Err(CheckError::new(CheckFailure::OutputNotFetched(file.answer.clone()), detail));
    }
    judge_text(outputs, check)
}

fn judge_text(outputs: &[Output], check: &Check) -> Result<(), CheckError> {
    let shown = || {
        let texts = outputs.iter().map(|output| shorten(&output.contents.text, MAX_TEXT));
        quoted(&texts.collect::<Vec<_>>().join(" | "))
    };
    if let Some(wanted) = &check.expect_contains
        && !outputs.iter().any(|output| output.holds(wanted))
    {
        let wanted = quoted(wanted);
        return Err(unexpected(format!("no output holds {EXPECT_CONTAINS}, `{wanted}`: `{}`", shown())));
    }
    if let Some(pattern) = &check.expect_regex
        && !outputs.iter().any(|output| output.says(|text| pattern.is_match(text)))
    {
        let pattern = quoted(pattern.as_str());
        return Err(unexpected(format!("no output matches {EXPECT_REGEX}, `{pattern}`: `{}`", shown())));
    }
    Ok(())
}

fn unexpected(detail: String) -> CheckError {
    CheckError::new(CheckFailure::UnexpectedOutput, detail)
}

fn unlike(wanted: &str, outputs: &[Output]) -> CheckError {
    let got = outputs.iter().map(Output::summary).collect::<Vec<_>>().join("; ");
    let got = if got.is_empty() { "no output".to_owned() } else { got };
    unexpected(format!("expected {wanted}, got {}", quoted(&got)))
}

impl Output {
    fn is_nothing(&self) -> bool {
        let Contents { text, structure, update, .. } = &self.contents;
        text.is_empty() && structure.is_none() && update.is_none() && self.files.is_empty()
    }

    /// Returns true if the text of this output passes, or its JSON in one of the usual spellings.
    fn says(&self, passes: impl Fn(&str) -> bool) -> bool {
        let spelled = |value: &Value| {
            [Spacing::Wide, Spacing::Compact].into_iter().any(|spacing| passes(&values::json(value, spacing)))
        };
        passes(&self.contents.text) || self.contents.structure.as_ref().is_some_and(spelled)
    }

    /// Returns true if this output contains a text, or these keys and values in any order.
    fn holds(&self, wanted: &str) -> bool {
        let keys = || {
            let parse = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
            let wanted = parse(wanted).or_else(|| parse(&format!("{{{wanted}}}")))?;
            Some(values::includes(self.contents.structure.as_ref()?, &wanted))
        };
        self.says(|text| text.contains(wanted)) || keys() == Some(true)
    }

    /// Describes the output in a few words, such as `Textbox: text "Hello"`.
    pub(super) fn summary(&self) -> String {
        let text = &self.contents.text;
        let mut parts: Vec<String> = self.files.iter().map(Fetched::summary).collect();
        if !text.is_empty() {
            parts.push(format!("text \"{}\"", quoted(&shorten(text, 120))));
        }
        if let Some(changed) = &self.contents.update {
            parts.push(match changed[..] {
                [] => "an update that changes nothing".to_owned(),
                _ => format!("an update of {}", listed(changed)),
            });
        }
        if parts.is_empty() {
            let is_empty = self.contents.structure.is_some();
            parts.push(if is_empty { "an empty value" } else { "nothing" }.to_owned());
        }
        format!("{}: {}", quoted(&self.component), parts.join(", "))
    }

    /// Returns the report for `result.json`.
    pub(super) fn report(&self) -> Value {
        let files = self.files.iter().map(|file| {
            json!({
                "family": file.format.map(|format| format.family.as_str()),
                "format": file.format.map(|format| format.extension),
                "mime": file.format.map(|format| format.mime),
                "bytes": file.size,
                "sha256": file.sha256,
                "kept_as": file.kept_as,
                "trouble": file.problem,
                "host": file.foreign.as_ref().map(|foreign| &foreign.host),
            })
        });
        json!({
            "label": self.label,
            "component": self.component,
            "text": shorten(&self.contents.text, MAX_TEXT),
            "files": files.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_check::media;

    fn output(component: &str, value: Value) -> Output {
        let contents = values::take_apart(component, value);
        Output { component: component.into(), contents, ..Output::default() }
    }

    fn text(component: &str, text: &str) -> Output {
        output(component, text.into())
    }

    fn file(component: &str, head: &[u8]) -> Output {
        let file = Fetched { format: media::sniff(head), size: 99, ..Fetched::default() };
        Output { component: component.into(), files: vec![file], ..Output::default() }
    }

    fn foreign(component: &str, name: &str) -> Output {
        let family = family(component, &json!({"orig_name": name, "mime_type": null}));
        let host = "example.org".to_owned();
        let file = Fetched { foreign: Some(Foreign { host, family }), ..Fetched::default() };
        Output { component: component.into(), files: vec![file], ..Output::default() }
    }

    fn judged(outputs: &[Output], expect: Option<Expect>) -> Result<(), String> {
        judge(outputs, &Check { expect, ..Check::new(".") }).map_err(|error| error.detail)
    }

    #[test]
    fn outputs_are_judged_by_their_content() {
        let png = b"\x89PNG\r\n\x1a\n";
        assert_eq!(judged(&[text("Textbox", "hi")], Some(Expect::Text)), Ok(()));
        assert_eq!(judged(&[text("Json", "hi")], Some(Expect::Text)), Ok(()));
        assert_eq!(judged(&[file("File", png)], Some(Expect::Image)), Ok(()));
        assert_eq!(judged(&[text("Textbox", ""), file("Image", png)], Some(Expect::Image)), Ok(()));
        assert_eq!(
            judged(&[text("Textbox", "hi")], Some(Expect::Image)),
            Err("expected image, got Textbox: text \"hi\"".into())
        );
        assert_eq!(
            judged(&[file("Image", b"<html>")], None),
            Err("expected image, got Image: a file of another kind, 99 bytes".into())
        );
        assert_eq!(judged(&[text("Image", "")], None), Err("expected image, got Image: nothing".into()));
        assert_eq!(judged(&[text("Image", "")], Some(Expect::Any)), Ok(()));
        assert_eq!(judged(&[text("Json", "")], None), Err("the endpoint returned nothing".into()));
        assert_eq!(judged(&[], None), Ok(()));
    }

    #[test]
    fn file_on_another_host_is_judged_by_its_description() {
        let gallery = || foreign("Gallery", "cat.png");
        assert_eq!(judged(&[gallery()], None), Ok(()));
        assert_eq!(judged(&[gallery()], Some(Expect::Image)), Ok(()));
        assert_eq!(judged(&[text("Textbox", "hi"), gallery()], Some(Expect::Text)), Ok(()));
        assert_eq!(
            judged(&[gallery()], Some(Expect::Video)),
            Err("expected video, got Gallery: image on another host, which was not fetched (`example.org`)"
                .into())
        );
        assert_eq!(judged(&[foreign("File", "talk.mp3")], Some(Expect::Audio)), Ok(()));
        assert!(judged(&[foreign("File", "talk")], Some(Expect::Audio)).is_err());
    }

    #[test]
    fn preview_trusts_the_description_of_files() {
        let given = |component: &str| Some(Return { label: None, component: component.to_owned() });
        let endpoint = Endpoint {
            name: "/draw".into(),
            fn_index: 0,
            slots: vec![],
            parameters: vec![],
            returns: vec![given("Textbox"), None, given("Video")],
        };
        let film = json!({"video": {"path": "/tmp/a.mp4", "orig_name": "a.mp4"}});
        let passes = |data: &[Value]| {
            let check = Check { expect: Some(Expect::Video), ..Check::new(".") };
            judge(&preview(&endpoint, data), &check).is_ok()
        };
        assert!(passes(&[json!("done"), Value::Null, film]));
        assert!(!passes(&[json!("10 %"), Value::Null, Value::Null]));
    }

    #[test]
    fn result_without_text_passes() {
        for value in [json!({}), json!([]), json!({"v": null}), json!({"error": null, "items": []})] {
            assert_eq!(judged(&[output("Json", value.clone())], None), Ok(()), "{value}");
        }
        assert_eq!(judged(&[output("Json", Value::Null)], None), Err("the endpoint returned nothing".into()));
        let update = || output("Dropdown", json!({"choices": ["c"], "__type__": "update"}));
        assert_eq!(judged(&[update()], None), Ok(()));
        assert_eq!(judged(&[text("Textbox", ""), update()], None), Ok(()));
        assert_eq!(
            judged(&[update()], Some(Expect::Text)),
            Err("expected text, got Dropdown: an update of `choices`".into())
        );
    }

    #[test]
    fn json_is_searched_by_keys() {
        let value = json!({"status": "ok", "n": 3, "nested": {"x": [1, 2.5, true]}});
        let outputs = [output("Json", value)];
        let holds = |wanted: &str| {
            let check = Check { expect_contains: Some(wanted.to_owned()), ..Check::new(".") };
            judge(&outputs, &check).is_ok()
        };
        for wanted in [
            "status",
            r#""status": "ok""#,
            r#""status":"ok""#,
            r#""status": "ok", "n": 3"#,
            r#"{"status": "ok"}"#,
            r#"[1, 2.5, true]"#,
        ] {
            assert!(holds(wanted), "{wanted}");
        }
        assert!(!holds(r#""status": "no""#));
        let regex = regex::Regex::new(r#""n": \d+[,}]"#).unwrap();
        assert!(judge(&outputs, &Check { expect_regex: Some(regex), ..Check::new(".") }).is_ok());
    }

    #[test]
    fn texts_are_searched() {
        let outputs = [text("Textbox", "Hello, Ada!")];
        let judged = |contains: Option<&str>, regex: Option<&str>| {
            let check = Check {
                expect_contains: contains.map(str::to_owned),
                expect_regex: regex.map(|regex| regex::Regex::new(regex).unwrap()),
                ..Check::new(".")
            };
            judge(&outputs, &check).map_err(|error| error.detail)
        };
        assert_eq!(judged(Some("Ada"), Some("^Hello, .*!$")), Ok(()));
        assert_eq!(
            judged(Some("Bob"), None),
            Err("no output holds `expect_contains`, `Bob`: `Hello, Ada!`".into())
        );
        assert!(judged(None, Some("^Ada")).is_err());
    }
}
