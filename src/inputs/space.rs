//! The inputs that only Spaces have: settings, hardware, and what happens after the commit.

use std::path::PathBuf;
use std::time::Duration;

use super::faults::Findings;
use super::parse;
use super::raw::{Environment, Raw, given};
use super::verify;
use super::{flag, value};
use crate::auth::Secret;
use crate::target::{Flavor, RepoType, SleepTime, Volume};
use crate::verify::{Check, Mode};

/// What is wanted of a Space beside its files.
#[derive(Debug, Clone)]
pub struct SpaceInputs {
    pub settings: SettingsInputs,
    pub hardware: HardwareInputs,
    /// How long to wait for the Space; `None` does not wait.
    pub wait: Option<Duration>,
    /// What is asked of the running app. It asks only behind a wait.
    pub verify: Check,
    pub on_failure: OnFailure,
}

/// What the Space finds in its environment and its file system.
#[derive(Debug, Clone, Default)]
pub struct SettingsInputs {
    pub variables: Vec<Variable>,
    /// Whether `variables` is given, be it as `none`: only then are those that it does not name deleted.
    pub variables_given: bool,
    pub secrets: Vec<NamedSecret>,
    /// The same for `secrets`, with all their values.
    pub secrets_given: bool,
    pub strategy: SettingsStrategy,
    /// Whether secrets are written although nothing else restarts the Space.
    pub force_secrets: bool,
    /// `None` leaves them as they are; none at all unmounts everything.
    pub volumes: Option<Vec<Volume>>,
}

/// A variable of a Space, which everybody can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub key: String,
    pub value: String,
}

/// A secret of a Space, with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSecret {
    pub key: String,
    pub value: Secret,
}

/// What happens to settings that are not named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SettingsStrategy {
    /// They stay.
    #[default]
    Merge,
    /// They are deleted.
    Overwrite,
}

/// What the Space is to run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HardwareInputs {
    /// In the order of preference; none leaves it as it is.
    pub wanted: Vec<Flavor>,
    /// Whether it is an error when none of it is granted.
    pub required: bool,
    /// `None` leaves it as it is.
    pub sleep_time: Option<SleepTime>,
}

/// What happens when the Space does not come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Keep,
    Rollback,
}

