//! Switches for behaviour that depends on plans and limits, or that clients report differently.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::core::repo_type::RepoType;
use crate::jobs::policy::JobPolicy;
use crate::util::lock;

/// The description of a commit in the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CommitAnswer {
    /// As the document says.
    #[default]
    Whole,
    /// With the paths of its pages only.
    RelativeUrls,
    /// Without its id and its page.
    Nameless,
}

/// Behaviour of one local Hub. The default follows the documented plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Creating a Gradio or Docker Space on `cpu-basic` needs a subscription of its namespace, as the Hub's Spaces
    /// overview says (402 otherwise).
    pub paid_sdks_need_pro: bool,
    /// A fixed 402 text for creating repositories of a type.
    pub payment_required: BTreeMap<RepoType, String>,
    /// Answer 429 once a caller has used up this many requests in five minutes; `None` never does.
    pub requests_per_window: Option<u64>,
    /// Origin reported for the Xet storage, if a proxy is in front of it; `None` reports the Hub's own.
    pub xet_url: Option<String>,
    /// Lifetime of Xet tokens, in seconds.
    pub xet_token_seconds: u64,
    /// Lifetime of tokens from the OIDC exchange, in seconds.
    pub repo_token_seconds: u64,
    /// Time after a commit during which the runtime still reports `RUNNING` with the old commit.
    pub stale_running: Duration,
    /// Duration of a build that neither a script nor an app determines.
    pub build_time: Duration,
    /// Keeps the mode of a file that a commit replaces. The commit itself has no modes.
    pub commits_keep_modes: bool,
    /// True if a commit or a changed setting starts a paused Space. `false` follows the documentation, in which a paused
    /// Space waits for its owner ("until manually restarted").
    pub commit_restarts_paused: bool,
    /// True if `?expand=visibility` is answered for a Space. No client lists it, so the default is a 400.
    pub expands_visibility: bool,
    /// True if a merged pull request has a `mergeCommitId`, which the document lists as optional.
    pub merges_name_their_commit: bool,
    /// Time between the answer to a merge and the merge itself.
    pub merge_delay: Duration,
    /// True if a merged pull request can be closed, as independent Hubs allow.
    pub merged_can_be_closed: bool,
    /// The description of a commit in the answer to it.
    pub commit_answer: CommitAnswer,
    /// True if a preupload names the `oid` of files that exist.
    pub preupload_names_oids: bool,
    /// Maximum number of operations in a batch of a bucket. The document names none, and the official client sends 1,000.
    pub bucket_batch_max: usize,
    /// True if a file without content is a large file when its name matches a rule.
    pub empty_files_are_large: bool,
    /// Providers of models, by name of the model, as `inferenceProviderMapping` has them.
    pub inference_providers: BTreeMap<String, serde_json::Value>,
    /// Cost of the period of every user, in millionths of a US dollar; `None` closes the bill to all tokens.
    pub usage_micro_usd: Option<u64>,
    /// Time after a commit to a dataset in which the dataset viewer is not ready.
    pub viewer_delay: Duration,
    /// `X-Forwarded-Proto` at the app. The real edge sends `https`; an app that builds links from it needs `http` here.
    pub forwarded_proto: String,
    /// Behaviour of Jobs.
    pub jobs: JobPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            paid_sdks_need_pro: true,
            payment_required: BTreeMap::new(),
            requests_per_window: None,
            xet_url: None,
            xet_token_seconds: 3600,
            repo_token_seconds: 3600,
            stale_running: Duration::ZERO,
            build_time: Duration::from_secs(1),
            commits_keep_modes: true,
            commit_restarts_paused: false,
            expands_visibility: false,
            merges_name_their_commit: true,
            merge_delay: Duration::ZERO,
            merged_can_be_closed: false,
            commit_answer: CommitAnswer::default(),
            preupload_names_oids: true,
            bucket_batch_max: 1000,
            empty_files_are_large: false,
            inference_providers: BTreeMap::new(),
            usage_micro_usd: None,
            viewer_delay: Duration::ZERO,
            forwarded_proto: "https".into(),
            jobs: JobPolicy::default(),
        }
    }
}

/// The policy of a server, shared by its parts. A test changes it while the server runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedPolicy(Arc<Mutex<Policy>>);

impl SharedPolicy {
    /// Returns the policy of this moment.
    pub(crate) fn get(&self) -> Policy {
        lock(&self.0).clone()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Policy)) {
        change(&mut lock(&self.0));
    }
}
