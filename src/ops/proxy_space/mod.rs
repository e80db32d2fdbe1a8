//! The proxy Space: a public Space in front of a private one, made from `proxy-template/`.
//!
//! It is a Space like any other, so the deploy makes it: this room says what it is made of, refuses to touch
//! what it did not make, and asks in the end whether the private app answers through it.

mod options;

use std::path::Path;
use std::time::Duration;

use hf_proxy::refusal::{METHOD_REFUSED, PATH_REFUSED, Refusal, UPSTREAM_AUTH};
use hub::{Access, Hub, Lookup, Repo, RepoType, Revision, Secret, SpaceSdk, Visibility, token_form};
use rust_embed::Embed;
use sha2::{Digest, Sha256};
use url::Url;

use crate::action::Log;
use crate::app_check::{App, AppKind, Check, CheckFailure, CheckResult, CheckStatus, HttpAnswer, Mode};
use crate::failure::{self, Code, Failure, Result};
use crate::folder::card::Card;
use crate::image;
use crate::ops::check;
use crate::ops::deploy;
use crate::ops::deploy::options::{CommitLimits, DeployOptions, OnFailure, Origin, Prune, SpaceOptions};
use crate::ops::space;
use crate::ops::space::{NamedSecret, SettingsOptions, SettingsStrategy, Variable};
use crate::report::{Ledger, ProxySpace};

pub use options::{AllowOrigins, ProxyOptions};

/// What a proxy Space is built from: nothing of it is fetched at run time.
#[derive(Embed)]
#[folder = "proxy-template"]
#[include = "src/**/*.rs"]
#[include = "Cargo.toml"]
#[include = "Cargo.lock"]
#[include = "Dockerfile"]
#[include = "README.md"]
#[include = ".dockerignore"]
#[exclude = "*_tests.rs"]
struct Template;

/// The published image of the proxy, by digest: a release is built with it. Without one the Space compiles
/// the source that it holds.
const IMAGE: Option<&str> = match option_env!("HF_DEPLOY_PROXY_IMAGE") {
    // Empty is a build argument that nobody gave.
    Some(image) if !image.is_empty() => Some(image),
    _ => None,
};

/// The tag in the card of each proxy Space that this action made.
const MARKER: &str = "hf-deploy-proxy";
/// Says what the secrets of the Space were made of, so that other ones make a difference.
const RECORD: &str = "deploy.json";
/// How long the app has to answer through the proxy. Both were seen running a moment ago.
const THROUGH: Duration = Duration::from_secs(60);
/// Answers of the proxy to a page that its own settings close.
const CLOSED: [Refusal; 2] = [PATH_REFUSED, METHOD_REFUSED];
/// Answers with 200 once the proxy takes requests.
const READY: &str = "/_proxy/readyz";

/// A proxy Space that this action may make or change.
#[derive(Debug)]
pub struct Proxy<'a> {
    wanted: &'a ProxyOptions,
    /// The Space behind it.
    behind: &'a DeployOptions,
    repo: Repo,
    token: Secret,
}

impl<'a> Proxy<'a> {
    /// Looks whether the name is free, or that of a proxy of ours, before anything is touched: `None` when no
    /// proxy is asked for.
    ///
    /// # Errors
    ///
    /// `proxy_name_taken`: a Space of that name is there, and its card does not have the marker.
    pub async fn inspect(
        wanted: &'a ProxyOptions,
        behind: &'a DeployOptions,
        hub: &Hub,
        log: &Log,
    ) -> Result<Option<Self>> {
        let Some(token) = wanted.token.clone().or_else(|| wanted.deploy_token.clone()) else {
            if hub.uses_trusted_publishing() {
                return Err(Failure::new(Code::InvalidInput, "`proxy_hf_token` must be set where there is no `hf_token`: what this job signs in with ends after an hour")
                    .hint(format!("make a token with read access at {}", token_form(Access::Read, None))));
            }
            log.info("the proxy Space is left out of this dry run: there is no token");
            return Ok(None);
        };
        let repo = deploy::resolve_repo(&wanted.repo, RepoType::Space, hub).await?;
        let hub = &hub.for_repo(&repo);
        if let Lookup::Found(info) = hub.look_up(&repo, &Revision::default()).await? {
            let card = match &info.sha {
                Some(sha) => hub.read_small_file(&repo, sha, "README.md").await?,
                None => None,
            };
            if !card.is_some_and(|card| has_marker(&card)) {
                return Err(Failure::new(
                    Code::ProxyNameTaken,
                    format!("the {repo} is there already, and this action did not make it"),
                )
                .hint(
                    "set `proxy_space_suffix` to another ending, or delete that Space; nothing was changed",
                ));
            }
        } else {
            deploy::check_plan_of_proxy(hub, &repo, &wanted.hardware, behind.dry_run, log).await?;
        }
        if wanted.token.is_none() {
            log.warning(&format!("the proxy Space gets `hf_token`, which may do more than open the Space: make a token with read access at {}, best to this one Space only, and pass it as `proxy_hf_token`", token_form(Access::Read, None)));
        }
        Ok(Some(Self { wanted, behind, repo, token }))
    }

