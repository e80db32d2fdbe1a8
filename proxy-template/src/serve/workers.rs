//! Threads that serve connections. Each has a runtime, timers and connections to the target of its own, and each caller's
//! connection stays in one thread, so that no request wakes another thread or waits for it.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::upstream::connect::Connector;
use crate::upstream::pool::Pool;

/// Time allowed for running tasks when a worker ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Work on a connection, run by the worker that gets it.
type ConnectionJob = Box<dyn FnOnce(TcpStream, Arc<Pool>) + Send>;

/// All threads that serve.
#[derive(Debug)]
pub struct Workers {
    all: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    jobs: UnboundedSender<(std::net::TcpStream, ConnectionJob)>,
    /// Number of its connections.
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// Counts a connection for its worker while it lives.
#[derive(Debug)]
pub struct WorkerLoad(Arc<AtomicUsize>);

impl Drop for WorkerLoad {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    /// Starts `count` threads, at least one.
    pub fn start(count: usize, connector: &Arc<Connector>) -> io::Result<Self> {
        let start = |number| Worker::start(number, Arc::new(Pool::new(connector.clone())));
        Ok(Self { all: (0..count.max(1)).map(start).collect::<io::Result<_>>()? })
    }

    /// Gives a connection to the worker with the fewest, which runs `serve` with it and its pool.
    pub fn assign<F>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream, Arc<Pool>, WorkerLoad) -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let load = |worker: &&Worker| worker.load.load(Ordering::Relaxed);
        let Some(worker) = self.all.iter().min_by_key(load) else { return Ok(()) };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let load = WorkerLoad(worker.load.clone());
        let job: ConnectionJob = Box::new(move |stream, pool| drop(tokio::spawn(serve(stream, pool, load))));
        worker.jobs.send((stream.into_std()?, job)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends all workers with their tasks.
    pub fn shut_down(self) {
        let threads: Vec<_> = self.all.into_iter().map(|worker| worker.thread).collect();
        for thread in threads {
            // Ignored, because a panic of a worker was printed when it happened.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn start(number: usize, pool: Arc<Pool>) -> io::Result<Self> {
        let (jobs, receiver) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            runtime.block_on(run_jobs(receiver, pool));
            runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
        })?;
        Ok(Self { jobs, load: Arc::default(), thread })
    }
}

/// Takes connections until the sender is dropped.
async fn run_jobs(mut jobs: UnboundedReceiver<(std::net::TcpStream, ConnectionJob)>, pool: Arc<Pool>) {
    let reaped = pool.clone();
    tokio::spawn(async move { reaped.reap().await });
    while let Some((stream, job)) = jobs.recv().await {
        // Dropped on an error, because it was closed in the meantime, or the process has too many files.
        if let Ok(stream) = TcpStream::from_std(stream) {
            job(stream, pool.clone());
        }
    }
}
