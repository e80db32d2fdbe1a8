//! The visibility of the repo: read before anything is written, and changed if an option says so.

use std::time::Duration;

use crate::failure::Result;
use crate::failure::deploy_log as advice;
use hub::{Lookup, Repo, RepoType, Revision, Visibility};

use super::context::Context;
use super::options::Origin;
use super::report::AccessChange;

/// Time allowed for an answer that only the report needs.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

/// Audience of an existing repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    Known(Visibility),
    /// A Space that is public or protected. The Hub does not say which.
    NotPrivate,
}

/// Answer of the Hub about the visibility of a Space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VisibilityAnswer {
    Visibility(Visibility),
    /// This Hub does not know the question.
    Unsupported,
    NoAnswer,
}

impl Audience {
    pub(super) fn visibility(self) -> Option<Visibility> {
        match self {
            Self::Known(visibility) => Some(visibility),
            Self::NotPrivate => None,
        }
    }

    /// Returns true unless the Hub says that the files are private.
    pub(super) fn reads_files(self) -> bool {
        matches!(self, Self::NotPrivate | Self::Known(Visibility::Public))
    }
}

/// Asks the Hub for the visibility of a Space, beside the first look at it.
pub(super) async fn fetch_visibility(context: &Context<'_>) -> VisibilityAnswer {
    if !has_three_states(context) {
        return VisibilityAnswer::Unsupported;
    }
    let asked = tokio::time::timeout(VISIBILITY_TIMEOUT, context.hub.visibility_once(&context.repo)).await;
    match asked {
        Ok(Ok(answer)) => answer
            .and_then(|answer| answer.parse().ok())
            .map_or(VisibilityAnswer::Unsupported, VisibilityAnswer::Visibility),
        Ok(Err(_)) | Err(_) => VisibilityAnswer::NoAnswer,
    }
}

/// Returns the audience of the repo: `None` if there is no repo.
pub(super) async fn audience(
    context: &Context<'_>,
    lookup: &Lookup,
    answer: VisibilityAnswer,
) -> Result<Option<Audience>> {
    let is_private = match lookup {
        Lookup::NoRepo(_) => return Ok(None),
        Lookup::Found(info) => info.private,
        Lookup::NoRevision => match context.hub.look_up(&context.repo, &Revision::default()).await? {
            Lookup::Found(info) => info.private,
            Lookup::NoRevision | Lookup::NoRepo(_) => false,
        },
    };
    let has_three_states = has_three_states(context);
    let known = match answer {
        VisibilityAnswer::Visibility(visibility) => Some(visibility),
        VisibilityAnswer::NoAnswer if has_three_states && changes_visibility(context) => {
            context.hub.visibility(&context.repo).await?.and_then(|answer| answer.parse().ok())
        }
        VisibilityAnswer::NoAnswer | VisibilityAnswer::Unsupported => None,
    };
    let from_lookup = if is_private {
        Audience::Known(Visibility::Private)
    } else if has_three_states {
        Audience::NotPrivate
    } else {
        Audience::Known(Visibility::Public)
    };
    Ok(Some(known.map_or(from_lookup, Audience::Known)))
}

/// Returns true if it matters that the repo can be protected, which a look at it does not show. No proxy is made
/// protected, and the Space of a model only if the options name the visibility.
fn has_three_states(context: &Context<'_>) -> bool {
    let options = context.options;
    let matters = match options.origin {
        Origin::Checkout => true,
        Origin::Model => options.visibility_given,
        Origin::Proxy => false,
    };
    options.repo_type == RepoType::Space && matters
}

/// Returns true if this deploy gives an existing repo the visibility of the options.
fn changes_visibility(context: &Context<'_>) -> bool {
    context.options.visibility_given && context.options.affects_live_branch()
}

/// Returns the audience of the repo after this deploy.
pub(super) fn audience_after(context: &Context<'_>, before: Option<Audience>) -> Audience {
    match before {
        Some(before) if !changes_visibility(context) => before,
        _ => Audience::Known(context.options.visibility),
    }
}

/// Logs the audience of an existing repo. Warns if `private: false` looks like a wish to publish it.
pub(super) fn log_audience(context: &Context<'_>, audience: Audience) {
    let Context { options, repo, log, .. } = context;
    let visibility = audience.visibility();
    context.record_access(visibility, AccessChange::Kept);
    if options.origin == Origin::Proxy {
        return;
    }
    log.info(&description(repo, visibility));
    if options.private_is_false && visibility == Some(Visibility::Private) {
        log.warning(&advice::stays_private(repo));
    }
}

/// Changes the visibility of the repo before anything is uploaded, if the user asked for it. Returns its audience after
/// that.
pub(super) async fn apply_visibility(
    context: &Context<'_>,
    before: Option<Audience>,
) -> Result<Option<Audience>> {
    let Context { options, repo, log, .. } = context;
    let wanted = options.visibility;
    let Some(current) = before.filter(|_| changes_visibility(context)) else { return Ok(before) };
    if current == Audience::Known(wanted) {
        return Ok(before);
    }
    let audience = Some(Audience::Known(wanted));
    if options.dry_run {
        log.info(&format!("the {repo} would become {}", wanted.as_str()));
        context.record_access(Some(wanted), AccessChange::WouldChange);
        return Ok(audience);
    }
    context.hub.set_visibility(repo, wanted).await?;
    // A look does not show protected apart from public, so the repo may have been as wanted before.
    let is_changed = current.visibility().is_some() || wanted == Visibility::Private;
    let (since, change) =
        if is_changed { (" from now on", AccessChange::Changed) } else { ("", AccessChange::Kept) };
    log.info(&format!("the {repo} is {}{since}", wanted.as_str()));
    context.record_access(Some(wanted), change);
    Ok(audience)
}

fn description(repo: &Repo, visibility: Option<Visibility>) -> String {
    match visibility {
        Some(Visibility::Public) => format!("the {repo} is public: everybody can see it"),
        Some(Visibility::Private) => format!("the {repo} is private"),
        Some(Visibility::Protected) => {
            format!("the {repo} is protected: everybody can use the app, and its files are private")
        }
        None => format!("the {repo} is not private: everybody can open its app"),
    }
}
