//! The inputs of the proxy Space. They are judged whether or not there is to be one, so that a workflow
//! that switches it on is not surprised.

use url::Url;

use super::faults::Findings;
use super::parse;
use super::raw::{Raw, given};
use crate::auth::Secret;
use crate::target::{RepoName, RepoType};

/// What the proxy Space is to be like.
#[derive(Debug, Clone)]
pub struct ProxyInputs {
    /// The name of the proxy Space: that of the Space with `proxy_space_suffix` behind it.
    pub repo: RepoName,
    /// The token with which the proxy opens the Space; `None` is `hf_token`.
    pub token: Option<Secret>,
    /// The address that the proxy forwards to; `None` is what the Hub names.
    pub target_url: Option<Url>,
    pub allow_origins: AllowOrigins,
}

/// The pages that may call the proxy from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowOrigins {
    Any,
    /// Exact origins, at least one, as browsers send them.
    Only(Vec<String>),
}

/// `repo` and `repo_type` are `None` when they are faults of their own.
pub(super) fn read(
    raw: &Raw,
    repo: Option<&RepoName>,
    repo_type: Option<RepoType>,
    findings: &mut Findings,
) -> Option<ProxyInputs> {
    let wanted = given(raw.create_proxy.as_deref())
        .and_then(|text| findings.take("create_proxy", parse::boolean(text)))
        .unwrap_or(false);
    if let Some(other) = repo_type.filter(|repo_type| wanted && *repo_type != RepoType::Space) {
        findings.fault(
            "create_proxy",
            format!(
                "must be `false` for a {}: only a Space has an app to stand in front of (set \
                 `repo_type: space`, or leave `create_proxy` out)",
                other.noun()
            ),
        );
    }
    let proxy_repo = name(raw.proxy_space_suffix.as_deref(), wanted, repo, findings);
    let token = given(raw.proxy_hf_token.as_deref())
        .and_then(|text| findings.take("proxy_hf_token", parse::token(text)));
    let target_url = given(raw.proxy_target_url.as_deref())
        .and_then(|text| findings.take("proxy_target_url", parse::target_url(text)));
    let allow_origins = origins(raw.proxy_allow_origins.as_deref(), findings);
    if !wanted {
        return None;
    }
    Some(ProxyInputs { repo: proxy_repo?, token, target_url, allow_origins })
}

/// The name of the proxy Space. An empty suffix would make it the Space itself.
fn name(
    suffix: Option<&str>,
    wanted: bool,
    repo: Option<&RepoName>,
    findings: &mut Findings,
) -> Option<RepoName> {
    const INPUT: &str = "proxy_space_suffix";
    let suffix = suffix.unwrap_or("-proxy").trim();
    if suffix.is_empty() {
        if wanted {
            findings
                .fault(INPUT, "must not be empty: the proxy Space would have the name of the Space itself");
        }
        return None;
    }
    if suffix.contains('/') {
        findings.fault(INPUT, format!("must be the end of a name, without a `/`: `{suffix}`"));
        return None;
    }
    // Where the name is a fault of its own, any other shows whether the suffix is right.
    let stand_in = RepoName { namespace: None, name: "space".to_owned() };
    let repo = repo.unwrap_or(&stand_in);
    let named: Result<RepoName, _> = format!("{}{suffix}", repo.name).parse();
    match named {
        Ok(named) => Some(RepoName { namespace: repo.namespace.clone(), ..named }),
        Err(refusal) => {
            findings.fault(INPUT, format!("makes a name that the Hub refuses, which {refusal}"));
            None
        }
    }
}

fn origins(text: Option<&str>, findings: &mut Findings) -> AllowOrigins {
    const INPUT: &str = "proxy_allow_origins";
    let listed: Vec<&str> = text
        .unwrap_or_default()
        .split([',', '\n'])
        .map(str::trim)
        .filter(|origin| !origin.is_empty() && !origin.starts_with('#'))
        .collect();
    if given(text).is_none() || listed == ["*"] {
        return AllowOrigins::Any;
    }
    if listed.is_empty() {
        // Commas around nothing, as an empty variable leaves them, must not open the proxy to all.
        findings.fault(INPUT, "names no origin: leave it out or set it to `*` to allow every page");
    }
    let exact = listed.into_iter().filter_map(|origin| findings.take(INPUT, parse::origin(origin)));
    AllowOrigins::Only(exact.collect())
}
