//! Limits of a namespace's plan and payment method.

use crate::accounts::user::User;
use crate::http::answer::HubError;

/// Flavors of the OpenAPI document's create call. No document lists those of `POST …/hardware`.
pub const FLAVORS: [&str; 30] = [
    "cpu-basic",
    "cpu-upgrade",
    "cpu-performance",
    "cpu-xl",
    "sprx8",
    "zero-a10g",
    "t4-small",
    "t4-medium",
    "l4x1",
    "l4x4",
    "l40sx1",
    "l40sx4",
    "l40sx8",
    "a10g-small",
    "a10g-large",
    "a10g-largex2",
    "a10g-largex4",
    "a100-large",
    "a100x4",
    "a100x8",
    "h200",
    "h200x2",
    "h200x4",
    "h200x8",
    "rtx-pro-6000",
    "rtx-pro-6000x2",
    "rtx-pro-6000x4",
    "rtx-pro-6000x8",
    "inf2x6",
    "zerogpu",
];

const PRO_NEEDED: &str = "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic \
    requires a PRO subscription";
const TEAM_NEEDED: &str = "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic \
    requires a Team or Enterprise subscription";
/// No source has the Hub's own words.
const DEV_MODE_NEEDS_PLAN: &str = "Dev mode requires a PRO, Team or Enterprise subscription";
const PAYMENT_NEEDED: &str = "A payment method is required for this hardware";

/// Returns true for both names of ZeroGPU, which is free.
pub(crate) fn is_zero_gpu(flavor: &str) -> bool {
    matches!(flavor, "zero-a10g" | "zerogpu")
}

/// Returns 402 if the flavor is paid and the namespace has no payment method.
pub(crate) fn check_flavor(user: &User, namespace: &str, flavor: &str) -> Result<(), HubError> {
    let costs = flavor != "cpu-basic" && !is_zero_gpu(flavor);
    let can_pay = user.org(namespace).map_or(user.can_pay, |org| org.can_pay);
    if costs && !can_pay { Err(HubError::new(402, PAYMENT_NEEDED)) } else { Ok(()) }
}

/// Returns 402 if dev mode is switched on in a namespace without a subscription. Switching it off is always allowed.
pub(crate) fn check_dev_mode(user: &User, namespace: &str) -> Result<(), HubError> {
    let is_paid = user.org(namespace).map_or(user.is_pro, |org| org.plan.is_some());
    if is_paid { Ok(()) } else { Err(HubError::new(402, DEV_MODE_NEEDS_PLAN)) }
}

/// Returns 402 if a new Gradio or Docker Space on `cpu-basic` has no subscription of its namespace. Paid hardware and
/// ZeroGPU need none.
pub(crate) fn check_sdk(
    user: &User,
    namespace: &str,
    sdk: &str,
    flavor: Option<&str>,
) -> Result<(), HubError> {
    if sdk == "static" || flavor.is_some_and(|flavor| flavor != "cpu-basic") {
        return Ok(());
    }
    match user.org(namespace) {
        Some(org) if org.plan.is_none() => Err(HubError::new(402, TEAM_NEEDED)),
        None if !user.is_pro => Err(HubError::new(402, PRO_NEEDED)),
        _ => Ok(()),
    }
}
