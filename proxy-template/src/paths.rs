//! Which paths are open: profiles, patterns, and the routes of Gradio that no stranger should reach.

use crate::values;

/// What `ALLOW_PATHS` and `DENY_PATHS` say. A denial always wins.
#[derive(Debug, Clone)]
pub struct PathPolicy {
    /// `None` when every path is allowed.
    allow: Option<Vec<Pattern>>,
    deny: Vec<Pattern>,
    /// Those of `DANGEROUS` that `ALLOW_PATHS` did not name.
    dangerous: Vec<Pattern>,
}

/// Routes that let a caller use the private Space as a fetch relay, or that show what its owner sees. They exist with
/// and without Gradio's prefix, by its version.
const DANGEROUS: &[&str] = &[
    "/gradio_api/proxy=*",
    "/proxy=*",
    // Gradio fetches the URL for the caller.
    "/gradio_api/file=http*",
    "/gradio_api/file/http*",
    "/file=http*",
    "/file/http*",
    "/gradio_api/dev/reload*",
    "/dev/reload*",
    "/gradio_api/vibe-*",
    "/vibe-*",
    "/gradio_api/undo-vibe-edit*",
    "/undo-vibe-edit*",
    "/gradio_api/token*",
    "/token",
    "/monitoring*",
    "/gradio_api/monitoring*",
    "/gradio_api/run-history*",
    "/run-history*",
    "/gradio_api/deep_link*",
    "/deep_link*",
];

/// What a Gradio client needs, in Gradio 4 (at the root) and from 5 on (below `/gradio_api`).
const GRADIO_API: &[&str] = &[
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

/// What the page of a Gradio app needs beside that.
const GRADIO_UI: &[&str] = &[
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
    "/gradio_api/theme.css",
    "/gradio_api/custom_component/*",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
    "/gradio_api/login_check",
    "/gradio_api/user",
];

/// Calls that make the app compute: they cost GPU time, so they have a limit of their own.
const COMPUTE: &[&str] = &["/queue/join", "/call/", "/run/", "/api/"];

/// Gradio's own part of a path, wherever the app is mounted.
const GRADIO: &str = "/gradio_api/";

/// What the platform's edge takes off a path: it names a replica of the Space.
const REPLICAS: &str = "/--replicas/";

impl PathPolicy {
    /// Reads both variables. Each fault is a sentence that goes behind the variable's name.
    pub fn parse(allow: &str, deny: &str) -> Result<Self, (&'static str, String)> {
        let (mut open, mut patterns, mut named) = (false, vec![], vec![]);
        for entry in values::list(allow) {
            match entry {
                "any" => open = true,
                "gradio-api" => patterns.extend(GRADIO_API.iter().map(|p| Pattern::fixed(p))),
                "gradio-ui" => {
                    patterns.extend(GRADIO_API.iter().chain(GRADIO_UI).map(|p| Pattern::fixed(p)));
                }
                _ => {
                    let pattern = Pattern::parse(entry).map_err(|fault| ("ALLOW_PATHS", fault))?;
                    named.push(pattern.clone());
                    patterns.push(pattern);
                }
            }
        }
        let deny = values::list(deny)
            .into_iter()
            .map(Pattern::parse)
            .collect::<Result<_, _>>()
            .map_err(|fault| ("DENY_PATHS", fault))?;
        // `*` and `/*` name everything, and so nothing in particular.
        let named: Vec<Pattern> =
            named.into_iter().filter(|p| !p.text.trim_matches(['/', '*']).is_empty()).collect();
        let dangerous = DANGEROUS
            .iter()
            .filter(|route| !named.iter().any(|pattern| pattern.opens(route)))
            .map(|p| Pattern::fixed(p))
            .collect();
        Ok(Self { allow: (!open).then_some(patterns), deny, dangerous })
    }

    /// Whether a caller may ask for `path`, which is judged in all forms in which it may be read. Whatever form is denied
    /// denies the request; all forms must be allowed, but for those with the prefix that the edge takes off.
    pub fn allows(&self, path: &str) -> bool {
        if is_plain(path) {
            return !self.denies(path) && self.permits(path);
        }
        forms(path)
            .iter()
            .all(|form| !self.denies(form) && (without_replica(form).is_some() || self.permits(form)))
    }

    fn permits(&self, path: &str) -> bool {
        self.allow.as_ref().is_none_or(|allow| allow.iter().any(|p| p.matches(path)))
    }

    fn denies(&self, path: &str) -> bool {
        let lower;
        let folded = if path.bytes().any(|b| b.is_ascii_uppercase()) {
            lower = path.to_ascii_lowercase();
            &lower
        } else {
            path
        };
        let is_dangerous = |path: &str| self.dangerous.iter().any(|p| p.matches(path));
        self.deny.iter().any(|p| p.matches(path)) || is_dangerous(folded) || mounted(folded).any(is_dangerous)
    }
}

/// Whether a request to this path makes the app compute, in any form in which it may be read.
pub fn computes(path: &str) -> bool {
    if is_plain(path) { starts_work(path) } else { forms(path).iter().any(|form| starts_work(form)) }
}

fn starts_work(path: &str) -> bool {
    let is_route = |path: &str| COMPUTE.iter().any(|route| path.starts_with(route));
    // By MCP an agent calls the same functions.
    let is_ours = |path: &str| {
        let below = path.strip_prefix("/gradio_api").unwrap_or_default();
        is_route(below) || below.starts_with("/mcp")
    };
    is_route(path) || is_ours(path) || mounted(path).any(is_ours)
}

/// The ends of a path that begin with Gradio's own part, but for the whole of it.
fn mounted(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let at = memchr::memmem::find(rest.as_bytes(), GRADIO.as_bytes())?;
        let found = &rest[at..];
        rest = &found[1..];
        Some(found)
    })
}

