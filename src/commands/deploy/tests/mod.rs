mod app_check;
mod lists;
mod sign_in;
mod space;
mod time;

use std::path::Path;

use hub::{RepoName, RepoType, Secret, SpaceSdk, Visibility};

use super::inputs::{GROUPS, Inputs};
use crate::failure::{Code, Failure};
use crate::ops::deploy::options::{Provenance, Prune};
use crate::ops::proxy_space::AllowOrigins;

const TOKEN: &str = "hf_verysecretvalue";

/// The environment as the runner makes it: with the defaults of action.yml.
fn environment(set: &[(&str, &str)]) -> Vec<(String, String)> {
    let variable = |name: &str| format!("INPUT_{}", name.to_uppercase());
    let inputs = GROUPS.iter().flat_map(|group| group.inputs);
    let defaults =
        inputs.map(|input| (variable(input.name), input.default.passed().unwrap_or_default().to_owned()));
    let context = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REPOSITORY", "acme/my-app"),
        ("GITHUB_WORKSPACE", "/github/workspace"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_RUN_ID", "42"),
        ("GITHUB_RUN_ATTEMPT", "2"),
        ("INPUT_HF_TOKEN", TOKEN),
    ];
    let is_input = |name: &str| name.to_lowercase() == name;
    let given = set.iter().map(|(name, value)| {
        let name = if is_input(name) { variable(name) } else { (*name).to_owned() };
        (name, (*value).to_owned())
    });
    defaults.chain(context.map(|(name, value)| (name.to_owned(), value.to_owned()))).chain(given).collect()
}

pub(super) fn read(set: &[(&str, &str)]) -> (Inputs, Vec<String>) {
    Inputs::from_vars(environment(set)).unwrap_or_else(|failure| panic!("{failure}"))
}

pub(super) fn refused(set: &[(&str, &str)]) -> Failure {
    let failure = Inputs::from_vars(environment(set)).expect_err("should be refused");
    assert!(!format!("{failure:?}").contains(TOKEN), "{failure:?}");
    failure
}

#[track_caller]
pub(super) fn check_fault(set: &[(&str, &str)], message: &str) {
    let failure = refused(set);
    assert_eq!(failure.message, message);
    assert_eq!(failure.code, Code::InvalidInput);
}

#[test]
fn inputs_have_defaults() {
    let (inputs, warnings) = read(&[]);
    assert_eq!(inputs.deploy.repo, RepoName { namespace: None, name: "my-app".to_owned() });
    assert_eq!(inputs.credentials.token().map(Secret::expose), Some(TOKEN));
    assert_eq!(inputs.deploy.repo_type, RepoType::Space);
    assert_eq!(inputs.deploy.space_sdk, None);
    assert_eq!((inputs.deploy.visibility, inputs.deploy.visibility_given), (Visibility::Public, false));
    assert_eq!(inputs.deploy.source_dir, Path::new("/github/workspace"));
    assert_eq!(inputs.deploy.path_in_repo, None);
    assert!(inputs.deploy.include.is_empty() && inputs.deploy.exclude.is_empty());
    assert_eq!(inputs.deploy.prune, Prune::Auto);
    assert!(inputs.deploy.revision.is_main());
    assert!(!inputs.deploy.create_pr && !inputs.deploy.dry_run && inputs.proxy.is_none());
    assert_eq!(inputs.deploy.commit_message, None);
    assert_eq!(inputs.endpoint.as_str(), "https://huggingface.co/");
    assert_eq!(
        inputs.deploy.provenance.run_url.as_deref(),
        Some("https://github.com/acme/my-app/actions/runs/42/attempts/2")
    );
    assert!(warnings.is_empty());
    assert!(!format!("{inputs:?}").contains(TOKEN));
}

#[test]
fn empty_environment_means_the_defaults() {
    let bare =
        [("INPUT_HF_TOKEN", TOKEN), ("INPUT_HUGGINGFACE_REPO", "acme/x")].map(|(n, v)| (n.into(), v.into()));
    let (inputs, _) = Inputs::from_vars(bare).unwrap();
    assert_eq!(inputs.deploy.source_dir, Path::new("."));
    assert_eq!(inputs.deploy.provenance, Provenance::default());
    assert_eq!(inputs.deploy.prune, Prune::Auto);
}

