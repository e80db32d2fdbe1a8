//! The parts of a command that `cli` and the documents need.

use std::pin::Pin;
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches};
use hub::{Credentials, Hub, HubOptions};
use url::Url;

use super::groups::app_check::{APP_CHECK, FAIL_ON};
use super::groups::sign_in::HubAccess;
use super::inputs::declaration::{Group, Input, find};
use super::inputs::options;
use super::inputs::values::Values;
use super::outputs::Output;
use crate::action::driver::LogOnly;
use crate::action::{Handles, Log, OutputFiles, drive};
use crate::failure::Result;
use crate::setting;

/// Option with which the inputs come from the variables of GitHub's runner. It is explicit, because a person who runs a
/// command in a step of a workflow has those variables as well.
pub(crate) const FROM_INPUTS: &str = "from-inputs";

/// Option with which a command prints its report as JSON on stdout, and its log on stderr.
const JSON: &str = "json";

/// Name of the input for a file of checks.
const CHECKS: &str = "checks";

/// A command of the program.
#[derive(Debug)]
pub struct Command {
    /// Name, with the name of its group in front if it has one: `deploy`, or `bundle show`.
    pub name: &'static str,
    /// First line of `--help`.
    pub about: &'static str,
    /// Further lines of `--help`; may be empty.
    pub details: &'static str,
    /// Groups of its inputs, in the order of the documents.
    pub groups: &'static [Group],
    /// Its outputs, in the order of the documents.
    pub outputs: &'static [Output],
    /// The action on GitHub that runs the command, if there is one.
    pub action: Option<ActionFiles>,
    /// Runs the command until it is done or cancelled. Returns the exit code of the process.
    pub(crate) run: fn(Invocation) -> Pin<Box<dyn Future<Output = u8>>>,
}

/// Files of an action with parts that are generated from the declaration.
#[derive(Debug)]
pub struct ActionFiles {
    /// Path of its action.yml.
    pub manifest: &'static str,
    /// Path of the document with the tables of its inputs and outputs.
    pub readme: &'static str,
    /// Number of groups whose tables are visible at once. The others are folded.
    pub open_groups: usize,
    /// Number of outputs that README shows; the others are folded.
    pub open_outputs: usize,
}

/// Call of a command.
pub(crate) struct Invocation {
    /// Options of the command line. With `--from-inputs`, there are no others.
    pub(crate) options: ArgMatches,
    pub(crate) vars: Vec<(String, String)>,
    pub(crate) log: Log,
    /// Ends when the process is asked to stop.
    pub(crate) cancelled: Pin<Box<dyn Future<Output = ()>>>,
}

impl Command {
    /// Returns the command that this one is a part of, for a name of two words.
    pub(crate) fn parent(&self) -> Option<&'static str> {
        self.name.split_once(' ').map(|(parent, _)| parent)
    }

    /// Returns the same command for a terminal, under a name beside other parts of its group.
    pub(super) const fn as_part(&self, name: &'static str) -> Self {
        let Self { about, details, groups, outputs, run, .. } = *self;
        Self { name, about, details, groups, outputs, action: None, run }
    }

    /// Returns the command for clap.
    pub(crate) fn define(&self) -> clap::Command {
        let word = self.name.split_once(' ').map_or(self.name, |(_, word)| word);
        let command = clap::Command::new(word).about(self.about);
        let command = match self.details {
            "" => command,
            details => command.long_about(format!("{}\n\n{details}", self.about)),
        };
        let from_inputs = Arg::new(FROM_INPUTS)
            .long(FROM_INPUTS)
            .action(ArgAction::SetTrue)
            .exclusive(true)
            .help("Read the INPUT_* variables of GitHub's runner in place of options, as an action does");
        let command = command.arg(from_inputs);
        let prints_json = !self.outputs.is_empty() || self.parent().is_some();
        let command = if prints_json { command.arg(json()) } else { command };
        options::add(command, self.groups)
    }
}

/// Returns the inputs that messages name. With a file of checks, messages about a check name the keys of that file.
fn named_in_messages(values: &Values, command: &Command) -> Vec<&'static Input> {
    let checks = find(command.groups, CHECKS);
    let has_file = checks.is_some_and(|checks| values.given(checks).is_some());
    let is_key = |input: &Input| {
        let name = input.name;
        name != FAIL_ON.name && APP_CHECK.inputs.iter().any(|input| input.name == name)
    };
    let inputs = command.groups.iter().flat_map(|group| group.inputs);
    inputs.filter(|input| !(has_file && is_key(input))).collect()
}

fn json() -> Arg {
    Arg::new(JSON)
        .long(JSON)
        .action(ArgAction::SetTrue)
        .help("Print the report as JSON on stdout, and the log on stderr")
}

/// Returns true if a command prints its report as JSON.
pub(crate) fn prints_json(options: &ArgMatches) -> bool {
    options.try_get_one::<bool>(JSON).ok().flatten().is_some_and(|flag| *flag)
}

impl Invocation {
    /// Returns the values of the command's inputs: from the runner with `--from-inputs`, else from the options. From here
    /// on, all messages name the inputs of this command.
    pub(crate) fn values(&self, command: &Command) -> Result<Values> {
        let vars = self.vars.iter().cloned();
        let values = if self.has_runner_inputs() {
            Values::from_runner(vars, command.groups)?
        } else {
            Values::from_options(&self.options, vars, command.groups)
        };
        setting::use_names(values.place().setting_names(&named_in_messages(&values, command)));
        Ok(values)
    }

    /// Returns the places where the command writes its outputs.
    pub(crate) fn output_files(&self) -> OutputFiles {
        let files = OutputFiles::from_vars(&self.vars);
        if prints_json(&self.options) { files.with_json(Box::new(std::io::stdout())) } else { files }
    }

    /// Returns true if the inputs come from the variables of the runner.
    pub(crate) fn has_runner_inputs(&self) -> bool {
        self.options.get_flag(FROM_INPUTS)
    }

    /// Runs work that reports nothing but its log. Returns the exit code.
    pub(crate) async fn drive(self, work: impl AsyncFnOnce(&Log) -> Result<()>) -> u8 {
        let files = self.output_files();
        drive(
            self.log,
            files,
            self.cancelled,
            |handles: Handles<LogOnly>| async move { work(&handles.log).await },
        )
        .await
    }
}

/// Opens the Hub, and masks the token.
pub(super) fn open(access: HubAccess, log: &Log) -> Result<Hub> {
    log.mask(&access.token);
    connect(&access.endpoint, Credentials::Token(access.token), log)
}

/// Creates a Hub client that logs its retries and masks every token that it gets.
pub(super) fn connect(endpoint: &Url, credentials: Credentials, log: &Log) -> Result<Hub> {
    let (notes, masks) = (log.clone(), log.clone());
    let mut options = HubOptions::new(endpoint.clone());
    options.credentials = credentials;
    crate::USER_AGENT.clone_into(&mut options.user_agent);
    options.on_notice = Arc::new(move |line| notes.info(line));
    options.on_secret = Arc::new(move |token| masks.mask(token));
    Ok(Hub::new(options)?)
}
