//! Files in arguments: found, uploaded, and put into the shape that the component takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::api::Parameter;
use super::arguments::{Argument, Sample};
use super::edge::{self, Answer, Edge, Trouble};
use super::options::{Stop, quoted};

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
/// `file_missing` and `file_outside` for local files, and what the app says against the upload.
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
    let mut found = Vec::new();
    replace(&given, &mut |reference| {
        found.push(reference.clone());
        Value::Null
    })?;
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
    let value = replace(&given, &mut |reference| sent.get(reference).cloned().unwrap_or_default())?;
    Ok(shape(parameter, value))
}

/// Whether the value of a parameter is made of files; elsewhere an `@` is only an `@`.
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

/// Replaces each file in a value.
fn replace(value: &Value, make: &mut impl FnMut(&Reference) -> Value) -> Result<Value, Stop> {
    Ok(match value {
        Value::String(text) => make(&reference(text)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| replace(item, make)).collect::<Result<_, _>>()?)
        }
        // A file that the server knows already.
        Value::Object(map) if map.contains_key("path") && map.contains_key("meta") => value.clone(),
        Value::Object(map) => match map.get("path").or_else(|| map.get("url")).and_then(Value::as_str) {
            Some(text) if is_remote(text) => make(&Reference::Remote(text.to_owned())),
            Some(text) => make(&Reference::Local(text.trim_start_matches('@').to_owned())),
            None => {
                let replaced = map.iter().map(|(key, value)| {
                    let is_text = matches!(key.as_str(), "text" | "caption");
                    Ok((key.clone(), if is_text { value.clone() } else { replace(value, make)? }))
                });
                Value::Object(replaced.collect::<Result<_, Stop>>()?)
            }
        },
        other => other.clone(),
    })
}

fn reference(text: &str) -> Result<Reference, Stop> {
    match text.strip_prefix('@') {
        Some(path) => Ok(Reference::Local(path.to_owned())),
        None if is_remote(text) => Ok(Reference::Remote(text.to_owned())),
        None => Err(Stop::failed(format!("file_missing: `{}` does not name a file", quoted(text)))
            .hint("name a file of the workspace as `@path`, or give an https address")),
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
            let wrapped = items.into_iter().map(|item| match item {
                item if is_file(&item) => json!({"image": item, "caption": null}),
                item => item,
            });
            Value::Array(wrapped.collect())
        }
        "imageslider" if is_file(&value) => json!([value, value]),
        _ if is_file(&value) && schema.get("type") == Some(&"array".into()) => json!([value]),
        _ => value,
    }
}

async fn send_local(edge: &Edge, prefix: &str, workspace: &Path, path: &str) -> Result<Value, Stop> {
    let shown = quoted(path);
    let missing = |error| unreadable(path, &error);
    let full = inside(workspace, path)
        .map_err(missing)?
        .ok_or_else(|| Stop::failed(format!("file_outside: `{shown}` is not in the workspace")))?;
    let about = tokio::fs::metadata(&full).await.map_err(missing)?;
    if !about.is_file() || about.len() > MAX_UPLOAD {
        let limit = MAX_UPLOAD >> 20;
        return Err(Stop::failed(format!("file_missing: `{shown}` is not a file of at most {limit} MB")));
    }
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = upload(edge, prefix, &name, &Content::File { path: full, length: about.len() }).await?;
    Ok(file_data(&path, &name))
}

fn unreadable(path: &str, error: &std::io::Error) -> Stop {
    Stop::failed(format!("file_missing: cannot read `{}` of the workspace: {error}", quoted(path)))
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
    use crate::verify::media;

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

    #[test]
    fn files_are_found_in_all_their_spellings() {
        let mut found = Vec::new();
        let value =
            json!({"text": "@ada", "files": ["@a", {"path": "b"}, {"path": "c", "meta": {}}, "https://x/d"]});
        replace(&value, &mut |reference| {
            found.push(reference.clone());
            Value::Null
        })
        .unwrap();
        let local = |path: &str| Reference::Local(path.into());
        assert_eq!(found, [local("a"), local("b"), Reference::Remote("https://x/d".into())]);
        assert!(replace(&json!("cat.png"), &mut |_| Value::Null).is_err());
    }

    #[test]
    fn each_component_gets_its_shape() {
        let file = json!({"path": "p"});
        let video = json!({"properties": {"video": {}}});
        assert_eq!(shape(&parameter("Video", video), file.clone())["video"], file);
        assert_eq!(shape(&parameter("Video", json!({"properties": {"path": {}}})), file.clone()), file);
        assert_eq!(shape(&parameter("File", json!({"type": "array"})), file.clone()), json!([file]));
        assert_eq!(shape(&parameter("File", json!({"type": "object"})), file.clone()), file);
        assert_eq!(shape(&parameter("Gallery", json!({})), json!([file]))[0]["image"], file);
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
