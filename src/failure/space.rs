//! Advice on a Space that does not run a commit, and on its hardware and settings.

use hub::SpaceSdk;

use super::hardware::{hardware_input, sleep_time_input};
use super::{Code, Failure};
use crate::ops::space::hardware::{HardwareError, HardwareRefused, MachineOption, UnsupportedHardware};
use crate::ops::space::settings::SettingsCollision;
use crate::ops::space::{SpaceError, SpaceFailure, WrongAddress};
use crate::setting::{HARDWARE, REQUIRE_HARDWARE, SPACE_SDK, Setting, TIMEOUT, VOLUMES};

/// Warning about a Space in dev mode.
pub const DEV_MODE: &str =
    "the Space is in dev mode: a commit is not built until dev mode is switched off in its settings";

impl From<SpaceError> for Failure {
    fn from(mut error: SpaceError) -> Self {
        if let Some(hub_error) = error.hub_error.take() {
            let failure = Self::from(hub_error);
            return if error.cause == SpaceFailure::Asleep {
                failure.hint("restart the Space on its page, and run the job again")
            } else {
                failure
            };
        }
        let hints = hints(&error);
        let failure = Self::new(code(error.cause), error.message);
        let failure = hints.into_iter().fold(failure, Self::hint);
        match error.hub_message {
            Some(message) => failure.caused_by(anyhow::Error::msg(message)),
            None => failure,
        }
    }
}

fn code(cause: SpaceFailure) -> Code {
    match cause {
        SpaceFailure::Build => Code::SpaceBuildFailed,
        SpaceFailure::Crash => Code::SpaceCrashed,
        SpaceFailure::Config => Code::SpaceMisconfigured,
        SpaceFailure::NoApp => Code::SpaceWithoutApp,
        SpaceFailure::Slow
        | SpaceFailure::DevMode
        | SpaceFailure::Asleep
        | SpaceFailure::NotBegun
        | SpaceFailure::Deleted => Code::SpaceNotReady,
        SpaceFailure::Platform | SpaceFailure::Unanswered => Code::HubUnavailable,
        SpaceFailure::Capacity | SpaceFailure::Quota => Code::HardwareRefused,
        SpaceFailure::Overtaken => Code::Overtaken,
    }
}

fn hints(error: &SpaceError) -> Vec<String> {
    let mut hints = Vec::new();
    let is_slow = error.cause == SpaceFailure::Slow;
    let found = error.diagnosis.as_ref();
    if let Some(found) = found.filter(|_| !is_slow) {
        hints.extend(found.fixes.iter().cloned());
    }
    match &error.wrong_address {
        // More time does not help.
        Some(wrong) => hints.push(fix_address(wrong)),
        None if error.cause == SpaceFailure::Asleep && !error.is_about_commit => {
            hints.push("wake the Space with the operation `wake`, or restart it on its page".to_owned());
        }
        None => hints.extend(hints_for(error.cause)),
    }
    if error.is_paused_again {
        hints.push("look at the page of the Space, and at its owner's billing, for the reason".to_owned());
    }
    if error.cause == SpaceFailure::NoApp {
        hints.push(add_the_app(error.sdk));
    }
    if let Some(found) = found.filter(|_| is_slow) {
        hints.extend(found.fixes.iter().map(|fix| format!("{}: {fix}", found.cause)));
    }
    if let Some(url) = &error.log_url {
        hints.push(format!("read the log of the Space: {url}"));
    }
    hints
}