/// Whether a path can be read in one way only, as nearly all can.
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let odd = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    memchr::memchr2(b'%', b'\\', bytes).is_none() && !bytes.windows(2).any(odd) && !path.starts_with(REPLICAS)
}

/// A path as it is, and as an app may read it: decoded, with `.`, `..`, doubled and backward slashes taken out, and
/// without the names of replicas, which the edge takes off.
fn forms(path: &str) -> Vec<String> {
    let mut forms = vec![];
    let mut decoded = path.to_owned();
    // Twice, since some apps decode again what their server decoded.
    for _ in 0..3 {
        let next = percent_decode(&decoded);
        for form in [normal(&decoded), decoded] {
            if let Some(rest) = without_replica(&form) {
                forms.extend([normal(rest), rest.to_owned()]);
            }
            forms.push(form);
        }
        decoded = next;
    }
    forms
}

/// What follows `/--replicas/<id>`, however often that is repeated, when a path begins so.
fn without_replica(path: &str) -> Option<&str> {
    let mut rest = path.strip_prefix(REPLICAS)?;
    loop {
        let after = rest.find('/').map_or("/", |at| &rest[at..]);
        match after.strip_prefix(REPLICAS) {
            Some(next) => rest = next,
            None => return Some(after),
        }
    }
}

/// A path in which `*` stands for any run of characters, slashes included.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    /// The bytes before the only star, when that is the last character: most patterns are judged by them alone.
    prefix: Option<usize>,
}