/// Builds of large images take long, and the Hub itself gives an app 30 minutes to start.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

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
) -> Option<SpaceInputs> {
    let raw = &environment.raw;
    if let Some(other) = repo_type.filter(|repo_type| *repo_type != RepoType::Space) {
        for (input, _) in only_for_spaces(raw).iter().filter(|(_, text)| given(*text).is_some()) {
            let noun = other.noun();
            findings.fault(input, format!("must be left out for a {noun}: it is about a running Space"));
        }
        return Some(SpaceInputs {
            settings: SettingsInputs::default(),
            hardware: HardwareInputs::default(),
            wait: None,
            verify: Check { mode: Mode::Off, ..Check::new(workspace) },
            on_failure: OnFailure::Keep,
        });
    }
    let settings = settings(environment, findings);
    let hardware = hardware(raw, findings);
    let wait = value("wait", raw.wait.as_deref(), parse::boolean, findings);
    let timeout = value("timeout", raw.timeout.as_deref(), parse::duration, findings);
    let verify = verify::read(raw, workspace, findings);
    let on_failure = value("on_failure", raw.on_failure.as_deref(), on_failure, findings);
    let (wait, verify) = (wait?.unwrap_or(true), verify?);
    let on_failure = on_failure?.unwrap_or(OnFailure::Keep);
    if !wait {
        if verify.asks_for_something() {
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
    }
    let timeout = timeout?.unwrap_or(DEFAULT_TIMEOUT);
    Some(SpaceInputs {
        settings: settings?,
        hardware: hardware?,
        wait: wait.then_some(timeout),
        verify,
        on_failure,
    })
}

fn only_for_spaces(raw: &Raw) -> [(&'static str, Option<&str>); 23] {
    [
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

fn settings(environment: &Environment, findings: &mut Findings) -> Option<SettingsInputs> {
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
    Some(SettingsInputs {
        variables,
        variables_given,
        secrets,
        secrets_given,
        strategy,
        force_secrets: force_secrets?,
        volumes: volumes?,
    })
}

/// The lines of a list, counted from 1, without empty ones and `#` comments.
pub(super) fn lines(text: Option<&str>) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.unwrap_or_default().lines().map(str::trim).enumerate();
    lines
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The Hub's rule for names of variables and secrets: `^[a-zA-Z][_a-zA-Z0-9]*$`.
fn is_key(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn variables(environment: &Environment, findings: &mut Findings) -> Vec<Variable> {
    const INPUT: &str = "variables";
    let token = given(environment.raw.hf_token.as_deref());
    let mut variables: Vec<Variable> = Vec::new();
    for (number, line) in lines(environment.raw.variables.as_deref()) {
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

/// One `KEY=VALUE` line of an input.
pub(super) fn key_value(input: &str, number: usize, line: &str, findings: &mut Findings) -> Option<Variable> {
    let Some((key, value)) = line.split_once('=') else {
        findings.fault(input, format!("must hold `KEY=VALUE` lines: line {number} has no `=`"));
        return None;
    };
    let (key, value) = (key.trim_end(), value.trim_start());
    if !is_key(key) {
        findings.fault(
            input,
            format!(
                "must hold names of letters, digits and `_` that start with a letter: line {number} does not"
            ),
        );
        return None;
    }
    Some(Variable { key: key.to_owned(), value: value.to_owned() })
}

/// The secrets that the input names.
#[derive(Default)]
struct Secrets {
    named: Vec<NamedSecret>,
    /// Whether some are left out, because GitHub gave this run none.
    lacks_values: bool,
}

/// Names in, values from the step's environment. No fault repeats what may be a value.
fn secrets(environment: &Environment, findings: &mut Findings) -> Secrets {
    const INPUT: &str = "secrets";
    let mut lacks_values = false;
    let mut secrets: Vec<NamedSecret> = Vec::new();
    let mut missing = Vec::new();
    for (number, line) in lines(environment.raw.secrets.as_deref()) {
        if line.contains(['=', ':']) {
            findings.fault(INPUT, format!("must hold names only, and line {number} holds a value: a value in the workflow file is no secret, and the runner does not mask it"));
            findings.hint(
                "put the value into a secret of the GitHub repository, and pass it in the step's `env:`",
            );
            continue;
        }
        for name in line.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty()) {
            if !is_key(name) {
                findings.fault(INPUT, format!("must hold names of letters, digits and `_` that start with a letter: line {number} does not"));
                continue;
            }
            if secrets.iter().any(|secret| secret.key == name) {
                continue;
            }
            match environment.exact(name).filter(|value| !value.trim().is_empty()) {
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
                format!("names `{name}`, and this step has no variable `{name}` or an empty one"),
            );
            findings.hint(format!("pass it in the step's `env:` as `{name}: ${{{{ secrets.{name} }}}}`, and add it to the GitHub repository under Settings → Secrets and variables → Actions"));
        } else {
            findings.fault(
                INPUT,
                format!(
                    "names something on line {number} that this step has no variable for, or an empty one"
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
        _ => parse::one_of("`merge` or `overwrite`", text),
    }
}

fn on_failure(text: &str) -> parse::Parsed<OnFailure> {
    match text {
        "keep" => Ok(OnFailure::Keep),
        "rollback" => Ok(OnFailure::Rollback),
        _ => parse::one_of("`keep` or `rollback`", text),
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

fn hardware(raw: &Raw, findings: &mut Findings) -> Option<HardwareInputs> {
    let first: Option<Flavor> = value("hardware", raw.hardware.as_deref(), str::parse, findings)?;
    let listed = raw.fallback_hardware.as_deref().unwrap_or_default();
    let names = listed.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty());
    let mut wanted: Vec<Flavor> = first.into_iter().collect();
    let mut fallback = 0;
    for name in names {
        fallback += 1;
        let flavor: Flavor = findings.take("fallback_hardware", name.parse())?;
        if !wanted.contains(&flavor) {
            wanted.push(flavor);
        }
    }
    let required = flag("require_hardware", raw.require_hardware.as_deref(), findings)?;
    let sleep_time = value("sleep_time", raw.sleep_time.as_deref(), sleep_time, findings)?;
    if first.is_none() && fallback > 0 {
        findings.fault("fallback_hardware", "must stand beside `hardware`, which is asked for first");
    }
    if first.is_none() && required {
        findings.fault("require_hardware", "must stand beside `hardware`: there is nothing to require");
    }
    Some(HardwareInputs { wanted, required, sleep_time })
}

pub(super) fn sleep_time(text: &str) -> parse::Parsed<SleepTime> {
    match text {
        "never" => Ok(SleepTime::Never),
        text => parse::duration(text).map(SleepTime::After),
    }
}

#[cfg(test)]
mod tests;
