//! The inputs: what the workflow says, judged before anything is done.
//!
//! Two steps: `envy` reads the `INPUT_*` variables of the runner into text; validation turns text into
//! types and notes every fault on the way, so that one run tells them all.

mod faults;
mod limits;
mod lists;
mod names;
mod parse;
mod proxy;
mod raw;
mod secrecy;
mod space;
mod time;
mod token;
mod verify;

use std::path::PathBuf;

use url::Url;

use crate::action::GithubContext;
use crate::app_check::Check;
use crate::failure::{Code, Failure, Result};
use crate::ops::deploy::options::{DeployOptions, Origin, Provenance, Prune, SecretsInFiles};
use crate::ops::proxy_space::ProxyOptions;
use faults::Findings;
use hub::{Credentials, ParseError, RepoName, RepoType, Revision, Secret, Visibility, suggest};
use raw::{Environment, Raw, given};
use token::MissingToken;

pub use names::{INPUTS, InputSpec};
pub use proxy::{PROXY_SECRETS, PROXY_SETTINGS};

/// The deploy that a workflow asks for, with every rule of the contract applied.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// `Credentials::Anonymous` only in a dry run, which may look at public repos, and in a run that is skipped.
    pub credentials: Credentials,
    /// Ends the run with nothing done, because it has no token, and no way to one.
    pub skip: bool,
    /// The Hub: `HF_ENDPOINT`, as in the official clients.
    pub endpoint: Url,
    pub deploy: DeployOptions,
    /// `Some` exactly when `create_proxy` is true.
    pub proxy: Option<ProxyOptions>,
}

/// What a check on its own needs, beside the address of the app.
#[derive(Debug, Clone)]
pub struct CheckInputs {
    pub check: Check,
    /// The Hub: `HF_ENDPOINT`.
    pub endpoint: Url,
    /// `HF_TOKEN`, as in the official clients.
    pub token: Option<Secret>,
}

/// With what the commands sign in, and where: `HF_TOKEN` and `HF_ENDPOINT`.
pub fn command_access(vars: impl IntoIterator<Item = (String, String)>) -> Result<(Option<Secret>, Url)> {
    let environment = Environment::read(vars)?;
    let mut findings = Findings::default();
    let token = given(environment.var("HF_TOKEN"));
    token.into_iter().for_each(|token| findings.hide(token));
    let token = token.and_then(|token| findings.take("HF_TOKEN", parse::token(token)));
    let endpoint = endpoint(&environment, &mut findings);
    findings.finish()?;
    let endpoint = endpoint.ok_or_else(|| Failure::new(Code::Internal, "no endpoint, and no reason"))?;
    Ok((token, endpoint))
}

/// A time such as `90s`, `10m` or `2h`.
pub fn duration(text: &str) -> std::result::Result<std::time::Duration, ParseError> {
    parse::duration(text)
}

impl CheckInputs {
    /// Reads the options of a check, under the names that the inputs have in the environment.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>, workspace: PathBuf) -> Result<Self> {
        let vars: Vec<(String, String)> = vars.into_iter().collect();
        let (token, endpoint) = command_access(vars.clone())?;
        let environment = Environment::read(vars)?;
        let mut findings = Findings::default();
        token.iter().for_each(|token| findings.hide(token.expose()));
        let check = verify::read(&environment.raw, workspace, &mut findings);
        let timeout = value("timeout", environment.raw.timeout.as_deref(), parse::duration, &mut findings);
        findings.finish()?;
        let (Some(check), Some(Some(timeout))) = (check, timeout) else {
            return Err(Failure::new(Code::Internal, "an option was refused without a reason"));
        };
        Ok(Self { check: Check { timeout, ..check }, endpoint, token })
    }
}

/// The Hub, where `HF_ENDPOINT` names no other.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

impl Inputs {
    /// Reads the inputs from the variables of an environment. Returns them with warnings for the log, or
    /// one failure that names all faults.
    pub fn from_vars(vars: impl IntoIterator<Item = (String, String)>) -> Result<(Self, Vec<String>)> {
        let environment = Environment::read(vars)?;
        let raw = &environment.raw;
        let mut findings = Findings::default();
        let tokens = [&raw.hf_token, &raw.proxy_hf_token].into_iter().flatten();
        // A name in the place of a token is no secret, and the fault shows it.
        for token in tokens.filter(|token| parse::stands_for(token).is_none()) {
            findings.hide(token);
        }
        for (name, advice) in &environment.typos {
            findings.fault(name, format!("is not an input of this action: {advice}"));
        }
        let inputs = judge(&environment, &mut findings);
        let warnings = findings.finish()?;
        match inputs {
            Some(inputs) => Ok((inputs, warnings)),
            None => Err(Failure::new(Code::Internal, "an input was refused without a reason")),
        }
    }
}

