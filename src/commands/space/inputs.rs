//! The inputs of an operation on a Space.

use hub::{Flavor, LogKind, ParseError, RepoId, RepoName};

use crate::commands::groups::bundle;
use crate::commands::groups::hardware::{flavor, sleep_time};
use crate::commands::groups::sign_in::{self, HubAccess};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse::{self, Parsed, not_like};
use crate::commands::inputs::values::Values;
use crate::commands::inputs::{lists, time};
use crate::failure::Result;
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::space_operation::options::{Operation, SpaceOptions, Switch};

pub(super) const GROUPS: &[Group] = &[OPERATION_GROUP, sign_in::WRITE_ACCESS, DETAILS, bundle::BUNDLE];

/// Most lines of a log that an operation reads.
const MAX_LINES: u32 = 10_000;

inputs! {
    /// Inputs of every operation.
    OPERATION_GROUP: "Operation", "";
    SPACE = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Space, such as `acme/my-space`",
        default: DefaultValue::Required,
        elsewhere: &["space_id", "repo", "repo_id", "huggingface_repo"],
        ..Input::new("space")
    };
    OPERATION = Input {
        kind: ValueKind::Choice(&[
            "status", "restart", "factory-restart", "pause", "wake", "logs", "hardware", "sleep-time", "dev-mode",
            "delete",
        ]),
        summary: "Operation",
        details: "`factory-restart` builds the Space without caches. `wake` restarts a Space that sleeps or is paused, and leaves another one alone.",
        default: DefaultValue::Required,
        elsewhere: &["action", "command"],
        ..Input::new("operation")
    };
    WAIT = Input {
        kind: ValueKind::Flag,
        summary: "Wait for the result: until the Space runs, is paused, or is gone",
        details: "A Space that fails is diagnosed from its logs. With `logs`, the last log is followed until `timeout`.",
        default: DefaultValue::Words("`true`, and `false` for `status` and `logs`"),
        ..Input::new("wait")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time to wait, such as `90s`, `10m` or `2h`",
        // Longer than the Hub gives an app to start, so that the Hub's own diagnosis is seen.
        default: DefaultValue::Value("40m"),
        ..Input::new("timeout")
    };
}

inputs! {
    /// Inputs of single operations.
    DETAILS: "Details of one operation", "Each belongs to one operation, and has no effect on the others.";
    HARDWARE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware to request, such as `t4-small`",
        details: "`hardware` needs it. The log names the price of an hour.",
        ..Input::new("hardware")
    };
    FALLBACK_HARDWARE = Input {
        kind: ValueKind::Text("NAMES"),
        summary: "Hardware to request if the Hub does not grant `hardware`, in this order, separated by newlines or commas",
        ..Input::new("fallback_hardware")
    };
    SLEEP_TIME = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Idle time after which the Space sleeps, such as `90s`, `10m`, `2h` or `never`",
        details: "`sleep-time` needs it, and `hardware` takes it.",
        default: DefaultValue::Words("the sleep time that the Space has"),
        ..Input::new("sleep_time")
    };
    DEV_MODE = Input {
        kind: ValueKind::Choice(&["on", "off"]),
        summary: "State of dev mode after the operation `dev-mode`",
        details: "While it is on, commits are not built.",
        default: DefaultValue::Value("on"),
        ..Input::new("dev_mode")
    };
    LOG = Input {
        kind: ValueKind::Choice(&["all", "build", "run"]),
        summary: "Log that `logs` prints",
        default: DefaultValue::Value("all"),
        ..Input::new("log")
    };
    LINES = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Number of the last lines that `logs` prints, of each log",
        default: DefaultValue::Value("500"),
        ..Input::new("lines")
    };
    CONFIRM = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "The Space once more, which `delete` needs",
        ..Input::new("confirm")
    };
}

/// Inputs of an operation.
pub(super) struct SpaceInputs {
    pub(super) access: HubAccess,
    pub(super) options: SpaceOptions,
    pub(super) bundle_bucket: Option<BundleBucket>,
}

