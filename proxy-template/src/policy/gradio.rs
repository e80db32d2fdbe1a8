//! Gradio: its routes in each version, and the description of an app in `/config`.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::policy::pattern::{Pattern, forms, is_plain};

/// Gradio's own part of a path, from Gradio 5 on, at each mount. Other frameworks have no such routes.
const PREFIX: &str = "/gradio_api/";

/// Routes below `PREFIX` by which a caller could fetch other addresses through the private Space, or see its owner's data.
pub(crate) const CLOSED: &[&str] = &[
    "/gradio_api/proxy=*",
    // Gradio fetches the URL for the caller.
    "/gradio_api/file=http*",
    "/gradio_api/file/http*",
    "/gradio_api/dev/reload*",
    "/gradio_api/vibe-*",
    "/gradio_api/undo-vibe-edit*",
    "/gradio_api/token*",
    "/gradio_api/monitoring*",
    "/gradio_api/run-history*",
];

/// Such routes at the root: those of Gradio 4, and the monitoring page of each version. They are closed only for Gradio,
/// and only for its methods GET and HEAD, because other frameworks may have such paths.
pub(crate) const CLOSED_AT_ROOT: &[&str] = &[
    "/proxy=*",
    "/file=http*",
    "/file/http*",
    "/dev/reload",
    "/dev/reload/*",
    "/token",
    "/token/",
    "/monitoring",
    "/monitoring/*",
];

