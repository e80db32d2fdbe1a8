//! The upload of a dataset: its files are checked, and deployed with a card in one commit.

mod assign;
mod check;
mod describe;
mod locate;
pub mod options;
pub mod report;
pub mod sessions;

use hub::{DatasetViewer, Repo, RepoType};
use tempfile::TempDir;

use crate::action::journal::Phase;
use crate::action::{Log, Progress, Recorder};
use crate::failure::{Code, Failure, Result, dataset as advice};
use crate::folder::Source;
use crate::ops::Session;
use crate::ops::deploy::options::DatasetFiles;
use crate::ops::deploy::{self, DeployOptions, Deployed};
use crate::text::{count, human_bytes};

use super::viewer;
use assign::assign;
use check::{Checked, MAX_FAULTS, check};
use describe::{describe, describe_sessions};

pub use options::{CardMode, DatasetOptions};
pub use report::{DatasetReport, SessionFacts, SplitFacts};
pub use sessions::Redacts;
use sessions::{Sessions, copy_sessions};

/// Files of the dataset, ready to be deployed.
struct Ready {
    source: Source,
    /// The card, and the facts about the files.
    about: Option<DatasetFiles>,
    /// Copies that the source has, on the disk until this is dropped.
    copies: Option<TempDir>,
}

/// Uploads the files of a dataset, and asks the viewer about them.
///
/// # Errors
///
/// `invalid_dataset`: a file is not right, and nothing was sent. Any code of a deploy.
pub async fn upload(
    options: &DatasetOptions,
    viewer: Option<&DatasetViewer>,
    session: &Session<'_>,
    recorder: &Recorder<DatasetReport>,
) -> Result<()> {
    let named = options.deploy.repo.full().map(|id| Repo { repo_type: RepoType::Dataset, id });
    recorder.record(|report| report.deploy.repo = named);
    let located = locate::locate(options, session.log)?;
    let deployed = deploy::with_source(&located, session, async |source| {
        let place = |path: &str| in_checkout(&located, path);
        let ready = match &options.sessions {
            None => ready_rows(options, source, &place, (session, recorder)).await?,
            Some(redacts) => ready_sessions(options, redacts, source, &place, (session, recorder)).await?,
        };
        let Ready { source, about, copies } = ready;
        let deploy = DeployOptions { dataset: about, ..located.clone() };
        let part = recorder.part(|report| &mut report.deploy);
        let deployed = deploy::deploy_source(&deploy, source, session, &part).await;
        drop(copies);
        deployed
    })
    .await?;
    ask_viewer(&located, &deployed, viewer, (session, recorder)).await;
    Ok(())
}

/// Checks the rows, and describes them. `place` returns the path of a file relative to the checkout.
async fn ready_rows(
    options: &DatasetOptions,
    source: Source,
    place: &impl Fn(&str) -> String,
    (session, recorder): (&Session<'_>, &Recorder<DatasetReport>),
) -> Result<Ready> {
    let (source, checked) = check_rows(options, source, session).await?;
    record(&checked, recorder);
    if !checked.faults.is_empty() {
        return Err(advice::faulty(&checked.faults, MAX_FAULTS, place));
    }
    log_rows(&checked, session.log);
    Ok(Ready { source, about: describe(options, &checked), copies: None })
}

/// Copies the sessions without their secrets, and describes them. `place` is as for rows.
async fn ready_sessions(
    options: &DatasetOptions,
    redacts: &Redacts,
    source: Source,
    place: &impl Fn(&str) -> String,
    (session, recorder): (&Session<'_>, &Recorder<DatasetReport>),
) -> Result<Ready> {
    let Sessions { source, facts, faults, copies } = copy_sessions(source, redacts, session).await?;
    recorder.record(|report| {
        report.files = Some(facts.files);
        report.sessions = faults.is_empty().then(|| facts.clone());
    });
    if !faults.is_empty() {
        return Err(advice::faulty(&faults, MAX_FAULTS, place));
    }
    session.log.info(&facts.to_string());
    Ok(Ready { source, about: describe_sessions(options, &facts), copies })
}

/// Checks all rows of the data files.
async fn check_rows(
    options: &DatasetOptions,
    source: Source,
    session: &Session<'_>,
) -> Result<(Source, Checked)> {
    let files = assign(&source, options.splits.as_ref(), session.log)?;
    let bytes = files.iter().filter_map(|file| source.get(&file.path)).map(|file| file.size).sum();
    session.log.info(&format!("checking {} ({})", count(files.len(), "data file"), human_bytes(bytes)));
    let _phase = session.journal.enter(Phase::Check, "check");
    let max_row = options.max_row;
    let progress = Progress::start_reading(session.log, "checking", bytes);
    let counter = progress.counter();
    // A thread of its own, because a signal has to end the run also while a large file is read.
    tokio::task::spawn_blocking(move || {
        let checked = check(&source, &files, max_row, &counter)?;
        Ok((source, checked))
    })
    .await
    .map_err(|error| Failure::new(Code::Internal, "the check of the rows ended early").caused_by(error))?
}

fn record(checked: &Checked, recorder: &Recorder<DatasetReport>) {
    recorder.record(|report| {
        report.files = Some(checked.splits.iter().map(|split| split.files.len()).sum());
        report.splits = checked.faults.is_empty().then(|| checked.splits.clone());
    });
}

fn log_rows(checked: &Checked, log: &Log) {
    let rows: u64 = checked.splits.iter().map(SplitFacts::rows).sum();
    let splits: Vec<String> =
        checked.splits.iter().map(|split| format!("`{}` {}", split.name, split.rows())).collect();
    let noun = if rows == 1 { "row" } else { "rows" };
    log.info(&format!("checked {rows} {noun}: {}", splits.join(", ")));
}

/// Returns a path of the folder relative to the checkout, because GitHub shows annotations there.
fn in_checkout(deploy: &DeployOptions, path: &str) -> String {
    let workspace = deploy.workspace.as_deref();
    let folder = workspace.and_then(|workspace| deploy.source_dir.strip_prefix(workspace).ok());
    folder.map_or_else(|| path.to_owned(), |folder| folder.join(path).to_string_lossy().into_owned())
}

/// Asks the viewer about a commit on `main`, which is all that it shows.
async fn ask_viewer(
    options: &DeployOptions,
    deployed: &Deployed,
    viewer: Option<&DatasetViewer>,
    (session, recorder): (&Session<'_>, &Recorder<DatasetReport>),
) {
    let is_shown = !options.dry_run && !options.create_pr && options.revision.is_main();
    let (Some(viewer), Some(commit), Some(repo)) = (viewer, &deployed.commit, &deployed.repo) else { return };
    if !is_shown {
        return;
    }
    let answer = viewer::ask(viewer, &repo.id, commit).await;
    session.log.info(&answer.to_string());
    recorder.record(|report| report.viewer = Some(answer));
}