impl SpaceInputs {
    pub(super) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<SpaceInputs> {
    let access = sign_in::write_access(values, diagnostics);
    let space = values.required(&SPACE, space_id, diagnostics);
    let word = values.required(&OPERATION, known_word, diagnostics);
    let wait = values.field(&WAIT, parse::boolean, diagnostics);
    let timeout = time::read_or_default(values, &TIMEOUT, diagnostics);
    let word = word?;
    let operation = operation(word, space.as_ref(), values, diagnostics);
    warn_about_idle(word, values, diagnostics);
    let waits = wait.or(!matches!(word, "status" | "logs"));
    let options = SpaceOptions { space: space?, operation: operation?, wait: waits.then_some(timeout) };
    let bundle_bucket = bundle::read(values, diagnostics);
    Some(SpaceInputs { access: access?, options, bundle_bucket })
}

fn space_id(text: &str) -> Parsed<RepoId> {
    let name: RepoName = text.parse()?;
    name.full().ok_or_else(|| ParseError("must be `namespace/name`".to_owned()))
}

fn known_word(text: &str) -> Parsed<&'static str> {
    parse::choice(&OPERATION, text, |word| OPERATION.choices().iter().find(|known| **known == word).copied())
}

/// Reads the operation with its own inputs; `None` is a fault.
fn operation(
    word: &str,
    space: Option<&RepoId>,
    values: &Values,
    diagnostics: &mut Diagnostics,
) -> Option<Operation> {
    match word {
        "status" => Some(Operation::Status),
        "restart" => Some(Operation::Restart),
        "factory-restart" => Some(Operation::FactoryRestart),
        "pause" => Some(Operation::Pause),
        "wake" => Some(Operation::Wake),
        "logs" => {
            let kinds = values.value(&LOG, log_kinds, diagnostics);
            let lines = values.value(&LINES, line_count, diagnostics);
            Some(Operation::Logs { kinds, lines })
        }
        "hardware" => {
            needs(&HARDWARE, values, diagnostics);
            let wanted = wanted_hardware(values, diagnostics);
            let sleep_time = sleep_time(values, &SLEEP_TIME, diagnostics);
            Some(Operation::Hardware { wanted, sleep_time })
        }
        "sleep-time" => {
            needs(&SLEEP_TIME, values, diagnostics);
            sleep_time(values, &SLEEP_TIME, diagnostics).map(Operation::SleepTime)
        }
        "dev-mode" => Some(Operation::DevMode(values.value(&DEV_MODE, switch, diagnostics))),
        _ => confirmed(space, values, diagnostics).then_some(Operation::Delete),
    }
}

/// Notes that the operation cannot run without this input.
fn needs(input: &Input, values: &Values, diagnostics: &mut Diagnostics) {
    if values.given(input).is_none() {
        diagnostics.fault(input, format!("must be set for {}", values.quoted(&OPERATION)));
    }
}

fn wanted_hardware(values: &Values, diagnostics: &mut Diagnostics) -> Vec<Flavor> {
    let first = values.given(&HARDWARE).and_then(|name| flavor(&HARDWARE, name, diagnostics));
    let names = lists::names(&FALLBACK_HARDWARE, values.text(&FALLBACK_HARDWARE), diagnostics);
    let mut wanted: Vec<Flavor> = first.into_iter().collect();
    for name in names {
        if let Some(flavor) = flavor(&FALLBACK_HARDWARE, name, diagnostics)
            && !wanted.contains(&flavor)
        {
            wanted.push(flavor);
        }
    }
    wanted
}

/// Returns true if the Space to delete is named twice, because a deletion cannot be undone.
fn confirmed(space: Option<&RepoId>, values: &Values, diagnostics: &mut Diagnostics) -> bool {
    let Some(space) = space else { return false };
    let is_confirmed = values.given(&CONFIRM) == Some(space.to_string().as_str());
    if !is_confirmed {
        let input = values.quoted(&SPACE);
        diagnostics
            .fault(&CONFIRM, format!("must repeat {input}, `{space}`, because a deletion cannot be undone"));
    }
    is_confirmed
}

fn log_kinds(text: &str) -> Parsed<Vec<LogKind>> {
    parse::choice(&LOG, text, |word| match word {
        "all" => Some(vec![LogKind::Build, LogKind::Run]),
        "build" => Some(vec![LogKind::Build]),
        "run" => Some(vec![LogKind::Run]),
        _ => None,
    })
}

fn line_count(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(count) if (1..=MAX_LINES).contains(&count) => Ok(count),
        _ => not_like(&format!("a number from 1 to {MAX_LINES}"), text),
    }
}

/// Parses a switch. YAML has older words for it.
fn switch(text: &str) -> Parsed<Switch> {
    match text {
        "true" => Ok(Switch::On),
        "false" => Ok(Switch::Off),
        text => parse::choice(&DEV_MODE, text, |word| match word {
            "on" => Some(Switch::On),
            "off" => Some(Switch::Off),
            _ => None,
        }),
    }
}

