//! The inputs that only Spaces have: settings, hardware, and what happens after the commit.

use std::path::PathBuf;
use std::time::Duration;

use hub::{Flavor, RepoType, Secret, SleepTime, Volume, suggest::one_of};

use super::faults::Findings;
use super::lists::{self, is_key, key_value, lines};
use super::parse;
use super::raw::{Environment, Raw, given};
use super::verify;
use super::{flag, time, value};
use crate::ops::deploy::options::{OnFailure, SpaceOptions};
use crate::ops::space::{HardwareOptions, NamedSecret, SettingsOptions, SettingsStrategy, Variable};

/// Longer than the 30 minutes that the Hub gives an app to start, so that the Hub's own diagnosis is seen.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(40 * 60);

/// The longest name that a fault repeats: what is longer may be a value in the wrong place.
const LONGEST_NAME: usize = 40;

/// The word for an empty list, where an empty input means something else.
const NONE: &str = "none";

/// `repo_type` is `None` when it is a fault of its own; `workspace` is where the check keeps its files.
pub(super) fn read(
    environment: &Environment,
    repo_type: Option<RepoType>,
    workspace: PathBuf,
    findings: &mut Findings,
) -> Option<SpaceOptions> {
    let raw = &environment.raw;
    if let Some(other) = repo_type.filter(|repo_type| *repo_type != RepoType::Space) {
        let given: Vec<(&str, bool)> =
            only_for_spaces(raw).iter().map(|(input, text)| (*input, given(*text).is_some())).collect();
        findings
            .without_effect(&set_ones(&given), format!("a {} does not run as a Space does", other.noun()));
        return Some(SpaceOptions::off(workspace));
    }
    let settings = settings(environment, findings);
    let hardware = hardware(raw, findings);
    let wait = value("wait", raw.wait.as_deref(), parse::boolean, findings);
    let timeout = time::read("timeout", raw.timeout.as_deref(), findings);
    let check = verify::read(raw, workspace, findings);
    let on_failure = value("on_failure", raw.on_failure.as_deref(), on_failure, findings);
    let (wait, check) = (wait?.unwrap_or(true), check?);
    let on_failure = on_failure?.unwrap_or(OnFailure::Keep);
    if !wait {
        if check.is_customized() {
            findings.fault(
                "wait",
                "must not be `false` when the app is to be checked: only a Space that runs can be",
            );
        }
        if on_failure == OnFailure::Rollback {
            findings.fault(
                "wait",
                "must not be `false` when `on_failure` is `rollback`: nobody would see the failure",
            );
        }
        if given(raw.timeout.as_deref()).is_some() {
            findings.without_effect(&["timeout"], "`wait` is `false`");
        }
    }
    let timeout = timeout?.unwrap_or(DEFAULT_TIMEOUT);
    Some(SpaceOptions {
        settings: settings?,
        hardware: hardware?,
        wait: wait.then_some(timeout),
        check,
        on_failure,
    })
}

