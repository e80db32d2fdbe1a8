//! Advice on rights and plans that are missing, found before anything is written.

use hub::{Access, Flavor, Repo, SpaceSdk, WhoAmI};

use super::token_page::token_page;
use super::{Code, Failure};
use crate::setting::{CREATE_PR, CREATE_PROXY, HARDWARE, HUGGINGFACE_REPO};
use crate::text::quoted_all;

/// Right or plan that is missing for a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The user is no member of the namespace.
    NoMember {
        user: String,
        namespace: String,
        own_namespaces: Vec<String>,
    },
    /// The user's role in the organization, described for a sentence, has no right to write.
    Role {
        user: String,
        organization: String,
        role: &'static str,
    },
    ReadOnlyToken {
        organization: Option<String>,
    },
    NarrowToken {
        namespace: String,
        organization: Option<String>,
    },
    /// The namespace is on the free plan. `flavor` is hardware that needs a payment method.
    FreePlan {
        namespace: String,
        sdk: SpaceSdk,
        flavor: Option<Flavor>,
    },
}

impl Obstacle {
    /// Describes the obstacle as a part of a sentence.
    pub fn description(&self) -> String {
        match self {
            Self::NoMember { user, namespace, .. } => format!("`{user}` is no member of `{namespace}`"),
            Self::Role { user, organization, role } => format!("`{user}` has {role} in `{organization}`"),
            Self::ReadOnlyToken { .. } => "the token is read-only".to_owned(),
            Self::NarrowToken { namespace, .. } => {
                format!("the token is fine-grained, without `repo.write` for `{namespace}` or this repo")
            }
            Self::FreePlan { namespace, sdk, flavor } => {
                let kind = if *sdk == SpaceSdk::Gradio { "Gradio" } else { "Docker" };
                let hardware = match flavor {
                    Some(flavor) => format!("`{flavor}` without a payment method, and none on `cpu-basic`"),
                    None => "`cpu-basic`".to_owned(),
                };
                format!(
                    "`{namespace}` is on the free plan, with which the Hub creates no {kind} Space on {hardware}"
                )
            }
        }
    }

    /// Returns the action that removes the obstacle.
    pub fn hint(&self) -> String {
        match self {
            Self::NoMember { own_namespaces, .. } => {
                format!("set {HUGGINGFACE_REPO} to a repo of {}", quoted_all(own_namespaces).join(" or "))
            }
            Self::Role { organization, .. } => {
                format!("ask an admin of `{organization}` for the role `write`, which no token replaces")
            }
            Self::ReadOnlyToken { organization } => {
                format!("make a token with write access at {}", form(organization.as_deref()))
            }
            Self::NarrowToken { organization, .. } => {
                format!("make a token with that right at {}", form(organization.as_deref()))
            }
            Self::FreePlan { sdk: SpaceSdk::Gradio, .. } => {
                format!(
                    "set {} and decorate a function of the app with `@spaces.GPU`, or take a paid plan",
                    HARDWARE.with("zero-a10g")
                )
            }
            Self::FreePlan { .. } => {
                format!(
                    "take a paid plan; static Spaces, and a few Gradio Spaces with {}, are free",
                    HARDWARE.with("zero-a10g")
                )
            }
        }
    }
}

fn form(organization: Option<&str>) -> String {
    token_page(Access::Write, organization)
}

/// Joins the descriptions of obstacles.
pub fn described(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(Obstacle::description).collect::<Vec<_>>().join("; ")
}

/// Returns the failure of a deploy that the user or the token has no right to. A change can be proposed to a repo that
/// exists only.
pub fn missing_rights(repo: &Repo, obstacles: &[Obstacle], exists: bool) -> Failure {
    let message = format!("cannot deploy to the {repo}: {} (nothing was changed)", described(obstacles));
    let mut hints = Vec::new();
    for obstacle in obstacles {
        match obstacle {
            Obstacle::NoMember { user, namespace, .. } => hints.extend([
                format!("{}, such as `{user}/{}`", obstacle.hint(), repo.id.name),
                format!("or ask for write access, if `{namespace}` is an organization that you work with"),
            ]),
            _ => hints.push(obstacle.hint()),
        }
        let is_about_the_user = matches!(obstacle, Obstacle::NoMember { .. } | Obstacle::Role { .. });
        if exists && is_about_the_user {
            hints.push(format!("or set {} to propose the change", CREATE_PR.with(true)));
        }
    }
    let failure = Failure::new(Code::PermissionDenied, message);
    hints.into_iter().fold(failure, Failure::hint)
}

/// Describes a plan that does not cover the proxy Space.
pub fn proxy_not_covered(proxy: &Repo, plan: &Obstacle) -> String {
    format!("cannot create the proxy {proxy}: {}", plan.description())
}

/// Returns the failure of a proxy Space that the plan of its namespace does not cover.
pub fn proxy_plan_missing(proxy: &Repo, plan: &Obstacle) -> Failure {
    let message = format!("{} (nothing was changed)", proxy_not_covered(proxy, plan));
    Failure::new(Code::PaymentRequired, message)
        .hint(format!("take a paid plan, or leave {CREATE_PROXY} out"))
        .hint(super::proxy::protected_instead())
}

/// Returns the user's own namespace and those of the user's organizations.
pub fn namespaces(user: &WhoAmI) -> Vec<String> {
    let orgs = user.orgs.iter().map(|org| org.name.clone());
    std::iter::once(user.name.clone()).chain(orgs).collect()
}

/// Returns whether the namespace is on a paid plan: `None` if it is not one of the user's, and if it hides its plan from
/// this sign-in.
pub fn has_plan(user: &WhoAmI, namespace: &str) -> Option<bool> {
    if user.name == namespace {
        return Some(user.is_pro);
    }
    let org = user.orgs.iter().find(|org| org.name == namespace)?;
    if org.plan.is_none() && !org.restrictions.is_empty() {
        return None;
    }
    Some(org.plan.is_some())
}
