//! The command line: what the action does, one piece at a time. Without a command the process is the action.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use hub::{Credentials, Hub, Repo, RepoName, RepoType};
use url::Url;

use crate::action::{Log, OutputFiles};
use crate::app_check::{App, AppKind, CheckResult};
use crate::commands::deploy::inputs::{CheckInputs, command_access, duration};
use crate::failure::{self, Code, Failure, Result};
use crate::ops::janitor::{self, Prefix, Rules};
use crate::ops::{check as app_check, space};
use crate::report;
use crate::run::connect;

/// The commands.
#[derive(Debug, Parser)]
#[command(name = "hf-deploy", version, about, arg_required_else_help = false)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a running app: does it answer, and does it do what it is for?
    ///
    /// A private Space opens to the token in the variable `HF_TOKEN`. Exits with 0 when the app passes or
    /// cannot be judged, and with 1 when it does not pass.
    Verify(Box<VerifyArgs>),
    /// Delete forgotten test repos: those with the prefix, the marker in the card, and the age
    ///
    /// The token in `HF_TOKEN` deletes. Exits with 1 when anything could not be deleted.
    Janitor(JanitorArgs),
    /// Delete the test repos that a run wrote down
    Teardown(TeardownArgs),
}

/// Which test repos are forgotten.
#[derive(Debug, Args)]
pub struct JanitorArgs {
    /// The user or organization
    #[arg(long)]
    namespace: String,
    /// The beginning of the names of test repos
    #[arg(long)]
    prefix: Prefix,
    /// How old a repo has to be, such as `24h`
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "24h")]
    older_than: std::time::Duration,
    /// Tell what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which repos a run made.
#[derive(Debug, Args)]
pub struct TeardownArgs {
    /// The file with one `type namespace/name` per line; a missing one is an empty one
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The beginning of the names of test repos: others are left alone
    #[arg(long)]
    prefix: Prefix,
}

/// What to check, in the words of the action's inputs.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("app").required(true)))]
pub struct VerifyArgs {
    /// The Space, such as `acme/my-space`
    #[arg(long, value_name = "NAMESPACE/NAME", group = "app")]
    space: Option<RepoName>,
    /// The address of the app, where it is no Space; it gets no token
    #[arg(long, group = "app")]
    url: Option<Url>,
    /// How far to go: `auto`, `health` or `inference`
    #[arg(long)]
    verify: Option<String>,
    /// The path that has to answer
    #[arg(long, value_name = "PATH")]
    health_path: Option<String>,
    /// The HTTP status that it has to answer with
    #[arg(long, value_name = "STATUS")]
    health_status: Option<String>,
    /// Text that its answer has to contain
    #[arg(long, value_name = "TEXT")]
    health_contains: Option<String>,
    /// The Gradio endpoint to call, such as `/predict`
    #[arg(long, value_name = "NAME")]
    api_name: Option<String>,
    /// The arguments of the call, as a JSON list; `@path` names a file
    #[arg(long, value_name = "JSON")]
    api_args: Option<String>,
    /// The arguments of the call by name, as a JSON object
    #[arg(long, value_name = "JSON")]
    api_kwargs: Option<String>,
    /// What the call has to return: `image`, `video`, `audio`, `text` or `any`
    #[arg(long, value_name = "KIND")]
    expect: Option<String>,
    /// Text that the result has to contain
    #[arg(long, value_name = "TEXT")]
    expect_contains: Option<String>,
    /// The regular expression that the result has to match
    #[arg(long, value_name = "REGEX")]
    expect_regex: Option<String>,
    /// How long the work of the call may take, such as `20s`
    #[arg(long, value_name = "DURATION")]
    max_latency: Option<String>,
    /// How long all of it may take, such as `10m`
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    timeout: String,
    /// The folder of files in arguments; results are kept in its `.hf-deploy/`
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    workspace: PathBuf,
}

/// Runs a command until it is done or `cancelled` says so. Returns the exit code of the process.
pub async fn command(
    command: Command,
    vars: Vec<(String, String)>,
    log: Log,
    cancelled: impl Future<Output = ()>,
) -> u8 {
    let work = async {
        match command {
            Command::Verify(args) => check(*args, vars, &log).await,
            Command::Janitor(args) => {
                let JanitorArgs { namespace, prefix, older_than, dry_run } = args;
                let hub = open(vars, &log)?;
                janitor::sweep(&hub, &namespace, &Rules { prefix, older_than, dry_run }, &log).await
            }
            Command::Teardown(args) => {
                janitor::tear_down(&open(vars, &log)?, &args.list, &args.prefix, &log).await
            }
        }
    };
    let result = tokio::select! {
        result = work => result,
        () = cancelled => Err(Failure::new(Code::Cancelled, "the command was cancelled")),
    };
    match result {
        Ok(()) => 0,
        Err(failure) => {
            log.failure(&failure);
            failure.exit_code()
        }
    }
}

