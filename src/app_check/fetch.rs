//! The files of a result: fetched from the app, or judged by the app's description of them.

use hub::Sha256;
use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::answer::{self, RequestError};
use super::api::promised;
use super::artifacts::KeptFile;
use super::client::{AppClient, encode_path};
use super::error::HttpAnswer;
use super::media::{self, Family, Format};
use super::options::Expect;
use super::quote::quoted;
use super::session::Session;

/// A file that was fetched, or the reason for its absence.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) format: Option<Format>,
    /// An image without pixels, a sound without a sample.
    pub(super) is_empty: bool,
    pub(super) size: u64,
    pub(super) sha256: Option<Sha256>,
    /// Reason for the absence of the content.
    pub(super) problem: Option<String>,
    /// The HTTP answer in place of the content, if there was one.
    pub(super) answer: Option<HttpAnswer>,
    /// The other host of the file. The check fetches nothing from there.
    pub(super) foreign: Option<Foreign>,
    /// The name below `.hf-deploy/`.
    pub(super) kept_as: Option<String>,
}

/// A file on another host, judged by the app's description of it.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) host: String,
    pub(super) family: Option<Family>,
}

/// Fetches a file of the result, from the app only.
pub(super) async fn fetch(session: &Session<'_>, component: &str, file: &Value, number: usize) -> Fetched {
    let mut fetched = Fetched::default();
    let addresses = match addresses(&session.client, &session.api_prefix, file) {
        Addresses::Own(addresses) => addresses,
        Addresses::Foreign(host) => {
            fetched.foreign = Some(Foreign { host, family: family(component, file) });
            return fetched;
        }
        Addresses::None => Vec::new(),
    };
    fetched.problem = Some("the file has no address".to_owned());
    for url in addresses {
        match download(session, url, number).await {
            Ok(file) => return Fetched::of(file),
            Err(error) => {
                fetched.problem = Some(error.to_string());
                fetched.answer = error.answer();
            }
        }
    }
    fetched
}

/// Returns the family of a file that is not fetched, by its MIME type, its name, or its component.
pub(super) fn family(component: &str, file: &Value) -> Option<Family> {
    const ENDINGS: [(Family, &[&str]); 3] = [
        (Family::Image, &["png", "jpg", "jpeg", "gif", "webp", "svg", "avif", "bmp"]),
        (Family::Video, &["mp4", "mov", "webm", "mkv"]),
        (Family::Audio, &["wav", "mp3", "ogg", "flac", "m4a"]),
    ];
    let text = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let (mime, name) = (text("mime_type"), text("orig_name"));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let by_name = ENDINGS.iter().find(|(family, endings)| {
        mime.starts_with(&format!("{}/", family.as_str())) || (mime.is_empty() && endings.contains(&ending))
    });
    by_name.map(|(family, _)| *family).or_else(|| match promised(component) {
        Some(Expect::Image) => Some(Family::Image),
        Some(Expect::Video) => Some(Family::Video),
        Some(Expect::Audio) => Some(Family::Audio),
        _ => None,
    })
}

/// The addresses of a file.
#[derive(Debug, PartialEq, Eq)]
enum Addresses {
    Own(Vec<Url>),
    /// All are on another host, of this name.
    Foreign(String),
    None,
}

/// Returns the addresses of a file on the app's own origin. The `url` of the app comes second, because Gradio 4.44
/// names a wrong one in galleries.
fn addresses(client: &AppClient, prefix: &str, file: &Value) -> Addresses {
    let text = |name: &str| file.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let absolute = |text: &str| Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let path = text("path");
    let remote = path.and_then(absolute);
    let rebuilt = match path {
        Some(path) if remote.is_none() => client.url(&format!("{prefix}/file={}", encode_path(path))).ok(),
        _ => None,
    };
    let named: Vec<Url> = remote.into_iter().chain(text("url").and_then(absolute)).collect();
    let own = named.iter().filter_map(|url| client.own(url)).filter(|url| rebuilt.as_ref() != Some(url));
    let mut all: Vec<Url> = rebuilt.iter().cloned().chain(own).collect();
    all.dedup();
    match (all.is_empty(), named.first()) {
        (false, _) => Addresses::Own(all),
        (true, Some(url)) => Addresses::Foreign(quoted(url.host_str().unwrap_or_default())),
        (true, None) => Addresses::None,
    }
}

/// Fetches a file, with retries after temporary errors.
async fn download(session: &Session<'_>, url: Url, number: usize) -> Result<KeptFile, RequestError> {
    let mut pauses = answer::pauses(answer::ATTEMPTS);
    loop {
        let error = match download_once(session, url.clone(), number).await {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        match pauses.next().filter(|_| error.is_transient()) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error),
        }
    }
}

async fn download_once(session: &Session<'_>, url: Url, number: usize) -> Result<KeptFile, RequestError> {
    let response = session.client.send(session.client.request(Method::GET, url)).await?;
    if !response.status().is_success() {
        return Err(RequestError::Refused(response.status()));
    }
    session.artifacts.keep(response, number).await
}

/// Returns true if a file is of the expected family, and more than a header. Some containers hold sound or film.
pub(super) fn is(file: &Fetched, wanted: Expect) -> bool {
    if let Some(Foreign { family: Some(family), .. }) = &file.foreign {
        return family.as_str() == wanted.as_str();
    }
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
    pub(super) fn of(KeptFile { head, length, sha256, name }: KeptFile) -> Self {
        let format = media::sniff(&head);
        let is_empty = length == 0 || format.is_some_and(|format| media::is_empty(format, &head, length));
        Self { format, is_empty, size: length, sha256: Some(sha256), kept_as: name, ..Self::default() }
    }

    pub(super) fn summary(&self) -> String {
        if let Some(Foreign { host, family }) = &self.foreign {
            let what = family.map_or("a file", Family::as_str);
            return format!("{what} on another host, which was not fetched (`{host}`)");
        }
        match (&self.problem, self.format) {
            (Some(problem), _) => format!("a file that could not be fetched ({problem})"),
            (None, Some(format)) if self.is_empty => format!("{} without content", format.extension),
            (None, Some(format)) => format!("{} ({})", format.family.as_str(), format.extension),
            (None, None) => format!("a file of another kind, {} bytes", self.size),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app_check::{App, AppKind};

    #[test]
    fn files_come_from_the_app_only() {
        let app = App { url: "https://a.example".parse().unwrap(), token: None, kind: AppKind::Gradio };
        let client = AppClient::new(&app).unwrap();
        let own = |file: Value| match addresses(&client, "/gradio_api", &file) {
            Addresses::Own(urls) => urls.into_iter().map(String::from).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            own(json!({"path": "/tmp/a b.png", "url": "https://evil.example/x"})),
            ["https://a.example/gradio_api/file=/tmp/a%20b.png"]
        );
        assert_eq!(
            own(json!({"path": "/tmp/a", "url": "https://a.example/other"})),
            ["https://a.example/gradio_api/file=/tmp/a", "https://a.example/other"]
        );
        assert_eq!(
            own(json!({"path": "/tmp/a", "url": "http://a.example:7860/gradio_api/file=/tmp/a"})),
            ["https://a.example/gradio_api/file=/tmp/a"]
        );
        let foreign = addresses(&client, "", &json!({"path": "https://evil.example/x"}));
        assert_eq!(foreign, Addresses::Foreign("evil.example".to_owned()));
        assert_eq!(
            addresses(&client, "", &json!({"path": "", "url": "file:///etc/passwd"})),
            Addresses::None
        );
    }
}
