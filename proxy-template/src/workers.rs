//! The threads that do the work. Each has a runtime, timers and connections to the target of its own, and each caller's
//! connection stays with one of them, so that no request wakes another thread or waits for it.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::upstream::{Connector, Pool};

/// What still runs when a worker is to end is given up after this.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// What is done with a connection, by the worker that it was given to.
type Job = Box<dyn FnOnce(TcpStream, Arc<Pool>) + Send>;

/// All threads that serve.
#[derive(Debug)]
pub struct Workers {
    all: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    jobs: UnboundedSender<(std::net::TcpStream, Job)>,
    /// Connections that it has now.
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// Counts a connection for its worker as long as it lives.
#[derive(Debug)]
pub struct Load(Arc<AtomicUsize>);

impl Drop for Load {
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

    /// Gives a connection to the worker that has the fewest, which runs `serve` with it and its pool.
    pub fn give<F>(
        &self,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream, Arc<Pool>, Load) -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let load = |worker: &&Worker| worker.load.load(Ordering::Relaxed);
        let Some(worker) = self.all.iter().min_by_key(load) else { return Ok(()) };
        worker.load.fetch_add(1, Ordering::Relaxed);
        let load = Load(worker.load.clone());
        let job: Job = Box::new(move |stream, pool| drop(tokio::spawn(serve(stream, pool, load))));
        worker.jobs.send((stream.into_std()?, job)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends all of them, and what they still do.
    pub fn end(self) {
        let threads: Vec<_> = self.all.into_iter().map(|worker| worker.thread).collect();
        for thread in threads {
            // A panic outside of a connection has been told by itself.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn start(number: usize, pool: Arc<Pool>) -> io::Result<Self> {
        let (jobs, given) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            runtime.block_on(work(given, pool));
            runtime.shutdown_timeout(LAST_MOMENT);
        })?;
        Ok(Self { jobs, load: Arc::default(), thread })
    }
}

/// Takes connections until nobody is left who could give one.
async fn work(mut given: UnboundedReceiver<(std::net::TcpStream, Job)>, pool: Arc<Pool>) {
    let reaped = pool.clone();
    tokio::spawn(async move { reaped.reap().await });
    while let Some((stream, job)) = given.recv().await {
        // One that cannot be watched was closed in the meantime, or there are too many.
        if let Ok(stream) = TcpStream::from_std(stream) {
            job(stream, pool.clone());
        }
    }
}
