//! Switches for behaviour that depends on plans and limits.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::RepoType;

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

/// What the Hub of this test allows. The default follows the documented plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Creating a Gradio or Docker Space on `cpu-basic` needs a subscription of its namespace, as the Hub's Spaces
    /// overview says (402 otherwise).
    pub paid_sdks_need_pro: bool,
    /// A fixed 402 text for creating repositories of a type.
    pub payment_required: BTreeMap<RepoType, String>,
    /// Answer 429 once a caller has used up this many requests in five minutes; `None` never does.
    pub requests_per_window: Option<u64>,
    /// The address that is told for the Xet storage, where something stands between; `None` is the Hub's own.
    pub xet_url: Option<String>,
    /// Lifetime of Xet tokens, in seconds.
    pub xet_token_seconds: u64,
    /// Lifetime of tokens from the OIDC exchange, in seconds.
    pub repo_token_seconds: u64,
    /// So long after a commit the runtime still says `RUNNING` with the old commit, as if no build were coming.
    pub stale_running: Duration,
    /// Time that a Space is `BUILDING` where no script and no runtime decides.
    pub build_time: Duration,
    /// Keeps the mode of a file that a commit replaces; the commit itself names none.
    pub commits_keep_modes: bool,
    /// Whether a commit or a changed setting starts a paused Space. The documentation says that a paused Space waits
    /// for its owner ("until manually restarted"); `false` follows it.
    pub commit_restarts_paused: bool,
    /// Whether `?expand=visibility` is answered for a Space. No client lists it, so by default it is a 400.
    pub expands_visibility: bool,
    /// True if a merged pull request names the commit that the merge made. The document has `mergeCommitId` as optional.
    pub merges_name_their_commit: bool,
    /// Time between the answer to a merge and the merge itself.
    pub merge_delay: Duration,
    /// True if a merged pull request can be closed, as independent Hubs allow.
    pub merged_can_be_closed: bool,
    /// The description of a commit in the answer to it.
    pub commit_answer: CommitAnswer,
    /// True if a preupload names the `oid` of files that exist.
    pub preupload_names_oids: bool,
    /// True if a file without content is a large one where its name says so.
    pub empty_files_are_large: bool,
    /// `X-Forwarded-Proto` at the app. The real edge says `https`; an app that builds links from it needs `http` here.
    pub forwarded_proto: String,
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
            empty_files_are_large: false,
            forwarded_proto: "https".into(),
        }
    }
}
