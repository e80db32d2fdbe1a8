//! The token: with what the run signs in, and why it cannot.

use std::sync::Arc;

use hub::{Access, Credentials, Secret, suggest::one_of, token_form};
use url::Url;

use super::faults::Findings;
use super::parse;
use super::raw::{Environment, given};
use crate::action::{GithubContext, IdTokens};

/// Reaction to a run that GitHub gives no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingToken {
    Fail,
    Skip,
}

pub(super) fn missing_token(text: &str) -> parse::Parsed<MissingToken> {
    match text {
        "fail" => Ok(MissingToken::Fail),
        "skip" => Ok(MissingToken::Skip),
        _ => one_of(&["fail", "skip"], text),
    }
}

/// Returns with what the run signs in: `None` is a fault, or a run to skip.
pub(super) fn credentials(
    environment: &Environment,
    github: &GithubContext,
    dry_run: bool,
    skips: bool,
    findings: &mut Findings,
) -> Option<Credentials> {
    if let Some(text) = given(environment.raw.hf_token.as_deref()) {
        let token = findings.take("hf_token", parse::token(text))?;
        if !text.starts_with("hf_") {
            findings.warn("`hf_token` does not look like a Hugging Face token: it does not start with `hf_`");
        }
        return Some(Credentials::Token(token));
    }
    if let Some(id_tokens) = id_tokens(environment) {
        return Some(Credentials::TrustedPublishing(Arc::new(id_tokens)));
    }
    if dry_run {
        return Some(Credentials::Anonymous);
    }
    if skips && github.may_lack_secrets() {
        return None;
    }
    explain_missing(environment, github, findings);
    None
}

/// Says why there is no token, the surest reason first, with hints for that reason only.
fn explain_missing(environment: &Environment, github: &GithubContext, findings: &mut Findings) {
    const SKIP: &str = "set `missing_token: skip` to skip such runs, or `dry_run: true` to show the plan";
    if environment.var("HF_TOKEN").is_some() {
        findings.token_missing("is empty, and the variable `HF_TOKEN` of this step is not read");
        findings.hint("move the token from `env:` to `with:`, as `hf_token: ${{ secrets.HF_TOKEN }}`");
        return;
    }
    if github.is_by_dependabot() {
        findings.token_missing(
            "is empty: this run is by Dependabot, to which GitHub gives no secrets of Actions",
        );
        findings.hint(SKIP);
        findings.hint("or add the secret under Settings → Secrets and variables → Dependabot as well");
        return;
    }
    // A run of `pull_request_target` has the secrets of the repository, also for a fork.
    if github.from_fork == Some(true) && github.event_name.as_deref() != Some("pull_request_target") {
        findings.token_missing("is empty: this run comes from a fork, to which GitHub gives no secrets");
        findings.hint(SKIP);
        return;
    }
    if github.may_lack_secrets() && github.from_fork.is_none() {
        findings.token_missing(
            "is empty: this run comes from a fork, to which GitHub gives no secrets, or there is no secret of that name",
        );
        findings.hint(format!("for a fork, {SKIP}"));
    } else {
        findings.token_missing(
            "is empty: it is not set, or the repository (or the environment of the job) has no secret of that name",
        );
    }
    findings.hint(format!(
        "make a token at {}, add it to the GitHub repository under Settings → Secrets and variables → Actions as \
         `HF_TOKEN`, and pass it with `hf_token: ${{{{ secrets.HF_TOKEN }}}}`",
        token_form(Access::Write, None)
    ));
    findings.hint(
        "or do without a stored token: add a Trusted Publisher in the settings of the repo on the Hub, and give \
         the job `permissions: { contents: read, id-token: write }`",
    );
}

