//! Where the app of a Space is, as its live check needs to know it.

use hub::{Hub, HubError, Lookup, Repo, Revision};

use crate::app_check::{App, AppKind};

/// Asks the Hub for the app of a Space: `None` where there is no Space, or no address of its app.
///
/// The token goes along to a private Space only; the others open without.
pub async fn app(hub: &Hub, space: &Repo) -> Result<Option<App>, HubError> {
    let Lookup::Found(info) = hub.look_up(space, &Revision::default()).await? else { return Ok(None) };
    let Some(url) = info.host.as_deref().and_then(|host| host.parse().ok()) else { return Ok(None) };
    let kind = match info.sdk.as_deref() {
        Some("gradio") => AppKind::Gradio,
        Some("static") => AppKind::Static,
        Some("docker") => AppKind::Docker,
        _ => AppKind::Unknown,
    };
    let token = if info.private { hub.token().await? } else { None };
    Ok(Some(App { url, token, kind }))
}
