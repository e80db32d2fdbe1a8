//! The open paths: profiles, patterns, and the routes of Gradio that are closed to strangers.

use http::Method;
use percent_encoding::percent_decode_str;

use crate::policy::gradio::{self, App, mounted};
use crate::policy::pattern::{Pattern, forms, is_plain, without_replica};
use crate::values;

/// The rules of `ALLOW_PATHS` and `DENY_PATHS`. A denial always wins.
#[derive(Debug, Clone)]
pub struct PathPolicy {
    /// `None` if every path is allowed.
    allow: Option<Allowed>,
    deny: Vec<Pattern>,
    /// The routes of `gradio::CLOSED` that `ALLOW_PATHS` does not name.
    closed: Vec<Pattern>,
    /// The routes of `gradio::CLOSED_AT_ROOT` that it does not name.
    closed_at_root: Vec<Pattern>,
}

/// The paths that `ALLOW_PATHS` opens.
#[derive(Debug, Clone, Default)]
struct Allowed {
    /// Patterns of the owner.
    named: Vec<Pattern>,
    /// Patterns of a profile. They match with a slash at the end too, because Gradio has its routes both ways.
    profile: Vec<Pattern>,
    /// True if the pages that the app names in `/config` are open.
    pages: bool,
}

/// Decision about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request is passed on.
    Open,
    /// The request is refused.
    Closed,
    /// The path is open for some apps, and the app is not known yet.
    TooEarly,
}

impl PathPolicy {
    /// Parses both variables. A fault has the name of its variable, and the end of a sentence about it.
    pub fn parse(allow: &str, deny: &str) -> Result<Self, (&'static str, String)> {
        let (mut open, mut allowed) = (false, Allowed::default());
        let fixed = |routes: &[&str]| routes.iter().map(|route| Pattern::fixed(route)).collect::<Vec<_>>();
        for entry in values::list(allow) {
            match entry {
                "any" => open = true,
                "gradio-api" => allowed.profile.extend(fixed(gradio::API)),
                "gradio-ui" => {
                    allowed.profile.extend(fixed(gradio::API));
                    allowed.profile.extend(fixed(gradio::UI));
                    allowed.pages = true;
                }
                _ => allowed.named.push(Pattern::parse(entry).map_err(|fault| ("ALLOW_PATHS", fault))?),
            }
        }
        let deny = values::list(deny)
            .into_iter()
            .map(Pattern::parse)
            .collect::<Result<_, _>>()
            .map_err(|fault| ("DENY_PATHS", fault))?;
        let closed = |routes: &[&str]| {
            // Patterns such as `*` and `/*` match everything, so they name no route in particular.
            let named = || allowed.named.iter().filter(|p| !p.text().trim_matches(['/', '*']).is_empty());
            let routes = routes.iter().filter(|route| !named().any(|pattern| gradio::opens(pattern, route)));
            routes.map(|route| Pattern::fixed(route)).collect()
        };
        let (closed, closed_at_root) = (closed(gradio::CLOSED), closed(gradio::CLOSED_AT_ROOT));
        Ok(Self { allow: (!open).then_some(allowed), deny, closed, closed_at_root })
    }

    /// Decides about a request by all forms in which the app may read `path`. One denied form denies the request. All
    /// forms must be allowed, except for those with the prefix that the edge removes. `has_page` returns true for a page of
    /// the app.
    pub fn judge(&self, method: &Method, path: &str, app: App, has_page: impl Fn(&str) -> bool) -> Verdict {
        // Gradio has no other methods at these routes.
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let at_root: &[Pattern] = if reads && app != App::Other { &self.closed_at_root } else { &[] };
        let judge_form = |form: &str, edge_takes_prefix: bool| {
            if self.denies(form) {
                return Verdict::Closed;
            }
            if !(edge_takes_prefix || self.permits(form, &has_page)) {
                // The path may be a page, because the pages of the app are not known yet.
                let may_be_page = app == App::Pending && self.allow.as_ref().is_some_and(|allow| allow.pages);
                return if may_be_page { Verdict::TooEarly } else { Verdict::Closed };
            }
            if !is_closed_route(at_root, form) {
                Verdict::Open
            } else if app == App::Pending {
                Verdict::TooEarly
            } else {
                Verdict::Closed
            }
        };
        if is_plain(path) {
            return judge_form(path, false);
        }
        let verdicts =
            forms(path).into_iter().map(|form| judge_form(&form, without_replica(&form).is_some()));
        verdicts.fold(Verdict::Open, |worst, verdict| match (worst, verdict) {
            (Verdict::Closed, _) | (_, Verdict::Closed) => Verdict::Closed,
            (Verdict::TooEarly, _) | (_, Verdict::TooEarly) => Verdict::TooEarly,
            _ => Verdict::Open,
        })
    }

    fn permits(&self, path: &str, has_page: impl Fn(&str) -> bool) -> bool {
        let Some(allowed) = &self.allow else { return true };
        let bare = path.strip_suffix('/').unwrap_or(path);
        allowed.named.iter().any(|p| p.matches(path))
            || allowed.profile.iter().any(|p| p.matches(path) || p.matches(bare))
            || (allowed.pages
                && has_page(percent_decode_str(bare).decode_utf8_lossy().trim_start_matches('/')))
    }

