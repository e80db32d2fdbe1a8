//! Advice on operations on one Space.

use std::time::Duration;

use hub::{Access, Refusal, Repo, RepoId};

use super::token_page::token_page;
use super::{Code, Failure};
use crate::ops::space::hardware::HardwareRefused;
use crate::setting::{CONFIRM, DEV_MODE, FALLBACK_HARDWARE, OPERATION, SLEEP_TIME, SPACE, TIMEOUT};

/// Page of the Hub for SSH keys.
pub const SSH_KEYS: &str = "https://huggingface.co/settings/keys";

/// Returns the line about the end of dev mode.
pub fn dev_mode_ends() -> String {
    format!(
        "commits are not built until dev mode is off: switch it off with {}; the Hub ends it after 48 hours without use",
        DEV_MODE.with("off")
    )
}

/// Returns the failure of an operation on a Space that does not exist, or that the token cannot see.
pub fn not_found(space: &Repo, refusal: Option<&Refusal>) -> Failure {
    let reason = refusal.map_or_else(
        || "it has no branch `main`".to_owned(),
        |refusal| format!("the Hub answered {refusal}"),
    );
    Failure::new(Code::RepoNotFound, format!("cannot find the {space}: {reason}"))
        .hint(format!("check {SPACE}; a private Space that the token cannot see looks the same"))
}

/// Returns the failure of an operation that no static Space supports.
pub fn static_space(space: &Repo, verb: &str) -> Failure {
    Failure::new(Code::InvalidInput, format!("cannot {verb} the {space}: nothing runs in a static Space"))
        .hint("only `status` and `delete` work with a static Space")
}

/// Returns the failure of a deletion whose Space has another name by now.
pub fn renamed_before_delete(space: &Repo, now: &RepoId) -> Failure {
    Failure::new(
        Code::InvalidInput,
        format!("cannot delete the {space}: it is `{now}` now (nothing was changed)"),
    )
    .hint(format!("write the present name into {SPACE} and {CONFIRM}"))
}

/// Returns the warning about a Space that has another name by now.
pub fn renamed(space: &Repo, now: &RepoId) -> String {
    format!("the {space} is `{now}` now: write that into {SPACE}")
}

/// Returns the line about the price of hardware.
pub fn price(hardware: &str, hourly: Option<f64>) -> String {
    match hourly {
        Some(dollars) => {
            format!("the hardware `{hardware}` costs ${dollars:.2} an hour while the Space starts and runs")
        }
        None => {
            format!("the price of the hardware `{hardware}` is not known: see https://huggingface.co/pricing")
        }
    }
}

/// Returns the failure of a request for hardware that the Hub refused.
pub fn hardware_refused(refused: &HardwareRefused) -> Failure {
    let page = &refused.settings_page;
    Failure::new(Code::HardwareRefused, refused.to_string())
        .hint(format!("choose the hardware at {page}, add a payment method to the namespace, or name other hardware in {FALLBACK_HARDWARE}"))
}

/// Returns the failure of a sleep time for free hardware.
pub fn no_sleep_time(space: &Repo) -> Failure {
    Failure::new(
        Code::InvalidInput,
        format!("cannot set the sleep time of the {space}: `cpu-basic` always sleeps after 48 hours"),
    )
    .hint(format!(
        "request other hardware first, with {}, which takes {SLEEP_TIME} as well",
        OPERATION.with("hardware")
    ))
}

/// Returns the failure of a Space that was asked to pause, and goes on.
pub fn not_paused(space: &Repo, stage: &str, timeout: Duration) -> Failure {
    let message = format!("the {space} is still {stage} {} s after it was paused", timeout.as_secs());
    Failure::new(Code::SpaceNotReady, message)
        .hint(format!("look at the page of the Space, and run this again with a longer {TIMEOUT}"))
}

/// Returns the failure of a deletion that the Hub confirmed without an effect.
pub fn still_there(space: &Repo) -> Failure {
    Failure::new(
        Code::HubRefused,
        format!("the Hub confirmed the deletion of the {space}, which is still there"),
    )
    .hint("look at the page of the Space, and delete it there")
}

/// Explains a failure after the Hub had shown the Space to this token.
pub fn after_lookup(mut failure: Failure, is_dev_mode: bool) -> Failure {
    match failure.code {
        // The Hub refuses an unknown token on every path, and the lookup passed.
        Code::TokenInvalid => {
            failure.code = Code::PermissionDenied;
            failure.message =
                format!("the Hub knows this token, and refuses the operation: {}", failure.message);
            failure.hints = vec![format!(
                "use a token with write access: make one at {}; tokens of OAuth apps may not restart a Space or change its hardware",
                token_page(Access::Write, None)
            )];
        }
        Code::RepoNotFound => {
            failure.hints =
                vec!["the Space was deleted, renamed or made private after this run had found it".to_owned()];
        }
        Code::PaymentRequired if is_dev_mode => {
            failure.hints = vec!["dev mode needs a PRO user, or an organization with a Team or Enterprise plan; `hf-deploy status` shows yours".to_owned()];
        }
        _ => {}
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_token_is_not_called_invalid() {
        let refused =
            Failure::new(Code::TokenInvalid, "cannot restart the Space `a/b`: 401").hint("check the secret");
        let failure = after_lookup(refused, false);
        assert_eq!((failure.code, failure.exit_code()), (Code::PermissionDenied, 3));
        assert!(failure.message.starts_with("the Hub knows this token"), "{failure}");
        assert!(failure.hints[0].contains("OAuth apps") && failure.hints.len() == 1);
    }

    #[test]
    fn payment_for_dev_mode_names_the_plan() {
        let refused = |is_dev_mode| {
            after_lookup(Failure::new(Code::PaymentRequired, "402").hint("add credits"), is_dev_mode).hints
        };
        assert_eq!(refused(false), ["add credits"]);
        assert!(refused(true)[0].starts_with("dev mode needs a PRO user"));
    }

    #[test]
    fn a_price_that_is_not_known_is_not_guessed() {
        let line = price("t4-small", Some(0.4));
        assert_eq!(line, "the hardware `t4-small` costs $0.40 an hour while the Space starts and runs");
        assert!(price("quantum-x1", None).contains("is not known"));
    }
}