impl Pattern {
    fn fixed(text: &str) -> Self {
        let prefix = text.find('*').filter(|at| at + 1 == text.len());
        Self { text: text.to_owned(), prefix }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '*']) || text.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(format!(
                "must hold `any`, `gradio-api`, `gradio-ui` or paths that begin with `/` (`*` stands for anything): \
                 `{text}`"
            ));
        }
        Ok(Self::fixed(text))
    }

    /// Whether it names one of `DANGEROUS`, at the root or wherever the app is mounted.
    fn opens(&self, route: &str) -> bool {
        let is_named = |text: &str| text == route || Self::fixed(text).matches(route.trim_end_matches('*'));
        is_named(&self.text) || mounted(&self.text).any(is_named)
    }

    fn matches(&self, path: &str) -> bool {
        if let Some(prefix) = self.prefix {
            return path.as_bytes().starts_with(&self.text.as_bytes()[..prefix]);
        }
        let mut parts = self.text.split('*');
        let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// Each `%` with two hexadecimal digits as the byte that it stands for; any other stays.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are at most 255.
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The path without `.`, `..` and empty segments (RFC 3986, section 5.2.4, and what lenient servers do beyond it).
fn normal(path: &str) -> String {
    let mut segments: Vec<&str> = vec![];
    for segment in path.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let slash = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &str, deny: &str) -> PathPolicy {
        PathPolicy::parse(allow, deny).unwrap()
    }

    #[test]
    fn patterns() {
        for (pattern, path, want) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a*", "/ab/c", true),
            ("/a/*/z", "/a/b/c/z", true),
            ("/a/*/z", "/a/b/c", false),
            ("*.js", "/x/y.js", true),
            ("*", "/", true),
            ("/ab*b", "/ab", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn the_dangerous_routes_are_closed_in_every_profile() {
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
    fn a_dangerous_route_that_is_named_is_open() {
        let policy = policy("any, /monitoring*", "");
        assert!(policy.allows("/monitoring/summary"));
        assert!(!policy.allows("/gradio_api/token"));
    }

    /// Naming a route for one mount opens it, and no other.
    #[test]
    fn a_dangerous_route_is_named_at_its_mount() {
        let policy = policy("any, /demo/gradio_api/monitoring*", "");
        assert!(policy.allows("/demo/gradio_api/monitoring/summary"));
        assert!(!policy.allows("/demo/gradio_api/token") && !policy.allows("/gradio_api/proxy=https://x"));
    }

    /// A path has few forms, however it is made.
    #[test]
    fn forms_are_few() {
        for part in ["/--replicas/a", "/%2d-replicas/a", "//--replicas/a", "%25", "/.", "/gradio_api/"] {
            let forms = forms(&part.repeat(1000));
            assert!(forms.len() <= 18, "{part}: {}", forms.len());
        }
    }

    /// The edge takes the name of a replica off before the app sees the path.
    #[test]
    fn the_name_of_a_replica_changes_nothing() {
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
    fn profiles() {
        let api = policy("gradio-api", "");
        assert!(api.allows("/config") && api.allows("/gradio_api/queue/join") && !api.allows("/"));
        assert!(!api.allows("/assets/x.js") && !api.allows("/gradio_api/queue/../../secret"));
        let ui = policy("gradio-ui", "");
        assert!(ui.allows("/") && ui.allows("/assets/x.js") && ui.allows("/config") && !ui.allows("/docs"));
        assert!(policy("any", "").allows("/a/..%2f..%2fb/%2e%2e/c"));
    }

    #[test]
    fn a_denial_wins() {
        let policy = policy("any, /admin", "/admin*");
        assert!(!policy.allows("/admin") && !policy.allows("/%61dmin/x") && policy.allows("/x"));
        assert!(
            !policy.allows("/\\admin") && !policy.allows("/x\\..\\admin") && !policy.allows("/x/%5c../admin")
        );
        assert!(PathPolicy::parse("admin", "").is_err() && PathPolicy::parse("any", "x").is_err());
    }

    #[test]
    fn what_computes() {
        for path in [
            "/gradio_api/queue/join",
            "/call/predict",
            "/gradio_api/run/x",
            "/gradio_api/%71ueue/join",
            "/gradio_api/%2571ueue/join",
            "//gradio_api/./queue/join",
            "/x/../queue/join",
            "/gradio_api\\queue\\join",
            "/--replicas/abc12/gradio_api/queue/join",
            "/demo/gradio_api/call/predict",
            "/gradio_api/mcp/",
            "/demo/gradio_api/mcp/sse",
        ] {
            assert!(computes(path), "{path}");
        }
        for path in ["/gradio_api/queue/data", "/config", "/mcp/", "/gradio_api/info", "/", ""] {
            assert!(!computes(path), "{path}");
        }
    }
}
