//! A deploy of a folder with the proxy Space in front of it.

use super::inspect::Proxy;
use super::options::ProxyOptions;
use super::provision;
use crate::action::Recorder;
use crate::failure::{self, Result};
use crate::ops::Session;
use crate::ops::deploy::{self, DeployOptions, DeployReport, Deployed};

/// A deploy, and the proxy Space that the options ask for.
#[derive(Debug, Clone, Copy)]
pub struct Whole<'a> {
    pub deploy: &'a DeployOptions,
    pub proxy: Option<&'a ProxyOptions>,
}

/// Result of a [`Whole`].
#[derive(Debug, Clone)]
pub struct LiveWhole {
    pub deployed: Deployed,
    /// Public address of the app: that of the proxy, if there is one.
    pub address: Option<String>,
}

/// Deploys the folder, and the proxy Space in front of it if the options ask for one.
///
/// # Errors
///
/// One of the two failed.
pub async fn deploy_whole(
    whole: Whole<'_>,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<LiveWhole> {
    let result = deploy_both(whole, session, recorder).await;
    result.map_err(|failure| {
        if session.hub.uses_trusted_publishing() { failure } else { failure::deploy::explain_token(failure) }
    })
}

async fn deploy_both(
    whole: Whole<'_>,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<LiveWhole> {
    let proxy = match whole.proxy {
        Some(proxy) => Proxy::inspect(proxy, whole.deploy, session).await?,
        None => None,
    };
    let deployed = deploy::deploy(whole.deploy, session, recorder).await?;
    let address = match proxy {
        Some(proxy) => {
            let recorder = recorder.part(|report| report.proxy.get_or_insert_default().as_mut());
            provision(&proxy, &deployed, session, &recorder).await?
        }
        None => deployed.space_url.clone(),
    };
    Ok(LiveWhole { deployed, address })
}
