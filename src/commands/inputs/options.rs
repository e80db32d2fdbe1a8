//! The options of a command, made from the declaration of its inputs.

use clap::{Arg, Command};

use super::declaration::{DefaultValue, Group, Input, ValueKind};
use super::place;

/// Adds an option for each input. Secrets are none, because other users of the machine can read arguments: `--help`
/// names their variables.
pub(crate) fn add(command: Command, groups: &'static [Group]) -> Command {
    let inputs = groups.iter().flat_map(|group| group.inputs);
    let secrets: Vec<String> = inputs
        .filter(|input| input.is_secret)
        .map(|input| format!("  {:<16} {}", place::variable(input), unquoted(&input.description())))
        .collect();
    let options = groups.iter().flat_map(|group| group.inputs.iter().map(move |input| (group.title, input)));
    let options = options.filter(|(_, input)| !input.is_secret);
    let command = options.fold(command, |command, (title, input)| command.arg(arg(input, title)));
    if secrets.is_empty() {
        command
    } else {
        command.after_help(format!("Variables:\n{}", secrets.join("\n")))
    }
}

fn arg(input: &Input, title: &'static str) -> Arg {
    let summary = match input.kind {
        ValueKind::Choice(words) => format!("{}: {}", input.summary, words.join(", ")),
        ValueKind::Text(_) | ValueKind::Flag => input.summary.to_owned(),
    };
    let default = match input.default {
        DefaultValue::Required => "required".to_owned(),
        default => format!("default: {}", default.shown()),
    };
    let arg = Arg::new(input.name);
    let arg = if input.is_positional { arg } else { arg.long(place::option(input)) };
    let arg = arg
        .help_heading(title)
        .help(unquoted(&format!("{summary} [{default}]")))
        .long_help(unquoted(&input.description()));
    match input.kind {
        ValueKind::Text(placeholder) => arg.value_name(placeholder),
        ValueKind::Choice(_) => arg.value_name("WORD"),
        ValueKind::Flag => {
            arg.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
    }
}

/// Returns a description as plain text. A dot keeps quotation marks, because it would look like the end of the sentence.
fn unquoted(text: &str) -> String {
    text.replace("`.`", "\".\"").replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &[Group] = &[Group {
        title: "Things",
        intro: "",
        inputs: &[
            Input { is_secret: true, summary: "Token", ..Input::new("hf_token") },
            Input {
                kind: ValueKind::Choice(&["a", "b"]),
                summary: "Kind of it",
                default: DefaultValue::Value("a"),
                ..Input::new("kind_of_it")
            },
        ],
    }];

    #[test]
    fn secrets_are_variables_and_no_options() {
        let mut command = add(Command::new("x"), GROUPS);
        command.clone().debug_assert();
        let help = command.render_help().to_string();
        assert!(help.contains("Things:\n      --kind-of-it <WORD>  Kind of it: a, b [default: a]"), "{help}");
        assert!(help.contains("HF_TOKEN") && !help.contains("--hf-token"), "{help}");
    }
}
