//! Files in arguments: found, uploaded, and put into the shape that the component takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::api::Parameter;
use super::arguments::{Argument, Sample};
use super::edge::{self, Answer, Edge, Trouble};
use super::options::{Stop, Subject, quoted};
use super::places::{Place, Strings};

/// The largest file that is uploaded, in bytes.
const MAX_UPLOAD: u64 = 200 << 20;
/// How much of a file is in memory at a time.
const CHUNK: usize = 64 << 10;
/// The largest answer to an upload, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How long one upload may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// An image of 64 × 64 pixels in sixteen colours.
const SAMPLE_IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAEAAAABABAMAAABYR2ztAAAAMFBMVEUA/4AQ74Ag34Awz4BAv4BQr4Bgn4Bwj4CAf4CQb4CgX4CwT4DAP4DQL4DgH4DwD4DEixMKAAAAL0lEQVR42mNkgAJBHDQTAwEwqmA4KWB0GU0PowoQgGU0PYwqQC4fzoymh1EFCAAAh9YCoP1vU7cAAAAASUVORK5CYII=";

/// A file that an argument names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reference {
    /// A path below the workspace.
    Local(String),
    /// An address that the app fetches by itself.
    Remote(String),
}

/// What an upload sends, once or again.
#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    File { path: PathBuf, length: u64 },
}

/// Uploads the files of an argument, and makes the value that goes over the wire.
///
/// # Errors
///
/// The local files that are missing or outside the workspace, and what the app says against the upload.
pub(super) async fn prepare(
    edge: &Edge,
    prefix: &str,
    workspace: &Path,
    parameter: &Parameter,
    argument: Argument,
) -> Result<Value, Stop> {
    let given = match argument {
        Argument::Filled(value) => return Ok(value),
        Argument::Sample(sample) => {
            let (name, bytes) = sample_file(sample);
            let path = upload(edge, prefix, name, &Content::Bytes(bytes)).await?;
            return Ok(shape(parameter, file_data(&path, name)));
        }
        Argument::Given(value) => value,
    };
    if !takes_files(parameter) {
        return Ok(given);
    }
    if parameter.component.eq_ignore_ascii_case("multimodaltextbox") && given.is_string() {
        return Ok(json!({"text": given, "files": []}));
    }
    let place = Place::root(schema_of(parameter));
    let exists =
        |path: &str| inside(workspace, path).is_ok_and(|found| found.is_some_and(|full| full.is_file()));
    let mut found = Vec::new();
    let mut note = |reference: &Reference| {
        found.push(reference.clone());
        Value::Null
    };
    replace(&given, &place, &mut Replacer { exists: &exists, make: &mut note })?;
    let mut sent = BTreeMap::new();
    for reference in found {
        if sent.contains_key(&reference) {
            continue;
        }
        let value = match &reference {
            Reference::Remote(url) => file_data(url, url.rsplit('/').next().unwrap_or_default()),
            Reference::Local(path) => send_local(edge, prefix, workspace, path).await?,
        };
        sent.insert(reference, value);
    }
    let mut make = |reference: &Reference| sent.get(reference).cloned().unwrap_or_default();
    let value = replace(&given, &place, &mut Replacer { exists: &exists, make: &mut make })?;
    Ok(shape(parameter, value))
}

/// Reports whether the value of a parameter may hold files; elsewhere an `@` is only an `@`.
fn takes_files(parameter: &Parameter) -> bool {
    const COMPONENTS: [&str; 11] = [
        "image",
        "video",
        "audio",
        "file",
        "uploadbutton",
        "model3d",
        "gallery",
        "imageeditor",
        "imageslider",
        "annotatedimage",
        "multimodaltextbox",
    ];
    COMPONENTS.contains(&parameter.component.to_ascii_lowercase().as_str())
        || parameter.schema.to_string().contains("gradio.FileData")
}

/// Returns the schema by which files are looked for: that of a single file where a component of files has none.
fn schema_of(parameter: &Parameter) -> &Value {
    static FILE: LazyLock<Value> = LazyLock::new(|| {
        let file = json!({"type": "object", "properties": {"path": {}, "meta": {}}});
        json!({"anyOf": [file, {"type": "array", "items": {"anyOf": [file, {"type": "array", "prefixItems": [file]}]}}]})
    });
    match parameter.schema.as_object() {
        Some(schema) if !schema.is_empty() => &parameter.schema,
        _ => &FILE,
    }
}