    fn denies(&self, path: &str) -> bool {
        self.deny.iter().any(|p| p.matches(path)) || is_closed_route(&self.closed, path)
    }
}

/// Returns true if one of Gradio's closed routes matches a path, without case, at the root or at a mount.
fn is_closed_route(routes: &[Pattern], path: &str) -> bool {
    if routes.is_empty() {
        return false;
    }
    let lower;
    let folded = if path.bytes().any(|b| b.is_ascii_uppercase()) {
        lower = path.to_ascii_lowercase();
        &lower
    } else {
        path
    };
    let is_closed = |path: &str| routes.iter().any(|p| p.matches(path));
    is_closed(folded) || mounted(folded).any(is_closed)
}

/// Returns true for the path of a file of a page: by the end of its name, by a folder in which frontend builders put such
/// files, or by the way Gradio serves them. A path with several forms is not a file, because the app could read it as the
/// path of a call.
pub(crate) fn is_file(path: &str) -> bool {
    const FOLDERS: &[&str] = &["assets", "static", "_app", "svelte"];
    const ENDS: &[&str] = &[
        "avif",
        "bmp",
        "css",
        "eot",
        "gif",
        "ico",
        "jpeg",
        "jpg",
        "js",
        "m4a",
        "m4s",
        "map",
        "mjs",
        "mp3",
        "mp4",
        "ogg",
        "otf",
        "pdf",
        "png",
        "svg",
        "ts",
        "ttf",
        "txt",
        "wasm",
        "wav",
        "webm",
        "webmanifest",
        "webp",
        "woff",
        "woff2",
    ];
    if !is_plain(path) {
        return false;
    }
    let (folders, name) = path.rsplit_once('/').unwrap_or_default();
    let is_of_files = |folder: &str| FOLDERS.contains(&folder) || folder.starts_with("file=");
    name.rsplit_once('.').is_some_and(|(_, end)| ENDS.iter().any(|known| end.eq_ignore_ascii_case(known)))
        || name.starts_with("file=")
        || folders.split('/').any(is_of_files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &str, deny: &str) -> PathPolicy {
        PathPolicy::parse(allow, deny).unwrap()
    }

    impl PathPolicy {
        /// Returns true if a GET is passed on to a Gradio app with the page `second`.
        fn allows(&self, path: &str) -> bool {
            self.judge(&Method::GET, path, App::Gradio, |page| page == "second") == Verdict::Open
        }
    }

    #[test]
    fn dangerous_routes_are_closed_in_every_profile() {
        for profile in ["any", "gradio-api", "gradio-ui", "*", "any, /*"] {
            let policy = policy(profile, "");
            for path in [
                "/gradio_api/proxy=https://x",
                "/gradio_api/file=https://x",
                "/gradio_api/file=HTTP://x",
                "/gradio_api/file%3Dhttp://x",
                "/gradio_api/file%253Dhttp://x",
                "/x/../gradio_api/file=http:x",
                "//gradio_api/./token",
                "/gradio_api/%64ev/reload",
                "/monitoring/summary",
                "/file=http://169.254.169.254/",
                "/demo/gradio_api/proxy=https://x",
                "/a/b/Gradio_API/file=http://x",
                "/x/gradio_api/y/gradio_api/token",
                "/demo/gradio_api%2Fproxy=https://x",
                "/--replicas/abc12/gradio_api/file=http://x",
                "/--replicas/abc12/monitoring",
                "/--replicas/a/--replicas/b/monitoring",
                "/%2d-replicas/abc12/monitoring",
                "//--replicas//abc12//gradio_api/token",
                "/--replicas/abc12/../monitoring",
                "/x\\..\\monitoring",
                "/gradio_api\\token",
                "/x%5c..%5cmonitoring",
            ] {
                assert!(!policy.allows(path), "{profile} {path}");
            }
            assert!(policy.allows("/gradio_api/file=/tmp/x.png"), "{profile}");
        }
    }

    #[test]
    fn routes_at_the_root_are_closed_for_gradio_and_its_methods_only() {
        let policy = policy("any", "");
        let verdict = |method: &Method, path, app| policy.judge(method, path, app, |_| false);
        for path in
            ["/token", "/token/", "/monitoring", "/monitoring/summary", "/file=http://x", "/x/../token"]
        {
            assert_eq!(verdict(&Method::GET, path, App::Gradio), Verdict::Closed, "{path}");
            assert_eq!(verdict(&Method::HEAD, path, App::Unknown), Verdict::Closed, "{path}");
            assert_eq!(verdict(&Method::GET, path, App::Pending), Verdict::TooEarly, "{path}");
            assert_eq!(verdict(&Method::GET, path, App::Other), Verdict::Open, "{path}");
            for app in [App::Pending, App::Unknown, App::Gradio, App::Other] {
                assert_eq!(verdict(&Method::POST, path, app), Verdict::Open, "{path} {app:?}");
            }
        }
        for path in ["/monitoring-tool", "/vibe-check", "/token-count", "/run-history", "/deep_link"] {
            assert_eq!(verdict(&Method::GET, path, App::Gradio), Verdict::Open, "{path}");
        }
        assert_eq!(verdict(&Method::GET, "/ui/gradio_api/token", App::Other), Verdict::Closed);
    }

    #[test]
    fn a_named_dangerous_route_is_open() {
        let policy = policy("any, /monitoring*", "");
        assert!(policy.allows("/monitoring/summary"));
        assert!(!policy.allows("/gradio_api/token"));
    }

    #[test]
    fn a_route_that_is_named_at_one_mount_is_open_there_only() {
        let policy = policy("any, /demo/gradio_api/monitoring*", "");
        assert!(policy.allows("/demo/gradio_api/monitoring/summary"));
        assert!(!policy.allows("/demo/gradio_api/token") && !policy.allows("/gradio_api/proxy=https://x"));
    }

    /// The edge removes the name of a replica before the app sees the path.
    #[test]
    fn the_name_of_a_replica_does_not_change_the_verdict() {
        let api = policy("gradio-api", "/call/secret*");
        assert!(
            api.allows("/--replicas/abc12/config") && api.allows("/--replicas/abc12/gradio_api/queue/join")
        );
        assert!(!api.allows("/--replicas/abc12/secret") && !api.allows("/--replicas/abc12"));
        assert!(!api.allows("/--replicas/abc12/call/secret"));
        assert!(policy("any", "").allows("/--replicas/abc12"));
        assert!(!policy("any", "/--replicas/*").allows("/--replicas/abc12/config"));
    }

    #[test]
    fn profiles_open_their_routes() {
        let api = policy("gradio-api", "");
        assert!(api.allows("/config") && api.allows("/gradio_api/queue/join") && !api.allows("/"));
        assert!(!api.allows("/assets/x.js") && !api.allows("/gradio_api/queue/../../secret"));
        let ui = policy("gradio-ui", "");
        assert!(ui.allows("/") && ui.allows("/assets/x.js") && ui.allows("/config") && !ui.allows("/docs"));
        for path in
            ["/gradio_api/component_server/", "/component_server/", "/gradio_api/deep_link", "/config/"]
        {
            assert!(ui.allows(path), "{path}");
        }
        assert!(ui.allows("/second") && ui.allows("/second/") && ui.allows("/%73econd"));
        assert!(!ui.allows("/third") && !ui.allows("/second/x") && !api.allows("/second"));
        assert!(!policy("/docs", "").allows("/docs/"));
        assert!(policy("any", "").allows("/a/..%2f..%2fb/%2e%2e/c"));
    }

    #[test]
    fn pages_are_too_early_before_the_app_is_known() {
        let verdict = |allow, path, app| policy(allow, "/docs").judge(&Method::GET, path, app, |_| false);
        for path in ["/second", "/second/", "/%73econd", "/x/../second"] {
            assert_eq!(verdict("gradio-ui", path, App::Pending), Verdict::TooEarly, "{path}");
            assert_eq!(verdict("gradio-ui", path, App::Gradio), Verdict::Closed, "{path}");
            assert_eq!(verdict("gradio-ui", path, App::Unknown), Verdict::Closed, "{path}");
            assert_eq!(verdict("gradio-api", path, App::Pending), Verdict::Closed, "{path}");
            assert_eq!(verdict("/x", path, App::Pending), Verdict::Closed, "{path}");
        }
        for path in ["/docs", "/gradio_api/token", "/second/../docs"] {
            assert_eq!(verdict("gradio-ui", path, App::Pending), Verdict::Closed, "{path}");
        }
        assert_eq!(verdict("gradio-ui", "/config", App::Pending), Verdict::Open);
    }

    #[test]
    fn a_denial_overrides_a_permission() {
        let policy = policy("any, /admin", "/admin*");
        assert!(!policy.allows("/admin") && !policy.allows("/%61dmin/x") && policy.allows("/x"));
        assert!(
            !policy.allows("/\\admin") && !policy.allows("/x\\..\\admin") && !policy.allows("/x/%5c../admin")
        );
        assert!(PathPolicy::parse("admin", "").is_err() && PathPolicy::parse("any", "x").is_err());
    }

    #[test]
    fn files_are_known_by_their_paths() {
        for path in [
            "/assets/index-CaYzZ.js",
            "/_next/static/chunks/abc",
            "/gradio_api/file=/tmp/gradio/x/sent.bin",
            "/fonts/a.WOFF2",
            "/favicon.ico",
        ] {
            assert!(is_file(path), "{path}");
        }
        for path in [
            "/",
            "/api/embed",
            "/gradio_api/queue/data",
            "/v1.2/embeddings",
            "/a.b/c",
            "/js",
            "/static/../api/x",
            "/static/%2e%2e/api/x",
            "/static%2f..%2fapi/x.js",
            "/static\\..\\api\\x.js",
            "//static/x.js",
            "/--replicas/abc12/static/x.js",
        ] {
            assert!(!is_file(path), "{path}");
        }
    }
}
