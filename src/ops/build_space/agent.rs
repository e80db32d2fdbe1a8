//! The agent that edits the generated files, in a Job. What it returns is data until the review has accepted it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use hub::{BucketId, Hub, JobImage, Repo, RepoType};

use super::generate::Generated;
use super::keep;
use super::options::{AgentOptions, BuildOptions};
use super::recommend::repo_id;
use super::report::BuildReport;
use crate::action::journal::Phase;
use crate::action::{Log, PostState, Recorder};
use crate::agent::program::{self, Program};
use crate::agent::{Assignment, Brief, JobResult, Reviewed, review};
use crate::failure::{Result, agent as advice, build_space, job as job_advice};
use crate::folder::SourceOptions;
use crate::image;
use crate::model::SpacePlan;
use crate::ops::Session;
use crate::ops::job::options::{ArtifactOptions, JobOptions, NewJob, RunId, Target, Work};
use crate::ops::job::{self, Price};
use crate::text::count;
use crate::traces::{self, ConvertOptions, Emails, Redaction};

/// File with the card of a model.
const CARD: &str = "README.md";
/// Parts of the temporary folder: what the Job gets, and what it leaves.
const CHECKOUT: &str = "checkout";
const WORKSPACE: &str = "workspace";
/// Largest result of the Job.
const MAX_RESULT: u64 = 1 << 20;

/// The agent of a run, and the money that it may still spend.
pub(super) struct Agent<'a> {
    options: &'a AgentOptions,
    build: &'a BuildOptions,
    plan: &'a SpacePlan,
    /// State for the post step, which ends the Job of a killed run.
    state: &'a PostState,
    left: f64,
}

impl<'a> Agent<'a> {
    /// Returns the agent of a run: `None` without one.
    pub(super) fn of(build: &'a BuildOptions, plan: &'a SpacePlan, state: &'a PostState) -> Option<Self> {
        let options = build.agent.as_ref()?;
        Some(Self { options, build, plan, state, left: options.max_cost })
    }