    /// Makes or updates the proxy Space, waits for it, and asks for the private app through it.
    pub async fn provision(&self, hub: &Hub, log: &Log, ledger: &Ledger) -> Result<()> {
        let phase = ledger.phase("proxy");
        log.info(&format!("the proxy: the {}", self.repo));
        let result = self.make(hub, log, ledger).await;
        drop(phase);
        result.map_err(|failure| self.explain(failure, ledger))
    }

    async fn make(&self, hub: &Hub, log: &Log, ledger: &Ledger) -> Result<()> {
        let target = self.target_url(ledger)?;
        let folder = image::temporary_folder().map_err(write_failed)?;
        self.write_source(folder.path(), &target)?;
        let options = self.space(folder.path(), &target);
        let own = Ledger::default();
        let deployed = deploy::deploy(&options, hub, log, &own).await;
        let url = own.read(|outcome| outcome.space_url.clone());
        let tails = own.read(|outcome| outcome.log_tails.clone());
        ledger.update(|outcome| {
            if deployed.is_err() {
                outcome.log_tails = tails;
            }
            if url.is_some() && !self.behind.dry_run {
                outcome.proxy = Some(ProxySpace { repo: self.repo.clone(), url });
            }
        });
        deployed?;
        if self.behind.dry_run || options.space.wait.is_none() || !self.answers(ledger) {
            return Ok(());
        }
        self.ask_through(hub, log).await
    }

    /// Whether the private app can be asked for anything: it may lack its hardware, or be none of the check's business.
    fn answers(&self, ledger: &Ledger) -> bool {
        let lacks_hardware =
            |status| matches!(status, CheckStatus::ManualHardwareRequired | CheckStatus::TechnicalBlocker);
        let status = ledger.read(|outcome| outcome.check.as_ref().map(|result| result.status));
        self.behind.space.check.mode != Mode::Off && !status.is_some_and(lacks_hardware)
    }

    /// The address of the private app. A dry run may not know it.
    fn target_url(&self, ledger: &Ledger) -> Result<String> {
        if let Some(url) = &self.wanted.target_url {
            return Ok(origin(url));
        }
        match ledger.read(|outcome| outcome.space_url.clone()) {
            Some(url) => Ok(url),
            None if self.behind.dry_run => Ok("https://unknown.hf.space".to_owned()),
            None => Err(Failure::new(Code::HubRefused, "the Hub does not say where the app of the Space is")
                .hint("run the job again, or name the address in `proxy_target_url`")),
        }
    }

    /// Everything that a deploy needs to know of the proxy Space.
    fn space(&self, source: &Path, target: &str) -> DeployOptions {
        let wait = self.behind.space.wait;
        let ready = Check {
            mode: if wait.is_some() { Mode::Health } else { Mode::Off },
            health_path: Some(READY.to_owned()),
            ..Check::new(source)
        };
        DeployOptions {
            repo: self.wanted.repo.clone(),
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
            origin: Origin::Generated,
            commit_message: None,
            commit_description: None,
            commit_limits: CommitLimits::default(),
            space: SpaceOptions {
                settings: SettingsOptions {
                    variables: self.variables(),
                    variables_given: true,
                    secrets: self.secrets(target),
                    secrets_given: true,
                    // What a workflow no longer says must not stay in force.
                    strategy: SettingsStrategy::Overwrite,
                    force_secrets: false,
                    volumes: None,
                },
                hardware: self.wanted.hardware.clone(),
                wait,
                check: ready,
                on_failure: OnFailure::Keep,
            },
            has_proxy: false,
            ..self.behind.clone()
        }
    }

