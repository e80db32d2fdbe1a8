//! The files of a result: fetched from the app, or judged by what the app says about them.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::api::promised;
use super::artifacts::{Artifact, Store};
use super::edge::{self, Edge, Trouble};
use super::media::{self, Family, Format};
use super::options::{Expect, quoted};

/// A file that was fetched, or the reason why it was not.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub(super) format: Option<Format>,
    /// An image without pixels, a sound without a sample.
    pub(super) is_empty: bool,
    pub(super) size: u64,
    pub(super) trouble: Option<String>,
    /// The other host that the file is on, where nothing is fetched.
    pub(super) foreign: Option<Foreign>,
    /// The name below `.hf-deploy/`.
    pub(super) kept_as: Option<String>,
}

/// A file on another host. It is judged by what the app says about it.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) host: String,
    pub(super) family: Option<Family>,
}

/// Fetches a file of the result from the app, and nowhere else.
pub(super) async fn fetch(
    edge: &Edge,
    prefix: &str,
    component: &str,
    file: &Value,
    number: usize,
    store: &mut Store,
) -> Fetched {
    let mut fetched = Fetched::default();
    let addresses = match addresses(edge, prefix, file) {
        Addresses::Own(addresses) => addresses,
        Addresses::Foreign(host) => {
            fetched.foreign = Some(Foreign { host, family: family(component, file) });
            return fetched;
        }
        Addresses::None => Vec::new(),
    };
    fetched.trouble = Some("the file has no address".to_owned());
    for url in addresses {
        match download(edge, url, number, store).await {
            Ok(artifact) => return Fetched::of(artifact),
            Err(trouble) => fetched.trouble = Some(trouble.to_string()),
        }
    }
    fetched
}

/// Returns the family of a file that is not fetched, by its MIME type, its name, or the component that shows it.
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
    /// All are on another host, which is named.
    Foreign(String),
    None,
}

/// Returns where a file may be had, all on the app's own origin. The `url` of the app comes second: Gradio 4.44
/// names a wrong one in galleries.
fn addresses(edge: &Edge, prefix: &str, file: &Value) -> Addresses {
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
    let own = named.iter().filter_map(|url| edge.own(url)).filter(|url| rebuilt.as_ref() != Some(url));
    let mut all: Vec<Url> = rebuilt.iter().cloned().chain(own).collect();
    all.dedup();
    match (all.is_empty(), named.first()) {
        (false, _) => Addresses::Own(all),
        (true, Some(url)) => Addresses::Foreign(quoted(url.host_str().unwrap_or_default())),
        (true, None) => Addresses::None,
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

/// Reports whether a file is of the expected family, and more than a header. Some containers carry sound or film.
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
    pub(super) fn of(Artifact { head, length, name }: Artifact) -> Self {
        let format = media::sniff(&head);
        let is_empty = length == 0 || format.is_some_and(|format| media::is_empty(format, &head, length));
        Self { format, is_empty, size: length, kept_as: name, ..Self::default() }
    }

    pub(super) fn summary(&self) -> String {
        if let Some(Foreign { host, family }) = &self.foreign {
            let what = family.map_or("a file", Family::as_str);
            return format!("{what} on another host, which was not fetched (`{host}`)");
        }
        match (&self.trouble, self.format) {
            (Some(trouble), _) => format!("a file that could not be fetched ({trouble})"),
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
    fn files_come_from_the_app_alone() {
        let app = App { url: "https://a.example".parse().unwrap(), token: None, kind: AppKind::Gradio };
        let edge = Edge::new(&app).unwrap();
        let own = |file: Value| match addresses(&edge, "/gradio_api", &file) {
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
        let foreign = addresses(&edge, "", &json!({"path": "https://evil.example/x"}));
        assert_eq!(foreign, Addresses::Foreign("evil.example".to_owned()));
        assert_eq!(addresses(&edge, "", &json!({"path": "", "url": "file:///etc/passwd"})), Addresses::None);
    }
}
