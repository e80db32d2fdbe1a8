//! The processes of one Space, and its requests at the edge.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::task::AbortHandle;

use crate::faults::fault::Faults;
use crate::http::record::RequestLog;
use crate::spaces::process::Process;
use crate::util::lock;

/// The app of one Space, with its build.
#[derive(Default)]
pub(crate) struct App {
    state: Mutex<Running>,
    /// Requests at the edge.
    pub(crate) log: RequestLog,
    /// Faults at the edge.
    pub(crate) faults: Faults,
}

#[derive(Default)]
struct Running {
    /// Number of builds. Reports of older builds are ignored.
    generation: u64,
    /// True once no app may start.
    closed: bool,
    build: Option<AbortHandle>,
    edge: Option<AbortHandle>,
    serving: Option<Process>,
    starting: Option<Process>,
    /// Server of a test that replaces the app.
    stand_in: Option<SocketAddr>,
}

impl App {
    /// Begins a new build: aborts the current build and kills its app. With `stop` the old app is killed too.
    pub(super) fn begin(&self, stop: bool) -> u64 {
        let mut state = lock(&self.state);
        state.generation += 1;
        if let Some(build) = state.build.take() {
            build.abort();
        }
        let mut gone = vec![state.starting.take()];
        if stop {
            gone.push(state.serving.take());
        }
        let generation = state.generation;
        drop(state);
        drop(gone);
        generation
    }

    /// Runs `what` if this build is the newest. No newer one can begin meanwhile.
    pub(super) fn if_current(&self, generation: u64, what: impl FnOnce()) {
        let state = lock(&self.state);
        if state.generation == generation {
            what();
        }
    }

    /// Keeps a starting process. Kills it and returns `false` if a newer build has begun.
    pub(super) fn starting(&self, generation: u64, process: Process) -> bool {
        let mut state = lock(&self.state);
        if state.generation != generation || state.closed {
            return false;
        }
        state.starting = Some(process);
        true
    }

    /// Lets the starting process serve, and returns the old one.
    pub(super) fn swap(&self, generation: u64) -> Option<Process> {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return None;
        }
        let new = state.starting.take();
        std::mem::replace(&mut state.serving, new)
    }

    pub(super) fn take_apps(&self, generation: u64) -> Vec<Process> {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return vec![];
        }
        [state.starting.take(), state.serving.take()].into_iter().flatten().collect()
    }

    /// Returns the address that serves visitors.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let state = lock(&self.state);
        state.stand_in.or_else(|| state.serving.as_ref().map(|p| p.address))
    }

    /// Returns true once the Space is deleted or the server stops.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(crate) fn set_stand_in(&self, address: Option<SocketAddr>) {
        lock(&self.state).stand_in = address;
    }

    pub(crate) fn set_edge(&self, edge: AbortHandle) {
        lock(&self.state).edge = Some(edge);
    }

    /// Stops the build, the app and the edge for good.
    pub(super) fn close(&self) {
        let edge = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.edge.take()
        };
        self.begin(true);
        if let Some(edge) = edge {
            edge.abort();
        }
    }

    /// Keeps the task of a build, or aborts it if a newer build has begun.
    pub(super) fn keep_build(&self, generation: u64, task: AbortHandle) {
        let mut state = lock(&self.state);
        if state.generation == generation && !state.closed {
            state.build = Some(task);
        } else {
            task.abort();
        }
    }
}
