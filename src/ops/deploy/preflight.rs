//! Obstacles that the token's user meets, found before anything is written and all named at once.
//!
//! Only facts from the Hub's answer to `GET /api/whoami-v2` count as obstacles. In doubt, the write itself decides.

use std::time::Duration;

use crate::action::Log;
use crate::failure::Result;
use crate::failure::deploy_log as advice;
use crate::failure::rights::{self, Obstacle, described};
use crate::ops::account::rights::{Place, missing_membership, missing_plan, missing_scope};
use crate::ops::space::HardwareOptions;
use hub::{Hub, Lookup, Repo, SpaceSdk, TokenRole, Visibility, WhoAmI};

use super::context::Context;

/// Time allowed for the Hub's answer about the user.
const WHOAMI_TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches the user behind the token: `None` without a user, and without an answer.
pub(super) async fn fetch_user(hub: &Hub) -> Option<WhoAmI> {
    if hub.uses_trusted_publishing() || !hub.has_token() {
        return None;
    }
    known_user(hub).await
}

/// Refuses a deploy that the user or the token cannot carry out.
pub(super) fn check_rights(
    context: &Context<'_>,
    user: &WhoAmI,
    lookup: &Lookup,
    sdk: Option<SpaceSdk>,
) -> Result<()> {
    let Context { options, repo, log, .. } = context;
    let is_new = matches!(lookup, Lookup::NoRepo(_));
    let plan = sdk
        .filter(|_| is_new)
        .and_then(|sdk| missing_plan(user, &repo.id.namespace, sdk, &options.space.hardware));
    let place = Place { namespace: &repo.id.namespace, repo: Some(&repo.id) };
    let of_user = missing_membership(user, place, options.create_pr);
    let of_token = missing_scope(user, place, options.create_pr);
    if options.dry_run {
        if let Some(plan) = plan {
            log.warning(&format!("{}: {}", plan.description(), plan.hint()));
        }
        let rights: Vec<Obstacle> = of_user.into_iter().chain(of_token).collect();
        log_missing_rights(context, user, &rights);
        return Ok(());
    }
    if of_user.is_none() && of_token.is_none() {
        return Ok(());
    }
    // In the order of evidence, because a token does not help a user who may not write.
    let obstacles: Vec<Obstacle> = of_user.into_iter().chain(plan).chain(of_token).collect();
    Err(rights::missing_rights(repo, &obstacles, !is_new))
}

/// Logs rights that a dry run does not need. A read-only token is a good choice for it, so that is no warning.
fn log_missing_rights(context: &Context<'_>, user: &WhoAmI, rights: &[Obstacle]) {
    if rights.is_empty() {
        return;
    }
    let message = format!("a deploy to the {} would be refused: {}", context.repo, described(rights));
    match user.token_role() {
        TokenRole::Read => context.log.info(&message),
        _ => context.log.warning(&message),
    }
}

/// Warns about a proxy in front of a Space that everybody can reach without it.
pub(super) fn warn_about_needless_proxy(context: &Context<'_>, lookup: &Lookup) {
    let options = context.options;
    if !options.has_proxy {
        return;
    }
    let is_private = match lookup {
        Lookup::Found(info) if !options.visibility_given => info.private,
        _ => options.visibility == Visibility::Private,
    };
    if !is_private {
        context.log.warning(&advice::needless_proxy(&context.repo));
    }
}

/// Refuses a new proxy Space that the plan of its namespace does not cover, before the Space behind it is touched.
pub(crate) async fn check_plan_of_proxy(
    hub: &Hub,
    proxy: &Repo,
    hardware: &HardwareOptions,
    dry_run: bool,
    log: &Log,
) -> Result<()> {
    let Some(user) = known_user(hub).await else { return Ok(()) };
    let Some(plan) = missing_plan(&user, &proxy.id.namespace, SpaceSdk::Docker, hardware) else {
        return Ok(());
    };
    if dry_run {
        log.warning(&rights::proxy_not_covered(proxy, &plan));
        return Ok(());
    }
    Err(rights::proxy_plan_missing(proxy, &plan))
}

/// Asks for the user once, because the Hub limits this question strictly. A failure is ignored.
async fn known_user(hub: &Hub) -> Option<WhoAmI> {
    tokio::time::timeout(WHOAMI_TIMEOUT, hub.whoami_once()).await.ok()?.ok()
}
