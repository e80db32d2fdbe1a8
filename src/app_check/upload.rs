//! Uploads of files to the app.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, StatusCode};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::answer::{self, Answer, Overlong, RequestError, rate_limited};
use super::arguments::Sample;
use super::error::{CheckError, CheckFailure};
use super::file_shapes::file_data;
use super::quote::quoted;
use super::sample_files::sample_file;
use super::session::Session;

/// Largest file that is uploaded, in bytes.
const MAX_UPLOAD: u64 = 200 << 20;
/// Part of a file that is in memory at a time.
const CHUNK: usize = 64 << 10;
/// Largest answer to an upload, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Time allowed for one upload.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// The content of an upload, which may be read more than once.
#[derive(Debug)]
enum Content {
    Bytes(Vec<u8>),
    File { path: PathBuf, length: u64 },
}

/// Uploads a sample, and returns it as events carry it.
pub(super) async fn send_sample(session: &Session<'_>, sample: Sample) -> Result<Value, CheckError> {
    let (name, bytes) = sample_file(sample);
    let path = upload(session, name, &Content::Bytes(bytes)).await?;
    Ok(file_data(&path, name))
}

/// Uploads a file of the workspace, and returns it as events carry it.
pub(super) async fn send_local(session: &Session<'_>, path: &str) -> Result<Value, CheckError> {
    let shown = quoted(path);
    let missing = |error| unreadable(path, &error);
    let reject = |reason: &str| {
        CheckError::new(CheckFailure::FileRejected, format!("cannot send `{shown}`: {reason}"))
    };
    let full = find_local(&session.check.workspace, path).map_err(missing)?;
    let full = full.ok_or_else(|| reject("it is not in the workspace"))?;
    let metadata = tokio::fs::metadata(&full).await.map_err(missing)?;
    if !metadata.is_file() || metadata.len() > MAX_UPLOAD {
        return Err(reject(&format!("it is not a file of at most {} MB", MAX_UPLOAD >> 20)));
    }
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = upload(session, &name, &Content::File { path: full, length: metadata.len() }).await?;
    Ok(file_data(&path, &name))
}

fn unreadable(path: &str, error: &std::io::Error) -> CheckError {
    let detail = format!("cannot read `{}` of the workspace: {error}", quoted(path));
    CheckError::new(CheckFailure::FileUnreadable, detail)
}

impl Content {
    /// Starts the content from its beginning.
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

/// Returns the real path of a file, if it is below the workspace with all links followed.
pub(super) fn find_local(workspace: &Path, path: &str) -> std::io::Result<Option<PathBuf>> {
    let full = workspace.join(path).canonicalize()?;
    Ok(full.starts_with(workspace.canonicalize()?).then_some(full))
}

/// Uploads a file, and returns its path on the server: `POST {prefix}/upload`, multipart, one part `files`.
///
/// Retries, because a second upload starts nothing, and the server names each file by its content.
async fn upload(session: &Session<'_>, name: &str, content: &Content) -> Result<String, CheckError> {
    let problem = |failure: CheckFailure, cause: &str| {
        CheckError::new(failure, format!("cannot upload `{}`: {cause}", quoted(name)))
    };
    let url = session.api_url("/upload")?;
    let mut pauses = answer::pauses(answer::ATTEMPTS);
    let answer = loop {
        let part = content.part().await.map_err(|error| unreadable(name, &error))?;
        let form = Form::new().part("files", part.file_name(name.to_owned()));
        let answer = post(session, url.clone(), form).await;
        match pauses.next().filter(|_| answer::is_transient(&answer)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => {
                break answer.map_err(|error| problem(CheckFailure::Unreachable, &error.to_string()))?;
            }
        }
    };
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => return Err(rate_limited(&answer)),
        status if status.is_success() => {}
        _ => {
            let cause = format!("the app answered {}", answer.describe());
            return Err(problem(CheckFailure::Refused(answer.summary()), &cause));
        }
    }
    let paths: Vec<String> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let path = paths.into_iter().next();
    path.ok_or_else(|| problem(CheckFailure::InvalidAnswer, "the app did not name the file that it kept"))
}

async fn post(session: &Session<'_>, url: Url, form: Form) -> Result<Answer, RequestError> {
    let request = session.client.request(Method::POST, url).multipart(form).timeout(UPLOAD_TIMEOUT);
    answer::read(session.client.send(request).await?, MAX_ANSWER, Overlong::Fail).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_file_must_be_in_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        std::fs::write(workspace.join("a.txt"), "a").unwrap();
        std::fs::write(folder.path().join("b.txt"), "b").unwrap();
        std::os::unix::fs::symlink("../b.txt", workspace.join("link")).unwrap();
        assert!(find_local(&workspace, "a.txt").unwrap().is_some());
        for path in ["../b.txt", "link", folder.path().join("b.txt").to_str().unwrap()] {
            assert_eq!(find_local(&workspace, path).unwrap(), None, "{path}");
        }
        assert!(find_local(&workspace, "none").is_err());
    }
}
