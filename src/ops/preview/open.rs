//! The preview of an open pull request: created or updated, and deleted if the pull request was closed meanwhile.

use hub::{Hub, Lookup, Repo, RepoType, Revision};
use tokio::time::Instant;

use super::body::PreviewFacts;
use super::close::{self, End};
use super::options::PreviewOptions;
use super::prices::{log_prices, read_hardware};
use super::side::PullRequestSide;
use crate::action::Recorder;
use crate::failure::{Code, Result};
use crate::ops::Session;
use crate::ops::deploy::options::LeaveOpen;
use crate::ops::deploy::{self, DeployReport};
use crate::ops::proxy_space::{LiveWhole, Whole, deploy_whole};
use crate::ops::space::{DevModeAccess, dev_mode_access};

/// Brings the preview up to date.
pub(super) async fn deploy(
    options: &PreviewOptions,
    whole: Whole<'_>,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<()> {
    let Session { hub, log, journal } = session;
    let started = Instant::now();
    let repo = deploy::resolve_repo(&whole.deploy.repo, RepoType::Space, hub).await?;
    recorder.record(|report| report.repo = Some(repo.clone()));
    log.info(&format!("preview of pull request #{}: the {repo}", options.marker.number));
    let side =
        PullRequestSide::open(options, repo.clone(), format!("{}/{}", hub.endpoint(), repo.page()), log);
    let cancelling = side.on_cancel(journal);
    let begin = async {
        tokio::join!(side.begin(recorder), log_prices(whole, session));
    };
    let ((), result) = tokio::join!(begin, deploy_whole(whole, session, recorder));

    let mut facts = match &result {
        Ok(live) => {
            let hardware = read_hardware(options, &repo, whole, session).await;
            PreviewFacts { hardware, ..facts_of(live, whole) }
        }
        // The Space of that name is another one.
        Err(failure) if failure.code == Code::PreviewNameTaken => PreviewFacts::default(),
        Err(_) => {
            let shown = if whole.proxy.is_some() { options.proxy_of(&repo) } else { Some(repo.clone()) };
            let address = match shown {
                Some(shown) => address_of(hub, &shown).await,
                None => None,
            };
            let hardware = read_hardware(options, &repo, whole, session).await;
            let dev_mode = match whole.deploy.space.leave_open {
                LeaveOpen::Never => None,
                _ => dev_mode_of(hub, &repo).await,
            };
            PreviewFacts { address, hardware, dev_mode, ..PreviewFacts::default() }
        }
    };
    facts.took = started.elapsed();
    match &result {
        Ok(_) => side.succeed(&facts, recorder).await,
        Err(failure) => side.fail(&facts, failure, recorder).await,
    }
    // The last look, because a run for the closed pull request that starts later finds the Space.
    let is_closed = side.is_closed().await;
    cancelling.settle();
    if !is_closed {
        return result.map(drop);
    }
    log.info(&format!("pull request #{} was closed meanwhile", options.marker.number));
    if let Err(failure) = &result {
        log.info(&format!("the deploy had failed: {failure}"));
    }
    if close::delete(options, &repo, session, recorder).await? != End::Foreign {
        side.delete(journal, recorder).await;
    }
    Ok(())
}

fn facts_of(live: &LiveWhole, whole: Whole<'_>) -> PreviewFacts {
    PreviewFacts {
        address: live.address.clone(),
        check: live.deployed.check.clone(),
        is_awaited: whole.deploy.space.wait.is_some(),
        ..PreviewFacts::default()
    }
}

/// Returns the ways into a Space that is in dev mode.
async fn dev_mode_of(hub: &Hub, repo: &Repo) -> Option<DevModeAccess> {
    hub.runtime(repo).await.ok().filter(|runtime| runtime.dev_mode)?;
    match hub.look_up(repo, &Revision::default()).await {
        Ok(Lookup::Found(info)) => Some(dev_mode_access(hub.endpoint(), repo, &info)),
        _ => None,
    }
}

async fn address_of(hub: &Hub, repo: &Repo) -> Option<String> {
    match hub.look_up(repo, &Revision::default()).await {
        Ok(Lookup::Found(info)) => info.host,
        _ => None,
    }
}