/// Every rule, each in its own function; `None` only after a fault was noted.
fn judge(environment: &Environment, findings: &mut Findings) -> Option<Inputs> {
    let raw = &environment.raw;
    let github = GithubContext::from_vars(|name| environment.exact(name));
    let repo = repo(raw, &github, findings);
    let repo_type = repo_type(raw, findings);
    let dry_run = flag("dry_run", raw.dry_run.as_deref(), findings);
    let missing_token = value("missing_token", raw.missing_token.as_deref(), token::missing_token, findings);
    let skips = missing_token.flatten() == Some(MissingToken::Skip);
    findings.does_without_secrets = given(raw.hf_token.as_deref()).is_none()
        && github.may_lack_secrets()
        && (skips || dry_run == Some(true));
    let sign_in = token::credentials(environment, &github, dry_run.unwrap_or(false), skips, findings);
    if let (Some(Credentials::Anonymous), Some(RepoName { namespace: None, .. })) = (&sign_in, &repo) {
        findings.fault(
            "huggingface_repo",
            "must be `namespace/name` in a dry run without `hf_token`, whose user could be the namespace",
        );
    }
    let space_sdk = match repo_type {
        // For another type it has no effect.
        Some(RepoType::Model | RepoType::Dataset) => None,
        _ => value("space_sdk", raw.space_sdk.as_deref(), str::parse, findings).flatten(),
    };
    let visibility = visibility(raw, repo_type, findings);
    let secrets_in_files =
        value("secrets_in_files", raw.secrets_in_files.as_deref(), secrets_in_files, findings);
    let source_dir = source_dir(raw, &github, findings);
    let path_in_repo = value("path_in_repo", raw.path_in_repo.as_deref(), parse::path_in_repo, findings);
    let cache_path = value(
        "cache_path",
        raw.cache_path.as_deref(),
        |text| parse::cache_path(text, github.workspace.as_deref()),
        findings,
    );
    let prune = value("prune", raw.prune.as_deref(), parse::prune, findings);
    let default_excludes =
        value("default_excludes", raw.default_excludes.as_deref(), parse::boolean, findings);
    let max_deletes = value("max_deletes", raw.max_deletes.as_deref(), limits::deletes, findings);
    let revision = revision(raw, repo_type, findings);
    let create_pr = flag("create_pr", raw.create_pr.as_deref(), findings);
    let commit_limits = limits::read(raw, findings);
    let workspace = github.workspace.clone().unwrap_or_else(|| PathBuf::from("."));
    let space = space::read(environment, repo_type, workspace, findings);
    if let (Some(space), Some(policy)) = (&space, secrets_in_files) {
        secrecy::judge(&space.settings.variables, policy, findings);
    }
    let proxy = proxy::read(environment, repo.as_ref(), repo_type, findings);
    if let (Some(RepoType::Space), Some(revision), Some(create_pr), Some(space)) =
        (repo_type, &revision, create_pr, &space)
        && (create_pr || !revision.is_main())
    {
        space::warn_of_a_wait_for_nothing(raw, space, findings);
    }
    let endpoint = endpoint(environment, findings);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        if environment.var(name).is_some() {
            findings.warn(format!("`{name}` is set, and the requests to the Hub do not use it: whoever set it would stand between"));
        }
    }
    let text = |value: &Option<String>| given(value.as_deref()).map(str::to_owned);
    let patterns = |value: &Option<String>| parse::patterns(value.as_deref().unwrap_or_default());
    let (visibility, visibility_given) = visibility?;
    let proxy = proxy.map(|proxy| ProxyOptions {
        deploy_token: sign_in.as_ref().and_then(Credentials::token).cloned(),
        ..proxy
    });
    let deploy = DeployOptions {
        repo: repo?,
        repo_type: repo_type?,
        space_sdk,
        visibility,
        visibility_given,
        private_is_false: !visibility_given && given(raw.private.as_deref()).is_some(),
        origin: Origin::Checkout,
        secrets_in_files: secrets_in_files?,
        source_dir,
        workspace: github.workspace,
        path_in_repo: path_in_repo?.flatten(),
        cache_path: cache_path?,
        include: patterns(&raw.include),
        exclude: patterns(&raw.exclude),
        default_excludes: default_excludes?.unwrap_or(true),
        prune: prune?.unwrap_or(Prune::Auto),
        max_deletes: max_deletes?,
        revision: revision?,
        create_pr: create_pr?,
        commit_message: text(&raw.commit_message),
        commit_description: text(&raw.commit_description),
        provenance: Provenance { repository: github.repository, sha: github.sha, run_url: github.run_url },
        commit_limits: commit_limits?,
        dry_run: dry_run?,
        space: space?,
        has_proxy: proxy.is_some(),
        tls_roots: environment.var("SSL_CERT_FILE").map(PathBuf::from),
    };
    Some(Inputs {
        skip: sign_in.is_none(),
        credentials: sign_in.unwrap_or(Credentials::Anonymous),
        endpoint: endpoint?,
        deploy,
        proxy,
    })
}

