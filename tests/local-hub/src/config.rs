//! How a local Hub is set up: users, transfers, limits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The three repository types the Hub serves git trees for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoType {
    /// A model repository; its pages have no prefix.
    Model,
    /// A dataset repository.
    Dataset,
    /// A Space.
    Space,
}

impl RepoType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// `model`, `dataset` or `space`: the value of a `type` field.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// `models`, `datasets` or `spaces`: the segment of an API path.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// Prefix of a page or git path: empty, `datasets/` or `spaces/`.
    #[must_use]
    pub fn page_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    pub(crate) fn from_plural(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.plural() == text)
    }

    pub(crate) fn from_singular(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.singular() == text)
    }
}

/// One permission set of a fine-grained token, as `whoami-v2` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenScope {
    /// `user`, `org`, `model`, `dataset` or `space`.
    pub entity_type: String,
    /// A namespace, or `namespace/name` for a repository.
    pub entity_name: String,
    /// For instance `repo.content.read`, `repo.write`.
    pub permissions: Vec<String>,
}

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenRole {
    /// Reads what its user can read.
    Read,
    /// Does what its user can do.
    Write,
    /// Does what is listed.
    FineGrained {
        /// Permissions per entity.
        scoped: Vec<TokenScope>,
        /// Global permissions such as `discussion.write`.
        global: Vec<String>,
    },
}

/// An account with one token.
#[derive(Clone, Debug)]
pub struct User {
    /// Namespace of the user.
    pub name: String,
    /// The name that pages show.
    pub full_name: String,
    /// The bearer token.
    pub token: String,
    /// Role of that token.
    pub role: TokenRole,
    /// Whether the user has the PRO plan.
    pub is_pro: bool,
    /// Whether a payment method is set.
    pub can_pay: bool,
    /// The organisations the user is in.
    pub orgs: Vec<Org>,
}

/// An organisation, as one of its members has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Its namespace.
    pub name: String,
    /// The name that pages show.
    pub full_name: String,
    /// What the user may do there: `admin`, `write`, `contributor` or `read`.
    pub role: String,
    /// Its subscription: `team`, `enterprise`, `plus` or `academia`.
    pub plan: Option<String>,
    /// Whether it has a payment method.
    pub can_pay: bool,
    /// Makes a new repository private when the request names no visibility.
    pub private_by_default: bool,
}

impl Org {
    /// An organisation that pays for a team.
    #[must_use]
    pub fn new(name: &str, role: &str) -> Self {
        Self {
            name: name.to_owned(),
            full_name: name.to_owned(),
            role: role.to_owned(),
            plan: Some("team".to_owned()),
            can_pay: true,
            private_by_default: false,
        }
    }
}

impl User {
    /// A PRO user with a write token.
    #[must_use]
    pub fn new(name: &str, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            full_name: name.to_owned(),
            token: token.to_owned(),
            role: TokenRole::Write,
            is_pro: true,
            can_pay: true,
            orgs: vec![],
        }
    }

    /// The organisation that a namespace is, if the user is in it.
    pub(crate) fn org(&self, namespace: &str) -> Option<&Org> {
        self.orgs.iter().find(|org| org.name.eq_ignore_ascii_case(namespace))
    }
}

/// How the Hub takes the content of large files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LargeFileTransfer {
    /// Content goes to the CAS server in chunks.
    #[default]
    Xet,
    /// LFS batch answers with part URLs; there are no Xet tokens.
    Multipart,
    /// LFS batch answers with one URL; there are no Xet tokens.
    Basic,
}

/// What a commit does with `oldPath`: the contract has it "for move/rename operations", and no official client
/// sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Moves {
    /// The file has the new path only.
    #[default]
    Made,
    /// The file has both paths.
    Copied,
    /// `oldPath` is not read: a file without content is an empty one.
    Unread,
}

/// What runs Gradio and Docker Spaces on this machine. Without a runner for an SDK nothing is started, and the
/// stages alone are played.
#[derive(Clone, Debug, Default)]
pub struct Runtimes {
    /// Interpreter per major version of Gradio (`"4"`, `"5"`, …): the card's `sdk_version` chooses, the highest one
    /// serves a card without. A version that is not here fails its build, as one that was never published does.
    pub gradio_python: BTreeMap<String, PathBuf>,
    /// The command that stands for a container.
    pub docker: Option<DockerCommand>,
}

impl Runtimes {
    pub(crate) fn is_empty(&self) -> bool {
        self.gradio_python.is_empty() && self.docker.is_none()
    }
}

/// A command run in the folder of a Docker Space, with `PORT` as the card's `app_port` would be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerCommand {
    /// Program; a bare name is looked up in `PATH`.
    pub program: PathBuf,
    /// Arguments; `{port}` stands for the port to listen on.
    pub args: Vec<String>,
}

/// Settings of a local Hub.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Where the state lives; `None` is a directory that goes away with the server.
    pub data_dir: Option<PathBuf>,
    /// TCP port on loopback; 0 takes any free one.
    pub port: u16,
    /// Where clients reach this Hub, when something stands in front of it: every link in an answer leads there.
    pub public_url: Option<String>,
    /// The accounts.
    pub users: Vec<User>,
    /// The Hub's OpenAPI document; `None` looks at `HUB_OPENAPI` and beside the workspace.
    pub openapi: Option<PathBuf>,
    /// How large files travel.
    pub transfer: LargeFileTransfer,
    /// What becomes of files that are moved.
    pub moves: Moves,
    /// An external CAS server (its origin) instead of the one inside the process.
    pub cas_url: Option<String>,
    /// Most files in one preupload call (OpenAPI: `maxItems` of `files`).
    pub preupload_max: usize,
    /// Files above this many bytes are large files whatever they hold.
    pub large_file_threshold: u64,
    /// Bytes per part of a multipart transfer.
    pub multipart_chunk: u64,
    /// Gives every Space an address of its own on loopback, which behaves as `*.hf.space` does. Without it `host` is
    /// a name that nobody answers on.
    pub edge: bool,
    /// What runs Gradio and Docker Spaces.
    pub runtimes: Runtimes,
}

impl HubConfig {
    /// Whether Spaces are more than a play of stages.
    pub(crate) fn runs_spaces(&self) -> bool {
        self.edge || !self.runtimes.is_empty()
    }
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            data_dir: None,
            port: 0,
            public_url: None,
            users: vec![User::new("ada", DEFAULT_TOKEN)],
            openapi: None,
            transfer: LargeFileTransfer::Xet,
            moves: Moves::Made,
            cas_url: None,
            preupload_max: 1000,
            large_file_threshold: 10 * 1024 * 1024,
            multipart_chunk: 16 * 1024 * 1024,
            edge: false,
            runtimes: Runtimes::default(),
        }
    }
}

/// Token of the user `ada` of the default configuration.
pub const DEFAULT_TOKEN: &str = "hf_local_ada_write_token_000000000000";
