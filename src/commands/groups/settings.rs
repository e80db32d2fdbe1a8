//! The settings of a Space: variables, secrets and volumes.

use hub::{Secret, Volume};

use super::secret_variables;
use super::sign_in::HF_TOKEN;
use crate::commands::inputs::declaration::{DefaultValue, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::lists::{self, is_key, key_value, lines};
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::place::InputPlace;
use crate::commands::inputs::tokens;
use crate::commands::inputs::values::Values;
use crate::ops::deploy::options::SecretsInFiles;
use crate::ops::space::{NamedSecret, SettingsOptions, SettingsStrategy, Variable};

inputs! {
    /// Inputs of the settings.
    SETTINGS: "Settings of a Space", "These inputs have an effect for Spaces only.";
    VARIABLES = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Variables of the Space, one `KEY=VALUE` per line, or `none` alone",
        details: "Everybody can read them. A variable that looks like a secret is an error (see `secrets_in_files`).",
        only: &[Only::Spaces],
        elsewhere: &["vars", "env", "env_vars", "environment_variables", "space_variables"],
        ..Input::new("variables")
    };
    SECRETS = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Names of secrets of the Space, separated by newlines or commas, or `none` alone",
        details: "The `env:` of the step holds their values.",
        only: &[Only::Spaces],
        elsewhere: &["space_secrets"],
        ..Input::new("secrets")
    };
    SETTINGS_STRATEGY = Input {
        kind: ValueKind::Choice(&["merge", "overwrite"]),
        summary: "Treatment of variables, secrets and volumes of the Space that are not named",
        details: "`merge` keeps them. `overwrite` deletes them if the input of that kind is given.",
        default: DefaultValue::Value("merge"),
        only: &[Only::Spaces],
        ..Input::new("settings_strategy")
    };
    FORCE_SECRETS = Input {
        kind: ValueKind::Flag,
        summary: "Write secrets even if nothing else changes",
        details: "The Hub does not show secrets, so that they cannot be compared, and each write restarts the Space.",
        default: DefaultValue::Value("false"),
        only: &[Only::Spaces, Only::With(SECRETS.name)],
        ..Input::new("force_secrets")
    };
    VOLUMES = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Volumes that the Space mounts, one `TYPE:namespace/name[/path]:/mount[:ro]` per line, or `none` alone",
        details: "`TYPE` is `bucket`, `model`, `dataset` or `space`. `none` unmounts everything.",
        default: DefaultValue::Words("the volumes that the Space has"),
        only: &[Only::Spaces],
        elsewhere: &["space_volumes"],
        ..Input::new("volumes")
    };
}

/// Longest name that a fault repeats. Longer text may be a value in the wrong place.
const LONGEST_NAME: usize = 40;

/// Word for an empty list, where an empty input means something else.
const NONE: &str = "none";

/// Circumstances that the rules of the settings depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SettingsPolicy {
    /// GitHub withholds secrets from this run, which needs none: it is skipped, or only plans.
    pub(crate) secrets_are_withheld: bool,
    pub(crate) secrets_in_files: Option<SecretsInFiles>,
}

pub(crate) fn read(
    values: &Values,
    policy: SettingsPolicy,
    diagnostics: &mut Diagnostics,
) -> SettingsOptions {
    let is_none = |input| values.given(input) == Some(NONE);
    let secrets = if is_none(&SECRETS) {
        NamedSecrets::default()
    } else {
        read_secrets(values, &SECRETS, policy.secrets_are_withheld, diagnostics)
    };
    let variables = if is_none(&VARIABLES) {
        Vec::new()
    } else {
        read_variables(values, [&VARIABLES, &SECRETS], diagnostics)
    };
    let variables_given = is_none(&VARIABLES) || !variables.is_empty();
    // Without their values, as in runs of forks, the list of secrets is incomplete.
    let secrets_given = is_none(&SECRETS) || (!secrets.named.is_empty() && !secrets.lacks_values);
    let secrets = secrets.named;
    let strategy = values.value(&SETTINGS_STRATEGY, strategy, diagnostics);
    let force_secrets = values.flag(&FORCE_SECRETS, diagnostics);
    let volumes = read_volumes(values, diagnostics);
    for variable in variables.iter().filter(|variable| secrets.iter().any(|s| s.key == variable.key)) {
        let (key, input) = (&variable.key, values.quoted(&VARIABLES));
        diagnostics
            .fault(&SECRETS, format!("names `{key}`, and so does {input}: a Space with both does not start"));
    }
    let reaction = policy.secrets_in_files.unwrap_or(SecretsInFiles::Error);
    secret_variables::check(&VARIABLES, &variables, reaction, diagnostics);
    let deletes = variables_given || secrets_given || values.given(&VOLUMES).is_some();
    if strategy == SettingsStrategy::Overwrite && !deletes {
        let setting = values.place().setting(&SETTINGS_STRATEGY, "overwrite");
        let [variables, secrets, volumes] =
            [&VARIABLES, &SECRETS, &VOLUMES].map(|input| values.quoted(input));
        diagnostics.warn(format!("`{setting}` deletes nothing here: it acts on {variables}, {secrets} and {volumes} only where that input is given (`none` empties it)"));
    }
    if values.given(&SECRETS).is_none() {
        let because = format!("{} is not set", values.quoted(&SECRETS));
        values.warn_without(Only::With(SECRETS.name), because, diagnostics);
    }
    SettingsOptions { variables, variables_given, secrets, secrets_given, strategy, force_secrets, volumes }
}

