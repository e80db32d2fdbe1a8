//! The features of the Hub that an account may use with its token, by the documented rules of the plans. Pure.
//!
//! The rules predict, and the Hub decides. A feature whose facts are not known is unknown.

use hub::{SpaceSdk, TokenRole, WhoAmI};

use crate::failure::account as advice;
use crate::failure::rights::Obstacle;
use crate::ops::space::HardwareOptions;

use super::facts::Facts;
use super::plan::Plan;
use super::rights::{Place, can_pay, missing_membership, missing_plan, missing_scope};

/// Answer to the question for a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Yes,
    No,
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// A feature of the Hub, for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    pub state: State,
    pub reason: String,
    /// Action that changes the state; `None` for a feature that is there.
    pub fix: Option<String>,
}

/// All features, in the order of the list.
const NAMES: [&str; 12] = [
    "public_repos",
    "cpu_basic_spaces",
    "zero_gpu_spaces",
    "zero_gpu_calls",
    "paid_hardware",
    "protected_spaces",
    "dev_mode",
    "jobs",
    "inference_credits",
    "private_storage",
    "private_data_studio",
    "api_requests",
];

/// Judges all features. Without a user, all are unknown.
pub fn features(facts: &Facts) -> Vec<Feature> {
    let (user, namespace) = match (&facts.user, &facts.namespace) {
        (Ok(user), Some(namespace)) => (user, namespace.as_str()),
        (Err(reason), _) => {
            let fix = advice::USER_TOKEN;
            return NAMES.into_iter().map(|name| unknown(name, reason.clone(), fix)).collect();
        }
        (Ok(_), None) => return Vec::new(),
    };
    let place = Place { namespace, repo: None };
    let obstacle = missing_membership(user, place, false).or_else(|| missing_scope(user, place, false));
    let account = Account { facts, user, namespace, plan: Plan::of(user, namespace), obstacle };
    NAMES.into_iter().map(|name| account.feature(name)).collect()
}

/// The account that features are judged for.
struct Account<'a> {
    facts: &'a Facts,
    user: &'a WhoAmI,
    namespace: &'a str,
    plan: Plan,
    /// Right that the token lacks for any write in the namespace.
    obstacle: Option<Obstacle>,
}

fn yes(name: &'static str, reason: impl Into<String>) -> Feature {
    Feature { name, state: State::Yes, reason: reason.into(), fix: None }
}

fn no(name: &'static str, reason: impl Into<String>, fix: impl Into<String>) -> Feature {
    Feature { name, state: State::No, reason: reason.into(), fix: Some(fix.into()) }
}

fn unknown(name: &'static str, reason: impl Into<String>, fix: impl Into<String>) -> Feature {
    Feature { name, state: State::Unknown, reason: reason.into(), fix: Some(fix.into()) }
}

