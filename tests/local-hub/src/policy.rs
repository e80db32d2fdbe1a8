//! Switches for behaviour that depends on plans and limits.

use std::collections::BTreeMap;

use crate::config::RepoType;

/// What the Hub of this test allows. The default follows the documented plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Creating a Gradio or Docker Space needs PRO, as the Hub's Spaces overview says (402 otherwise).
    pub paid_sdks_need_pro: bool,
    /// A fixed 402 text for creating repositories of a type.
    pub payment_required: BTreeMap<RepoType, String>,
    /// Answer 429 once a caller has used up this many requests in five minutes; `None` never does.
    pub requests_per_window: Option<u64>,
    /// Lifetime of Xet tokens, in seconds.
    pub xet_token_seconds: u64,
    /// Lifetime of tokens from the OIDC exchange, in seconds.
    pub repo_token_seconds: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            paid_sdks_need_pro: true,
            payment_required: BTreeMap::new(),
            requests_per_window: None,
            xet_token_seconds: 3600,
            repo_token_seconds: 3600,
        }
    }
}
