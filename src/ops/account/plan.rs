//! Plans of the Hub, and their documented limits. Pure.

use hub::WhoAmI;

/// Plan of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Pro,
    /// Plan of an organization, by the Hub's word for it.
    Org(String),
    /// No paid plan.
    Free,
    /// The Hub does not show it, for this reason.
    Hidden(String),
}

impl Plan {
    /// Returns the plan of a namespace, by the answer about the user.
    pub fn of(user: &WhoAmI, namespace: &str) -> Self {
        if user.name == namespace {
            return if user.is_pro { Self::Pro } else { Self::Free };
        }
        match user.orgs.iter().find(|org| org.name == namespace) {
            None => Self::Hidden(format!("`{}` is no member of `{namespace}`", user.name)),
            Some(org) => match &org.plan {
                Some(plan) => Self::Org(plan.clone()),
                None if org.restrictions.is_empty() => Self::Free,
                None => Self::Hidden(format!(
                    "`{namespace}` hides its plan from this sign-in, because of its rule `{}`",
                    org.restrictions.join("`, `")
                )),
            },
        }
    }

    /// Returns the name of the plan, if it is known.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Pro => Some("pro"),
            Self::Org(plan) => Some(plan),
            Self::Free => Some("free"),
            Self::Hidden(_) => None,
        }
    }

    /// Returns the number of ZeroGPU Spaces that it allows. The Hub may refuse those of a free user.
    pub fn zero_gpu_spaces(&self) -> Option<u32> {
        match self {
            Self::Pro => Some(10),
            Self::Org(_) => Some(50),
            Self::Free | Self::Hidden(_) => None,
        }
    }

    /// Returns the number of API requests in five minutes, as the documentation of the rate limits lists it.
    pub fn api_requests(&self) -> Option<u32> {
        match self {
            Self::Free => Some(1000),
            Self::Pro => Some(2500),
            Self::Org(plan) => match plan.as_str() {
                "team" | "academia" => Some(3000),
                "enterprise" => Some(6000),
                "plus" => Some(10_000),
                _ => None,
            },
            Self::Hidden(_) => None,
        }
    }

    /// Returns the private storage in gigabytes, where the documentation has one number for all.
    pub fn private_storage_gb(&self) -> Option<u32> {
        match self {
            Self::Free => Some(100),
            Self::Pro => Some(1000),
            Self::Org(_) | Self::Hidden(_) => None,
        }
    }
}
