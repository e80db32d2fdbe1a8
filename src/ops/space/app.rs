//! The app of a Space, for its check.

use hub::{Hub, Lookup, Repo, Revision};

use crate::app_check::{App, AppKind};

/// Asks the Hub for the app of a Space. Returns `None` if there is no Space, or no address of its app.
///
/// Only the app of a private Space gets the token, because the others open without it.
pub async fn find_app(hub: &Hub, space: &Repo) -> Result<Option<App>, hub::Error> {
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