/// The means to replace files in a value.
struct Replacer<'a> {
    /// Reports whether the workspace has a file of this path.
    exists: &'a dyn Fn(&str) -> bool,
    make: &'a mut dyn FnMut(&Reference) -> Value,
}

/// Replaces each file in a value that belongs in this place.
fn replace(value: &Value, place: &Place<'_>, with: &mut Replacer<'_>) -> Result<Value, Stop> {
    Ok(match value {
        Value::String(text) => match reference(text, place, with.exists)? {
            Some(reference) => wrap(place, (with.make)(&reference)),
            None => value.clone(),
        },
        // A picture with its caption, as Python writes it.
        Value::Array(pair)
            if pair.len() == 2 && place.wrapper().is_some() && place.strings() == Strings::Files =>
        {
            json!([replace(&pair[0], place, with)?, pair[1]])
        }
        Value::Array(items) => {
            let replaced =
                items.iter().enumerate().map(|(number, item)| replace(item, &place.item(number), with));
            Value::Array(replaced.collect::<Result<_, _>>()?)
        }
        // A file that the server knows already.
        Value::Object(map) if map.contains_key("path") && map.contains_key("meta") => value.clone(),
        Value::Object(map) => match named(map).filter(|_| place.strings() != Strings::Text) {
            Some(reference) => wrap(place, (with.make)(&reference)),
            None => {
                let replaced = map
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), replace(value, &place.property(key), with)?)));
                Value::Object(replaced.collect::<Result<_, Stop>>()?)
            }
        },
        other => other.clone(),
    })
}

/// Returns the file that a string names, or nothing where the string is text.
fn reference(
    text: &str,
    place: &Place<'_>,
    exists: &dyn Fn(&str) -> bool,
) -> Result<Option<Reference>, Stop> {
    let local = text.strip_prefix('@').map(|path| Reference::Local(path.to_owned()));
    let remote = || is_remote(text).then(|| Reference::Remote(text.to_owned()));
    match place.strings() {
        Strings::Text => Ok(None),
        Strings::TextOrFile => Ok(local.filter(|_| exists(&text[1..]))),
        Strings::Either => Ok(local.or_else(remote)),
        // Nothing but a file fits: the name of one is enough.
        Strings::Files => {
            match local.or_else(remote).or_else(|| exists(text).then(|| Reference::Local(text.into()))) {
                Some(reference) => Ok(Some(reference)),
                None => Err(Stop::failed(format!("cannot send `{}`: it does not name a file", quoted(text)))
                    .about(Subject::Workspace)
                    .hint("name a file of the workspace as `@path`, or give an https address")),
            }
        }
    }
}

/// Returns the file that an object names: `{"path": "…"}` or `{"url": "…"}`.
fn named(map: &Map<String, Value>) -> Option<Reference> {
    let text = map.get("path").or_else(|| map.get("url")).and_then(Value::as_str)?;
    Some(match is_remote(text) {
        true => Reference::Remote(text.to_owned()),
        false => Reference::Local(text.trim_start_matches('@').to_owned()),
    })
}

/// Wraps a file in the message of a chat. Other wrappers belong to their component: see [`shape`].
fn wrap(place: &Place<'_>, file: Value) -> Value {
    match place.wrapper() {
        Some("file") if !place.takes_file() => json!({"file": file}),
        _ => file,
    }
}