impl Account<'_> {
    fn feature(&self, name: &'static str) -> Feature {
        match name {
            "public_repos" => {
                self.written(name, |_| yes(name, "every account has models, datasets and static Spaces"))
            }
            "cpu_basic_spaces" => self.written(name, |account| account.cpu_basic(name)),
            "zero_gpu_spaces" => self.written(name, |account| account.zero_gpu_spaces(name)),
            "zero_gpu_calls" => self.zero_gpu_calls(name),
            "paid_hardware" => self.written(name, |account| account.paid_hardware(name)),
            "protected_spaces" | "dev_mode" => self.written(name, |account| account.of_paid_plan(name)),
            "jobs" => self.jobs(name),
            "inference_credits" => self.inference(name),
            "private_storage" => self.private_storage(name),
            "private_data_studio" => self.of_paid_plan(name),
            _ => self.api_requests(name),
        }
    }

    /// Judges a feature that needs a write: the right comes first, and then the plan.
    fn written(&self, name: &'static str, judge: impl FnOnce(&Self) -> Feature) -> Feature {
        match &self.obstacle {
            Some(Obstacle::NarrowToken { namespace, .. }) => {
                let reason = format!("the token is fine-grained, without `repo.write` for `{namespace}`");
                no(name, reason, self.obstacle.as_ref().map(Obstacle::hint).unwrap_or_default())
            }
            Some(obstacle) => no(name, obstacle.description(), obstacle.hint()),
            None if self.user.token_role() == TokenRole::Unknown => {
                unknown(name, "the Hub does not describe the rights of the token", advice::TRY_IT)
            }
            None => judge(self),
        }
    }

    /// Returns the unknown feature of a plan that the Hub does not show.
    fn hidden(&self, name: &'static str, reason: &str) -> Feature {
        unknown(name, reason, advice::meet_rules(self.namespace))
    }

    fn of_paid_plan(&self, name: &'static str) -> Feature {
        match &self.plan {
            Plan::Pro | Plan::Org(_) => yes(name, self.on_plan()),
            Plan::Free => no(name, self.on_plan(), self.take_plan()),
            Plan::Hidden(reason) => self.hidden(name, reason),
        }
    }

    fn cpu_basic(&self, name: &'static str) -> Feature {
        if let Plan::Hidden(reason) = &self.plan {
            return self.hidden(name, reason);
        }
        let none = HardwareOptions::default();
        match missing_plan(self.user, self.namespace, SpaceSdk::Gradio, &none) {
            Some(obstacle) => no(name, obstacle.description(), obstacle.hint()),
            None => yes(name, self.on_plan()),
        }
    }

    fn zero_gpu_spaces(&self, name: &'static str) -> Feature {
        match (&self.plan, self.plan.zero_gpu_spaces()) {
            (Plan::Hidden(reason), _) => self.hidden(name, reason),
            (_, Some(number)) => yes(name, format!("{}, which allows {number}", self.on_plan())),
            (_, None) if self.namespace != self.user.name => unknown(
                name,
                format!("{}, for which the documentation names no number", self.on_plan()),
                self.take_plan(),
            ),
            (_, None) if self.user.email_verified == Some(false) => no(
                name,
                format!("the e-mail address of `{}` is not confirmed", self.user.name),
                advice::CONFIRM_EMAIL,
            ),
            (_, None) => unknown(
                name,
                format!(
                    "{}: the Hub allows 2 to users in good standing, and decides when a Space is created",
                    self.on_plan()
                ),
                self.take_plan(),
            ),
        }
    }

    fn zero_gpu_calls(&self, name: &'static str) -> Feature {
        match &self.facts.quota {
            Err(reason) => unknown(name, reason.clone(), advice::read_billing()),
            Ok(quota) if quota.current > 0.0 => {
                yes(name, format!("{:.1} of {:.1} min are left", quota.current / 60.0, quota.base / 60.0))
            }
            Ok(quota) => {
                let reason = format!("all {:.1} min are used", quota.base / 60.0);
                no(name, reason, advice::wait_for_quota(quota.resets_at.as_deref()))
            }
        }
    }

    fn paid_hardware(&self, name: &'static str) -> Feature {
        let namespace = self.namespace;
        match can_pay(self.user, namespace) {
            Some(true) => yes(name, format!("`{namespace}` has a payment method")),
            Some(false) => no(
                name,
                format!("`{namespace}` has no payment method"),
                advice::add_payment(self.organization()),
            ),
            None => unknown(
                name,
                format!("the Hub does not say if `{namespace}` has a payment method"),
                advice::add_payment(self.organization()),
            ),
        }
    }

    fn jobs(&self, name: &'static str) -> Feature {
        if let Some(refused) = self.lacks_permission(name, "job.write") {
            return refused;
        }
        if self.user.token_role() == TokenRole::Read {
            return no(name, "the token is read-only", advice::write_token(self.organization()));
        }
        if self.organization().is_some() {
            return unknown(name, "the Hub reports the access to Jobs for users only", advice::TRY_A_JOB);
        }
        match &self.facts.jobs {
            Err(reason) => unknown(name, reason.clone(), advice::read_billing()),
            Ok(jobs) if jobs.has_access => {
                yes(name, format!("the Hub gives `{}` access to Jobs, which needs credits", self.namespace))
            }
            Ok(_) => no(
                name,
                format!("the Hub gives `{}` no access to Jobs", self.namespace),
                advice::add_payment(None),
            ),
        }
    }

    fn inference(&self, name: &'static str) -> Feature {
        if let Some(refused) = self.lacks_permission(name, "inference.serverless.write") {
            return refused;
        }
        let usage = match &self.facts.usage {
            Err(reason) => return unknown(name, reason.clone(), advice::read_billing()),
            Ok(usage) => usage.inference.as_ref(),
        };
        let Some((included, used)) =
            usage.and_then(|usage| Some((usage.included_nano_usd?, usage.used_nano_usd)))
        else {
            return unknown(
                name,
                "the Hub does not report the credits",
                advice::see_billing(self.organization()),
            );
        };
        let [included, used] = [included, used].map(|nano| nano / 1e9);
        if used < included {
            return yes(name, format!("${:.2} of ${included:.2} are left this month", included - used));
        }
        no(
            name,
            format!("the ${included:.2} of this month are used"),
            advice::add_payment(self.organization()),
        )
    }

    /// Returns the refusal of a fine-grained token without this permission for the namespace.
    fn lacks_permission(&self, name: &'static str, permission: &str) -> Option<Feature> {
        let TokenRole::FineGrained(scopes) = self.user.token_role() else { return None };
        let has = scopes.iter().any(|scope| {
            let covers = scope.kind == "resource-group" || scope.name == self.namespace;
            covers && scope.permissions.iter().any(|found| found == permission)
        });
        let reason = format!("the token is fine-grained, without `{permission}` for `{}`", self.namespace);
        (!has).then(|| no(name, reason, advice::permission(permission, self.organization())))
    }

    fn private_storage(&self, name: &'static str) -> Feature {
        match &self.plan {
            Plan::Hidden(reason) => self.hidden(name, reason),
            Plan::Org(_) => yes(name, format!("{}, whose size depends on its seats", self.on_plan())),
            Plan::Free | Plan::Pro => {
                let size = self.plan.private_storage_gb().unwrap_or_default();
                yes(name, format!("{}, which includes {size} GB", self.on_plan()))
            }
        }
    }

    fn api_requests(&self, name: &'static str) -> Feature {
        match (&self.plan, self.plan.api_requests()) {
            (_, Some(number)) => yes(name, format!("{}, which allows {number} in 5 minutes", self.on_plan())),
            (Plan::Hidden(reason), None) => self.hidden(name, reason),
            (_, None) => unknown(name, self.on_plan(), advice::SEE_RATE_LIMITS),
        }
    }

    /// Describes the plan.
    fn on_plan(&self) -> String {
        let namespace = self.namespace;
        match &self.plan {
            Plan::Pro => format!("`{namespace}` is on PRO"),
            Plan::Org(plan) => format!("`{namespace}` is on the plan `{plan}`"),
            Plan::Free => format!("`{namespace}` is on the free plan"),
            Plan::Hidden(reason) => reason.clone(),
        }
    }

    fn take_plan(&self) -> String {
        advice::take_plan(self.organization())
    }

    /// Returns the namespace if it is not the user's own.
    fn organization(&self) -> Option<&str> {
        (self.namespace != self.user.name).then_some(self.namespace)
    }
}

#[cfg(test)]
mod tests;
