//! Asks the Hub about each file: the content that it holds, and the way in which it wants to get the file.

use std::collections::HashMap;

use crate::failure::Result;
use crate::folder::{Source, SourceFile};
use hub::{
    Content, Preupload, PreuploadFile, RemoteFile, RepoInfo, RepoPath, Revision, Transfer, UploadMode,
};

use super::context::Context;
use super::plan_base::{PlanBase, files_in_repo, is_missing_right};

/// Asks the Hub about each file of the source.
pub(super) async fn preupload(
    context: &Context<'_>,
    source: &Source,
    revision: &Revision,
) -> Result<Preupload> {
    let questions = files_in_repo(context, source)?;
    let questions: Vec<(RepoPath, &dyn Content)> =
        questions.into_iter().map(|(path, file)| (path, file as &dyn Content)).collect();
    let git_ignore = git_ignore(context, source)?;
    let transfer = Transfer { revision: revision.clone(), ..context.transfer() };
    Ok(context.hub.preupload(&transfer, &questions, git_ignore.as_deref()).await?)
}

/// Asks the Hub, or compares with what the repo shows: a dry run may have no right to ask.
pub(super) async fn preupload_or_compare(
    context: &Context<'_>,
    source: &Source,
    base: &PlanBase<'_>,
) -> Result<Preupload> {
    if !context.hub.has_token() {
        return compare_with_tree(context, &files_in_repo(context, source)?, base.info).await;
    }
    match preupload(context, source, base.revision).await {
        Err(failure) if context.options.dry_run && is_missing_right(failure.code) => {
            context.log.info("comparing with what the repo shows: this token may not ask about an upload");
            compare_with_tree(context, &files_in_repo(context, source)?, base.info).await
        }
        asked => asked,
    }
}

/// Returns the answers of the Hub as far as the tree shows them.
async fn compare_with_tree(
    context: &Context<'_>,
    questions: &[(RepoPath, &SourceFile)],
    info: &RepoInfo,
) -> Result<Preupload> {
    let remote = match &info.sha {
        Some(sha) => context.hub.list_files(&context.repo, sha, None).await?,
        None => Vec::new(),
    };
    let remote: HashMap<String, RemoteFile> =
        remote.into_iter().map(|file| (file.path.clone(), file)).collect();
    let answer = |(path, file): &(RepoPath, &SourceFile)| {
        let held = remote.get(path.as_str());
        let is_large = held.is_some_and(|file| file.sha256.is_some()) && file.size > 0;
        let upload_mode = if is_large { UploadMode::Lfs } else { UploadMode::Regular };
        PreuploadFile {
            path: path.to_string(),
            upload_mode,
            should_ignore: false,
            oid: held.and_then(RemoteFile::content_id),
        }
    };
    Ok(Preupload { files: questions.iter().map(answer).collect(), commits: Vec::new() })
}

/// Returns the `.gitignore` that this deploy brings, because the Hub uses it instead of the committed one.
pub(super) fn git_ignore(context: &Context<'_>, source: &Source) -> Result<Option<String>> {
    let Some(file) = source.get(".gitignore").filter(|_| context.options.path_in_repo.is_none()) else {
        return Ok(None);
    };
    let text = file.read_to_vec().map_err(|error| file.error(error))?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Adds the object ids of files that the repo holds, if the Hub has named none. Its tree knows them.
pub(super) fn add_oids<'a>(answers: &mut Preupload, held: impl Iterator<Item = &'a RemoteFile>) {
    if answers.files.iter().all(|answer| answer.oid.is_some()) {
        return;
    }
    let held: HashMap<&str, &RemoteFile> = held.map(|file| (file.path.as_str(), file)).collect();
    for answer in answers.files.iter_mut().filter(|answer| answer.oid.is_none()) {
        let Some(file) = held.get(answer.path.as_str()) else { continue };
        answer.oid = file.content_id();
    }
}

/// Lists the repo if a large file has a new name, because its content may be there under another one.
///
/// If no answer names an object id, only the paths of the answers are looked at, because some Hubs never name one.
pub(super) async fn find_content(
    context: &Context<'_>,
    answers: &Preupload,
    info: &RepoInfo,
) -> Result<Vec<RemoteFile>> {
    let is_new = |answer: &PreuploadFile| {
        answer.upload_mode == UploadMode::Lfs && answer.oid.is_none() && !answer.should_ignore
    };
    let has_no_oids = answers.files.iter().all(|answer| answer.oid.is_none());
    let Some(sha) = &info.sha else { return Ok(Vec::new()) };
    if !answers.files.iter().any(is_new) {
        if !has_no_oids || has_none_of(answers, info) {
            return Ok(Vec::new());
        }
        let paths: Vec<&str> = answers.files.iter().map(|answer| answer.path.as_str()).collect();
        match context.hub.files_at(&context.repo, sha, &paths).await {
            // Such a Hub may not know the question either.
            Err(error) if error.refusal().is_some() => {}
            found => return Ok(found?),
        }
    }
    Ok(context.hub.list_files(&context.repo, sha, None).await?)
}

/// Returns true if the look at the repo has shown that it has none of the files.
fn has_none_of(answers: &Preupload, info: &RepoInfo) -> bool {
    let Some(siblings) = &info.siblings else { return false };
    let there: std::collections::HashSet<&str> =
        siblings.iter().map(|sibling| sibling.rfilename.as_str()).collect();
    !answers.files.iter().any(|answer| there.contains(answer.path.as_str()))
}