#[test]
fn snippet_of_kvokka_huggingface_works() {
    let (inputs, warnings) = read(&[
        ("huggingface_repo", "ada/demo"),
        ("repo_type", "space"),
        ("space_sdk", "streamlit"),
        ("private", "false"),
    ]);
    assert_eq!(inputs.deploy.repo.full().unwrap().to_string(), "ada/demo");
    assert_eq!(inputs.deploy.space_sdk, Some(SpaceSdk::Streamlit));
    assert_eq!((inputs.deploy.visibility, inputs.deploy.visibility_given), (Visibility::Public, false));
    assert!(warnings.is_empty());
}

#[test]
fn all_inputs_are_read() {
    let (inputs, warnings) = read(&[
        ("huggingface_repo", " ada/demo\n"),
        ("hf_token", "hf_x\n"),
        ("repo_type", "dataset"),
        ("visibility", "private"),
        ("source_dir", "./dist/"),
        ("path_in_repo", "data/"),
        ("include", "*.csv\n# no\n\n*.json"),
        ("exclude", "tmp/"),
        ("prune", "true"),
        ("revision", "refs/heads/next"),
        ("create_pr", "True"),
        ("commit_message", "New data\n"),
        ("dry_run", "TRUE"),
        ("HF_ENDPOINT", "http://127.0.0.1:9/"),
    ]);
    assert_eq!(inputs.credentials.token().unwrap().expose(), "hf_x");
    assert_eq!((inputs.deploy.visibility, inputs.deploy.visibility_given), (Visibility::Private, true));
    assert_eq!(inputs.deploy.source_dir, Path::new("/github/workspace/dist"));
    assert_eq!(inputs.deploy.path_in_repo.unwrap().as_str(), "data");
    assert_eq!(inputs.deploy.include, ["*.csv", "*.json"]);
    assert_eq!(inputs.deploy.prune, Prune::Always);
    assert_eq!(inputs.deploy.revision.as_str(), "next");
    assert_eq!(inputs.deploy.commit_message.as_deref(), Some("New data"));
    assert!(inputs.deploy.create_pr && inputs.deploy.dry_run);
    assert_eq!(inputs.endpoint.as_str(), "http://127.0.0.1:9/");
    assert!(warnings.is_empty());
}

#[test]
fn fault_is_one_sentence() {
    check_fault(
        &[("create_pr", "ture")],
        "`create_pr` must be `true` or `false` (also `True`, `TRUE`, `False`, `FALSE`), not `ture`: did you mean `true`?",
    );
    check_fault(
        &[("repo_type", "spaces")],
        "`repo_type` must be `space`, `model` or `dataset`, not `spaces`: did you mean `space`?",
    );
    check_fault(
        &[("INPUT_HUGGINGFACE_REPOS", "a/b")],
        "`huggingface_repos` is not an input of this action: did you mean `huggingface_repo`?",
    );
    check_fault(&[("source_dir", " ")], "`source_dir` must not be empty: `.` deploys the whole checkout");
    check_fault(
        &[("GITHUB_REPOSITORY", "acme/-x-")],
        "`huggingface_repo` must name the repo: the name of the GitHub repository cannot stand in \
         for it, which must not start or end with `-` or `.`: `-x-` (did you mean `x`?)",
    );
    check_fault(
        &[("HF_ENDPOINT", "http://hub.example")],
        "`HF_ENDPOINT` must start with `https://` (`http://` is for this machine only): \
         `http://hub.example/`",
    );
}

#[test]
fn legacy_default_of_the_repo_is_refused() {
    check_fault(
        &[("huggingface_repo", "same_with_github_repo")],
        "`huggingface_repo` must not be `same_with_github_repo`: leave it out, which takes the name of the GitHub repository",
    );
}