/// A value that may be left empty: `Some(None)` if it is, `None` if it is a fault.
fn value<T>(
    input: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, ParseError>,
    findings: &mut Findings,
) -> Option<Option<T>> {
    match given(text) {
        None => Some(None),
        Some(text) => findings.take(input, parse(text)).map(Some),
    }
}

fn flag(input: &str, text: Option<&str>, findings: &mut Findings) -> Option<bool> {
    Some(value(input, text, parse::boolean, findings)?.unwrap_or(false))
}

/// The word with which `kvokka/huggingface` takes the name of the GitHub repository.
const LEGACY_DEFAULT: &str = "same_with_github_repo";

fn repo(raw: &Raw, github: &GithubContext, findings: &mut Findings) -> Option<RepoName> {
    const INPUT: &str = "huggingface_repo";
    if let Some(text) = given(raw.huggingface_repo.as_deref()) {
        if text == LEGACY_DEFAULT {
            findings.fault(INPUT, format!("must not be `{LEGACY_DEFAULT}`: leave it out, which takes the name of the GitHub repository"));
            return None;
        }
        return findings.take(INPUT, text.parse());
    }
    let Some(name) = github.repository_name() else {
        findings.fault(INPUT, "must name the repo: it is empty, and so is `GITHUB_REPOSITORY`");
        return None;
    };
    let named: Result<RepoName, ParseError> = name.parse();
    let refusal = |refusal| {
        format!(
            "must name the repo: the name of the GitHub repository cannot stand in for it, which {refusal}"
        )
    };
    findings.take(INPUT, named.map_err(refusal))
}

fn repo_type(raw: &Raw, findings: &mut Findings) -> Option<RepoType> {
    let parsed = value("repo_type", raw.repo_type.as_deref(), str::parse, findings)?;
    Some(parsed.unwrap_or(RepoType::Space))
}

/// What a new repo gets, and whether an existing one is changed to it.
fn visibility(raw: &Raw, repo_type: Option<RepoType>, findings: &mut Findings) -> Option<(Visibility, bool)> {
    const INPUT: &str = "visibility";
    let private = value("private", raw.private.as_deref(), parse::boolean, findings);
    let visibility: Option<Option<Visibility>> =
        value(INPUT, raw.visibility.as_deref(), str::parse, findings);
    let (private, visibility) = (private?, visibility?);
    let Some(visibility) = visibility else {
        return Some(match private {
            Some(true) => (Visibility::Private, true),
            Some(false) | None => (Visibility::Public, false),
        });
    };
    let at_odds = match private {
        Some(true) => visibility != Visibility::Private,
        Some(false) => visibility == Visibility::Private,
        None => false,
    };
    if at_odds {
        let private = private.unwrap_or_default();
        findings.fault(
            INPUT,
            format!(
                "is at odds with `private`: `{}` and `{private}` (leave `private` out)",
                visibility.as_str()
            ),
        );
    }
    if let Some(other) = repo_type.filter(|repo_type| *repo_type != RepoType::Space)
        && visibility == Visibility::Protected
    {
        findings.fault(
            INPUT,
            format!("must be `public` or `private` for a {}: only Spaces can be `protected`", other.noun()),
        );
    }
    Some((visibility, true))
}

fn secrets_in_files(text: &str) -> parse::Parsed<SecretsInFiles> {
    match text {
        "error" => Ok(SecretsInFiles::Error),
        "warn" => Ok(SecretsInFiles::Warn),
        "ignore" => Ok(SecretsInFiles::Ignore),
        _ => suggest::one_of(&["error", "warn", "ignore"], text),
    }
}

/// An empty value is refused, not read as the whole checkout: it is most often the output of a build step
/// that does not exist, and pruning would then replace the repo's content.
fn source_dir(raw: &Raw, github: &GithubContext, findings: &mut Findings) -> PathBuf {
    let text = raw.source_dir.as_deref().unwrap_or(".").trim();
    if text.is_empty() {
        findings.fault("source_dir", "must not be empty: `.` deploys the whole checkout");
    }
    parse::source_dir(text, github.workspace.as_deref())
}

fn revision(raw: &Raw, repo_type: Option<RepoType>, findings: &mut Findings) -> Option<Revision> {
    let parsed = value("revision", raw.revision.as_deref(), parse::revision, findings)?;
    let revision = parsed.unwrap_or_default();
    if repo_type == Some(RepoType::Space) && !revision.is_main() {
        findings.warn(format!(
            "a Space runs what is on `main`: this deploy changes nothing that visitors see, as `revision` is `{revision}`"
        ));
    }
    Some(revision)
}

fn endpoint(environment: &Environment, findings: &mut Findings) -> Option<Url> {
    let text = environment.var("HF_ENDPOINT").unwrap_or(DEFAULT_ENDPOINT);
    findings.take("HF_ENDPOINT", parse::endpoint(text))
}

#[cfg(test)]
mod tests;
