//! The place where a user writes an input, for the names in messages.

use std::collections::BTreeMap;

use super::declaration::Input;
use crate::setting::{self, Names, Written};

/// Place where the inputs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum InputPlace {
    /// Under `with:` of a step.
    #[default]
    Workflow,
    /// As options of a command; secrets are variables of the environment.
    CommandLine,
}

impl InputPlace {
    /// Returns the name of an input as the user writes it.
    pub(crate) fn name(self, input: &Input) -> String {
        match self {
            Self::Workflow => input.name.to_owned(),
            Self::CommandLine if input.is_secret => variable(input),
            Self::CommandLine if input.is_positional => format!("<{}>", variable(input)),
            Self::CommandLine => format!("--{}", option(input)),
        }
    }

    /// Returns the words for the variables that hold the values of secrets.
    pub(crate) fn environment(self) -> &'static str {
        match self {
            Self::Workflow => "the step's `env:`",
            Self::CommandLine => "the environment",
        }
    }

    /// Returns an input with a value, as the user writes it.
    pub(crate) fn setting(self, input: &Input, value: &str) -> String {
        match self {
            Self::CommandLine if input.is_positional => value.to_owned(),
            Self::Workflow => format!("{}: {value}", input.name),
            Self::CommandLine => format!("{}={value}", self.name(input)),
        }
    }

    /// Returns the names for messages of code that knows no command. Where the command has an input of another name for
    /// the same thing, that is the name.
    pub(crate) fn setting_names(self, inputs: &[&Input]) -> Names {
        let written = setting::ALL.iter().filter_map(|setting| {
            let name = setting.name();
            let same = inputs.iter().find(|input| input.name == name);
            let input = same.or_else(|| inputs.iter().find(|input| input.elsewhere.contains(&name)))?;
            Some((name, Written { name: self.name(input), before_value: self.setting(input, "") }))
        });
        Names { are_options: self == Self::CommandLine, written: written.collect::<BTreeMap<_, _>>() }
    }
}

/// Returns the long option of an input, without the dashes in front.
pub(crate) fn option(input: &Input) -> String {
    input.name.replace('_', "-")
}

/// Returns the variable of the environment that holds a secret input of a command.
pub(crate) fn variable(input: &Input) -> String {
    input.name.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_named_as_they_are_written() {
        let plain = Input::new("health_path");
        let secret = Input { is_secret: true, ..Input::new("hf_token") };
        let names =
            |place: InputPlace| [place.name(&plain), place.name(&secret), place.setting(&plain, "/x")];
        assert_eq!(names(InputPlace::Workflow), ["health_path", "hf_token", "health_path: /x"]);
        assert_eq!(names(InputPlace::CommandLine), ["--health-path", "HF_TOKEN", "--health-path=/x"]);
        let positional = Input { is_positional: true, ..Input::new("run_id") };
        assert_eq!(InputPlace::CommandLine.name(&positional), "<RUN_ID>");
        assert_eq!(InputPlace::CommandLine.setting(&positional, "gh-1"), "gh-1");
    }

    #[test]
    fn messages_name_the_input_that_the_command_has_for_a_setting() {
        let path = Input { elsewhere: &["source_dir"], ..Input::new("path") };
        let inputs = [&path, &Input::new("default_excludes")];
        let shown = |place: InputPlace| -> Vec<String> {
            let written = place.setting_names(&inputs).written;
            written.values().map(|written| format!("{} {}x", written.name, written.before_value)).collect()
        };
        assert_eq!(
            shown(InputPlace::Workflow),
            ["default_excludes default_excludes: x", "path path: x", "path path: x"]
        );
        assert_eq!(
            shown(InputPlace::CommandLine),
            ["--default-excludes --default-excludes=x", "--path --path=x", "--path --path=x"]
        );
    }

    #[test]
    fn each_setting_is_an_input_of_a_command() {
        let commands = crate::commands::COMMANDS.iter();
        let inputs: Vec<&Input> =
            commands.flat_map(|command| command.groups).flat_map(|group| group.inputs).collect();
        for setting in setting::ALL {
            let name = setting.name();
            assert!(inputs.iter().any(|input| input.name == name), "`{name}` is no input");
        }
    }
}