/// Reads `KEY=VALUE` lines of the first input. A value that holds the token belongs into the second one.
pub(crate) fn read_variables(
    values: &Values,
    [input, secrets]: [&Input; 2],
    diagnostics: &mut Diagnostics,
) -> Vec<Variable> {
    let token = values.given(&HF_TOKEN);
    let mut variables: Vec<Variable> = Vec::new();
    let text = values.text(input);
    if lists::is_another_notation(input, lists::KEY_VALUES, text, diagnostics) {
        return variables;
    }
    for (number, line) in lines(text) {
        let Some(variable) = key_value(input, number, line, diagnostics) else { continue };
        let key = &variable.key;
        if variables.iter().any(|other| other.key == *key) {
            diagnostics.fault(input, format!("names `{key}` twice"));
        } else if token.is_some_and(|token| variable.value.contains(token)) {
            let secrets = values.quoted(secrets);
            diagnostics.fault(
                input,
                format!("must not hold the token: everybody can read `{key}` (name it in {secrets} instead)"),
            );
        } else {
            variables.push(variable);
        }
    }
    variables
}

/// Secrets that the input names.
#[derive(Default)]
pub(crate) struct NamedSecrets {
    pub(crate) named: Vec<NamedSecret>,
    /// Some are left out, because GitHub gave this run no values.
    lacks_values: bool,
}

/// Reads names from the input, and their values from the environment. No fault repeats a possible value.
pub(crate) fn read_secrets(
    values: &Values,
    input: &Input,
    are_withheld: bool,
    diagnostics: &mut Diagnostics,
) -> NamedSecrets {
    let mut secrets = NamedSecrets::default();
    let text = values.text(input);
    if lists::is_another_notation(input, lists::NAMES, text, diagnostics) {
        return secrets;
    }
    let mut missing = Vec::new();
    for (number, line) in lines(text) {
        if line.contains(['=', ':']) {
            diagnostics.fault(input, format!("must hold names only, and line {number} holds a value: a value in the workflow file is no secret, and the runner does not mask it"));
            diagnostics.hint(
                "put the value into a secret of the GitHub repository, and pass it in the step's `env:`",
            );
            continue;
        }
        for name in lists::names_of(line) {
            if !is_key(name) {
                diagnostics.fault(input, format!("must hold names of letters, digits and `_` that start with a letter: line {number} does not"));
                continue;
            }
            if secrets.named.iter().any(|secret| secret.key == name) {
                continue;
            }
            match values.environment().exact(name).filter(|value| !value.trim().is_empty()) {
                Some(value) if tokens::named_variable(value).is_some_and(|other| other == name) => {
                    note_own_name(input, name, diagnostics);
                }
                Some(value) => {
                    diagnostics.hide(value);
                    secrets.named.push(NamedSecret { key: name.to_owned(), value: Secret::new(value) });
                }
                None if are_withheld => secrets.lacks_values = true,
                None => missing.push((number, name)),
            }
        }
    }
    for (number, name) in missing {
        note_missing(input, number, name, diagnostics);
    }
    secrets
}

/// Notes a secret whose value is its own name, which the runner or the shell did not replace.
fn note_own_name(input: &Input, name: &str, diagnostics: &mut Diagnostics) {
    let place = diagnostics.place();
    let advice = match place {
        InputPlace::Workflow => format!(": write `{name}: ${{{{ secrets.{name} }}}}` there"),
        InputPlace::CommandLine => String::new(),
    };
    let holder = place.environment();
    diagnostics.fault(input, format!("names `{name}`, whose value in {holder} is only that name{advice}"));
}

/// Notes a secret without a value. The name is not repeated if it may be a value, and most values have small letters.
fn note_missing(input: &Input, number: usize, name: &str, diagnostics: &mut Diagnostics) {
    let place = diagnostics.place();
    let is_name = name.len() <= LONGEST_NAME && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let what = if is_name { format!("`{name}`, which") } else { format!("something on line {number} that") };
    let holder = place.environment();
    diagnostics.fault(input, format!("names {what} {holder} does not set, or sets to nothing"));
    if place == InputPlace::CommandLine {
        return;
    }
    diagnostics.hint(if is_name {
        format!("pass it in the step's `env:` as `{name}: ${{{{ secrets.{name} }}}}`, and add it to the GitHub repository under Settings → Secrets and variables → Actions")
    } else {
        "`secrets` holds names, and the step's `env:` their values, as in `API_KEY: ${{ secrets.API_KEY }}`".to_owned()
    });
}

fn strategy(text: &str) -> Parsed<SettingsStrategy> {
    parse::choice(&SETTINGS_STRATEGY, text, |word| match word {
        "merge" => Some(SettingsStrategy::Merge),
        "overwrite" => Some(SettingsStrategy::Overwrite),
        _ => None,
    })
}

/// Reads the volumes; `None` leaves them as they are.
fn read_volumes(values: &Values, diagnostics: &mut Diagnostics) -> Option<Vec<Volume>> {
    let text = values.given(&VOLUMES)?;
    let mut volumes: Vec<Volume> = Vec::new();
    if text == NONE || lists::is_another_notation(&VOLUMES, "one volume per line", Some(text), diagnostics) {
        return Some(volumes);
    }
    for (_, line) in lines(Some(text)) {
        let volume: Volume = diagnostics.take(&VOLUMES, line.parse())?;
        if volumes.iter().any(|other| other.mount == volume.mount) {
            diagnostics.fault(&VOLUMES, format!("must not mount two things at `{}`", volume.mount));
            return None;
        }
        volumes.push(volume);
    }
    Some(volumes)
}
