//! Tests of the sign-in.

use super::{read, refused};
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
fn missing_secret_is_the_first_reason() {
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
fn fork_is_the_first_reason() {
    let fork = event("eve/my-app");
    let path = fork.path().to_str().unwrap();
    let failure = without_token(&[("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", path)]);
    assert_eq!(
        failure.message,
        "`hf_token` is empty: this run comes from a fork, to which GitHub gives no secrets"
    );
    assert_eq!(failure.hints.len(), 1);
    assert!(failure.hints[0].contains("missing_token: skip") && failure.hints[0].contains("dry_run: true"));

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
fn token_in_the_environment_is_the_first_reason() {
    let failure = without_token(&[("HF_TOKEN", "hf_from_env"), ("GITHUB_EVENT_NAME", "pull_request")]);
    assert_eq!(failure.message, "`hf_token` is empty, and the variable `HF_TOKEN` of this step is not read");
    assert_eq!(failure.hints.len(), 1);
    assert!(!format!("{failure:?}").contains("hf_from_env"));
}

#[test]
fn dry_run_without_a_token_needs_a_namespace() {
    let (inputs, _) = read(&[("hf_token", ""), ("dry_run", "true"), ("huggingface_repo", "acme/app")]);
    assert!(inputs.credentials.token().is_none());
    let failure = refused(&[("hf_token", ""), ("dry_run", "true")]);
    assert_eq!(failure.code, Code::InvalidInput);
    assert_eq!(
        failure.message,
        "`huggingface_repo` must be `namespace/name` in a dry run without `hf_token`, whose user could be the namespace"
    );
}
