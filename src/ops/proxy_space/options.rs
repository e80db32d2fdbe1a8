//! The options of a proxy Space.

use url::Url;

use crate::ops::space::{HardwareOptions, NamedSecret, Variable};
use hub::{RepoName, Secret};

/// A proxy Space in front of a private one.
#[derive(Debug, Clone)]
pub struct ProxyOptions {
    /// The name of the proxy Space: that of the Space with `proxy_space_suffix` behind it.
    pub repo: RepoName,
    /// Token with which the proxy opens the Space.
    pub token: Option<Secret>,
    /// Token of the deploy, which the proxy gets where it has none of its own.
    pub deploy_token: Option<Secret>,
    /// The address that the proxy forwards to; `None` is what the Hub names.
    pub target_url: Option<Url>,
    pub allow_origins: AllowOrigins,
    /// Allows a target at any https address, which the token is sent to.
    pub allow_any_target: bool,
    pub hardware: HardwareOptions,
    /// More of the proxy's own settings, by their names.
    pub settings: Vec<Variable>,
    /// Settings that the public must not read.
    pub secrets: Vec<NamedSecret>,
}

/// The pages that may call the proxy from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowOrigins {
    Any,
    /// Exact origins, at least one, as browsers send them.
    Only(Vec<String>),
}

impl AllowOrigins {
    /// The value of the proxy's setting.
    pub fn text(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Only(origins) => origins.join(","),
        }
    }
}