    fn variables(&self) -> Vec<Variable> {
        let origins = self.wanted.allow_origins.text();
        let mut variables = vec![Variable { key: "ALLOW_ORIGINS".to_owned(), value: origins }];
        if self.wanted.allow_any_target {
            variables.push(Variable { key: "ALLOW_ANY_TARGET".to_owned(), value: "true".to_owned() });
        }
        variables.extend(self.wanted.settings.iter().cloned());
        variables
    }

    /// The target's address is among them: variables of a public Space are public, and the address names the
    /// private Space.
    fn secrets(&self, target: &str) -> Vec<NamedSecret> {
        let secret = |key: &str, value: Secret| NamedSecret { key: key.to_owned(), value };
        let mut secrets =
            vec![secret("TARGET_URL", Secret::new(target)), secret("TARGET_TOKEN", self.token.clone())];
        secrets.extend(self.wanted.secrets.iter().cloned());
        secrets
    }

    fn write_source(&self, folder: &Path, target: &str) -> Result<()> {
        for (name, content) in files(IMAGE) {
            write(&folder.join(name), &content)?;
        }
        let record = serde_json::json!({
            "made_by": concat!("hf-deploy ", env!("CARGO_PKG_VERSION")),
            "secrets": fingerprint(&self.repo, &self.secrets(target)),
        });
        write(&folder.join(RECORD), format!("{record:#}\n").as_bytes())
    }

    /// Asks for the private app as a visitor does, without a token.
    async fn ask_through(&self, hub: &Hub, log: &Log) -> Result<()> {
        let Some(App { url, .. }) = space::find_app(hub, &self.repo).await? else {
            return Err(Failure::new(Code::HubRefused, "the Hub does not say where the proxy is"));
        };
        let asked = &self.behind.space.check;
        let mut check = Check {
            mode: Mode::Health,
            health_path: asked.health_path.clone(),
            health_status: asked.health_status,
            health_contains: asked.health_contains.clone(),
            timeout: self.behind.space.wait.map_or(THROUGH, |wait| wait.min(THROUGH)),
            ..Check::new(&asked.workspace)
        };
        let has_key = self.wanted.secrets.iter().any(|secret| secret.key == "PROXY_API_KEY");
        let paths = self.wanted.settings.iter().find(|setting| setting.key == "ALLOW_PATHS");
        if has_key {
            // Nobody comes in without the key, which the check has not got.
            check = Check {
                health_path: Some("/".to_owned()),
                health_status: 401,
                health_contains: None,
                ..check
            };
        } else if paths.is_some_and(|setting| setting.value.contains("gradio-api"))
            && check.health_path.is_none()
        {
            check.health_path = Some("/config".to_owned());
        }
        log.info(&format!("asking for the app through the proxy at {url}"));
        let app = App { url, token: None, kind: AppKind::Static };
        let result = check::check_app(&app, &check, log).await;
        let mut hints = failure::app_check::hints(&result);
        if result.status != CheckStatus::Failed {
            log.info("the app answers through the proxy");
        } else if CLOSED.iter().any(|refusal| is_refused(&result, refusal)) {
            log.info("the proxy answers, and its settings close the page that was asked for");
            return Ok(());
        } else if is_refused(&result, &UPSTREAM_AUTH) {
            hints.push(
                "the Space does not open to the proxy's token: give `proxy_hf_token` read access to it"
                    .to_owned(),
            );
        }
        check::conclude(&result, hints, log)
    }

    /// What is special about a proxy that could not be made.
    fn explain(&self, failure: Failure, ledger: &Ledger) -> Failure {
        let deployed = ledger.read(|outcome| outcome.commit.is_some() || outcome.head.is_some());
        let mut failure = failure;
        failure.message = format!("the proxy Space: {}", failure.message);
        if failure.code == Code::PaymentRequired {
            failure = failure
                .hint("on a paid plan, `visibility: protected` on the Space itself shows its app to everybody and keeps its files private, without a proxy");
        }
        if deployed {
            failure = failure.hint("the Space itself is deployed; its proxy is not as it should be");
        }
        failure
    }
}