#[test]
fn faults_are_reported_together() {
    check_fault(
        &[
            ("INPUT_DRY-RUN", "true"),
            ("huggingface_repo", "a b"),
            ("hf_token", ""),
            ("repo_type", "modle"),
            ("private", "yes"),
            ("prune", "sometimes"),
            ("proxy_space_suffix", "/x"),
        ],
        "7 invalid inputs:\n\
         `dry-run` is not an input of this action: did you mean `dry_run`?\n\
         `huggingface_repo` has the character ' ' in `a b`; only letters, digits, `-`, `_` and `.` are allowed (did you mean `a-b`?)\n\
         `repo_type` must be `space`, `model` or `dataset`, not `modle`: did you mean `model`?\n\
         `hf_token` is empty: it is not set, or the repository (or the environment of the job) has no secret of that name\n\
         `private` must be `true` or `false` (also `True`, `TRUE`, `False`, `FALSE`), not `yes`: did you mean `true`?\n\
         `prune` must be `auto`, `true` or `false`, not `sometimes`\n\
         `proxy_space_suffix` must be the end of a name, without a `/`: `/x`",
    );
}

#[test]
fn long_name_is_valid_without_a_proxy() {
    for length in [90, 91, 96] {
        let name = "x".repeat(length);
        assert_eq!(
            read(&[("huggingface_repo", &name), ("proxy_space_suffix", "-proxy")]).0.deploy.repo.name,
            name
        );
        assert_eq!(read(&[("huggingface_repo", &name)]).0.deploy.repo.name, name);
    }
    let name = "x".repeat(91);
    let failure = refused(&[("huggingface_repo", &name), ("create_proxy", "true")]);
    assert!(failure.message.contains("at most 96"), "{failure}");
    let failure = refused(&[("huggingface_repo", &"x".repeat(97))]);
    assert!(failure.message.starts_with("`huggingface_repo` has 97 characters"), "{failure}");
}

#[test]
fn tokens_are_hidden_in_messages() {
    refused(&[("hf_token", "hf_verysecretvalue hf_verysecretvalue")]);
    let failure = refused(&[("repo_type", TOKEN), ("space_sdk", TOKEN), ("huggingface_repo", "a/b/c")]);
    assert!(failure.message.contains("not `***`"), "{failure}");
    let (_, warnings) = read(&[("hf_token", "api_org_abc")]);
    assert_eq!(
        warnings,
        ["`hf_token` does not look like a Hugging Face token: it does not start with `hf_`"]
    );
}

#[test]
fn values_stay_on_their_line() {
    let failure = refused(&[("repo_type", "x\n::error::y\u{1b}[31m"), ("prune", "a\r\nb")]);
    assert_eq!(failure.message.lines().count(), 3);
    assert!(!failure.message.contains(['\r', '\u{1b}']));
}

#[test]
fn visibility_and_private_agree() {
    for (private, visibility, expected) in [
        ("", "", Ok((Visibility::Public, false))),
        ("false", "", Ok((Visibility::Public, false))),
        ("true", "", Ok((Visibility::Private, true))),
        ("", "public", Ok((Visibility::Public, true))),
        ("false", "public", Ok((Visibility::Public, true))),
        ("false", "protected", Ok((Visibility::Protected, true))),
        ("true", "private", Ok((Visibility::Private, true))),
        ("true", "public", Err("`public` and `true`")),
        ("true", "protected", Err("`protected` and `true`")),
        ("false", "private", Err("`private` and `false`")),
    ] {
        let set = [("private", private), ("visibility", visibility)];
        match expected {
            Ok(expected) => {
                let (inputs, _) = read(&set);
                assert_eq!((inputs.deploy.visibility, inputs.deploy.visibility_given), expected, "{set:?}");
            }
            Err(part) => assert!(refused(&set).message.contains(part), "{set:?}"),
        }
    }
}

#[test]
fn inputs_of_spaces_get_a_warning_for_other_types() {
    for repo_type in ["model", "dataset"] {
        let (inputs, warnings) = read(&[
            ("repo_type", repo_type),
            ("space_sdk", "docker"),
            ("create_proxy", "true"),
            ("proxy_hardware", "cpu-upgrade"),
            ("wait", "false"),
        ]);
        assert!(
            inputs.deploy.space_sdk.is_none() && inputs.proxy.is_none() && inputs.deploy.space.wait.is_none()
        );
        assert_eq!(
            warnings,
            [
                format!("`space_sdk`, `wait` have no effect: a {repo_type} does not run as a Space does"),
                "`create_proxy` has no effect: only a Space has an app to stand in front of".to_owned(),
                "`proxy_hardware` has no effect: there is no proxy".to_owned(),
            ]
        );
        // To ignore this one would publish what was to be hidden.
        let failure = refused(&[("repo_type", repo_type), ("visibility", "protected")]);
        assert!(failure.message.starts_with("`visibility` must be `public` or `private`"), "{failure}");
    }
}