/// The Hub, with the token of the environment.
fn open(vars: Vec<(String, String)>, log: &Log) -> Result<Hub> {
    let (token, endpoint) = command_access(vars)?;
    let Some(token) = token else {
        return Err(Failure::new(
            Code::TokenMissing,
            "the variable `HF_TOKEN` must hold a token with write access",
        ));
    };
    log.mask(&token);
    connect(&endpoint, Credentials::Token(token), log)
}

async fn check(args: VerifyArgs, vars: Vec<(String, String)>, log: &Log) -> Result<()> {
    let files = OutputFiles::from_vars(&vars);
    let inputs = CheckInputs::from_vars(args.in_place_of_inputs(vars), args.workspace.clone())?;
    if let Some(token) = &inputs.token {
        log.mask(token);
    }
    let app = match (args.url, args.space) {
        (Some(url), _) => App { url, token: None, kind: AppKind::Unknown },
        (None, Some(name)) => space_app(&name, &inputs, log).await?,
        (None, None) => return Err(Failure::new(Code::InvalidInput, "`--space` or `--url` must be given")),
    };
    log.info(&format!("checking the app at {}", app.url));
    let result = app_check::check_app(&app, &inputs.check, log).await;
    write_outputs(&result, &files, log);
    app_check::conclude(&result, failure::app_check::hints(&result), log)
}

async fn space_app(name: &RepoName, inputs: &CheckInputs, log: &Log) -> Result<App> {
    let Some(id) = name.full() else {
        return Err(Failure::new(Code::InvalidInput, "`--space` must be `namespace/name`"));
    };
    let credentials = inputs.token.clone().map_or(Credentials::Anonymous, Credentials::Token);
    let hub = connect(&inputs.endpoint, credentials, log)?;
    let space = Repo { repo_type: RepoType::Space, id };
    space::app(&hub, &space).await?.ok_or_else(|| {
        let failure = Failure::new(Code::RepoNotFound, format!("cannot find the app of the {space}"));
        match inputs.token {
            Some(_) => {
                failure.hint("the Space does not exist, or the token in `HF_TOKEN` has no access to it")
            }
            None => failure
                .hint("if the Space is private, set the variable `HF_TOKEN` to a token that may read it"),
        }
    })
}

/// Writes the outputs for a later step.
fn write_outputs(result: &CheckResult, files: &OutputFiles, log: &Log) {
    let outputs: Vec<(&str, String)> = report::check_outputs(Some(result)).to_vec();
    if let Err(error) = files.write_outputs(&outputs) {
        log.warning(&format!("cannot write the outputs: {error}"));
    }
}

impl VerifyArgs {
    /// The environment that the action would have had: its rules judge the options.
    fn in_place_of_inputs(&self, vars: Vec<(String, String)>) -> Vec<(String, String)> {
        let options = [
            ("VERIFY", &self.verify),
            ("HEALTH_PATH", &self.health_path),
            ("HEALTH_STATUS", &self.health_status),
            ("HEALTH_CONTAINS", &self.health_contains),
            ("API_NAME", &self.api_name),
            ("API_ARGS", &self.api_args),
            ("API_KWARGS", &self.api_kwargs),
            ("EXPECT", &self.expect),
            ("EXPECT_CONTAINS", &self.expect_contains),
            ("EXPECT_REGEX", &self.expect_regex),
            ("MAX_LATENCY", &self.max_latency),
            ("TIMEOUT", &Some(self.timeout.clone())),
        ]
        .map(|(name, value)| Some((format!("INPUT_{name}"), value.clone()?)));
        let not_inputs = vars.into_iter().filter(|(name, _)| !name.starts_with("INPUT_"));
        not_inputs.chain(options.into_iter().flatten()).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["hf-deploy"]).unwrap().command.is_none());
        let bare = Cli::try_parse_from(["hf-deploy", "verify"]).unwrap_err().to_string();
        assert!(bare.contains("--space") && bare.contains("--url"), "{bare}");
        assert!(Cli::try_parse_from(["hf-deploy", "verify", "--space", "a/b", "--url", "http://x"]).is_err());
    }
}