    /// Lets the agent edit the files.
    ///
    /// # Errors
    ///
    /// `agent_failed`: it did not finish. `agent_refused`: its files break rules. The codes of a Job that cannot be
    /// created.
    pub(super) async fn edit(
        &mut self,
        generated: &Generated,
        (session, recorder): (&Session<'_>, &Recorder<BuildReport>),
    ) -> Result<Reviewed> {
        let folder = image::temporary_folder().map_err(build_space::files_not_written)?;
        let [checkout, workspace] = [CHECKOUT, WORKSPACE].map(|name| folder.path().join(name));
        for part in [&checkout, &workspace] {
            fs::create_dir(part).map_err(build_space::files_not_written)?;
        }
        let price = self.price(session.hub).await?;
        let program = Program {
            model: &self.options.model,
            router: self.options.inference_endpoint.as_str(),
            timeout: self.options.timeout,
            budget: (self.left - price).max(0.0),
        };
        let brief = self.brief(generated, session).await;
        program.write_to(&brief, &checkout).map_err(build_space::files_not_written)?;
        let namespace = job::namespace(session.hub, None).await?;
        let bucket =
            BucketId::new(&namespace, job::BUCKET).map_err(|error| job_advice::unusable_bucket(&error))?;
        let id = session.log.bundle().map_or("run", |bundle| bundle.id().as_str());
        let run = RunId::of_run(id);
        let (output, place) = job::output_paths(&workspace, &run);
        let options = self.job(namespace, bucket.clone(), &run, (&checkout, &workspace));
        recorder.record(|report| report.agent.model = Some(self.options.model.clone()));
        session.log.info(&format!("an agent edits the files, with the model `{}`", self.options.model));
        let part = recorder.part(|report| &mut report.agent.job);
        job::begin_another(self.state)?;
        let ran = job::run(&options, session, &part, self.state).await;
        let sessions = keep_sessions(&output.join(program::SESSIONS), session.log);
        if sessions > 0 {
            let (number, place) = (count(sessions, "session"), format!("{place}/{}", program::SESSIONS));
            session.log.info(&format!(
                "kept {number} of the agent: unchanged in the private bucket `{bucket}` at `{place}`, without secrets in the run bundle"
            ));
            recorder.record(|report| report.agent.sessions = Some(format!("{bucket}/{place}")));
        }
        ran.map_err(advice::of_job)?;
        let _phase = session.journal.enter(Phase::Generate, "review");
        let result =
            read_result(&output.join(program::RESULT)).map_err(|reason| advice::without_result(&reason))?;
        self.left -= price + result.cost_usd.unwrap_or_default();
        recorder.record(|report| report.agent.result = Some(result.clone()));
        if !result.has_own_user {
            session.log.warning(
                "the agent ran as the same user as the program with its token, because the Job could not change its user",
            );
        }
        if let Some(failure) = advice::unfinished(&result) {
            return Err(failure);
        }
        let known = session.log.secrets();
        let reviewed = review(&output.join(program::RETURNED), &generated.files, &known, &result);
        reviewed.map_err(|refusal| advice::refused(&refusal))
    }

    /// Returns the largest price of the Job. The Job itself refuses unknown hardware, and hardware without a price.
    async fn price(&self, hub: &Hub) -> Result<f64> {
        let all = hub.job_hardware().await?;
        let hardware = all.iter().find(|hardware| hardware.name == self.options.hardware);
        let price = hardware.and_then(Price::of);
        let seconds = (self.options.timeout + program::EXTRA_TIME).as_secs_f64();
        Ok(price.map_or(0.0, |price| price.of_seconds(seconds)))
    }

    /// Writes the instructions. A card that cannot be read is no obstacle.
    async fn brief(&self, generated: &Generated, session: &Session<'_>) -> Brief {
        let card = match self.card(session.hub).await {
            Ok(card) => card,
            Err(error) => {
                session.log.warning(&format!("the agent gets no model card: {error}"));
                None
            }
        };
        Brief::new(&Assignment {
            model: &self.plan.model,
            template: generated.template,
            trusts_code: self.plan.trusts_code,
            card: card.as_deref(),
            files: &generated.files,
        })
    }

    async fn card(&self, hub: &Hub) -> Result<Option<String>, hub::Error> {
        let (Some(id), Some(sha)) = (repo_id(&self.plan.model), &self.plan.sha) else { return Ok(None) };
        let bytes = hub.read_small_file(&Repo { repo_type: RepoType::Model, id }, sha, CARD).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn job(
        &self,
        namespace: String,
        bucket: BucketId,
        run: &RunId,
        (checkout, workspace): (&Path, &Path),
    ) -> JobOptions {
        let labels = [("managed-by", "hf-deploy"), ("name", "build-space-agent")];
        let checkout = SourceOptions { root: checkout.to_owned(), ..SourceOptions::default() };
        let new = NewJob {
            run: run.clone(),
            work: Work::Script(program::SCRIPT.to_owned()),
            image: JobImage::Docker(program::IMAGE.to_owned()),
            flavor: self.options.hardware.clone(),
            timeout: self.options.timeout + program::EXTRA_TIME,
            attempts: 1,
            environment: BTreeMap::new(),
            secrets: BTreeMap::from([(program::TOKEN_VARIABLE.to_owned(), self.options.token.clone())]),
            volumes: Vec::new(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            max_cost: Some(self.left),
            artifacts: Some(ArtifactOptions {
                bucket: Some(bucket),
                checkout: Some(checkout),
                // The sessions stay there.
                keep_output: true,
                output_stays_here: false,
            }),
        };
        JobOptions {
            namespace: Some(namespace),
            target: Target::New(Box::new(new)),
            is_waited_for: true,
            is_cancelled_with_run: true,
            // The output has sessions with what the agent saw, and the next steps of the workflow need none of it.
            workspace: workspace.to_owned(),
            tls_roots: self.build.tls_roots.clone(),
        }
    }
}

/// Reads the result of the Job.
fn read_result(path: &Path) -> Result<JobResult, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_RESULT {
        return Err(format!("it has {size} bytes"));
    }
    JobResult::read(&fs::read(path).map_err(|error| error.to_string())?)
}

/// Keeps the sessions without their secrets in the run bundle. Returns their number.
fn keep_sessions(folder: &Path, log: &Log) -> usize {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    files.sort_unstable_by_key(fs::DirEntry::file_name);
    let redaction = Redaction::of_run(log.secrets(), Emails::Keep);
    let mut number = 0;
    for file in files {
        let name = file.file_name().to_string_lossy().into_owned();
        match redacted(&file.path(), &name, &redaction) {
            Ok(text) => {
                keep::session(&name, text, log);
                number += 1;
            }
            Err(error) => log.warning(&format!("the session `{name}` is not in the run bundle: {error:#}")),
        }
    }
    number
}

/// Returns a session without its secrets.
fn redacted(path: &Path, name: &str, redaction: &Redaction) -> anyhow::Result<String> {
    let mut text = Text::default();
    let mut lines = BufReader::new(File::open(path)?);
    let name = name.trim_end_matches(".jsonl");
    traces::convert(&mut lines, &mut text, ConvertOptions { redaction, name })?;
    Ok(String::from_utf8_lossy(&text.0).into_owned())
}

/// A session in memory.
#[derive(Default)]
struct Text(Vec<u8>);

impl traces::Sink for Text {
    fn begin(&mut self, _number: u64) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