fn only_for_spaces(raw: &Raw) -> [(&'static str, Option<&str>); 24] {
    [
        ("space_sdk", raw.space_sdk.as_deref()),
        ("variables", raw.variables.as_deref()),
        ("secrets", raw.secrets.as_deref()),
        ("settings_strategy", raw.settings_strategy.as_deref()),
        ("force_secrets", raw.force_secrets.as_deref()),
        ("hardware", raw.hardware.as_deref()),
        ("fallback_hardware", raw.fallback_hardware.as_deref()),
        ("require_hardware", raw.require_hardware.as_deref()),
        ("sleep_time", raw.sleep_time.as_deref()),
        ("volumes", raw.volumes.as_deref()),
        ("wait", raw.wait.as_deref()),
        ("timeout", raw.timeout.as_deref()),
        ("verify", raw.verify.as_deref()),
        ("health_path", raw.health_path.as_deref()),
        ("health_status", raw.health_status.as_deref()),
        ("health_contains", raw.health_contains.as_deref()),
        ("api_name", raw.api_name.as_deref()),
        ("api_args", raw.api_args.as_deref()),
        ("api_kwargs", raw.api_kwargs.as_deref()),
        ("expect", raw.expect.as_deref()),
        ("expect_contains", raw.expect_contains.as_deref()),
        ("expect_regex", raw.expect_regex.as_deref()),
        ("max_latency", raw.max_latency.as_deref()),
        ("on_failure", raw.on_failure.as_deref()),
    ]
}

fn settings(environment: &Environment, findings: &mut Findings) -> Option<SettingsOptions> {
    let raw = &environment.raw;
    let is_none = |text: &Option<String>| given(text.as_deref()) == Some(NONE);
    let secrets = if is_none(&raw.secrets) { Secrets::default() } else { secrets(environment, findings) };
    let variables = if is_none(&raw.variables) { Vec::new() } else { variables(environment, findings) };
    let variables_given = is_none(&raw.variables) || !variables.is_empty();
    // Without their values, as in runs of forks, nothing says which of them are wanted.
    let secrets_given = is_none(&raw.secrets) || (!secrets.named.is_empty() && !secrets.lacks_values);
    let secrets = secrets.named;
    let strategy = value("settings_strategy", raw.settings_strategy.as_deref(), strategy, findings);
    let force_secrets = flag("force_secrets", raw.force_secrets.as_deref(), findings);
    let volumes = volumes(raw, findings);
    for variable in variables.iter().filter(|variable| secrets.iter().any(|s| s.key == variable.key)) {
        let key = &variable.key;
        findings.fault(
            "secrets",
            format!("names `{key}`, and so does `variables`: a Space with both does not start"),
        );
    }
    let strategy = strategy?.unwrap_or_default();
    if strategy == SettingsStrategy::Overwrite
        && !(variables_given || secrets_given || given(raw.volumes.as_deref()).is_some())
    {
        findings.warn("`settings_strategy: overwrite` deletes nothing here: it acts on `variables`, `secrets` and `volumes` only where that input is given (`none` empties it)");
    }
    if force_secrets == Some(true) && given(raw.secrets.as_deref()).is_none() {
        findings.without_effect(&["force_secrets"], "`secrets` is not set");
    }
    Some(SettingsOptions {
        variables,
        variables_given,
        secrets,
        secrets_given,
        strategy,
        force_secrets: force_secrets?,
        volumes: volumes?,
    })
}

fn variables(environment: &Environment, findings: &mut Findings) -> Vec<Variable> {
    const INPUT: &str = "variables";
    let token = given(environment.raw.hf_token.as_deref());
    let mut variables: Vec<Variable> = Vec::new();
    let text = environment.raw.variables.as_deref();
    if lists::is_another_notation(INPUT, lists::KEY_VALUES, text, findings) {
        return variables;
    }
    for (number, line) in lines(text) {
        let Some(variable) = key_value(INPUT, number, line, findings) else { continue };
        let key = &variable.key;
        if variables.iter().any(|other| other.key == *key) {
            findings.fault(INPUT, format!("names `{key}` twice"));
        } else if token.is_some_and(|token| variable.value.contains(token)) {
            findings.fault(
                INPUT,
                format!("must not hold the token: everybody can read `{key}` (name it in `secrets` instead)"),
            );
        } else {
            variables.push(variable);
        }
    }
    variables
}

/// The secrets that the input names.
#[derive(Default)]
struct Secrets {
    named: Vec<NamedSecret>,
    /// Some are left out, because GitHub gave this run no values.
    lacks_values: bool,
}

/// Names in, values from the step's environment. No fault repeats what may be a value.
fn secrets(environment: &Environment, findings: &mut Findings) -> Secrets {
    const INPUT: &str = "secrets";
    let mut lacks_values = false;
    let mut secrets: Vec<NamedSecret> = Vec::new();
    let mut missing = Vec::new();
    let text = environment.raw.secrets.as_deref();
    if lists::is_another_notation(INPUT, lists::NAMES, text, findings) {
        return Secrets::default();
    }
    for (number, line) in lines(text) {
        if line.contains(['=', ':']) {
            findings.fault(INPUT, format!("must hold names only, and line {number} holds a value: a value in the workflow file is no secret, and the runner does not mask it"));
            findings.hint(
                "put the value into a secret of the GitHub repository, and pass it in the step's `env:`",
            );
            continue;
        }
        for name in lists::names_of(line) {
            if !is_key(name) {
                findings.fault(INPUT, format!("must hold names of letters, digits and `_` that start with a letter: line {number} does not"));
                continue;
            }
            if secrets.iter().any(|secret| secret.key == name) {
                continue;
            }
            match environment.exact(name).filter(|value| !value.trim().is_empty()) {
                Some(value) if parse::stands_for(value).is_some_and(|other| other == name) => {
                    findings.fault(INPUT, format!("names `{name}`, whose value in the step's `env:` is only that name: write `{name}: ${{{{ secrets.{name} }}}}` there"));
                }
                Some(value) => {
                    findings.hide(value);
                    secrets.push(NamedSecret { key: name.to_owned(), value: Secret::new(value) });
                }
                None if findings.does_without_secrets => lacks_values = true,
                None => missing.push((number, name)),
            }
        }
    }
    for (number, name) in missing {
        // A value in the place of a name must not be shown, and most values have small letters.
        let is_name = name.len() <= LONGEST_NAME && !name.bytes().any(|byte| byte.is_ascii_lowercase());
        if is_name {
            findings.fault(
                INPUT,
                format!("names `{name}`, which the step's `env:` does not set, or sets to nothing"),
            );
            findings.hint(format!("pass it in the step's `env:` as `{name}: ${{{{ secrets.{name} }}}}`, and add it to the GitHub repository under Settings → Secrets and variables → Actions"));
        } else {
            findings.fault(
                INPUT,
                format!(
                    "names something on line {number} that the step's `env:` does not set, or sets to nothing"
                ),
            );
            findings.hint("`secrets` holds names, and the step's `env:` their values, as in `API_KEY: ${{ secrets.API_KEY }}`");
        }
    }
    Secrets { named: secrets, lacks_values }
}

fn strategy(text: &str) -> parse::Parsed<SettingsStrategy> {
    match text {
        "merge" => Ok(SettingsStrategy::Merge),
        "overwrite" => Ok(SettingsStrategy::Overwrite),
        _ => one_of(&["merge", "overwrite"], text),
    }
}

fn on_failure(text: &str) -> parse::Parsed<OnFailure> {
    match text {
        "keep" => Ok(OnFailure::Keep),
        "rollback" => Ok(OnFailure::Rollback),
        _ => one_of(&["keep", "rollback"], text),
    }
}

fn volumes(raw: &Raw, findings: &mut Findings) -> Option<Option<Vec<Volume>>> {
    const INPUT: &str = "volumes";
    let text = raw.volumes.as_deref();
    if given(text).is_none() {
        return Some(None);
    }
    if given(text) == Some(NONE) {
        return Some(Some(Vec::new()));
    }
    if lists::is_another_notation(INPUT, "one volume per line", text, findings) {
        return None;
    }
    let mut volumes: Vec<Volume> = Vec::new();
    for (_, line) in lines(text) {
        let volume: Volume = findings.take(INPUT, line.parse())?;
        if volumes.iter().any(|other| other.mount == volume.mount) {
            findings.fault(INPUT, format!("must not mount two things at `{}`", volume.mount));
            return None;
        }
        volumes.push(volume);
    }
    Some(Some(volumes))
}

fn hardware(raw: &Raw, findings: &mut Findings) -> Option<HardwareOptions> {
    let first = given(raw.hardware.as_deref()).map(|name| flavor("hardware", name, findings));
    let names = lists::names("fallback_hardware", raw.fallback_hardware.as_deref(), findings);
    let fallback: Vec<Flavor> =
        names.into_iter().filter_map(|name| flavor("fallback_hardware", name, findings)).collect();
    let required = flag("require_hardware", raw.require_hardware.as_deref(), findings)?;
    let sleep_time = value("sleep_time", raw.sleep_time.as_deref(), sleep_time, findings)?;
    time::question("sleep_time", raw.sleep_time.as_deref(), findings);
    let Some(first) = first else {
        let idle = [("fallback_hardware", !fallback.is_empty()), ("require_hardware", required)];
        findings.without_effect(&set_ones(&idle), "`hardware` is not set");
        return Some(HardwareOptions { wanted: Vec::new(), required: false, sleep_time });
    };
    let mut wanted = vec![first?];
    for flavor in fallback {
        if !wanted.contains(&flavor) {
            wanted.push(flavor);
        }
    }
    Some(HardwareOptions { wanted, required, sleep_time })
}

/// Reads the name of hardware. What else there is stands in a hint, however many names are wrong.
pub(super) fn flavor(input: &str, name: &str, findings: &mut Findings) -> Option<Flavor> {
    let flavor = findings.take(input, name.parse());
    if flavor.is_none() {
        findings.hint(format!("the Hub has {}", Flavor::list()));
    }
    flavor
}

/// Warns of what is asked of a running Space where nothing of this deploy runs: a pull request, or a branch.
pub(super) fn warn_of_a_wait_for_nothing(raw: &Raw, space: &SpaceOptions, findings: &mut Findings) {
    let asked = [
        ("wait", given(raw.wait.as_deref()).is_some() && space.wait.is_some()),
        ("timeout", given(raw.timeout.as_deref()).is_some()),
        ("verify", space.check.is_customized()),
        ("on_failure", space.on_failure == OnFailure::Rollback),
    ];
    findings.without_effect(&set_ones(&asked), "what this deploy writes does not run before it is on `main`");
}

/// Returns the names of the inputs that are set.
pub(super) fn set_ones(inputs: &[(&'static str, bool)]) -> Vec<&'static str> {
    inputs.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect()
}

pub(super) fn sleep_time(text: &str) -> parse::Parsed<SleepTime> {
    match text {
        "never" => Ok(SleepTime::Never),
        text => parse::duration(text).map(SleepTime::After),
    }
}

#[cfg(test)]
mod tests;
