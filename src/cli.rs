//! The command line. A call without a command is the deploy of a workflow.

use std::ffi::OsString;

use clap::ArgMatches;

use crate::action::{HelpPage, Log, bundle};
use crate::commands::COMMANDS;
use crate::commands::command::{Command, FROM_INPUTS, Invocation, prints_json};

/// Arguments of a call without any, as the action makes it.
const WITHOUT_ARGUMENTS: [&str; 3] = ["hf-deploy", "deploy", "--from-inputs"];

/// Names in front of commands that are no commands themselves, with the first line of `--help`.
const GROUPS: [(&str, &str); 2] = [
    ("bundle", "Read run bundles from a bucket"),
    ("model", "Look at models before a Space is made for them"),
];

/// Command that the arguments ask for.
#[derive(Debug)]
pub struct Call {
    command: &'static Command,
    options: ArgMatches,
}

impl Call {
    /// Parses the arguments, with the name of the program in front.
    pub fn parse(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let matches = define().try_get_matches_from(arguments)?;
        let called = COMMANDS.iter().filter_map(|command| {
            let words: Vec<&str> = command.name.split(' ').collect();
            let options =
                words.iter().try_fold(&matches, |matches, word| matches.subcommand_matches(word))?;
            Some((words.len(), Self { command, options: options.clone() }))
        });
        // A command with a part is called by the name of the part.
        let called = called.max_by_key(|(words, _)| *words).map(|(_, call)| call);
        called.map_or_else(|| Self::parse(WITHOUT_ARGUMENTS), Ok)
    }

    /// Returns true if stdout is for the report as JSON, and the log goes to stderr.
    pub fn prints_json(&self) -> bool {
        prints_json(&self.options)
    }

    /// Runs the command until it is done, or `cancelled` ends. Returns the exit code of the process.
    pub async fn run(
        self,
        vars: Vec<(String, String)>,
        log: Log,
        cancelled: impl Future<Output = ()> + 'static,
    ) -> u8 {
        // A command without outputs has nothing to keep.
        if !self.command.outputs.is_empty() {
            bundle::open(self.command.parent().unwrap_or(self.command.name), &vars, &log);
        }
        let cancelled = Box::pin(cancelled);
        // On a terminal, the variables may be those of another action.
        if self.options.get_flag(FROM_INPUTS) {
            log.link_help(HelpPage::from_vars(&vars));
        }
        (self.command.run)(Invocation { options: self.options, vars, log, cancelled }).await
    }
}

fn define() -> clap::Command {
    let program = clap::Command::new("hf-deploy")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"));
    let whole = COMMANDS.iter().filter(|command| command.parent().is_none());
    let parts_of = |parent: &str| -> Vec<clap::Command> {
        let parts = COMMANDS.iter().filter(|part| part.parent() == Some(parent));
        parts.map(|part| part.define()).collect()
    };
    let program = whole.fold(program, |program, command| {
        let parts = parts_of(command.name);
        program.subcommand(
            command.define().args_conflicts_with_subcommands(!parts.is_empty()).subcommands(parts),
        )
    });
    GROUPS.iter().fold(program, |program, (name, about)| {
        let group = clap::Command::new(*name).about(*about).subcommand_required(true);
        program.subcommand(group.subcommands(parts_of(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_do_not_contradict_each_other() {
        define().debug_assert();
        let call = Call::parse(["hf-deploy", "verify", "--space", "a/b"]).unwrap();
        assert_eq!((call.command.name, call.options.get_flag(FROM_INPUTS)), ("verify", false));
        assert!(Call::parse(["hf-deploy", "verify", "--spaces", "a/b"]).is_err());
    }

    #[test]
    fn group_has_its_commands() {
        let call = Call::parse(["hf-deploy", "bundle", "show", "gh-42-1-1f0c9a", "--json"]).unwrap();
        assert!(call.command.name == "bundle show" && call.prints_json());
        assert!(Call::parse(["hf-deploy", "bundle"]).is_err());
        for parent in COMMANDS.iter().filter_map(|command| command.parent()) {
            let is_there = COMMANDS.iter().any(|command| command.name == parent)
                || GROUPS.iter().any(|(name, _)| *name == parent);
            assert!(is_there, "{parent}");
        }
    }

    #[test]
    fn call_without_a_command_is_the_deploy_of_the_inputs() {
        let call = Call::parse(["hf-deploy"]).unwrap();
        assert_eq!((call.command.name, call.options.get_flag(FROM_INPUTS)), ("deploy", true));
    }

    #[test]
    fn inputs_of_the_runner_take_no_options() {
        for command in COMMANDS {
            let words = command.name.split(' ');
            let arguments = std::iter::once("hf-deploy").chain(words).chain(["--from-inputs"]);
            let call = Call::parse(arguments).unwrap();
            assert_eq!(call.command.name, command.name);
        }
        let both = Call::parse(["hf-deploy", "verify", "--from-inputs", "--space", "a/b"]);
        assert_eq!(both.unwrap_err().kind(), clap::error::ErrorKind::ArgumentConflict);
    }
}
