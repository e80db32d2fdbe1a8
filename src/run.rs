//! One run of the action, from the environment to the exit code.

use std::sync::Arc;
use std::time::Duration;

use hub::{Credentials, Hub, HubOptions};
use url::Url;

use crate::action::{Log, OutputFiles};
use crate::commands::deploy::inputs::{GROUPS, Inputs};
use crate::commands::inputs::values::Values;
use crate::failure::{Code, Failure, Kind, Result};
use crate::ops::deploy;
use crate::ops::proxy_space::Proxy;
use crate::ordinary;
use crate::report::{self, Ledger, Outcome, Status};

/// What is left to be told after a panic has so long.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs the action with the given environment, until it is done or `cancelled` says so. Outputs, summary
/// and annotations are written however it ends.
///
/// Returns the exit code of the process.
pub async fn run(vars: Vec<(String, String)>, log: Log, cancelled: impl Future<Output = ()>) -> u8 {
    let values = Values::from_runner(vars.clone(), GROUPS);
    run_values(values, vars, log, cancelled).await
}

/// Runs the deploy with values from a workflow or a command line.
pub(crate) async fn run_values(
    values: Result<Values>,
    vars: Vec<(String, String)>,
    log: Log,
    cancelled: impl Future<Output = ()>,
) -> u8 {
    let ledger = Ledger::default();
    let files = OutputFiles::from_vars(&vars);
    tell_panics(&log, &ledger, &files);
    let result = tokio::select! {
        result = act(values, &log, &ledger) => result,
        () = cancelled => Err(Failure::new(Code::Cancelled, "the run was cancelled")
            .hint("the files on the Hub are whole: a commit lands in one piece or not at all")),
    };
    let result = match result {
        Ok(()) => Ok(()),
        Err(failure) => Err(take_back(failure, &log, &ledger).await),
    };
    finish(result, &log, &ledger, &files)
}

/// Lets a panic, wherever it happens, end the run as any other failure does, with outputs, summary and annotation.
fn tell_panics(log: &Log, ledger: &Ledger, files: &OutputFiles) {
    let (log, ledger, files) = (log.clone(), ledger.clone(), files.clone());
    std::panic::set_hook(Box::new(move |panic| {
        let failure = Failure::new(Code::Internal, format!("a fault of this action: {panic}"))
            .hint("please open an issue with this message and the log");
        let (log, ledger, files) = (log.clone(), ledger.clone(), files.clone());
        let (done, told) = std::sync::mpsc::channel();
        // On a thread of its own: the one that panics may hold a lock that is needed for it.
        std::thread::spawn(move || done.send(finish(Err(failure), &log, &ledger, &files)));
        let code = told.recv_timeout(LAST_WORDS).unwrap_or_else(|_| panic_exit_code());
        std::process::exit(code.into());
    }));
}

/// Closes what was begun and will not be finished, and says what is half done.
async fn take_back(mut failure: Failure, log: &Log, ledger: &Ledger) -> Failure {
    deploy::conclude(log, ledger).await;
    if failure.code == Code::Cancelled {
        failure.message = ledger.read(Outcome::cancelled);
    }
    if let Some((done, of)) = ledger.read(|outcome| outcome.parts_on_branch) {
        failure.hints = vec![format!(
            "{done} of {of} parts are on the branch, which is neither the old tree nor the new one: run the job again, it sends the rest"
        )];
    }
    if let Some(hint) = ledger.read(settings_ahead) {
        failure = failure.hint(hint);
    }
    failure
}

/// Settings that were written for files which did not come.
fn settings_ahead(outcome: &Outcome) -> Option<String> {
    if !outcome.settings_are_ahead() {
        return None;
    }
    let names: Vec<&str> = outcome.variables_before.iter().map(|(key, _)| key.as_str()).collect();
    let names = names.join("`, `");
    Some(format!(
        "the variables `{names}` are those of this deploy already: run the job again, or set them back by hand"
    ))
}

async fn act(values: Result<Values>, log: &Log, ledger: &Ledger) -> Result<()> {
    let inputs = read_inputs(&values?, log)?;
    ledger.update(|outcome| inputs.endpoint.as_str().trim_end_matches('/').clone_into(&mut outcome.endpoint));
    if inputs.skip {
        log.notice("skipped: GitHub gives no secrets to this run (a fork, or Dependabot), and `missing_token` is `skip`");
        ledger.update(|outcome| outcome.status = Some(Status::Skipped));
        return Ok(());
    }
    ledger.update(|outcome| outcome.auth = inputs.credentials.method());
    let hub = connect(&inputs.endpoint, inputs.credentials.clone(), log)?;
    let done = carry_out(&inputs, &hub, log, ledger).await;
    done.map_err(
        |failure| if hub.uses_trusted_publishing() { failure } else { deploy::explain_token(failure) },
    )
}

