//! Advice on failed proxy Spaces.

use hub::{Access, Repo};

use super::token_page::token_page;
use super::{Code, Failure};
use crate::setting::{HF_TOKEN, PROXY_HF_TOKEN, PROXY_SPACE_SUFFIX, PROXY_TARGET_URL, VISIBILITY};

/// Returns the hint for a proxy that the plan does not cover.
pub(super) fn protected_instead() -> String {
    format!(
        "on a paid plan, {} on the Space itself shows its app to everybody and keeps its files private, without a proxy",
        VISIBILITY.with("protected")
    )
}

/// Returns the hint for a Space that refuses the proxy's token.
pub fn token_refused() -> String {
    format!("the Space does not open to the proxy's token: give {PROXY_HF_TOKEN} read access to it")
}

/// Returns the failure of a proxy for which there is no lasting token.
pub fn token_missing() -> Failure {
    Failure::new(Code::InvalidInput, format!("{PROXY_HF_TOKEN} must be set where there is no {HF_TOKEN}: what this job signs in with ends after an hour"))
        .hint(format!("make a token with read access at {}", token_page(Access::Read, None)))
}

/// Returns the failure of a proxy whose name another Space has.
pub fn name_taken(repo: &Repo) -> Failure {
    Failure::new(
        Code::ProxyNameTaken,
        format!("the {repo} is there already, and this action did not make it"),
    )
    .hint(format!("set {PROXY_SPACE_SUFFIX} to another ending, or delete that Space; nothing was changed"))
}

/// Returns the failure of a proxy without an address of the private app.
pub fn target_unknown() -> Failure {
    Failure::new(Code::HubRefused, "the Hub does not say where the app of the Space is")
        .hint(format!("run the job again, or name the address in {PROXY_TARGET_URL}"))
}

/// Returns the failure of a proxy whose own address the Hub does not name.
pub fn proxy_unknown() -> Failure {
    Failure::new(Code::HubRefused, "the Hub does not say where the proxy is")
}

/// Returns the warning about a proxy that gets the token of the deploy.
pub fn uses_deploy_token() -> String {
    format!(
        "the proxy Space gets {HF_TOKEN}, which may do more than open the Space: make a token with read access at {}, best to this one Space only, and pass it as {PROXY_HF_TOKEN}",
        token_page(Access::Read, None)
    )
}

/// Returns the failure of a proxy Space whose files cannot be written.
pub fn files_not_written(error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, "cannot write the files of the proxy Space to the temporary folder")
        .caused_by(error)
}

/// Names the proxy Space as the part that failed. `space_is_deployed` is true if the Space behind it has its commit.
pub fn explain(mut failure: Failure, space_is_deployed: bool) -> Failure {
    failure.message = format!("the proxy Space: {}", failure.message);
    if failure.code == Code::PaymentRequired {
        failure = failure.hint(protected_instead());
    }
    if space_is_deployed {
        failure = failure.hint("the Space itself is deployed; its proxy is not as it should be");
    }
    failure
}
