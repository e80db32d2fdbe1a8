//! What the call returned: its texts, its files, and whether they are what was expected.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use super::api::{Endpoint, Return, promised};
use super::artifacts::{Artifact, Store};
use super::edge::{self, Edge, Trouble};
use super::media::{self, Family, Format};
use super::options::{Check, Expect, Stop, quoted};
use crate::target::shorten;

/// How many files of one result are fetched.
const MAX_FILES: usize = 16;
/// How much of a text goes into the report, in characters.
const MAX_TEXT: usize = 2000;

/// One output of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) component: String,
    label: String,
    /// All words and numbers in the value, one a line; files are left out.
    pub(super) text: String,
    pub(super) files: Vec<Fetched>,
}

/// A file that was fetched, or the reason why it was not.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) format: Option<Format>,
    /// An image without pixels, a sound without a sample.
    pub(super) is_empty: bool,
    pub(super) size: u64,
    pub(super) trouble: Option<String>,
    /// The name below `.hf-deploy/`.
    pub(super) kept_as: Option<String>,
}

/// Sorts the values into outputs, and fetches the files in them.
pub(super) async fn collect(
    edge: &Edge,
    prefix: &str,
    endpoint: &Endpoint,
    data: &[Value],
    store: &mut Store,
) -> Vec<Output> {
    let mut outputs = Vec::new();
    let mut count = 0;
    for (value, given) in data.iter().zip(&endpoint.returns) {
        let Some(Return { label, component }) = given else { continue };
        let mut texts = Vec::new();
        let mut found = Vec::new();
        sort(unwrapped(value), &mut texts, &mut found);
        let mut files = Vec::new();
        for file in found {
            count += 1;
            if count <= MAX_FILES {
                files.push(fetch(edge, prefix, file, count, store).await);
            }
        }
        outputs.push(Output {
            component: component.clone(),
            label: label.clone().unwrap_or_default(),
            text: texts.join("\n").trim().to_owned(),
            files,
        });
    }
    outputs
}

/// The value of a component that an update changes: `{"__type__": "update", "value": …}`.
fn unwrapped(value: &Value) -> &Value {
    match value.get("__type__") {
        Some(_) => value.get("value").unwrap_or(&Value::Null),
        None => value,
    }
}

/// Finds the words and the files in a value.
fn sort<'a>(value: &'a Value, texts: &mut Vec<String>, files: &mut Vec<&'a Value>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Number(number) => texts.push(number.to_string()),
        Value::Bool(bool) => texts.push(bool.to_string()),
        Value::Array(items) => items.iter().for_each(|item| sort(item, texts, files)),
        Value::Object(_) if is_file(value) => files.push(value),
        Value::Object(map) => map.values().for_each(|value| sort(value, texts, files)),
        Value::Null => {}
    }
}

/// Whether a value is gradio's `FileData`.
fn is_file(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some();
    value.pointer("/meta/_type").and_then(Value::as_str) == Some("gradio.FileData")
        || (has("path") && (has("orig_name") || has("mime_type") || has("is_stream")))
}

async fn fetch(edge: &Edge, prefix: &str, file: &Value, number: usize, store: &mut Store) -> Fetched {
    let mut fetched = Fetched { format: None, is_empty: false, size: 0, trouble: None, kept_as: None };
    let addresses = match addresses(edge, prefix, file) {
        Ok(addresses) => addresses,
        Err(trouble) => {
            fetched.trouble = Some(trouble);
            return fetched;
        }
    };
    for url in addresses {
        match download(edge, url, number, store).await {
            Ok(Artifact { head, length, name }) => {
                let format = media::sniff(&head);
                fetched.is_empty =
                    length == 0 || format.is_some_and(|format| media::is_empty(format, &head, length));
                fetched.format = format;
                fetched.size = length;
                fetched.trouble = None;
                fetched.kept_as = name;
                return fetched;
            }
            Err(trouble) => fetched.trouble = Some(trouble.to_string()),
        }
    }
    fetched
}

/// Where a file may be had, all on the app's own origin. The `url` of the app comes second: Gradio 4.44
/// names a wrong one in galleries.
fn addresses(edge: &Edge, prefix: &str, file: &Value) -> Result<Vec<Url>, String> {
    let text = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let absolute = |text: &str| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let path = text("path");
    let remote = path.and_then(absolute);
    let rebuilt = match path {
        Some(path) if remote.is_none() => {
            edge.url(&format!("{prefix}/file={}", edge::encode_path(path))).ok()
        }
        _ => None,
    };
    let named: Vec<Url> = remote.into_iter().chain(text("url").and_then(absolute)).collect();
    let own = named.iter().filter(|url| edge.is_own(url) && rebuilt.as_ref() != Some(url)).cloned();
    let all: Vec<Url> = rebuilt.iter().cloned().chain(own).collect();
    match (all.is_empty(), named.first()) {
        (false, _) => Ok(all),
        (true, Some(url)) => {
            let host = quoted(url.host_str().unwrap_or_default());
            Err(format!("the file is on another host, where nothing is fetched: `{host}`"))
        }
        (true, None) => Err("the file has no address".to_owned()),
    }
}

