//! The run of a Job: its queue, its attempts, its time limit.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::time::Instant;

use super::flavors;
use super::job::{Job, Stage};
use super::registry::Jobs;
use super::volumes;
use crate::spaces::process::kill_group;
use crate::util::{iso, now_ms};

/// Time limit of a Job that names none.
const DEFAULT_TIMEOUT: u64 = 1800;

/// End of one attempt.
enum Ended {
    Exit(i32),
    TimedOut,
    /// The Job was cancelled, or the server stops.
    Stopped,
}

/// Starts a Job.
pub(crate) fn start(jobs: &Arc<Jobs>, job: &Arc<Job>) {
    let (jobs, job) = (jobs.clone(), job.clone());
    jobs.tasks.clone().spawn(async move { run(&jobs, &job).await });
}

/// Runs a Job to its end.
async fn run(jobs: &Arc<Jobs>, job: &Arc<Job>) {
    let policy = jobs.policy.get().jobs;
    if let Some(image) = job.spec.docker_image.as_ref().filter(|image| policy.missing_images.contains(*image))
    {
        jobs.tasks.sleep(policy.queue_time).await;
        let message = format!("Failed to pull image \"{image}\": not found");
        job.enter(Stage::Error, Some(message));
        return;
    }
    for attempt in 1..=job.spec.attempts {
        if !wait_in_queue(jobs, job, policy.queue_time).await {
            return;
        }
        let code = match run_once(jobs, job).await {
            Err(error) => {
                job.enter(Stage::Error, Some(format!("Failed to start: {error}")));
                return;
            }
            Ok(Ended::Stopped) => return,
            Ok(Ended::TimedOut) => {
                job.enter(Stage::Error, Some("Job timeout".to_owned()));
                return;
            }
            Ok(Ended::Exit(0)) => {
                job.enter(Stage::Completed, None);
                return;
            }
            Ok(Ended::Exit(code)) => code,
        };
        job.change(|state| state.failures += 1);
        if attempt == job.spec.attempts {
            job.enter(Stage::Error, Some(format!("Job failed with exit code: {code}. Reason: Error")));
        }
    }
}

/// Waits for hardware. Returns false if the Job ended meanwhile.
async fn wait_in_queue(jobs: &Jobs, job: &Job, time: Duration) -> bool {
    let mut changes = job.changes();
    let deadline = Instant::now() + time;
    while Instant::now() < deadline && !job.stage().is_final() {
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => {}
            _ = changes.changed() => {}
            () = jobs.tasks.stopped() => return false,
        }
    }
    job.enter(Stage::Running, None)
}

async fn run_once(jobs: &Arc<Jobs>, job: &Arc<Job>) -> anyhow::Result<Ended> {
    std::fs::create_dir_all(&jobs.folder)?;
    let volumes = volumes::bind(jobs, job).await?;
    let root = tempfile::Builder::new().prefix("job-").tempdir_in(&jobs.folder)?;
    let words: Vec<String> = job.spec.words().cloned().collect();
    let image = job.spec.docker_image.as_deref().unwrap_or_default();
    // These images have no bash.
    let has_bash = !["alpine", "busybox"].iter().any(|name| image.starts_with(name));
    job.push_log(format!("===== Job started at {} =====", iso(now_ms())));
    let isolation = jobs.isolation();
    let programs = isolation.programs(jobs.policy.get().jobs.extra_path.as_deref());
    let bound = [programs.bound, volumes.bound.clone()].concat();
    let mut child = isolation
        .command(&words, root.path(), &bound, has_bash)
        .env_clear()
        .envs(environment(job, isolation.home(root.path()), programs.path.as_deref()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = child.id();
    job.change(|state| state.process = group);
    let mut pumps = tokio::task::JoinSet::new();
    if let Some(out) = child.stdout.take() {
        pumps.spawn(pump(out, job.clone()));
    }
    if let Some(err) = child.stderr.take() {
        pumps.spawn(pump(err, job.clone()));
    }
    let ended = watch(jobs, job, &mut child).await?;
    if let Some(group) = group.filter(|_| !matches!(ended, Ended::Exit(_))) {
        kill_group(group);
        let _ = child.wait().await;
    }
    job.change(|state| state.process = None);
    // The log gets the last lines before the end is reported.
    let _ =
        tokio::time::timeout(Duration::from_secs(10), async { while pumps.join_next().await.is_some() {} })
            .await;
    volumes::keep(jobs, &volumes).await?;
    Ok(ended)
}

/// Waits for the end of the process, of its time, of its credits, or of the Job.
async fn watch(jobs: &Jobs, job: &Job, child: &mut tokio::process::Child) -> std::io::Result<Ended> {
    let limit = Duration::from_secs(job.spec.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT));
    let deadline = Instant::now() + limit;
    let price = flavors::find(&job.spec.flavor).map_or(0, |flavor| flavor.5);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut changes = job.changes();
    loop {
        if job.stage().is_final() {
            return Ok(Ended::Stopped);
        }
        tokio::select! {
            status = child.wait() => {
                use std::os::unix::process::ExitStatusExt as _;
                let status = status?;
                return Ok(Ended::Exit(status.code().or_else(|| status.signal().map(|n| 128 + n)).unwrap_or(1)));
            }
            () = tokio::time::sleep_until(deadline) => return Ok(Ended::TimedOut),
            _ = second.tick() => {
                if !jobs.pay(price / 60) {
                    job.cancel(Some("NO_CREDITS"));
                }
            }
            _ = changes.changed() => {}
            () = jobs.tasks.stopped() => return Ok(Ended::Stopped),
        }
    }
}

/// Returns the variables of a container: those of an image, of the Hub, and of the Job.
fn environment(job: &Job, home: &Path, extra_path: Option<&str>) -> Vec<(String, String)> {
    let flavor = flavors::find(&job.spec.flavor);
    let accelerator = flavor.and_then(|flavor| flavor.4).map_or("none", |gpu| gpu.0);
    let number = |text: Option<&str>| text.and_then(|t| t.split(' ').next()).unwrap_or_default().to_owned();
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let path = extra_path.map_or_else(|| path.to_owned(), |extra| format!("{extra}:{path}"));
    let fixed = [
        ("PATH", path),
        ("HOME", home.to_string_lossy().into_owned()),
        ("JOB_ID", job.id.clone()),
        ("ACCELERATOR", accelerator.to_owned()),
        ("CPU_CORES", number(flavor.map(|flavor| flavor.2))),
        ("MEMORY", number(flavor.map(|flavor| flavor.3))),
    ];
    let fixed = fixed.into_iter().map(|(key, value)| (key.to_owned(), value));
    fixed.chain(job.spec.environment.clone()).chain(job.spec.secrets.clone()).collect()
}

/// Number of lines that are added to a log at once.
const LINES_AT_ONCE: usize = 500;

async fn pump(from: impl AsyncRead + Unpin, job: Arc<Job>) {
    let mut reader = BufReader::with_capacity(1 << 16, from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let has_more = reader.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0);
        if has_more {
            let text = String::from_utf8_lossy(&line);
            lines.push((now_ms(), text.trim_end_matches(['\n', '\r']).to_owned()));
        }
        let is_waiting = !reader.buffer().contains(&b'\n');
        if !lines.is_empty() && (!has_more || is_waiting || lines.len() >= LINES_AT_ONCE) {
            job.change(|state| state.log.append(&mut lines));
        }
        if !has_more {
            return;
        }
    }
}