/// Routes that a Gradio client needs, in Gradio 4 (at the root) and from 5 on (below `/gradio_api`).
pub(crate) const API: &[&str] = &[
    "/config",
    "/info",
    "/openapi.json",
    "/queue/*",
    "/call/*",
    "/run/*",
    "/api/*",
    "/upload",
    "/upload_progress*",
    "/file=*",
    "/file/*",
    "/stream/*",
    "/heartbeat/*",
    "/cancel",
    "/reset",
    "/component_server",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/queue/*",
    "/gradio_api/call/*",
    "/gradio_api/run/*",
    "/gradio_api/api/*",
    "/gradio_api/upload",
    "/gradio_api/upload_progress*",
    "/gradio_api/file=*",
    "/gradio_api/file/*",
    "/gradio_api/stream/*",
    "/gradio_api/heartbeat/*",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/gradio_api/component_server",
    "/gradio_api/process_recording",
    "/login",
    "/logout",
];

/// Further routes that the page of a Gradio app needs. The pages that the app names in `/config` come in addition.
pub(crate) const UI: &[&str] = &[
    "/",
    "/assets/*",
    "/svelte/*",
    "/static/*",
    "/_app/*",
    "/theme.css",
    "/manifest.json",
    "/pwa_icon*",
    "/favicon.ico",
    "/robots.txt",
    "/custom_component/*",
    "/startup-events",
    "/app_id",
    "/login_check",
    "/user",
    "/gradio_api/theme.css",
    "/gradio_api/custom_component/*",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
    "/gradio_api/login_check",
    "/gradio_api/user",
    "/gradio_api/deep_link",
];

/// Routes of calls that make the app compute. They have limits of their own, because they cost GPU time.
const COMPUTE: &[&str] = &["/queue/join", "/call/", "/run/", "/api/"];

/// Framework of the target's app, as far as the proxy needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// The target has not answered yet, or with a temporary error.
    Pending,
    /// `/config` cannot be read, because it asks for a login or is too large.
    Unknown,
    /// `/config` is that of a Gradio app.
    Gradio,
    /// `/config` does not exist, or is not that of a Gradio app.
    Other,
}

/// The fields of `/config` that the proxy needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AppConfig {
    /// The address that the app believes to have.
    pub root: Option<String>,
    /// The paths of the pages, except for the first. `None` if the app is not Gradio.
    pub pages: Option<Vec<String>>,
}

impl AppConfig {
    /// Parses a `/config`. Other fields are skipped in place, because a tree of a large config would take several times its
    /// size in memory.
    pub(crate) fn read(body: &[u8]) -> Self {
        let fields: HashMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
        let text = |name| fields.get(name).and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
        let is_list = |name| fields.get(name).is_some_and(|raw| raw.get().starts_with('['));
        let is_gradio = text("version").is_some() && is_list("components") && is_list("dependencies");
        // Each page is a list of its path, its title, and more by version.
        let pages = fields.get("pages").and_then(|raw| serde_json::from_str::<Vec<Value>>(raw.get()).ok());
        let paths = pages.iter().flatten().filter_map(|page| page.get(0)?.as_str());
        let paths = paths.filter(|path| !path.is_empty()).map(str::to_owned);
        Self { root: text("root"), pages: is_gradio.then(|| paths.collect()) }
    }
}

/// Returns true for the paths of Gradio's API description. Gradio 6 makes its examples once, with the address of the first
/// caller. A first request to the private Space, by its owner for example, would show that address to all callers.
pub(crate) fn keeps_an_address(path: &str) -> bool {
    path.ends_with("/gradio_api/info") || path.ends_with("/gradio_api/openapi.json")
}

/// Returns true for a path that only Gradio has.
pub(crate) fn is_route(path: &str) -> bool {
    memchr::memmem::find(path.as_bytes(), PREFIX.as_bytes()).is_some() || path.ends_with("/queue/join")
}

/// A stream on which Gradio reports the progress of its events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EventStream<'a> {
    /// All events of a session.
    Session,
    /// The event with this id.
    Event(&'a str),
}

impl<'a> EventStream<'a> {
    /// Returns the stream at this path.
    pub(crate) fn at(path: &'a str) -> Option<Self> {
        if path.ends_with("/queue/data") {
            return Some(Self::Session);
        }
        let (start, id) = path.rsplit_once('/')?;
        let is_event = memchr::memmem::find(start.as_bytes(), b"/call/").is_some();
        is_event.then_some(Self::Event(id))
    }
}

/// Returns true if Gradio answers a POST to this path with the id of an event, before the work is done.
pub(crate) fn names_event(path: &str) -> bool {
    path.ends_with("/queue/join") || memchr::memmem::find(path.as_bytes(), b"/call/").is_some()
}

/// Returns true if a POST to this path makes a Gradio app compute, in any form in which the app may read the path. At the
/// root it counts only if the app is known to be Gradio, because the names are common ones.
pub(crate) fn computes(path: &str, app: App) -> bool {
    if is_plain(path) {
        starts_work(path, app)
    } else {
        forms(path).iter().any(|form| starts_work(form, app))
    }
}

fn starts_work(path: &str, app: App) -> bool {
    let is_route = |path: &str| COMPUTE.iter().any(|route| path.starts_with(route));
    // MCP is included, because agents call the same functions by it.
    let is_ours = |path: &str| {
        let below = path.strip_prefix("/gradio_api").unwrap_or_default();
        is_route(below) || below.starts_with("/mcp")
    };
    (app == App::Gradio && is_route(path)) || is_ours(path) || mounted(path).any(is_ours)
}

/// Returns the tails of a path that begin with Gradio's own part, except for the whole path.
pub(crate) fn mounted(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let at = memchr::memmem::find(rest.as_bytes(), PREFIX.as_bytes())?;
        let found = &rest[at..];
        rest = &found[1..];
        Some(found)
    })
}

/// Returns true if a pattern of the owner names one of the closed routes, at the root or at a mount.
pub(crate) fn opens(pattern: &Pattern, route: &str) -> bool {
    pattern.names(route) || mounted(pattern.text()).any(|text| Pattern::fixed(text).names(route))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_compute_are_known_by_their_paths() {
        for path in [
            "/gradio_api/queue/join",
            "/gradio_api/run/x",
            "/gradio_api/%71ueue/join",
            "/gradio_api/%2571ueue/join",
            "//gradio_api/./queue/join",
            "/gradio_api\\queue\\join",
            "/--replicas/abc12/gradio_api/queue/join",
            "/demo/gradio_api/call/predict",
            "/gradio_api/mcp/",
            "/demo/gradio_api/mcp/sse",
        ] {
            for app in [App::Pending, App::Unknown, App::Gradio, App::Other] {
                assert!(computes(path, app), "{path}");
            }
        }
        for path in ["/call/predict", "/x/../queue/join", "/api/embed", "/run/job"] {
            assert!(computes(path, App::Gradio), "{path}");
            for app in [App::Pending, App::Unknown, App::Other] {
                assert!(!computes(path, app), "{path} {app:?}");
            }
        }
        for path in ["/gradio_api/queue/data", "/config", "/mcp/", "/gradio_api/info", "/", ""] {
            assert!(!computes(path, App::Gradio), "{path}");
        }
    }

    #[test]
    fn pages_are_read_from_config() {
        let pages = |text: &str| AppConfig::read(text.as_bytes()).pages;
        let app = r#"{"version":"6.31.0","components":[],"dependencies":[],"pages":[["","Home",true],["second","Second"]]}"#;
        assert_eq!(pages(app), Some(vec!["second".to_owned()]));
        assert_eq!(pages(r#"{"version":"4.44.1","components":[],"dependencies":[]}"#), Some(vec![]));
        for other in
            [r#"{"version":"1"}"#, "[]", r#"{"version":1,"components":[],"dependencies":[]}"#, "null"]
        {
            assert_eq!(pages(other), None, "{other}");
        }
    }

    #[test]
    fn a_config_with_a_deep_layout_is_read() {
        let layout = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        let app = format!(
            r#"{{"version":"6.31.0","components":[],"dependencies":[],"root":"https://a.example","layout":{layout}}}"#
        );
        let want = AppConfig { root: Some("https://a.example".to_owned()), pages: Some(vec![]) };
        assert_eq!(AppConfig::read(app.as_bytes()), want);
    }
}