/// Fetches a file, again where the trouble may pass.
async fn download(edge: &Edge, url: Url, number: usize, store: &mut Store) -> Result<Artifact, Trouble> {
    let mut pauses = edge::pauses(edge::ATTEMPTS);
    loop {
        let trouble = match download_once(edge, url.clone(), number, store).await {
            Ok(artifact) => return Ok(artifact),
            Err(trouble) => trouble,
        };
        match pauses.next().filter(|_| trouble.may_pass()) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(trouble),
        }
    }
}

async fn download_once(edge: &Edge, url: Url, number: usize, store: &mut Store) -> Result<Artifact, Trouble> {
    let response = edge.request(Method::GET, url).send().await.map_err(edge::trouble)?;
    if !response.status().is_success() {
        return Err(Trouble::Refused(response.status()));
    }
    store.keep(response, number).await
}

/// Whether the outputs are what was asked for, or else what the endpoint promises.
pub(super) fn judge(outputs: &[Output], check: &Check) -> Result<(), Stop> {
    let promise = outputs.iter().find_map(|output| promised(&output.component));
    let expect = check.expect.or(promise);
    match expect {
        Some(Expect::Text) if outputs.iter().all(|output| output.text.is_empty()) => {
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
            return Err(Stop::failed("the endpoint returned nothing"));
        }
        None => {}
    }
    if expect != Some(Expect::Any)
        && let Some(trouble) =
            outputs.iter().flat_map(|output| &output.files).find_map(|file| file.trouble.as_ref())
    {
        return Err(Stop::failed(format!("cannot fetch a file of the result: {trouble}")));
    }
    judge_text(outputs, check)
}

fn judge_text(outputs: &[Output], check: &Check) -> Result<(), Stop> {
    let texts = || outputs.iter().map(|output| output.text.as_str());
    let shown = || quoted(&texts().collect::<Vec<_>>().join(" | "));
    if let Some(wanted) = &check.expect_contains
        && !texts().any(|text| text.contains(wanted.as_str()))
    {
        let wanted = quoted(wanted);
        return Err(Stop::failed(format!("no output holds `expect_contains`, `{wanted}`: `{}`", shown())));
    }
    if let Some(pattern) = &check.expect_regex
        && !texts().any(|text| pattern.is_match(text))
    {
        let pattern = quoted(pattern.as_str());
        return Err(Stop::failed(format!("no output matches `expect_regex`, `{pattern}`: `{}`", shown())));
    }
    Ok(())
}

fn unlike(wanted: &str, outputs: &[Output]) -> Stop {
    let got = outputs.iter().map(Output::summary).collect::<Vec<_>>().join("; ");
    let got = if got.is_empty() { "no output".to_owned() } else { got };
    Stop::failed(format!("expected {wanted}, got {}", quoted(&got)))
}

/// Whether a file is of the expected family, and more than a header. Some containers carry sound or film.
fn is(file: &Fetched, wanted: Expect) -> bool {
    let Some(format) = file.format.filter(|_| !file.is_empty) else { return false };
    match wanted {
        Expect::Image => format.family == Family::Image,
        Expect::Video => format.family == Family::Video || format.extension == "ogg",
        Expect::Audio => {
            format.family == Family::Audio || matches!(format.extension, "mp4" | "mov" | "webm" | "m3u8")
        }
        Expect::Text | Expect::Any => true,
    }
}

impl Fetched {
    fn summary(&self) -> String {
        match (&self.trouble, self.format) {
            (Some(trouble), _) => format!("a file that could not be fetched ({trouble})"),
            (None, Some(format)) if self.is_empty => format!("{} without content", format.extension),
            (None, Some(format)) => format!("{} ({})", format.family.as_str(), format.extension),
            (None, None) => format!("a file of another kind, {} bytes", self.size),
        }
    }
}

impl Output {
    fn is_nothing(&self) -> bool {
        self.text.is_empty() && self.files.is_empty()
    }

