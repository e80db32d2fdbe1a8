//! Objections to a plan before it is carried out: deletions that are probably not meant.

use std::collections::HashSet;

use hub::RepoInfo;

use super::Deploy;
use super::remote::Planned;
use crate::failure::folder::unused_pattern_warning;
use crate::failure::{Code, Failure, Result};
use crate::folder::{Source, UnusedPattern};
use crate::ops::deploy::plan::Action;
use crate::text::count;

/// From how many deleted files on a deploy is suspicious, where they are half of what is there.
const MANY: usize = 10;

impl Deploy<'_> {
    /// Refuses a plan that takes an app down, or that deletes more than is allowed; warns of what looks like that.
    pub(super) async fn judge(&self, planned: &Planned, source: &Source, info: &RepoInfo) -> Result<()> {
        self.judge_deletions(planned)?;
        let Some(app) = self.app_file.as_ref().filter(|_| !self.options.is_aside()) else { return Ok(()) };
        let plan = &planned.plan;
        let change = plan.changes.iter().find(|change| change.path.as_str() == app.path);
        let is_deleted = match change.map(|change| change.action) {
            Some(Action::Add | Action::Update) => return Ok(()),
            Some(Action::Delete) => true,
            None => false,
        };
        // Several steps may each deploy a folder of one Space.
        let is_whole = self.options.path_in_repo.is_none();
        if is_deleted || (is_whole && !self.stays(&app.path, planned, info).await?) {
            return Err(self.left_without(app, source, is_deleted));
        }
        Ok(())
    }

    /// Reports whether a file that no change names is on the Hub.
    async fn stays(&self, path: &str, planned: &Planned, info: &RepoInfo) -> Result<bool> {
        if let Some(there) = &planned.there {
            return Ok(there.iter().any(|other| other == path));
        }
        if info.siblings.iter().flatten().any(|sibling| sibling.rfilename == path) {
            return Ok(true);
        }
        let Some(sha) = &info.sha else { return Ok(false) };
        Ok(self.hub.oids_of(&self.repo, sha, &[path]).await?.contains_key(path))
    }

    fn judge_deletions(&self, planned: &Planned) -> Result<()> {
        let (lost, there) = (planned.lost, planned.there.as_ref().map_or(0, Vec::len));
        let place = match &self.options.path_in_repo {
            Some(folder) => format!("in `{folder}` of the {}", self.repo),
            None => format!("of the {}", self.repo),
        };
        let deletes = if self.options.dry_run { "would delete" } else { "deletes" };
        let moved = planned.plan.count(Action::Delete).saturating_sub(lost);
        let moved = if moved > 0 { format!(" ({moved} more only get another name)") } else { String::new() };
        let told = format!("this deploy {deletes} {lost} of the {} {place}{moved}", count(there, "file"));
        if let Some(limit) = self.options.max_deletes.filter(|limit| !limit.allows(lost, there)) {
            let message = format!("{told}, and `max_deletes` allows {limit} (nothing was changed)");
            return Err(Failure::new(Code::TooManyDeletes, message)
                .hint("check `source_dir`: what the folder does not have is deleted")
                .hint("leave alone what others write there with `exclude`, or raise `max_deletes`"));
        }
        if lost >= MANY && lost * 2 >= there {
            self.log.warning(&format!("{told}, because the folder does not have them: check `source_dir`, or set `max_deletes` to make this an error"));
        }
        Ok(())
    }

    /// Warns of the patterns that match nothing, in the folder and on the Hub.
    pub(super) fn warn_of_unused_patterns(&self, unused: &[UnusedPattern], there: Option<&[String]>) {
        let folder =
            self.options.path_in_repo.as_ref().map(|folder| format!("{folder}/")).unwrap_or_default();
        let there: HashSet<&str> =
            there.into_iter().flatten().filter_map(|path| path.strip_prefix(&folder)).collect();
        for pattern in unused.iter().filter(|pattern| !there.iter().any(|path| pattern.matches(path))) {
            self.log.warning(&unused_pattern_warning(pattern));
        }
    }
}