async fn carry_out(inputs: &Inputs, hub: &Hub, log: &Log, ledger: &Ledger) -> Result<()> {
    let proxy = match &inputs.proxy {
        Some(proxy) => Proxy::inspect(proxy, &inputs.deploy, hub, log).await?,
        None => None,
    };
    deploy::deploy(&inputs.deploy, hub, log, ledger).await?;
    match proxy {
        Some(proxy) => proxy.provision(hub, log, ledger).await,
        None => Ok(()),
    }
}

fn read_inputs(values: &Values, log: &Log) -> Result<Inputs> {
    let (inputs, warnings) = Inputs::from_values(values)?;
    let proxy_token = inputs.proxy.as_ref().and_then(|proxy| proxy.token.as_ref());
    let proxy_secrets = inputs.proxy.iter().flat_map(|proxy| &proxy.secrets);
    let secrets =
        inputs.deploy.space.settings.secrets.iter().chain(proxy_secrets).map(|secret| &secret.value);
    for secret in inputs.credentials.secret().into_iter().chain(proxy_token).chain(secrets) {
        log.mask(secret);
    }
    for warning in &warnings {
        log.warning(warning);
    }
    warn_of_ordinary_secrets(&inputs, log);
    Ok(inputs)
}

/// Names the secrets that cannot be kept out of the outputs, because they are part of ordinary text.
fn warn_of_ordinary_secrets(inputs: &Inputs, log: &Log) {
    let repo = inputs.deploy.repo.full().map_or_else(|| inputs.deploy.repo.name.clone(), |id| id.to_string());
    let proxy_secrets = inputs.proxy.iter().flat_map(|proxy| &proxy.secrets);
    let names: Vec<String> = inputs
        .deploy
        .space
        .settings
        .secrets
        .iter()
        .chain(proxy_secrets)
        .filter(|secret| ordinary::holds(secret.value.expose(), &[&repo]))
        .map(|secret| format!("`{}`", secret.key))
        .collect();
    if !names.is_empty() {
        log.warning(&format!(
            "so short or so common that it is part of ordinary text, such as names and addresses: the value of {} (the log masks it from four characters on, the outputs keep such text; what is no secret belongs into `variables`)",
            names.join(", ")
        ));
    }
}

/// A client that tells its retries.
pub(crate) fn connect(endpoint: &Url, credentials: Credentials, log: &Log) -> Result<Hub> {
    let (notes, masks) = (log.clone(), log.clone());
    let mut options = HubOptions::new(endpoint.clone());
    options.credentials = credentials;
    options.on_notice = Arc::new(move |line| notes.info(line));
    options.on_secret = Arc::new(move |token| masks.mask(token));
    Ok(Hub::new(options)?)
}

/// Writes down how the run ended. What cannot be written is told, and fails nothing.
fn finish(result: Result<()>, log: &Log, ledger: &Ledger, files: &OutputFiles) -> u8 {
    let exit_code = match &result {
        Ok(()) => 0,
        Err(failure) => failure.exit_code(),
    };
    if let Err(failure) = result {
        log.failure(&failure);
        ledger.update(|outcome| outcome.fail(failure));
    }
    let (mut outputs, summary) =
        ledger.read(|outcome| (report::outputs(outcome), report::summary(outcome, &log.warnings())));
    let ordinary = ledger.read(ordinary::of_outcome);
    for (_, value) in outputs.iter_mut().filter(|(name, _)| !report::is_own_word(name)) {
        *value = log.redact_output(value, &ordinary);
    }
    if let Err(error) = files.write_outputs(&outputs) {
        log.warning(&format!("cannot write the outputs: {error}"));
    }
    if let Err(error) = files.append_summary(&log.redact(&summary)) {
        log.warning(&format!("cannot write the job summary: {error}"));
    }
    if let Some(line) = ledger.read(closing_line) {
        log.info(&line);
    }
    exit_code
}

fn closing_line(outcome: &Outcome) -> Option<String> {
    let status = outcome
        .status
        .filter(|status| !matches!(status, Status::Failed | Status::RolledBack | Status::Cancelled))?;
    if let Some(url) = outcome.pull_request_url() {
        return Some(match status {
            Status::Deployed => format!("proposed: {url} (merge it to deploy)"),
            other => format!("{}: {url}", other.as_str()),
        });
    }
    if let Some(url) = outcome.branch_url() {
        return Some(format!("{}: {url}", status.as_str()));
    }
    let place = outcome.space_url.clone().or_else(|| outcome.repo_url())?;
    if status == Status::Deployed && outcome.not_waited_for {
        return Some(format!("committed; not waited for: {place}"));
    }
    Some(format!("{}: {place}", status.as_str()))
}

/// The exit code of a run that panicked.
pub fn panic_exit_code() -> u8 {
    Kind::Bug.exit_code()
}