/// Returns the hints for a cause. Those for failures of the app come from its logs.
fn hints_for(cause: SpaceFailure) -> Vec<String> {
    let fixed: &[&str] = match cause {
        SpaceFailure::Slow | SpaceFailure::NotBegun => {
            return vec![format!(
                "give it more time with {TIMEOUT}, and a slow start with `startup_duration_timeout` in README.md"
            )];
        }
        SpaceFailure::Platform => &[
            "run the job again: the Hub failed, not the app",
            "if it stays, use \"Factory rebuild\" in the settings of the Space, and see https://status.huggingface.co",
        ],
        SpaceFailure::Capacity => {
            return vec![
                "run the job again later: the Hub has no free machine, and the app did not start".to_owned(),
                format!("or choose other {HARDWARE}"),
            ];
        }
        SpaceFailure::Quota => {
            return vec![
                format!("add credits at https://huggingface.co/settings/billing, or choose other {HARDWARE}"),
                "then run the job again: the app did not start".to_owned(),
            ];
        }
        SpaceFailure::DevMode => &[
            "the commit is on the branch: switch dev mode off in the settings of the Space to have it built",
        ],
        SpaceFailure::Asleep => &["the commit is on the branch: restart the Space on its page"],
        SpaceFailure::Overtaken => &[
            "the newer commit decides what runs now; look at the run that made it",
            "to deploy one after the other, give the workflow a `concurrency` group",
        ],
        SpaceFailure::Build
        | SpaceFailure::Crash
        | SpaceFailure::Config
        | SpaceFailure::NoApp
        | SpaceFailure::Deleted
        | SpaceFailure::Unanswered => &[],
    };
    fixed.iter().map(|hint| (*hint).to_owned()).collect()
}

/// Returns the hint for an app that listens at the wrong address.
pub fn fix_address(wrong: &WrongAddress) -> String {
    match wrong {
        WrongAddress::Port { expected: port, is_internal: true, .. }
        | WrongAddress::Internal { port, .. } => {
            format!("let the app listen on 0.0.0.0 and port {port}")
        }
        WrongAddress::Port { port, expected, .. } => format!(
            "let the app listen on port {expected}, or set `app_port: {port}` in README.md of a Docker Space"
        ),
    }
}

fn add_the_app(sdk: Option<SpaceSdk>) -> String {
    match sdk {
        Some(SpaceSdk::Docker | SpaceSdk::Streamlit) => {
            format!("add a `Dockerfile` to the folder, or set {SPACE_SDK} if this is no Docker Space")
        }
        Some(SpaceSdk::Static) => {
            "add `index.html` to the folder, or name the page with `app_file` in README.md".to_owned()
        }
        Some(SpaceSdk::Gradio) | None => {
            "add `app.py` to the folder, or name the file with `app_file` in README.md".to_owned()
        }
    }
}

fn setting_of(option: MachineOption) -> Setting {
    match option {
        MachineOption::Hardware(of) => hardware_input(of),
        MachineOption::SleepTime(of) => sleep_time_input(of),
        MachineOption::Volumes => VOLUMES,
    }
}

impl From<UnsupportedHardware> for Failure {
    fn from(error: UnsupportedHardware) -> Self {
        let message = match error {
            UnsupportedHardware::StaticSpace(option) => {
                format!("{} must be left out for a static Space: nothing runs there", setting_of(option))
            }
            UnsupportedHardware::ZeroGpu { flavor, wanted_by, sdk } => format!(
                "{} is `{flavor}`, and ZeroGPU needs the Gradio SDK: this Space has `{}`",
                hardware_input(wanted_by),
                sdk.hub_name()
            ),
        };
        Self::new(Code::InvalidInput, message).hint(format!(
            "change the input, or the SDK in {SPACE_SDK} or in the card of README.md; nothing was changed"
        ))
    }
}

impl From<HardwareRefused> for Failure {
    fn from(error: HardwareRefused) -> Self {
        let page = &error.settings_page;
        Self::new(Code::HardwareRefused, error.to_string())
            .hint(format!("choose the hardware at {page}, or add a payment method to the namespace"))
            .hint(format!(
                "without {} the deploy goes on with the hardware that the Space has",
                REQUIRE_HARDWARE.with(true)
            ))
    }
}

impl From<HardwareError> for Failure {
    fn from(error: HardwareError) -> Self {
        match error {
            HardwareError::Refused(error) => error.into(),
            HardwareError::Hub(error) => error.into(),
        }
    }
}