fn is_remote(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The file as events carry it. Without `meta` the server does not take it for a file.
fn file_data(path: &str, name: &str) -> Value {
    json!({"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}})
}

/// Puts files into the shape that the component takes.
fn shape(parameter: &Parameter, value: Value) -> Value {
    if value.is_null() {
        return value;
    }
    let is_file = |value: &Value| value.get("path").is_some();
    let component = parameter.component.to_ascii_lowercase();
    let schema = &parameter.schema;
    match component.as_str() {
        // Gradio 4 and 5 wrap a video, Gradio 6 does not.
        "video" if is_file(&value) && schema.pointer("/properties/video").is_some() => {
            json!({"video": value, "subtitles": null})
        }
        "imageeditor" if is_file(&value) => json!({"background": value, "layers": [], "composite": value}),
        "gallery" => {
            let items = match value {
                Value::Array(items) => items,
                one => vec![one],
            };
            Value::Array(items.into_iter().map(|item| gallery_item(schema, item)).collect())
        }
        "imageslider" if is_file(&value) => json!([value, value]),
        _ if is_file(&value) && schema.get("type") == Some(&"array".into()) => json!([value]),
        _ => value,
    }
}

/// Makes an item of a gallery from a file, or from a file and its caption.
fn gallery_item(schema: &Value, item: Value) -> Value {
    let (file, caption) = match item {
        Value::Array(mut pair) if pair.first().is_some_and(|first| first.get("path").is_some()) => {
            (pair[0].take(), pair.get_mut(1).map(Value::take).unwrap_or_default())
        }
        file if file.get("path").is_some() => (file, Value::Null),
        other => return other,
    };
    const FILMS: [&str; 5] = [".mp4", ".mov", ".webm", ".mkv", ".avi"];
    let name = file.get("orig_name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let is_film = FILMS.iter().any(|ending| name.ends_with(ending));
    // Galleries take films since Gradio 5.
    if is_film && schema.pointer("/$defs/GalleryVideo").is_some() {
        return json!({"video": file, "caption": caption});
    }
    json!({"image": file, "caption": caption})
}

async fn send_local(edge: &Edge, prefix: &str, workspace: &Path, path: &str) -> Result<Value, Stop> {
    let shown = quoted(path);
    let missing = |error| unreadable(path, &error);
    let full = inside(workspace, path).map_err(missing)?.ok_or_else(|| {
        Stop::failed(format!("cannot send `{shown}`: it is not in the workspace")).about(Subject::Workspace)
    })?;
    let about = tokio::fs::metadata(&full).await.map_err(missing)?;
    if !about.is_file() || about.len() > MAX_UPLOAD {
        let limit = MAX_UPLOAD >> 20;
        return Err(Stop::failed(format!("cannot send `{shown}`: it is not a file of at most {limit} MB"))
            .about(Subject::Workspace));
    }
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = upload(edge, prefix, &name, &Content::File { path: full, length: about.len() }).await?;
    Ok(file_data(&path, &name))
}

fn unreadable(path: &str, error: &std::io::Error) -> Stop {
    Stop::failed(format!("cannot read `{}` of the workspace: {error}", quoted(path)))
        .about(Subject::Workspace)
        .hint("paths in `api_args` and `api_kwargs` are relative to the workspace")
}

impl Content {
    /// From its start, each time.
    async fn part(&self) -> std::io::Result<Part> {
        let (path, length) = match self {
            Self::Bytes(bytes) => return Ok(Part::bytes(bytes.clone())),
            Self::File { path, length } => (path, *length),
        };
        let file = tokio::fs::File::open(path).await?.take(length);
        let stream = futures_util::stream::unfold(Some(file), |file| async move {
            let mut file = file?;
            let mut chunk = vec![0; CHUNK];
            match file.read(&mut chunk).await {
                Ok(0) => None,
                Ok(length) => {
                    chunk.truncate(length);
                    Some((Ok(chunk), Some(file)))
                }
                Err(error) => Some((Err(error), None)),
            }
        });
        Ok(Part::stream_with_length(Body::wrap_stream(stream), length))
    }
}

/// The real path of a file, if it is below the workspace with all links followed.
fn inside(workspace: &Path, path: &str) -> std::io::Result<Option<PathBuf>> {
    let full = workspace.join(path).canonicalize()?;
    Ok(full.starts_with(workspace.canonicalize()?).then_some(full))
}

/// `POST {prefix}/upload`, multipart, one part `files`; the answer is a list of paths on the server.
///
/// An upload may land twice: it starts nothing, and the server names each file by its content.
async fn upload(edge: &Edge, prefix: &str, name: &str, content: &Content) -> Result<String, Stop> {
    let what = format!("cannot upload `{}`", quoted(name));
    let url = edge.url(&format!("{prefix}/upload"))?;
    let mut pauses = edge::pauses(edge::ATTEMPTS);
    let answer = loop {
        let part = content.part().await.map_err(|error| unreadable(name, &error))?;
        let form = Form::new().part("files", part.file_name(name.to_owned()));
        let answer = post(edge, url.clone(), form).await;
        match pauses.next().filter(|_| edge::may_pass(&answer)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => break answer.map_err(|trouble| Stop::failed(format!("{what}: {trouble}")))?,
        }
    };
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => return Err(super::health::rate_limited(&answer)),
        status if status.is_success() => {}
        _ => return Err(Stop::failed(format!("{what}: the app answered {}", answer.complaint()))),
    }
    let paths: Vec<String> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let path = paths.into_iter().next();
    path.ok_or_else(|| Stop::failed(format!("{what}: the app did not name the file that it kept")))
}

async fn post(edge: &Edge, url: Url, form: Form) -> Result<Answer, Trouble> {
    let request = edge.request(Method::POST, url).multipart(form).timeout(UPLOAD_TIMEOUT);
    edge::read(request.send().await.map_err(edge::trouble)?, MAX_ANSWER, false).await
}

/// The name and the content of a sample.
fn sample_file(sample: Sample) -> (&'static str, Vec<u8>) {
    match sample {
        Sample::Image => ("sample.png", STANDARD.decode(SAMPLE_IMAGE).unwrap_or_default()),
        Sample::Audio => ("sample.wav", tone()),
        Sample::Text => ("sample.txt", b"Hello\n".to_vec()),
    }
}

/// One second of a triangle of 444 Hz: WAV, PCM of 16 bits, 16 kHz, one channel.
fn tone() -> Vec<u8> {
    const RATE: u32 = 16_000;
    let samples = (0..RATE).map(|time| (((time % 36) as i16 - 18).abs() - 9) * 1000);
    let length = RATE * 2;
    let mut wav = Vec::with_capacity(44 + length as usize);
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + length).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16u32.to_le_bytes());
    wav.extend_from_slice(&[1, 0, 1, 0]);
    wav.extend_from_slice(&RATE.to_le_bytes());
    wav.extend_from_slice(&(RATE * 2).to_le_bytes());
    wav.extend_from_slice(&[2, 0, 16, 0]);
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&length.to_le_bytes());
    samples.for_each(|sample| wav.extend_from_slice(&sample.to_le_bytes()));
    wav
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_check::media;

    fn parameter(component: &str, schema: Value) -> Parameter {
        Parameter { component: component.into(), schema, ..Parameter::default() }
    }

    #[test]
    fn samples_are_what_they_say() {
        let format = |sample| media::sniff(&sample_file(sample).1).map(|format| format.extension);
        assert_eq!(format(Sample::Image), Some("png"));
        assert_eq!(format(Sample::Audio), Some("wav"));
        assert_eq!(tone().len(), 44 + 32_000);
    }

    fn file() -> Value {
        json!({"type": "object", "properties": {"path": {"type": "string"}, "meta": {}}})
    }

    /// Returns the files of a value, and the value with a mark in place of each.
    fn found(schema: &Value, value: Value) -> (Vec<Reference>, Value) {
        let mut found = Vec::new();
        let mut note = |reference: &Reference| {
            found.push(reference.clone());
            "FILE".into()
        };
        let mut with = Replacer { exists: &|path| path == "cat.png", make: &mut note };
        let value = replace(&value, &Place::root(schema), &mut with).unwrap();
        (found, value)
    }

    #[test]
    fn files_are_found_in_all_their_spellings() {
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string"}, "files": {"type": "array", "items": file()},
        }});
        let value =
            json!({"text": "@ada", "files": ["@a", {"path": "b"}, {"path": "c", "meta": {}}, "https://x/d"]});
        let local = |path: &str| Reference::Local(path.into());
        assert_eq!(
            found(&schema, value),
            (
                vec![local("a"), local("b"), Reference::Remote("https://x/d".into())],
                json!({"text": "@ada", "files": ["FILE", "FILE", {"path": "c", "meta": {}}, "FILE"]})
            )
        );
        let mut with = Replacer { exists: &|_| false, make: &mut |_| Value::Null };
        assert!(replace(&json!("cat.png"), &Place::root(&file()), &mut with).is_err());
    }

    #[test]
    fn a_chat_history_is_text_unless_it_names_a_file() {
        let message = |content: Value| {
            json!({"type": "array", "items": {"type": "object", "properties": {
                "role": {"type": "string"}, "content": content,
            }}})
        };
        let file_message =
            json!({"type": "object", "properties": {"file": file(), "alt_text": {"type": "string"}}});
        let text_message =
            json!({"type": "object", "properties": {"text": {"type": "string"}, "type": {"type": "string"}}});
        let old = message(json!({"anyOf": [{"type": "string"}, file_message]}));
        let new = message(json!({"type": "array", "items": {"anyOf": [text_message, file_message]}}));
        for (schema, content) in [
            (&old, json!("hi there")),
            (&old, json!("https://example.org/cat.png")),
            (&old, json!("/tmp/cat.png")),
            (&old, json!("@ada, are you there?")),
            (&new, json!([{"type": "text", "text": "@cat.png"}])),
            (&new, json!("hi there")),
        ] {
            let history = json!([{"role": "user", "content": content}]);
            assert_eq!(found(schema, history.clone()), (vec![], history));
        }
        for (schema, content, sent) in [
            (&old, json!("@cat.png"), json!({"file": "FILE"})),
            (&old, json!({"file": "@cat.png"}), json!({"file": "FILE"})),
            (&old, json!({"path": "cat.png"}), json!({"file": "FILE"})),
            (&new, json!([{"file": {"path": "cat.png"}}]), json!([{"file": "FILE"}])),
            (&new, json!(["@cat.png"]), json!([{"file": "FILE"}])),
        ] {
            let value = json!([{"role": "user", "content": content}]);
            let (files, value) = found(schema, value);
            assert_eq!(files, [Reference::Local("cat.png".into())]);
            assert_eq!(value, json!([{"role": "user", "content": sent}]));
        }
    }

    #[test]
    fn an_item_of_a_gallery_may_have_a_caption() {
        let item = json!({"type": "object", "properties": {"image": file(), "caption": {"type": "string"}}});
        let schema = json!({"type": "array", "items": item});
        let value = json!(["@cat.png", ["@cat.png", "caption"], {"image": "@cat.png", "caption": "@small"}]);
        let (files, value) = found(&schema, value);
        assert_eq!(files.len(), 3);
        assert_eq!(value, json!(["FILE", ["FILE", "caption"], {"image": "FILE", "caption": "@small"}]));
        let no_schema = Parameter { component: "Gallery".into(), ..Parameter::default() };
        // A bare name is enough where nothing but a file fits.
        assert_eq!(found(&schema, json!(["cat.png"])).0, [Reference::Local("cat.png".into())]);
        let (files, _) = found(schema_of(&no_schema), json!(["@cat.png", ["@cat.png", "caption"]]));
        assert_eq!(files.len(), 2);
    }

    #[test]
    fn each_component_gets_its_shape() {
        let file = json!({"path": "p"});
        let video = json!({"properties": {"video": {}}});
        assert_eq!(shape(&parameter("Video", video), file.clone())["video"], file);
        assert_eq!(shape(&parameter("Video", json!({"properties": {"path": {}}})), file.clone()), file);
        assert_eq!(shape(&parameter("File", json!({"type": "array"})), file.clone()), json!([file]));
        assert_eq!(shape(&parameter("File", json!({"type": "object"})), file.clone()), file);
        let gallery = parameter("Gallery", json!({"$defs": {"GalleryVideo": {}}}));
        assert_eq!(shape(&gallery, json!([file]))[0], json!({"image": file, "caption": null}));
        assert_eq!(shape(&gallery, json!([[file, "cat"]]))[0], json!({"image": file, "caption": "cat"}));
        let film = json!({"path": "p", "orig_name": "cat.MP4"});
        assert_eq!(shape(&gallery, json!([film]))[0], json!({"video": film, "caption": null}));
        assert_eq!(shape(&parameter("Gallery", json!({})), Value::Null), Value::Null);
        assert_eq!(shape(&parameter("ImageEditor", json!({})), file.clone())["composite"], file);
    }

    #[test]
    fn local_files_are_in_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        std::fs::write(workspace.join("a.txt"), "a").unwrap();
        std::fs::write(folder.path().join("b.txt"), "b").unwrap();
        std::os::unix::fs::symlink("../b.txt", workspace.join("link")).unwrap();
        assert!(inside(&workspace, "a.txt").unwrap().is_some());
        for path in ["../b.txt", "link", folder.path().join("b.txt").to_str().unwrap()] {
            assert_eq!(inside(&workspace, path).unwrap(), None, "{path}");
        }
        assert!(inside(&workspace, "none").is_err());
    }
}