#[test]
fn inputs_without_effect_get_a_warning() {
    for (set, warning) in [
        (
            vec![("proxy_hf_token", "hf_readonly"), ("proxy_allow_origins", "https://a.example")],
            "`proxy_hf_token`, `proxy_allow_origins` have no effect: `create_proxy` is not `true`",
        ),
        (
            vec![("create_proxy", "true"), ("allow_any_target", "true")],
            "`allow_any_target` has no effect: `proxy_target_url` is not set",
        ),
        (vec![("wait", "false"), ("timeout", "10m")], "`timeout` has no effect: `wait` is `false`"),
        (vec![("force_secrets", "true")], "`force_secrets` has no effect: `secrets` is not set"),
        (
            vec![("fallback_hardware", "t4-small"), ("require_hardware", "true")],
            "`fallback_hardware`, `require_hardware` have no effect: `hardware` is not set",
        ),
        (
            vec![("create_pr", "true"), ("verify", "health"), ("timeout", "10m")],
            "`timeout`, `verify` have no effect: what this deploy writes does not run before it is on `main`",
        ),
    ] {
        assert_eq!(read(&set).1, [warning], "{set:?}");
    }
}

#[test]
fn revision_of_a_space_gets_a_warning() {
    let (inputs, warnings) = read(&[("revision", "next")]);
    assert_eq!(inputs.deploy.revision.as_str(), "next");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("`next`"));
    assert!(read(&[("revision", "next"), ("repo_type", "model")]).1.is_empty());
}

#[test]
fn proxy_inputs_are_validated() {
    let (inputs, _) = read(&[
        ("huggingface_repo", "ada/demo"),
        ("create_proxy", "true"),
        ("proxy_hf_token", "hf_readonly"),
        ("proxy_target_url", "https://ada-demo.hf.space"),
        ("proxy_allow_origins", "https://a.example, https://b.example\nhttp://localhost:3000"),
    ]);
    let proxy = inputs.proxy.unwrap();
    assert_eq!(proxy.repo.full().unwrap().to_string(), "ada/demo-proxy");
    assert_eq!(proxy.token.unwrap().expose(), "hf_readonly");
    assert_eq!(proxy.target_url.unwrap().host_str(), Some("ada-demo.hf.space"));
    let origins = ["https://a.example", "https://b.example", "http://localhost:3000"].map(str::to_owned);
    assert_eq!(proxy.allow_origins, AllowOrigins::Only(origins.to_vec()));

    assert_eq!(
        read(&[("create_proxy", "true"), ("proxy_allow_origins", "")]).0.proxy.unwrap().allow_origins,
        AllowOrigins::Any
    );
    assert!(read(&[("proxy_space_suffix", "")]).0.proxy.is_none());
    for (input, value, part) in [
        ("proxy_space_suffix", "", "must not be empty"),
        ("proxy_space_suffix", "-", "must not start or end"),
        ("proxy_space_suffix", "--x", "must not contain `--`"),
        ("proxy_space_suffix", &"x".repeat(96), "at most 96"),
        ("proxy_target_url", "https://example.org", "hf.space"),
        ("proxy_allow_origins", "*, https://a.example", "`*` alone"),
        ("proxy_allow_origins", ",", "names no origin"),
        ("proxy_hf_token", "a b", "more than one word"),
        ("create_proxy", "yes", "must be `true` or `false`"),
    ] {
        let failure = refused(&[("create_proxy", "true"), (input, value)]);
        assert!(failure.message.starts_with(&format!("`{input}` ")), "{failure}");
        assert!(failure.message.contains(part), "{failure}");
    }
}

#[test]
fn context_of_the_runner_is_validated() {
    let (inputs, _) = read(&[
        ("huggingface_repo", "a/b"),
        ("GITHUB_SHA", "größer"),
        ("GITHUB_REPOSITORY", "a/b\nTrailer: x"),
        ("GITHUB_RUN_ATTEMPT", "1"),
    ]);
    assert_eq!(inputs.deploy.provenance.sha, None);
    assert_eq!(inputs.deploy.provenance.repository, None);
    assert_eq!(inputs.deploy.provenance.run_url, None);
}
