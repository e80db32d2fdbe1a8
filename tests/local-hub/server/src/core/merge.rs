//! Merging pull requests.

use serde_json::json;

use crate::core::discussion::Event;
use crate::core::repo::{MAIN, NewCommit, Repo};
use crate::http::answer::{HubError, not_found};
use crate::util::{lock, now_ms};

/// Merges a pull request by one commit on `main`. Its message lists the commits of the pull request, whose history
/// stays on its ref. Files changed on both sides are a conflict (409).
pub(crate) fn merge(repo: &Repo, number: u64, author: &str) -> Result<(), HubError> {
    let (found, main, pr) = {
        let state = lock(&repo.state);
        let found = state.discussions.get(&number).cloned().ok_or_else(not_found)?;
        (found, state.resolve("main"), state.resolve(&format!("refs/pr/{number}")))
    };
    if !found.is_pull_request {
        return Err(HubError::bad_request("This discussion is not a pull request"));
    }
    if found.status != "open" {
        return Err(HubError::bad_request(format!(
            "This pull request cannot be merged: it is {}",
            found.status
        )));
    }
    let (Some(main), Some(pr)) = (main, pr) else { return Err(HubError::revision_not_found("main")) };
    let theirs = repo.history(pr)?;
    let ours: Vec<_> = repo.history(main)?.into_iter().map(|(oid, _)| oid).collect();
    let fork = theirs
        .iter()
        .map(|(oid, _)| *oid)
        .find(|oid| ours.contains(oid))
        .ok_or_else(|| HubError::new(409, "This pull request has no common history with main"))?;
    let (base, new, mut files) =
        (repo.snapshot(fork)?, repo.snapshot(pr)?, repo.snapshot(main)?.files.clone());
    let mut paths: Vec<&String> = base.files.keys().chain(new.files.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths {
        let (before, after) = (base.files.get(path), new.files.get(path));
        if before == after {
            continue;
        }
        let here = files.get(path);
        if here != before && here != after {
            return Err(HubError::new(409, format!("This pull request has merge conflicts: {path}")));
        }
        match after {
            Some(entry) => files.insert(path.clone(), *entry),
            None => files.remove(path),
        };
    }
    let merged: Vec<String> = theirs
        .iter()
        .take_while(|(oid, _)| *oid != fork)
        .map(|(oid, commit)| format!("- {} ({oid})\n", commit.title()))
        .collect();
    let commit = NewCommit {
        author: author.to_owned(),
        summary: format!("{} (#{number})", found.title),
        description: merged.into_iter().rev().collect(),
    };
    let oid = repo.write_commit(files, vec![main], &commit)?;
    repo.update(|s| {
        s.refs.insert(MAIN.into(), oid);
        s.modified_ms = now_ms();
        if let Some(d) = s.discussions.get_mut(&number) {
            d.status = "merged".into();
            d.merge_commit = Some(oid.to_string());
            d.events.push(Event::new(author, "status-change", json!({"status": "merged"})));
        }
    })?;
    Ok(())
}