    /// In a few words, such as `Textbox: text "Hello"`.
    pub(super) fn summary(&self) -> String {
        let mut parts: Vec<String> = self.files.iter().map(Fetched::summary).collect();
        if !self.text.is_empty() {
            parts.push(format!("text \"{}\"", quoted(&shorten(&self.text, 120))));
        }
        if parts.is_empty() {
            parts.push("nothing".to_owned());
        }
        format!("{}: {}", quoted(&self.component), parts.join(", "))
    }

    /// For `result.json`.
    pub(super) fn report(&self) -> Value {
        let files = self.files.iter().map(|file| {
            json!({
                "family": file.format.map(|format| format.family.as_str()),
                "format": file.format.map(|format| format.extension),
                "bytes": file.size,
                "kept_as": file.kept_as,
                "trouble": file.trouble,
            })
        });
        json!({
            "label": self.label,
            "component": self.component,
            "text": shorten(&self.text, MAX_TEXT),
            "files": files.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{App, AppKind};

    fn text(component: &str, text: &str) -> Output {
        Output { component: component.into(), text: text.into(), ..Output::default() }
    }

    fn file(component: &str, head: &[u8]) -> Output {
        let format = media::sniff(head);
        let file = Fetched { format, is_empty: false, size: 99, trouble: None, kept_as: None };
        Output { component: component.into(), files: vec![file], ..Output::default() }
    }

    fn verdict(outputs: &[Output], expect: Option<Expect>) -> Result<(), String> {
        judge(outputs, &Check { expect, ..Check::new(".") }).map_err(|stop| stop.detail)
    }

    #[test]
    fn outputs_are_measured_by_what_they_are() {
        let png = b"\x89PNG\r\n\x1a\n";
        assert_eq!(verdict(&[text("Textbox", "hi")], Some(Expect::Text)), Ok(()));
        assert_eq!(verdict(&[text("Json", "hi")], Some(Expect::Text)), Ok(()));
        assert_eq!(verdict(&[file("File", png)], Some(Expect::Image)), Ok(()));
        assert_eq!(verdict(&[text("Textbox", ""), file("Image", png)], Some(Expect::Image)), Ok(()));
        assert_eq!(
            verdict(&[text("Textbox", "hi")], Some(Expect::Image)),
            Err("expected image, got Textbox: text \"hi\"".into())
        );
        assert_eq!(
            verdict(&[file("Image", b"<html>")], None),
            Err("expected image, got Image: a file of another kind, 99 bytes".into())
        );
        assert_eq!(verdict(&[text("Image", "")], None), Err("expected image, got Image: nothing".into()));
        assert_eq!(verdict(&[text("Image", "")], Some(Expect::Any)), Ok(()));
        assert_eq!(verdict(&[text("Json", "")], None), Err("the endpoint returned nothing".into()));
        assert_eq!(verdict(&[], None), Ok(()));
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
            judge(&outputs, &check).map_err(|stop| stop.detail)
        };
        assert_eq!(judged(Some("Ada"), Some("^Hello, .*!$")), Ok(()));
        assert_eq!(
            judged(Some("Bob"), None),
            Err("no output holds `expect_contains`, `Bob`: `Hello, Ada!`".into())
        );
        assert!(judged(None, Some("^Ada")).is_err());
    }

    #[test]
    fn files_come_from_the_app_alone() {
        let app = App { url: "https://a.example".parse().unwrap(), token: None, kind: AppKind::Gradio };
        let edge = Edge::new(&app).unwrap();
        let urls = |file: Value| {
            addresses(&edge, "/gradio_api", &file)
                .map(|urls| urls.into_iter().map(String::from).collect::<Vec<_>>())
        };
        assert_eq!(
            urls(json!({"path": "/tmp/a b.png", "url": "https://evil.example/x"})).unwrap(),
            ["https://a.example/gradio_api/file=/tmp/a%20b.png"]
        );
        assert_eq!(
            urls(json!({"path": "/tmp/a", "url": "https://a.example/other"})).unwrap(),
            ["https://a.example/gradio_api/file=/tmp/a", "https://a.example/other"]
        );
        assert!(urls(json!({"path": "https://evil.example/x"})).unwrap_err().contains("evil.example"));
        assert!(urls(json!({"path": "", "url": "file:///etc/passwd"})).is_err());
    }

    #[test]
    fn words_and_files_are_told_apart() {
        let value =
            json!([{"image": {"path": "p", "meta": {"_type": "gradio.FileData"}}, "caption": "small"}, 7]);
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        sort(&value, &mut texts, &mut files);
        assert_eq!((texts, files.len()), (vec!["small".to_owned(), "7".to_owned()], 1));
        assert_eq!(unwrapped(&json!({"__type__": "update", "value": "x"})), "x");
    }
}
