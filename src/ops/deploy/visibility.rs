//! The visibility of the repo: read before anything is written, and changed if an input says so.

use crate::ops::deploy::options::Origin;
use std::time::Duration;

use hub::{Lookup, Repo, RepoType, Revision, Visibility};

use crate::failure::Result;
use crate::report::{Access, AccessChange};

use super::Deploy;
use super::settings::Surroundings;

/// Time allowed for an answer that only the report needs.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

/// The audience of an existing repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    Known(Visibility),
    /// A Space that is public or protected: the Hub does not say which.
    NotPrivate,
}

/// The Hub's answer about who can see a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Visibility(Visibility),
    /// This Hub has no word for it.
    Nothing,
    /// There was no answer.
    Unknown,
}

impl Audience {
    pub(super) fn visibility(self) -> Option<Visibility> {
        match self {
            Self::Known(visibility) => Some(visibility),
            Self::NotPrivate => None,
        }
    }

    /// Returns true unless the Hub says that only some can read the files.
    pub(super) fn reads_files(self) -> bool {
        matches!(self, Self::NotPrivate | Self::Known(Visibility::Public))
    }
}

impl Deploy<'_> {
    /// Reads who can see the repo: `None` while there is no repo.
    pub(super) async fn audience(&self, lookup: &Lookup) -> Result<Option<Audience>> {
        let is_private = match lookup {
            Lookup::NoRepo(_) => return Ok(None),
            Lookup::Found(info) => info.private,
            Lookup::NoRevision => match self.hub.look_up(&self.repo, &Revision::default()).await? {
                Lookup::Found(info) => info.private,
                Lookup::NoRevision | Lookup::NoRepo(_) => false,
            },
        };
        let said = match self.said {
            Said::Visibility(visibility) => Some(visibility),
            Said::Unknown if self.is_asked() && self.changes_visibility() => {
                self.hub.visibility(&self.repo).await?.and_then(|said| said.parse().ok())
            }
            Said::Unknown | Said::Nothing => None,
        };
        let plain = match (is_private, self.is_asked()) {
            (true, _) => Audience::Known(Visibility::Private),
            (false, true) => Audience::NotPrivate,
            (false, false) => Audience::Known(Visibility::Public),
        };
        Ok(Some(said.map_or(plain, Audience::Known)))
    }

    /// Returns true if the Hub has to be asked who can see the repo. No proxy is made protected.
    fn is_asked(&self) -> bool {
        self.options.repo_type == RepoType::Space && self.options.origin == Origin::Checkout
    }

    /// Asks the Hub who can see a Space, beside the first look at it.
    pub(super) async fn ask_visibility(&self) -> Said {
        if !self.is_asked() {
            return Said::Nothing;
        }
        let asked = tokio::time::timeout(VISIBILITY_TIMEOUT, self.hub.visibility_once(&self.repo)).await;
        match asked {
            Ok(Ok(said)) => said.and_then(|said| said.parse().ok()).map_or(Said::Nothing, Said::Visibility),
            Ok(Err(_)) | Err(_) => Said::Unknown,
        }
    }

    /// Returns true if this deploy gives an existing repo the visibility of the options.
    fn changes_visibility(&self) -> bool {
        self.options.visibility_given && !self.options.is_aside()
    }

    /// Returns the audience of the repo after this deploy.
    pub(super) fn audience_after(&self, before: Option<Audience>) -> Audience {
        match before {
            Some(before) if !self.changes_visibility() => before,
            _ => Audience::Known(self.options.visibility),
        }
    }

    /// Logs who can see an existing repo, and what `private: false` does not do.
    pub(super) fn tell_audience(&self, audience: Audience) {
        let visibility = audience.visibility();
        self.note_access(visibility, AccessChange::Kept);
        if self.options.origin == Origin::Generated {
            return;
        }
        self.log.info(&seen_by(&self.repo, visibility));
        if self.options.private_is_false && visibility == Some(Visibility::Private) {
            self.log.warning(&format!(
                "`private: false` does not publish the {}, which stays private: to publish it, set `visibility: public`",
                self.repo
            ));
        }
    }

    pub(super) fn note_access(&self, visibility: Option<Visibility>, change: AccessChange) {
        self.ledger.update(|outcome| outcome.access = Some(Access { visibility, change }));
    }

    /// Changes who can see the repo, before anything is uploaded, and only where the user said so.
    pub(super) async fn match_visibility(&self, around: &mut Surroundings) -> Result<()> {
        let wanted = self.options.visibility;
        let Some(before) = around.audience.filter(|_| self.changes_visibility()) else { return Ok(()) };
        if before == Audience::Known(wanted) {
            return Ok(());
        }
        around.audience = Some(Audience::Known(wanted));
        if self.options.dry_run {
            self.log.info(&format!("the {} would become {}", self.repo, wanted.as_str()));
            self.note_access(Some(wanted), AccessChange::WouldChange);
            return Ok(());
        }
        self.hub.set_visibility(&self.repo, wanted).await?;
        // It may have been as wanted before, because a plain look does not tell protected from public.
        let changed = before.visibility().is_some() || wanted == Visibility::Private;
        let (since, change) = match changed {
            true => (" from now on", AccessChange::Changed),
            false => ("", AccessChange::Kept),
        };
        self.log.info(&format!("the {} is {}{since}", self.repo, wanted.as_str()));
        self.note_access(Some(wanted), change);
        Ok(())
    }
}

fn seen_by(repo: &Repo, visibility: Option<Visibility>) -> String {
    match visibility {
        Some(Visibility::Public) => format!("the {repo} is public: everybody can see it"),
        Some(Visibility::Private) => format!("the {repo} is private"),
        Some(Visibility::Protected) => {
            format!("the {repo} is protected: everybody can use the app, and its files are private")
        }
        None => format!("the {repo} is not private: everybody can open its app"),
    }
}
