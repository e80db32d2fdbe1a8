//! Settings of a local Hub.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::accounts::user::{DEFAULT_TOKEN, User};
use crate::contract::Contract;

/// Transfer protocol for the content of large files.
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

/// Effect of `oldPath` in a commit. The contract has it "for move/rename operations", and no official client sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Moves {
    /// The file has the new path only.
    #[default]
    Made,
    /// The file has both paths.
    Copied,
    /// `oldPath` is ignored, so a file without content is an empty one.
    Unread,
}

/// Programs that run Gradio and Docker Spaces on this machine. Without a program for an SDK no app is started, and
/// only the stages change.
#[derive(Clone, Debug, Default)]
pub struct Runtimes {
    /// Interpreter per major version of Gradio (`"4"`, `"5"`, …). The card's `sdk_version` selects one; a card without
    /// it gets the highest. Another version fails its build, like a version that was never published.
    pub gradio_python: BTreeMap<String, PathBuf>,
    /// Command that replaces a container engine.
    pub docker: Option<DockerCommand>,
}

impl Runtimes {
    /// Returns true if no app can run.
    pub(crate) fn is_empty(&self) -> bool {
        self.gradio_python.is_empty() && self.docker.is_none()
    }
}

/// Command run in the folder of a Docker Space. `PORT` is the port that the card's `app_port` would be mapped to.
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
    /// Directory of the state; `None` uses a temporary one, deleted when the server stops.
    pub data_dir: Option<PathBuf>,
    /// TCP port on loopback; 0 takes any free one.
    pub port: u16,
    /// Origin of all links in responses, if a proxy is in front of this Hub.
    pub public_url: Option<String>,
    /// The accounts.
    pub users: Vec<User>,
    /// Checks each request and response against the Hub's contract; `None` checks nothing.
    pub contract: Option<Arc<dyn Contract>>,
    /// Transfer protocol for large files.
    pub transfer: LargeFileTransfer,
    /// Effect of `oldPath` in a commit.
    pub moves: Moves,
    /// An external CAS server (its origin) instead of the one inside the process.
    pub cas_url: Option<String>,
    /// Maximum number of files in one preupload call (OpenAPI: `maxItems` of `files`).
    pub preupload_max: usize,
    /// Size in bytes above which every file is a large file.
    pub large_file_threshold: u64,
    /// Bytes per part of a multipart transfer.
    pub multipart_chunk: u64,
    /// Gives every Space its own address on loopback, which behaves like `*.hf.space`. Without it, `host` is a name
    /// without a server.
    pub edge: bool,
    /// Programs that run Gradio and Docker Spaces.
    pub runtimes: Runtimes,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            data_dir: None,
            port: 0,
            public_url: None,
            users: vec![User::new("ada", DEFAULT_TOKEN)],
            contract: None,
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
