//! The command line. Without a command, the process is the deploy of a workflow.

use std::ffi::OsString;

use clap::ArgMatches;

use crate::action::Log;
use crate::commands::COMMANDS;
use crate::commands::command::{Command, Invocation};

/// Command that the arguments ask for.
#[derive(Debug)]
pub struct Call(Option<(&'static Command, ArgMatches)>);

impl Call {
    /// Parses the arguments, with the name of the program in front.
    pub fn parse(
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let mut options = define().try_get_matches_from(arguments)?;
        let Some((name, options)) = options.remove_subcommand() else { return Ok(Self(None)) };
        let command = COMMANDS.iter().find(|command| command.name == name);
        Ok(Self(command.map(|command| (*command, options))))
    }

    /// Runs the command until it is done, or `cancelled` ends. Returns the exit code of the process.
    pub async fn run(
        self,
        vars: Vec<(String, String)>,
        log: Log,
        cancelled: impl Future<Output = ()> + 'static,
    ) -> u8 {
        match self.0 {
            None => crate::run(vars, log, cancelled).await,
            Some((command, options)) => {
                let cancelled = Box::pin(cancelled);
                (command.run)(Invocation { options, vars, log, cancelled }).await
            }
        }
    }
}

fn define() -> clap::Command {
    let program = clap::Command::new("hf-deploy")
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"));
    COMMANDS.iter().fold(program, |program, command| program.subcommand(command.define()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_do_not_contradict_each_other() {
        define().debug_assert();
        assert!(Call::parse(["hf-deploy"]).unwrap().0.is_none());
        assert!(Call::parse(["hf-deploy", "verify", "--space", "a/b"]).unwrap().0.is_some());
        assert!(Call::parse(["hf-deploy", "verify", "--spaces", "a/b"]).is_err());
    }
}
