//! Redirects from other names of a repository: its name before a rename, or in another case.

use axum::response::Response;

use crate::core::repo_type::RepoType;
use crate::http::answer::{raw, set};
use crate::http::request::Req;
use crate::util::{lock, percent_decode};

/// Place of a repository's id in a path.
struct Named<'a> {
    repo_type: RepoType,
    /// Text before the id, with its last slash.
    before: String,
    namespace: &'a str,
    name: &'a str,
    /// Text after the id, with its first slash.
    after: String,
}

/// Redirects (307) to the same path below the repository's own name. The client repeats its request there, with its
/// method and its body.
pub(crate) fn redirect(req: &Req) -> Option<Response> {
    let named = named(&req.path)?;
    let id = format!("{}/{}", percent_decode(named.namespace), percent_decode(named.name));
    let repo = req.hub.core.repos.named(named.repo_type, &id)?;
    let state = lock(&repo.state);
    if state.full_id() == id || !req.caller.can_read(&state) {
        return None;
    }
    let query = if req.query_text.is_empty() { String::new() } else { format!("?{}", req.query_text) };
    let location = format!("{}{}{}{query}", named.before, state.full_id(), named.after);
    let text = format!("Temporary Redirect. Redirecting to {location}");
    let mut response = raw(307, "text/plain; charset=utf-8", text.into_bytes());
    set(&mut response, "location", &location);
    Some(response)
}

/// Finds the id: below `/api/{types}/`, before `/resolve/` and `/raw/`, and in the address of git (`{id}.git/…`).
fn named(path: &str) -> Option<Named<'_>> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (repo_type, start) = match segments[..] {
        ["api", types, ..] => (RepoType::from_plural(types)?, 2),
        [types @ ("spaces" | "datasets"), ..] => (RepoType::from_plural(types)?, 1),
        _ => (RepoType::Model, 0),
    };
    let [namespace, name, rest @ ..] = segments.get(start..)? else { return None };
    let page = segments[0] != "api";
    let (name, git) = match name.strip_suffix(".git").filter(|_| page) {
        Some(name) => (name, ".git"),
        None => (*name, ""),
    };
    if page && git.is_empty() && !matches!(rest.first(), Some(&("resolve" | "raw"))) {
        return None;
    }
    let before: String = segments[..start].iter().map(|segment| format!("{segment}/")).collect();
    let after: String = rest.iter().map(|segment| format!("/{segment}")).collect();
    Some(Named { repo_type, before: format!("/{before}"), namespace, name, after: format!("{git}{after}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Option<(RepoType, String)> {
        let found = named(path)?;
        let text = format!("{}|{}/{}|{}", found.before, found.namespace, found.name, found.after);
        Some((found.repo_type, text))
    }

    #[test]
    fn ids_are_found_in_each_kind_of_path() {
        let found = |t, text: &str| Some((t, text.to_owned()));
        let api = parts("/api/spaces/ada/old/tree/refs%2Fpr%2F1");
        assert_eq!(api, found(RepoType::Space, "/api/spaces/|ada/old|/tree/refs%2Fpr%2F1"));
        assert_eq!(parts("/api/models/ada/old"), found(RepoType::Model, "/api/models/|ada/old|"));
        let file = parts("/datasets/ada/old/resolve/main/a");
        assert_eq!(file, found(RepoType::Dataset, "/datasets/|ada/old|/resolve/main/a"));
        let git = parts("/ada/old.git/info/lfs/objects/batch");
        assert_eq!(git, found(RepoType::Model, "/|ada/old|.git/info/lfs/objects/batch"));
        for other in
            ["/api/whoami-v2", "/api/repos/create", "/oauth/token", "/__lfs/put/x", "/api/spaces/hardware"]
        {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