impl From<SettingsCollision> for Failure {
    fn from(error: SettingsCollision) -> Self {
        let page = &error.settings_page;
        Self::new(Code::SettingsCollision, error.to_string())
            .hint(format!(
                "a Space with both does not start: delete the old one at {page}, or choose another name"
            ))
            .hint("nothing was changed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::space::{Evidence, OptionOf, diagnose};
    use hub::LogKind;

    fn error(cause: SpaceFailure) -> SpaceError {
        SpaceError {
            cause,
            message: "the Space `a/b` failed".to_owned(),
            sdk: None,
            is_about_commit: true,
            is_paused_again: false,
            wrong_address: None,
            diagnosis: None,
            hub_message: None,
            log_url: None,
            hub_error: None,
        }
    }

    fn diagnosed(cause: SpaceFailure, line: &str) -> SpaceError {
        let diagnosis = diagnose(&Evidence { hub: None, kind: LogKind::Run, log: &[line] });
        SpaceError { diagnosis, ..error(cause) }
    }

    #[test]
    fn unsupported_hardware_names_the_input() {
        let message = |error: UnsupportedHardware| Failure::from(error).message;
        let zero_gpu = UnsupportedHardware::ZeroGpu {
            flavor: "zerogpu".parse().unwrap(),
            wanted_by: OptionOf::Space,
            sdk: SpaceSdk::Streamlit,
        };
        assert_eq!(
            message(zero_gpu),
            "`hardware` is `zerogpu`, and ZeroGPU needs the Gradio SDK: this Space has `docker`"
        );
        assert_eq!(
            message(UnsupportedHardware::StaticSpace(MachineOption::Volumes)),
            "`volumes` must be left out for a static Space: nothing runs there"
        );
        let sleep_time = MachineOption::SleepTime(OptionOf::Previews);
        assert_eq!(
            message(UnsupportedHardware::StaticSpace(sleep_time)),
            "`preview_sleep_time` must be left out for a static Space: nothing runs there"
        );
    }

    #[test]
    fn fixes_of_the_log_come_first() {
        let line = "ModuleNotFoundError: No module named 'cv2'";
        let failure = Failure::from(diagnosed(SpaceFailure::Crash, line));
        assert!(failure.hints[0].starts_with("add `opencv-python-headless`"), "{:?}", failure.hints);
        let failure = Failure::from(diagnosed(SpaceFailure::Slow, line));
        assert!(failure.hints[0].starts_with("give it more time"), "{:?}", failure.hints);
        let fix = failure.hints.last().unwrap();
        assert!(fix.starts_with("the app imports `cv2`, which is not installed: add"), "{fix}");
    }

    #[test]
    fn wrong_address_replaces_the_advice_to_wait() {
        let wrong = WrongAddress::Internal { shown: "127.0.0.1:7860".to_owned(), port: 7860 };
        let failure = Failure::from(SpaceError { wrong_address: Some(wrong), ..error(SpaceFailure::Slow) });
        assert_eq!(failure.hints, ["let the app listen on 0.0.0.0 and port 7860"]);
        let wrong = |is_internal| WrongAddress::Port {
            port: 8000,
            shown: String::new(),
            expected: 7860,
            is_internal,
        };
        assert_eq!(fix_address(&wrong(true)), "let the app listen on 0.0.0.0 and port 7860");
        assert!(fix_address(&wrong(false)).ends_with("set `app_port: 8000` in README.md of a Docker Space"));
    }

    #[test]
    fn message_of_the_hub_is_the_cause_of_the_failure() {
        let url = "https://hub/spaces/a/b?logs=container";
        let failure = Failure::from(SpaceError {
            hub_message: Some("Exit code: 3\nsecond".to_owned()),
            log_url: Some(url.to_owned()),
            ..error(SpaceFailure::Crash)
        });
        assert_eq!(failure.causes(), ["Exit code: 3\nsecond"]);
        assert_eq!(failure.hints, [format!("read the log of the Space: {url}")]);
        assert_eq!(failure.code, Code::SpaceCrashed);
    }
}
