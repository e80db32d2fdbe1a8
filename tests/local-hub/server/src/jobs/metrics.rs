//! Live metrics of a Job.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::flavors;
use super::job::{Job, Stage};
use super::log_stream::event_stream;
use super::registry::Jobs;
use crate::http::answer::HubError;

/// `GET …/metrics`: an event `metric` each second, without history. A Job that has ended answers 406.
pub(crate) fn stream(jobs: &Jobs, job: Arc<Job>) -> Result<Response, HubError> {
    if job.stage().is_final() {
        return Err(HubError::new(406, "The job is not running"));
    }
    let (out, events) = mpsc::channel(4);
    let tasks = jobs.tasks.clone();
    tokio::spawn(async move {
        // The stream does not end with the Job.
        loop {
            if job.stage() == Stage::Running {
                let text = format!("event: metric\ndata: {}\n\n", sample(&job));
                if out.send(Ok(Bytes::from(text))).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                stopped = tasks.sleep(Duration::from_secs(1)) => if stopped { return },
                () = out.closed() => return,
            }
        }
    });
    Ok(event_stream(events))
}

/// Returns the metrics of this moment. The memory is that of the process which leads the container.
fn sample(job: &Job) -> Value {
    let flavor = flavors::find(&job.spec.flavor);
    let number = |text: &str| text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or_default();
    let gpus: serde_json::Map<String, Value> = flavor
        .and_then(|flavor| flavor.4)
        .map(|gpu| {
            let total = number(gpu.2) << 30;
            let gpu = json!({"utilization": 0, "memory_used_bytes": 0, "memory_total_bytes": total});
            (job.id[..8].to_owned(), gpu)
        })
        .into_iter()
        .collect();
    json!({
        "cpu_usage_pct": 0,
        "cpu_millicores": flavor.map_or(0, |flavor| number(flavor.2) * 1000),
        "memory_used_bytes": job.read(|state| state.process).map_or(0, memory_of),
        "memory_total_bytes": flavor.map_or(0, |flavor| number(flavor.3) << 30),
        "rx_bps": 0, "tx_bps": 0, "gpus": gpus, "replica": job.id[..5],
    })
}

/// Returns the resident memory of a process in bytes.
fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() * 1024
}
