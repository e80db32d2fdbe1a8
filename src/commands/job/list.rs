//! The list of Jobs.

use hub::{Job, JobStage};
use serde_json::{Value, json};

use super::access::ACCESS;
use super::rows::{Answer, answer, positive, reader, sign_in};
use crate::commands::command::{Command, Invocation};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::lists::{lines, names_of};
use crate::commands::inputs::parse::{self, Parsed};
use crate::ops::job;
use crate::text::plain;

const GROUPS: &[Group] = &[ACCESS, FILTER];

inputs! {
    /// Inputs of the filter.
    FILTER: "Filter", "";
    LABEL = Input {
        kind: ValueKind::Text("KEY=VALUE"),
        summary: "Label that the Jobs have; several are separated by commas",
        ..Input::new("label")
    };
    STAGE = Input {
        kind: ValueKind::Text("STAGES"),
        summary: "Stages of the Jobs, such as `running`, separated by commas",
        default: DefaultValue::Value("running,scheduling"),
        ..Input::new("stage")
    };
    LIMIT = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Largest number of Jobs, the newest first",
        default: DefaultValue::Value("100"),
        ..Input::new("limit")
    };
}

/// Line in place of an empty list.
const NONE: &str = "no Job matches; `--stage all` lists those that have ended as well";

pub(crate) static COMMAND: Command =
    reader("job list", "List Jobs", "`--stage all` lists those that have ended as well.", GROUPS, |call| {
        Box::pin(run(call))
    });

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let stages = values.value(&STAGE, stages, &mut diagnostics);
        let limit = values.value(&LIMIT, positive, &mut diagnostics);
        let labels = values.field(&LABEL, labels, &mut diagnostics).or(Vec::new());
        let (hub, namespace) = sign_in(values, diagnostics, log)?;
        let namespace = job::namespace(&hub, namespace.as_deref()).await?;
        let labels: Vec<(&str, &str)> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let jobs = hub.jobs(&namespace, &labels, &stages, limit).await?;
        let json = jobs.iter().map(to_json).collect();
        let text = if jobs.is_empty() { NONE.to_owned() } else { jobs.iter().map(to_line).collect() };
        Ok(Answer { json, text })
    })
    .await
}

fn stages(text: &str) -> Parsed<Vec<JobStage>> {
    const NAMES: [&str; 7] = ["running", "scheduling", "completed", "canceled", "error", "deleted", "all"];
    let names: Vec<String> = names_of(text).map(str::to_lowercase).collect();
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return hub::suggest::one_of(&NAMES, unknown);
    }
    if names.iter().any(|name| name == "all") {
        return Ok(Vec::new());
    }
    Ok(names.iter().map(|name| JobStage::from(name.to_uppercase())).collect())
}

fn labels(text: &str) -> Parsed<Vec<(String, String)>> {
    let pairs = lines(Some(text)).flat_map(|(_, line)| names_of(line));
    pairs
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => Ok((hub::label_key(key)?.to_owned(), hub::label_value(value)?.to_owned())),
            None => parse::not_like("`KEY=VALUE`", pair),
        })
        .collect()
}

/// Returns the facts of a Job for other programs.
pub(super) fn to_json(job: &Job) -> Value {
    json!({
        "id": job.id.as_str(), "namespace": job.owner.name, "stage": job.status.stage.as_str(),
        "message": job.status.message, "flavor": job.flavor, "image": job.docker_image, "space": job.space_id,
        "created_at": job.created_at, "started_at": job.started_at, "labels": job.labels,
        "running_seconds": job.durations.running_secs,
    })
}

fn to_line(job: &Job) -> String {
    let name = job.labels.get("name").map(String::as_str).unwrap_or_default();
    let created = job.created_at.as_deref().unwrap_or_default();
    let seconds = job.durations.running_secs.unwrap_or_default();
    format!(
        "{}  {:<10}  {:<14}  {created:<24}  {seconds:>6.0} s  {}\n",
        job.name(),
        plain(job.status.stage.as_str()),
        plain(&job.flavor),
        plain(name)
    )
}