/// What is deployed: the whole source, or the card and a Dockerfile that starts the image.
fn files(image: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let names = Template::iter().filter(|name| image.is_none() || name == "README.md");
    let mut files: Vec<(String, Vec<u8>)> =
        names.filter_map(|name| Some((name.to_string(), Template::get(&name)?.data.into_owned()))).collect();
    files.extend(image.map(|image| ("Dockerfile".to_owned(), format!("FROM {image}\n").into_bytes())));
    files
}

/// Returns true if the check ended with this answer of the proxy.
fn is_refused(result: &CheckResult, refusal: &Refusal) -> bool {
    let answer = result.failure.as_ref().and_then(CheckFailure::answer);
    answer.is_some_and(|HttpAnswer { status, code }| {
        *status == refusal.status && code.as_deref() == Some(refusal.code)
    })
}

fn origin(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether the card of a Space says that this action made it, as a proxy.
fn has_marker(readme: &[u8]) -> bool {
    matches!(Card::read(readme), Ok(Some(card)) if card.has_tag(MARKER))
}

/// 64 bits that differ when a secret does. The tokens among them are random and long: nobody finds them by
/// trying.
fn fingerprint(repo: &Repo, secrets: &[NamedSecret]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(repo.id.to_string());
    for secret in secrets {
        for part in [secret.key.as_str(), secret.value.expose()] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(write_failed)?;
    }
    std::fs::write(path, content).map_err(write_failed)
}

fn write_failed(error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, "cannot write the files of the proxy Space to the temporary folder")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub::RepoName;

    #[test]
    fn the_marker_stands_in_the_card_and_nowhere_else() {
        assert!(has_marker(b"---\ntitle: x\ntags:\n  - hf-deploy-proxy\n---\ntext"));
        assert!(has_marker(b"---\r\ntags: [a, hf-deploy-proxy]\r\n---\r\n"));
        assert!(!has_marker(b"---\ntitle: hf-deploy-proxy\n---\n"));
        assert!(!has_marker(b"---\ntitle: x\n---\ntags:\n- hf-deploy-proxy\n"));
        assert!(!has_marker(b"# hf-deploy-proxy"));
    }

    #[test]
    fn the_template_is_complete_and_recognised() {
        let names: Vec<String> = Template::iter().map(|name| name.into_owned()).collect();
        for name in ["Cargo.toml", "Cargo.lock", "Dockerfile", "README.md", "src/main.rs", "src/lib.rs"] {
            assert!(names.iter().any(|other| other == name), "{name} is missing: {names:?}");
        }
        assert!(names.iter().all(|name| !name.starts_with("target") && !name.contains("tests")), "{names:?}");
        let readme = Template::get("README.md").unwrap();
        assert!(has_marker(&readme.data));
    }

    #[test]
    fn a_release_starts_its_image_and_main_compiles() {
        let image = "ghcr.io/acme/hf-deploy-proxy:1.2.3@sha256:0";
        let released = files(Some(image));
        let names: Vec<&str> = released.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["README.md", "Dockerfile"]);
        assert!(has_marker(&released[0].1));
        assert_eq!(released[1].1, format!("FROM {image}\n").into_bytes());
        let compiled = files(None);
        assert_eq!(compiled.iter().filter(|(name, _)| name == "Dockerfile").count(), 1);
        assert!(compiled.iter().any(|(name, content)| name == "src/main.rs" && !content.is_empty()));
    }

    #[test]
    fn another_secret_has_another_fingerprint() {
        let repo =
            Repo { repo_type: RepoType::Space, id: "ada/app".parse::<RepoName>().unwrap().full().unwrap() };
        let secret = |key: &str, value: &str| NamedSecret { key: key.to_owned(), value: Secret::new(value) };
        let of = |secrets: &[NamedSecret]| fingerprint(&repo, secrets);
        let first = of(&[secret("A", "1"), secret("B", "2")]);
        assert_eq!(first.len(), 16);
        assert_eq!(first, of(&[secret("A", "1"), secret("B", "2")]));
        assert_ne!(first, of(&[secret("A", "1"), secret("B", "3")]));
        assert_ne!(first, of(&[secret("A", "1B2")]));
    }
}
