//! The state of a Space beside its files, fetched before anything is written.

use crate::failure::{Failure, Result};
use crate::ops::space::{CurrentSettings, hardware, settings};
use hub::{Lookup, SpaceSdk};

use super::context::Context;
use super::mark::check_mark;
use super::plan_base::is_missing_right;
use super::prepare::Prepared;
use super::visibility::{self, Audience, VisibilityAnswer};

/// State of a Space beside its files.
#[derive(Default)]
pub(super) struct RemoteSettings {
    /// Variables and secrets before this deploy: `None` if the Space does not exist, or nothing is wanted.
    pub(super) current: Option<CurrentSettings>,
    /// Audience of the repo: `None` if it does not exist.
    pub(super) audience: Option<Audience>,
    /// SDK that the Space runs.
    pub(super) sdk: Option<SpaceSdk>,
}

/// Fetches the settings and the audience, and refuses options that do not fit them.
pub(super) async fn fetch_settings(
    context: &Context<'_>,
    prepared: &Prepared,
    answer: VisibilityAnswer,
) -> Result<RemoteSettings> {
    let wanted = &context.options.space;
    let sdk = sdk_of(context, prepared);
    if let Some(sdk) = sdk {
        let has_volumes = wanted.settings.volumes.as_ref().is_some_and(|volumes| !volumes.is_empty());
        hardware::check_sdk(&wanted.hardware, has_volumes, sdk)?;
    }
    let exists = !matches!(prepared.lookup, Lookup::NoRepo(_));
    let is_live = context.options.affects_live_branch();
    if exists && !is_live {
        warn_about_ignored_options(context);
    }
    let current = async {
        if exists && is_live && wants_settings(context) {
            return read_settings(context).await;
        }
        Ok(None)
    };
    let audience = visibility::audience(context, &prepared.lookup, answer);
    let (current, audience) = tokio::try_join!(current, audience)?;
    if let (Some(preview), Some(current)) = (&context.options.preview, &current) {
        check_mark(&context.repo, &preview.mark, &current.variables)?;
    }
    if let Some(audience) = audience {
        visibility::log_audience(context, audience);
    }
    Ok(RemoteSettings { current, audience, sdk })
}

/// Warns about options that a proposal or another branch ignores, because they would change the running Space at once.
fn warn_about_ignored_options(context: &Context<'_>) {
    let wanted = &context.options.space;
    let settings = &wanted.settings;
    let given = [
        ("variables", !settings.variables.is_empty()),
        ("secrets", !settings.secrets.is_empty()),
        ("volumes", settings.volumes.is_some()),
        ("hardware", !wanted.hardware.wanted.is_empty()),
        ("sleep_time", wanted.hardware.sleep_time.is_some()),
        ("visibility", context.options.visibility_given),
    ];
    let given: Vec<&str> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    if !given.is_empty() {
        context.log.warning(&format!(
            "left as they are: `{}` (they would change the running {})",
            given.join("`, `"),
            context.repo.repo_type.noun()
        ));
    }
}

/// Returns true if the options name variables or secrets that can be read.
pub(super) fn wants_settings(context: &Context<'_>) -> bool {
    // A dry run may continue without a token, and then sees no secrets.
    settings::are_named(&context.options.space.settings)
        && (context.hub.has_token() || !context.options.dry_run)
}

/// Returns the SDK that the Space runs. If only a folder of it is deployed, the Hub knows better than the folder.
fn sdk_of(context: &Context<'_>, prepared: &Prepared) -> Option<SpaceSdk> {
    let chosen = prepared.sdk?;
    match &prepared.lookup {
        Lookup::Found(info) if context.options.path_in_repo.is_some() => {
            info.sdk.as_deref().and_then(|sdk| sdk.parse().ok()).or(Some(chosen))
        }
        _ => Some(chosen),
    }
}

/// Reads variables and secret names, and refuses collisions. A dry run continues without them if the token may not
/// read them.
pub(super) async fn read_settings(context: &Context<'_>) -> Result<Option<CurrentSettings>> {
    let Context { options, hub, repo, log, .. } = context;
    let read = async {
        let current = settings::read(hub, repo).await?;
        let page = format!("{}/{}/settings", hub.endpoint(), repo.page());
        settings::check_collisions(&current, &options.space.settings, &page)?;
        Ok::<_, Failure>(current)
    };
    match read.await {
        Err(failure) if options.dry_run && is_missing_right(failure.code) => {
            log.info("variables and secrets are not planned: this token may not look at them");
            Ok(None)
        }
        read => read.map(Some),
    }
}
