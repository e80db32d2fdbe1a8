//! Advice on features that an account may not use, or about which the Hub does not say.

use hub::{Access, token_form};

const HUB: &str = "https://huggingface.co";

/// Fix for features of a token whose user is not known.
pub const USER_TOKEN: &str = "use a token of a user, made at https://huggingface.co/settings/tokens";

/// Fix for a feature that only an attempt shows.
pub const TRY_IT: &str = "try it: the Hub answers with the reason if it refuses";

/// Fix for Jobs of an organization.
pub const TRY_A_JOB: &str = "run a short Job on `cpu-basic`: the Hub answers with the reason if it refuses";

/// Fix for a user whose e-mail address is not confirmed.
pub const CONFIRM_EMAIL: &str = "confirm the e-mail address at https://huggingface.co/settings/account";

/// Fix for a plan without a documented rate limit.
pub const SEE_RATE_LIMITS: &str = "see https://huggingface.co/docs/hub/rate-limits";

/// Returns the fix for a feature of paid plans.
pub fn take_plan(organization: Option<&str>) -> String {
    match organization {
        None => format!("subscribe to PRO at {HUB}/pro"),
        Some(name) => format!("take a Team or Enterprise plan for `{name}` at {HUB}/pricing"),
    }
}

/// Returns the fix for a missing payment method, or missing credits.
pub fn add_payment(organization: Option<&str>) -> String {
    format!("add a payment method or credits at {}", billing_page(organization))
}

/// Returns the fix for credits that the Hub does not report.
pub fn see_billing(organization: Option<&str>) -> String {
    format!("see {}", billing_page(organization))
}

fn billing_page(organization: Option<&str>) -> String {
    match organization {
        None => format!("{HUB}/settings/billing"),
        Some(name) => format!("{HUB}/organizations/{name}/settings/billing"),
    }
}

/// Returns the fix for a quota that the token may not read.
pub fn read_billing() -> String {
    format!("for a fine-grained token, add {}; else try again later", form("user.billing.read", None))
}

/// Returns the fix for a permission that a fine-grained token lacks.
pub fn permission(permission: &str, organization: Option<&str>) -> String {
    format!("make a token with {}", form(permission, organization))
}

fn form(permission: &str, organization: Option<&str>) -> String {
    let (key, org) = match organization {
        None => ("ownUserPermissions", String::new()),
        Some(name) => ("orgPermissions", format!("&orgs={name}")),
    };
    format!(
        "the permission `{permission}`, at {HUB}/settings/tokens/new?tokenType=fineGrained{org}&{key}={permission}"
    )
}

/// Returns the fix for a token that only reads.
pub fn write_token(organization: Option<&str>) -> String {
    format!("make a token with write access at {}", token_form(HUB, Access::Write, organization))
}

/// Returns the fix for an organization that hides facts from a sign-in.
pub fn meet_rules(namespace: &str) -> String {
    format!("use a token of a member of `{namespace}` that meets its rules")
}

/// Returns the fix for a quota that is used up.
pub fn wait_for_quota(resets_at: Option<&str>) -> String {
    match resets_at {
        Some(time) => format!("wait until {time}, or add credits at {HUB}/settings/billing"),
        None => format!("add credits at {HUB}/settings/billing"),
    }
}