/// Warns of inputs that belong to another operation.
fn warn_about_idle(word: &str, values: &Values, diagnostics: &mut Diagnostics) {
    let own: &[&str] = match word {
        "logs" => &[LOG.name, LINES.name],
        "hardware" => &[HARDWARE.name, FALLBACK_HARDWARE.name, SLEEP_TIME.name],
        "sleep-time" => &[SLEEP_TIME.name],
        "dev-mode" => &[DEV_MODE.name],
        "delete" => &[CONFIRM.name],
        _ => &[],
    };
    let is_idle = |input: &&Input| !own.contains(&input.name) && values.given(input).is_some();
    let idle: Vec<&Input> = DETAILS.inputs.iter().filter(is_idle).collect();
    let because = format!("{} is `{word}`", values.quoted(&OPERATION));
    diagnostics.warn_without_effect(&idle, because);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hub::SleepTime;

    use super::*;
    use crate::commands::inputs::options;

    fn read(operation: &str, arguments: &[&str]) -> Result<(SpaceOptions, Vec<String>)> {
        let command = options::add(clap::Command::new("space"), GROUPS);
        let fixed = ["space", "--space", "acme/app", "--operation", operation];
        let options = command.try_get_matches_from([&fixed[..], arguments].concat()).unwrap();
        let vars = [("HF_TOKEN".to_owned(), "hf_sample".to_owned())];
        let accepted = SpaceInputs::from_values(&Values::from_options(&options, vars, GROUPS))?;
        Ok((accepted.inputs.options, accepted.warnings))
    }

    #[test]
    fn each_operation_has_its_own_inputs() {
        let hour = SleepTime::After(Duration::from_secs(3600));
        for (word, arguments, operation) in [
            ("restart", &[][..], Operation::Restart),
            (
                "logs",
                &["--log", "run", "--lines", "7"],
                Operation::Logs { kinds: vec![LogKind::Run], lines: 7 },
            ),
            (
                "hardware",
                &["--hardware", "t4-small", "--fallback-hardware", "l4x1,t4-small", "--sleep-time", "1h"],
                Operation::Hardware {
                    wanted: vec!["t4-small".parse().unwrap(), "l4x1".parse().unwrap()],
                    sleep_time: Some(hour),
                },
            ),
            ("sleep-time", &["--sleep-time", "never"], Operation::SleepTime(SleepTime::Never)),
            ("dev-mode", &[], Operation::DevMode(Switch::On)),
            ("dev-mode", &["--dev-mode", "off"], Operation::DevMode(Switch::Off)),
            ("delete", &["--confirm", "acme/app"], Operation::Delete),
        ] {
            let (options, warnings) = read(word, arguments).unwrap();
            assert_eq!((options.operation, warnings), (operation, Vec::new()), "{word}");
        }
    }

    #[test]
    fn wait_depends_on_the_operation() {
        let wait = |word, arguments: &[&str]| read(word, arguments).unwrap().0.wait;
        let default = Some(Duration::from_secs(40 * 60));
        assert_eq!([wait("restart", &[]), wait("status", &[]), wait("logs", &[])], [default, None, None]);
        assert_eq!(wait("status", &["--wait", "--timeout", "90s"]), Some(Duration::from_secs(90)));
        assert_eq!(wait("pause", &["--wait=false"]), None);
    }

    #[test]
    fn faults_name_what_an_operation_needs() {
        for (word, arguments, message) in [
            ("hardware", &[][..], "`--hardware` must be set for `--operation`"),
            ("sleep-time", &[], "`--sleep-time` must be set for `--operation`"),
            ("logs", &["--lines", "0"], "`--lines` must be a number from 1 to 10000, not `0`"),
            (
                "delete",
                &[],
                "`--confirm` must repeat `--space`, `acme/app`, because a deletion cannot be undone",
            ),
            (
                "delete",
                &["--confirm", "acme/App"],
                "`--confirm` must repeat `--space`, `acme/app`, because a deletion cannot be undone",
            ),
        ] {
            assert_eq!(read(word, arguments).unwrap_err().message, message);
        }
        assert!(read("reboot", &[]).unwrap_err().message.starts_with("`--operation` must be"));
    }

    #[test]
    fn inputs_of_other_operations_have_no_effect() {
        let (_, warnings) = read("restart", &["--confirm", "acme/app", "--hardware", "t4-small"]).unwrap();
        assert_eq!(warnings, ["`--hardware`, `--confirm` have no effect: `--operation` is `restart`"]);
    }
}
