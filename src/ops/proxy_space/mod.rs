//! The proxy Space: a public Space in front of a private one, made from `proxy-template/`.
//!
//! The proxy Space is deployed like any other. This module adds its files and settings, refuses to touch a Space that
//! this action did not make, and checks in the end that the private app answers through the proxy.

mod check;
mod inspect;
mod options;
mod template;
mod whole;

use std::path::Path;

use url::Url;

use crate::action::Recorder;
use crate::action::journal::Phase;
use crate::app_check::{Check, FailOn, Mode};
use crate::failure::{self, Result};
use crate::image;
use crate::ops::Session;
use crate::ops::deploy::options::{
    CommitLimits, DeployOptions, LeaveOpen, OnFailure, Origin, Prune, SpaceOptions,
};
use crate::ops::deploy::report::{ProxyReport, ProxyState};
use crate::ops::deploy::{self, Deployed};
use crate::ops::space::{NamedSecret, SettingsOptions, SettingsStrategy, Variable};
use hub::{RepoType, Revision, Secret, SpaceSdk, Visibility};

use check::check_through;
use template::write_source;

pub use inspect::Proxy;
pub use options::{AllowOrigins, ProxyOptions};
pub use whole::{LiveWhole, Whole, deploy_whole};

/// Path that answers with 200 once the proxy takes requests.
const READY: &str = "/_proxy/readyz";
/// Address of the private app in a dry run that does not know it.
const UNKNOWN_TARGET: &str = "https://unknown.hf.space";

/// Deploys the proxy Space, waits for it, and checks that the private app answers through it. `behind` is the deploy
/// of the private Space. Returns the address of the proxy.
async fn provision(
    proxy: &Proxy<'_>,
    behind: &Deployed,
    session: &Session<'_>,
    recorder: &Recorder<ProxyReport>,
) -> Result<Option<String>> {
    let phase = session.journal.enter(Phase::Create, "proxy");
    recorder.record(|report| report.repo = Some(proxy.repo.clone()));
    let result = deploy_and_check(proxy, behind, session, recorder).await;
    drop(phase);
    result.map_err(|failure| failure::proxy::explain(failure, behind.commit.is_some()))
}

async fn deploy_and_check(
    proxy: &Proxy<'_>,
    behind: &Deployed,
    session: &Session<'_>,
    recorder: &Recorder<ProxyReport>,
) -> Result<Option<String>> {
    let target = target_url(proxy, behind)?;
    let folder = image::temporary_folder().map_err(failure::proxy::files_not_written)?;
    write_source(folder.path(), &proxy.repo, &secrets(proxy, &target))?;
    let options = deploy_options(proxy, folder.path(), &target);
    let journal = session.journal.nested();
    let nested = Session { journal: &journal, ..*session };
    let deployed = deploy::deploy(&options, &nested, &recorder.part(|report| &mut report.deploy)).await;
    let is_dry_run = proxy.behind.dry_run;
    if !is_dry_run {
        let state = if deployed.is_ok() { ProxyState::Deployed } else { ProxyState::Failed };
        recorder.record(|report| report.state = state);
    }
    let address = deployed?.space_url;
    if !is_dry_run && options.space.wait.is_some() && can_check(proxy, behind) {
        check_through(proxy, session).await?;
    }
    Ok(address)
}

/// Returns true if the private app can be checked: it passed its own check, and checks are on.
fn can_check(proxy: &Proxy<'_>, behind: &Deployed) -> bool {
    let has_passed = behind.check.as_ref().is_none_or(|check| check.failure.is_none());
    proxy.behind.space.check.mode != Mode::Off && has_passed
}

/// Returns the address of the private app.
fn target_url(proxy: &Proxy<'_>, behind: &Deployed) -> Result<String> {
    if let Some(url) = &proxy.wanted.target_url {
        return Ok(origin(url));
    }
    match &behind.space_url {
        Some(url) => Ok(url.clone()),
        None if proxy.behind.dry_run => Ok(UNKNOWN_TARGET.to_owned()),
        None => Err(failure::proxy::target_unknown()),
    }
}

/// Returns the options for the deploy of the proxy Space.
fn deploy_options(proxy: &Proxy<'_>, source: &Path, target: &str) -> DeployOptions {
    let wait = proxy.behind.space.wait;
    let ready = Check {
        mode: if wait.is_some() { Mode::Health } else { Mode::Off },
        health_path: Some(READY.to_owned()),
        ..Check::new(source)
    };
    DeployOptions {
        repo: proxy.wanted.repo.clone(),
        repo_type: RepoType::Space,
        space_sdk: Some(SpaceSdk::Docker),
        visibility: Visibility::Public,
        visibility_given: true,
        private_is_false: false,
        source_dir: source.to_owned(),
        path_in_repo: None,
        include: Vec::new(),
        exclude: Vec::new(),
        default_excludes: false,
        prune: Prune::Always,
        max_deletes: None,
        revision: Revision::default(),
        create_pr: false,
        origin: Origin::Proxy,
        file_mark: None,
        commit_message: None,
        commit_description: None,
        commit_limits: CommitLimits::default(),
        space: SpaceOptions {
            settings: SettingsOptions {
                variables: variables(proxy),
                variables_given: true,
                secrets: secrets(proxy, target),
                secrets_given: true,
                // Settings that the workflow no longer has must not stay in force.
                strategy: SettingsStrategy::Overwrite,
                force_secrets: false,
                volumes: None,
            },
            hardware: proxy.wanted.hardware.clone(),
            wait,
            check: ready,
            fail_on: FailOn::default(),
            on_failure: OnFailure::Keep,
            leave_open: LeaveOpen::Never,
        },
        has_proxy: false,
        ..proxy.behind.clone()
    }
}

fn variables(proxy: &Proxy<'_>) -> Vec<Variable> {
    let wanted = proxy.wanted;
    let origins = wanted.allow_origins.text();
    let mut variables = vec![Variable { key: "ALLOW_ORIGINS".to_owned(), value: origins }];
    if wanted.allow_any_target {
        variables.push(Variable { key: "ALLOW_ANY_TARGET".to_owned(), value: "true".to_owned() });
    }
    variables.extend(wanted.settings.iter().cloned());
    variables.extend(proxy.behind.preview.as_ref().map(|preview| preview.mark.clone()));
    variables
}

/// Returns the secrets of the proxy Space. The target's address is among them, because variables of a public Space are
/// public, and the address names the private Space.
fn secrets(proxy: &Proxy<'_>, target: &str) -> Vec<NamedSecret> {
    let secret = |key: &str, value: Secret| NamedSecret { key: key.to_owned(), value };
    let mut secrets =
        vec![secret("TARGET_URL", Secret::new(target)), secret("TARGET_TOKEN", proxy.token.clone())];
    secrets.extend(proxy.wanted.secrets.iter().cloned());
    secrets
}

fn origin(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
