//! The download of a dataset.

use std::path::PathBuf;

use hub::{RepoName, Revision};
use serde_json::json;

use super::access::{READ_ACCESS, read_access};
use crate::action::Journal;
use crate::commands::answer::{Answer, answer, reader};
use crate::commands::command::{Command, Invocation};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::lists::lines;
use crate::commands::inputs::values::Values;
use crate::ops::Session;
use crate::ops::dataset::download::{DownloadOptions, download};

const GROUPS: &[Group] = &[DOWNLOAD, READ_ACCESS];

inputs! {
    /// Inputs of the download.
    DOWNLOAD: "Download", "";
    REPO = Input {
        kind: ValueKind::Text("REPO"),
        summary: "Dataset on the Hub, as `name` or `namespace/name`",
        details: "Without a namespace it belongs to the user of the token.",
        default: DefaultValue::Required,
        is_positional: true,
        ..Input::new("repo")
    };
    FOLDER = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder for the files, which is created if it is missing",
        default: DefaultValue::Required,
        is_positional: true,
        ..Input::new("folder")
    };
    REVISION = Input {
        kind: ValueKind::Text("REVISION"),
        summary: "Branch, tag or commit",
        default: DefaultValue::Value("main"),
        ..Input::new("revision")
    };
    INCLUDE = Input {
        kind: ValueKind::Text("PATTERNS"),
        summary: "Patterns of the files to download, one per line in gitignore syntax",
        default: DefaultValue::Words("every file"),
        ..Input::new("include")
    };
    EXCLUDE = Input {
        kind: ValueKind::Text("PATTERNS"),
        summary: "Patterns of files that are not downloaded, one per line in gitignore syntax",
        ..Input::new("exclude")
    };
}

pub(crate) static COMMAND: Command = reader(
    "dataset download",
    "Download the files of a dataset, and check their hashes",
    "A file that is there with the same content stays, and an unfinished one is continued. Nothing is written outside of the folder.",
    GROUPS,
    |call| Box::pin(run(call)),
);

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let options = options(values, &mut diagnostics);
        let (hub, options) = read_access(values, diagnostics, options, log)?;
        let session = Session { hub: &hub, log, journal: &Journal::default() };
        let done = download(&options, &session).await?;
        let json = json!({
            "repo_id": done.repo.id.to_string(), "commit_sha": done.commit,
            "folder": options.folder.to_string_lossy(), "files": done.written + done.present,
            "files_downloaded": done.written, "files_unchanged": done.present,
            "bytes_downloaded": done.bytes,
        });
        Ok(Answer { json, text: String::new() })
    })
    .await
}

fn options(values: &Values, diagnostics: &mut Diagnostics) -> Option<DownloadOptions> {
    let repo: Option<RepoName> = values.required(&REPO, str::parse, diagnostics);
    let folder = values.required(&FOLDER, |text| Ok::<_, String>(PathBuf::from(text)), diagnostics);
    let revision: Revision = values.value(&REVISION, Revision::to_read, diagnostics);
    let patterns = |input| lines(values.text(input)).map(|(_, line)| line.to_owned()).collect();
    Some(DownloadOptions {
        repo: repo?,
        revision,
        folder: folder?,
        include: patterns(&INCLUDE),
        exclude: patterns(&EXCLUDE),
        tls_roots: values.environment().var("SSL_CERT_FILE").map(PathBuf::from),
    })
}