/// Returns the source of this job's ID tokens, which exists only with `permissions: id-token: write`.
fn id_tokens(environment: &Environment) -> Option<IdTokens> {
    let url: Url = environment.var("ACTIONS_ID_TOKEN_REQUEST_URL")?.parse().ok()?;
    if url.scheme() != "https" && !parse::is_loopback(&url) {
        return None;
    }
    let request_token = Secret::new(environment.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
    Some(IdTokens { url, request_token })
}

#[cfg(test)]
mod tests {
    use crate::commands::deploy::inputs::tests::{read, refused};
    use crate::failure::{Code, Failure};

    fn without_token(set: &[(&str, &str)]) -> Failure {
        let failure = refused(&[&[("hf_token", "\n")], set].concat());
        assert_eq!(failure.code, Code::TokenMissing);
        failure
    }

    fn event(head: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let event = serde_json::json!({"pull_request": {
            "base": {"repo": {"full_name": "acme/my-app"}},
            "head": {"repo": {"full_name": head}},
        }});
        std::fs::write(file.path(), event.to_string()).unwrap();
        file
    }

    #[test]
    fn a_secret_that_does_not_exist_is_named_first() {
        let failure = without_token(&[]);
        assert_eq!(
            failure.message,
            "`hf_token` is empty: it is not set, or the repository (or the environment of the job) has no secret of that name"
        );
        assert_eq!(failure.hints.len(), 2);
        assert!(
            failure.hints[0].contains("tokenType=fineGrained")
                && failure.hints[0].contains("${{ secrets.HF_TOKEN }}")
        );
        assert!(failure.hints[1].contains("id-token: write"));
    }

    #[test]
    fn a_fork_is_named_first() {
        let fork = event("eve/my-app");
        let path = fork.path().to_str().unwrap();
        let failure = without_token(&[("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", path)]);
        assert_eq!(
            failure.message,
            "`hf_token` is empty: this run comes from a fork, to which GitHub gives no secrets"
        );
        assert_eq!(failure.hints.len(), 1);
        assert!(
            failure.hints[0].contains("missing_token: skip") && failure.hints[0].contains("dry_run: true")
        );

        let target = [("GITHUB_EVENT_NAME", "pull_request_target"), ("GITHUB_EVENT_PATH", path)];
        assert!(without_token(&target).message.contains("no secret of that name"));

        let own = event("acme/my-app");
        let path = own.path().to_str().unwrap();
        let failure = without_token(&[("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", path)]);
        assert!(
            failure.message.contains("no secret of that name") && !failure.message.contains("fork"),
            "{failure}"
        );

        let failure = without_token(&[("GITHUB_EVENT_NAME", "pull_request")]);
        assert!(failure.message.starts_with("`hf_token` is empty: this run comes from a fork"), "{failure}");
        assert!(failure.hints[0].starts_with("for a fork, set `missing_token: skip`"), "{:?}", failure.hints);

        let failure = without_token(&[("GITHUB_ACTOR", "dependabot[bot]")]);
        assert!(failure.message.contains("Dependabot"), "{failure}");
    }

    #[test]
    fn a_token_in_the_environment_is_named_first() {
        let failure = without_token(&[("HF_TOKEN", "hf_from_env"), ("GITHUB_EVENT_NAME", "pull_request")]);
        assert_eq!(
            failure.message,
            "`hf_token` is empty, and the variable `HF_TOKEN` of this step is not read"
        );
        assert_eq!(failure.hints.len(), 1);
        assert!(!format!("{failure:?}").contains("hf_from_env"));
    }

    #[test]
    fn a_dry_run_needs_no_token_but_a_namespace() {
        let (inputs, _) = read(&[("hf_token", ""), ("dry_run", "true"), ("huggingface_repo", "acme/app")]);
        assert!(inputs.credentials.token().is_none());
        let failure = refused(&[("hf_token", ""), ("dry_run", "true")]);
        assert_eq!(failure.code, Code::InvalidInput);
        assert_eq!(
            failure.message,
            "`huggingface_repo` must be `namespace/name` in a dry run without `hf_token`, whose user could be the namespace"
        );
    }
}
