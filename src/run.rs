//! One run of the action, from the environment to the exit code.

use std::sync::Arc;

use url::Url;

use crate::auth::Credentials;
use crate::failure::{Code, Failure, Kind, Result};
use crate::hub::{Hub, HubOptions, RetryPolicy};
use crate::inputs::Inputs;
use crate::proxy::Proxy;
use crate::report::{self, Ledger, Status};
use crate::runner::{Log, OutputFiles};

/// Runs the action with the given environment, until it is done or `cancelled` says so. Outputs, summary
/// and annotations are written however it ends.
///
/// Returns the exit code of the process.
pub async fn run(vars: Vec<(String, String)>, log: Log, cancelled: impl Future<Output = ()>) -> u8 {
    let ledger = Ledger::default();
    let files = OutputFiles::from_vars(&vars);
    let result = tokio::select! {
        result = act(vars, &log, &ledger) => result,
        () = cancelled => Err(Failure::new(Code::Cancelled, "the run was cancelled")
            .hint("what is on the Hub is whole: a commit lands in one piece or not at all")),
    };
    let result = match result {
        Ok(()) => Ok(()),
        Err(failure) => Err(take_back(failure, &log, &ledger).await),
    };
    finish(result, &log, &ledger, &files)
}

/// Closes what was begun and will not be finished, and says what is half done.
async fn take_back(mut failure: Failure, log: &Log, ledger: &Ledger) -> Failure {
    if let Some(unfinished) = ledger.update(|outcome| outcome.unfinished.take()) {
        crate::deploy::abandon(unfinished, log).await;
    }
    if let Some((done, of)) = ledger.read(|outcome| outcome.parts_on_branch) {
        failure.hints = vec![format!(
            "{done} of {of} parts are on the branch, which is neither the old tree nor the new one: run the job again, it sends the rest"
        )];
    }
    failure
}

async fn act(vars: Vec<(String, String)>, log: &Log, ledger: &Ledger) -> Result<()> {
    let inputs = read_inputs(vars, log)?;
    ledger.update(|outcome| inputs.endpoint.as_str().trim_end_matches('/').clone_into(&mut outcome.endpoint));
    if inputs.skip {
        log.notice("skipped: GitHub gives no secrets to this run (a fork, or Dependabot), and `missing_token` is `skip`");
        ledger.update(|outcome| outcome.status = Some(Status::Skipped));
        return Ok(());
    }
    ledger.update(|outcome| outcome.auth = inputs.credentials.as_str());
    let hub = connect(&inputs.endpoint, inputs.credentials.clone(), log)?;
    let proxy = Proxy::inspect(&inputs, &hub, log).await?;
    crate::deploy::deploy(&inputs, &hub, log, ledger).await?;
    match proxy {
        Some(proxy) => proxy.provision(&hub, log, ledger).await,
        None => Ok(()),
    }
}

fn read_inputs(vars: Vec<(String, String)>, log: &Log) -> Result<Inputs> {
    let (inputs, warnings) = Inputs::from_vars(vars)?;
    let proxy_token = inputs.proxy.as_ref().and_then(|proxy| proxy.token.as_ref());
    let proxy_secrets = inputs.proxy.iter().flat_map(|proxy| &proxy.secrets);
    let secrets = inputs.space.settings.secrets.iter().chain(proxy_secrets).map(|secret| &secret.value);
    let request_token = match &inputs.credentials {
        Credentials::Keyless(id_tokens) => Some(&id_tokens.request_token),
        _ => None,
    };
    for secret in
        inputs.credentials.token().into_iter().chain(request_token).chain(proxy_token).chain(secrets)
    {
        log.mask(secret);
    }
    for warning in &warnings {
        log.warning(warning);
    }
    Ok(inputs)
}

/// A client that tells its retries.
pub(crate) fn connect(endpoint: &Url, credentials: Credentials, log: &Log) -> Result<Hub> {
    let (notes, masks) = (log.clone(), log.clone());
    Hub::new(HubOptions {
        endpoint: endpoint.clone(),
        credentials,
        retry: RetryPolicy::default(),
        notify: Arc::new(move |line| notes.info(line)),
        hide: Arc::new(move |token| masks.mask(token)),
    })
}

/// Writes down how the run ended. What cannot be written is told, and fails nothing.
fn finish(result: Result<()>, log: &Log, ledger: &Ledger, files: &OutputFiles) -> u8 {
    let exit_code = match &result {
        Ok(()) => 0,
        Err(failure) => failure.code.kind().exit_code(),
    };
    if let Err(failure) = result {
        log.failure(&failure);
        ledger.update(|outcome| outcome.fail(failure));
    }
    let (mut outputs, summary) =
        ledger.read(|outcome| (report::outputs(outcome), report::summary(outcome, &log.warnings())));
    for (_, value) in &mut outputs {
        *value = log.redact(value);
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

fn closing_line(outcome: &report::Outcome) -> Option<String> {
    let status = outcome
        .status
        .filter(|status| !matches!(status, Status::Failed | Status::RolledBack | Status::Cancelled))?;
    let place = outcome.space_url.clone().or_else(|| outcome.repo_url())?;
    Some(format!("{}: {place}", status.as_str()))
}

/// The exit code of a run that panicked.
pub fn panic_exit_code() -> u8 {
    Kind::Bug.exit_code()
}
