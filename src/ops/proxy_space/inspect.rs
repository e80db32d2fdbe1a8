//! The look at the name of a proxy Space, before anything is touched.

use crate::failure::{self, Result};
use crate::ops::Session;
use crate::ops::deploy::{self, DeployOptions};
use hub::{Lookup, Repo, RepoType, Revision, Secret};

use super::options::ProxyOptions;
use super::template::has_marker;

/// A proxy Space that this action may create or change.
#[derive(Debug)]
pub struct Proxy<'a> {
    pub(super) wanted: &'a ProxyOptions,
    /// The Space behind it.
    pub(super) behind: &'a DeployOptions,
    pub(super) repo: Repo,
    pub(super) token: Secret,
}

impl<'a> Proxy<'a> {
    /// Checks that the name is free, or that of a proxy of this action, before anything is touched. Returns `None` if
    /// a dry run has no token for the proxy.
    ///
    /// # Errors
    ///
    /// `proxy_name_taken`: a Space of that name exists, and its card does not have the marker.
    pub async fn inspect(
        wanted: &'a ProxyOptions,
        behind: &'a DeployOptions,
        session: &Session<'_>,
    ) -> Result<Option<Self>> {
        let Session { hub, log, .. } = session;
        let Some(token) = wanted.token.clone().or_else(|| wanted.deploy_token.clone()) else {
            if hub.uses_trusted_publishing() {
                return Err(failure::proxy::token_missing());
            }
            log.info("the proxy Space is left out of this dry run: there is no token");
            return Ok(None);
        };
        let repo = deploy::resolve_repo(&wanted.repo, RepoType::Space, hub).await?;
        let hub = &hub.for_repo(&repo);
        if let Lookup::Found(info) = hub.look_up(&repo, &Revision::default()).await? {
            let card = match &info.sha {
                Some(sha) => hub.read_small_file(&repo, sha, "README.md").await?,
                None => None,
            };
            if !card.is_some_and(|card| has_marker(&card)) {
                return Err(failure::proxy::name_taken(&repo));
            }
            if let Some(preview) = &behind.preview
                && !behind.dry_run
            {
                let variables = hub.variables(&repo).await?;
                deploy::check_mark(&repo, &preview.mark, &variables)?;
            }
        } else {
            deploy::check_plan_of_proxy(hub, &repo, &wanted.hardware, behind.dry_run, log).await?;
        }
        if wanted.token.is_none() {
            log.warning(&failure::proxy::uses_deploy_token());
        }
        Ok(Some(Self { wanted, behind, repo, token }))
    }
}
