//! The place where a user writes an input, for the names in messages.

use super::declaration::Input;

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
            Self::Workflow => format!("{}: {value}", input.name),
            Self::CommandLine => format!("{}={value}", self.name(input)),
        }
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
    }
}
