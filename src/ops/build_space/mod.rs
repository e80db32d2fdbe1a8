//! A Space for a model. This file has the order of the stages, and nothing else.

mod agent;
mod gate;
mod generate;
mod keep;
pub mod options;
mod publish;
mod recommend;
pub mod report;
mod show;

use crate::action::journal::Phase;
use crate::action::{PostState, Recorder};
use crate::agent::{AgentBlocker, Reviewed};
use crate::app_check::CheckStatus;
use crate::failure::{self, Code, Failure, Result};
use crate::model::{Analysis, Candidate, SpacePlan};
use crate::ops::Session;
use crate::ops::deploy::{self, Deployed};
use crate::ops::space;
use crate::templates::GeneratedFile;
use crate::text::name_some;
use hub::{HardwareName, Repo, RepoName, RepoType};

use agent::Agent;
use generate::{Generated, generate, is_static};
use publish::{Round, publish, rounds};

pub use options::{AgentOptions, BuildMode, BuildOptions};
pub use recommend::{ModelQuestion, recommend};
pub use report::{AgentReport, BuildReport, Gate};

/// Makes or updates the Space of a model, and judges it. A dry run ends with the files.
///
/// # Errors
///
/// `technical_blocker`, `manual_hardware_required`, `check_failed` and the codes of a failed Space, as far as they fail
/// the run; and those of a deploy.
pub async fn build_space(
    options: &BuildOptions,
    session: &Session<'_>,
    recorder: &Recorder<BuildReport>,
    state: &PostState,
) -> Result<()> {
    recorder.record(|report| {
        report.model = options.question.model.to_string();
        session.hub.endpoint().clone_into(&mut report.endpoint);
        report.deploy.endpoint.clone_from(&report.endpoint);
        report.is_dry_run = options.dry_run;
    });
    let analysis = analyze(options, session, recorder).await?;
    let Some(plan) = &analysis.plan else { return refuse_blocked(options, &analysis, session, recorder) };
    let rounds = rounds_for(&analysis, plan);
    if options.dry_run {
        if let Some(round) = rounds.first() {
            generate_for(options, plan, round, (session, recorder))?;
        }
        return Ok(());
    }
    let name = options
        .space
        .clone()
        .unwrap_or_else(|| RepoName { namespace: None, name: options.question.model.name.clone() });
    let space = deploy::resolve_repo(&name, RepoType::Space, session.hub).await?;
    let mut agent = Agent::of(options, plan, state);
    let mut ended = None;
    for round in &rounds {
        let mut generated = generate_for(options, plan, round, (session, recorder))?;
        if agent.is_some() && is_static(generated.template) {
            session.log.warning("no agent edits the page of this template, which runs in the browser");
        } else if let Some(agent) = &mut agent {
            // The agent costs money, and a Space of others is no place for its work.
            deploy::check_space_is_own(session.hub, &space, &publish::mark(options, &generated)).await?;
            match agent.edit(&generated, (session, recorder)).await {
                Ok(Reviewed::Files(files)) => take_over(&mut generated, files, (session, recorder)),
                Ok(Reviewed::Blockers(blockers)) => {
                    return refuse_unwired((options, &analysis), blockers, session, recorder);
                }
                Err(failure) => {
                    ended = Some((generated, Err(failure)));
                    break;
                }
            }
        }
        let deploy = recorder.part(|report| &mut report.deploy);
        let result = publish(options, &space.id, round, &generated, (session, &deploy)).await;
        match result {
            Err(failure) if round.has_next && failure.code == Code::HardwareRefused => {
                session.log.info(&format!("{}: trying another way to run the model", failure.message));
            }
            result => {
                ended = Some((generated, result));
                break;
            }
        }
    }
    let is_static = ended.as_ref().is_some_and(|(generated, _)| is_static(generated.template));
    let result = match ended {
        Some((_, result)) => result,
        None => Err(Failure::new(Code::HardwareRefused, "no hardware of the Hub suits this model")),
    };
    let judged = Judged { options, analysis: &analysis, space: &space, is_static };
    judge(&judged, result, session, recorder).await
}

/// Looks at the model, and keeps the recommendation.
async fn analyze(
    options: &BuildOptions,
    session: &Session<'_>,
    recorder: &Recorder<BuildReport>,
) -> Result<Analysis> {
    let _phase = session.journal.enter(Phase::Analyze, "analyze");
    let namespace = options.space.as_ref().and_then(|space| space.namespace.as_deref());
    let analysis = recommend(session.hub, &options.question, namespace, session.log).await?;
    recorder.record(|report| {
        report.analysis = Some(analysis.clone());
        report.template = analysis.recommendation.template;
    });
    keep::recommendation(&analysis, session.log);
    show::recommendation(&analysis, session.log);
    Ok(analysis)
}

/// Returns the rounds of files and hardware. Without a candidate, a person chooses the hardware.
fn rounds_for(analysis: &Analysis, plan: &SpacePlan) -> Vec<Round> {
    let recommendation = &analysis.recommendation;
    let rounds = rounds(&recommendation.candidates);
    if !rounds.is_empty() {
        return rounds;
    }
    let manual = recommendation.manual.map(|manual| Candidate {
        template: plan.template,
        hardware: Some(manual.hardware),
        size: None,
        duration: None,
        price: manual.price,
        sleep_time: None,
    });
    manual.map(Round::without_hardware).into_iter().collect()
}

/// Generates the files, and keeps them.
fn generate_for(
    options: &BuildOptions,
    plan: &SpacePlan,
    round: &Round,
    (session, recorder): (&Session<'_>, &Recorder<BuildReport>),
) -> Result<Generated> {
    let _phase = session.journal.enter(Phase::Generate, "generate");
    let generated = generate(options, plan, &round.candidate)?;
    keep::files(&generated, session.log);
    recorder.record(|report| {
        report.template = Some(generated.template.name());
        report.files = generated.files.iter().map(|file| file.path.to_owned()).collect();
    });
    Ok(generated)
}

/// Takes the files of the agent over, and keeps them.
fn take_over(
    generated: &mut Generated,
    files: Vec<GeneratedFile>,
    (session, recorder): (&Session<'_>, &Recorder<BuildReport>),
) {
    let changed: Vec<String> = files
        .iter()
        .filter(|file| !generated.files.contains(file))
        .map(|file| format!("`{}`", file.path))
        .collect();
    session.log.info(&match changed.as_slice() {
        [] => "the agent changed no file".to_owned(),
        _ => format!("the agent changed {}", name_some(&changed)),
    });
    generated.files = files;
    keep::files(generated, session.log);
    recorder
        .record(|report| report.files = generated.files.iter().map(|file| file.path.to_owned()).collect());
}

/// Ends a run whose agent cannot make the model work.
fn refuse_unwired(
    (options, analysis): (&BuildOptions, &Analysis),
    blockers: Vec<AgentBlocker>,
    session: &Session<'_>,
    recorder: &Recorder<BuildReport>,
) -> Result<()> {
    keep::agent_blockers(&blockers, analysis, session.log);
    announce(&gate::of_agent_blockers(&blockers), session, recorder);
    let failure = failure::agent::blocked(&options.question.model, &blockers);
    recorder.record(|report| report.agent.blockers = blockers);
    refuse(options, failure, session)
}

/// Ends a run whose model cannot become a Space.
fn refuse_blocked(
    options: &BuildOptions,
    analysis: &Analysis,
    session: &Session<'_>,
    recorder: &Recorder<BuildReport>,
) -> Result<()> {
    let gate = gate::of_blocked(analysis);
    announce(&gate, session, recorder);
    refuse(options, failure::model::blocked(&options.question.model, &analysis.blockers), session)
}

/// Fails the run because of an obstacle, if the options say so.
fn refuse(options: &BuildOptions, failure: Failure, session: &Session<'_>) -> Result<()> {
    if options.fail_on(false).covers(CheckStatus::TechnicalBlocker) {
        return Err(failure);
    }
    session.log.warning(&failure.message);
    failure.hints.iter().for_each(|hint| session.log.info(&format!("hint: {hint}")));
    Ok(())
}

/// Facts for the verdict.
struct Judged<'a> {
    options: &'a BuildOptions,
    analysis: &'a Analysis,
    space: &'a Repo,
    is_static: bool,
}

/// Judges the deploy, and fails the run if the options say so.
async fn judge(
    judged: &Judged<'_>,
    result: Result<Deployed>,
    session: &Session<'_>,
    recorder: &Recorder<BuildReport>,
) -> Result<()> {
    let _phase = session.journal.enter(Phase::Gate, "gate");
    let Judged { options, analysis, space, is_static } = judged;
    let gate = match &result {
        Ok(deployed) => Some(gate::of_deployed(options, deployed, *is_static)),
        Err(failure) => gate::of_failure(failure),
    };
    let Some(gate) = gate else { return result.map(drop) };
    announce(&gate, session, recorder);
    let is_created = result.is_ok();
    let failure = match (result, gate.status) {
        (result, CheckStatus::ManualHardwareRequired) => {
            let page = is_created.then(|| format!("{}/{}/settings", session.hub.endpoint(), space.page()));
            let run_id = session.log.bundle().map(|bundle| bundle.id().to_string());
            let advice = failure::build_space::ManualHardware {
                refusal: result.err().map(|failure| failure.message),
                settings_page: page,
                pick: priced(pick(analysis), session).await,
                run_id,
                may_fall_back: options.question.settings.allow_fallback,
                has_price_limit: options.question.settings.max_hourly_price.is_some(),
                needs_call: options.mode != BuildMode::SafeScaffold,
            };
            advice.failure(space)
        }
        (Err(failure), _) => failure,
        (Ok(_), _) => failure::build_space::not_proven(&gate),
    };
    if options.fail_on(*is_static).covers(gate.status) {
        return Err(failure);
    }
    // The check has logged the other results.
    if matches!(gate.status, CheckStatus::ManualHardwareRequired | CheckStatus::Failed) {
        session.log.warning(&failure.message);
        failure.hints.iter().for_each(|hint| session.log.info(&format!("hint: {hint}")));
    }
    Ok(())
}

/// Logs and records the verdict.
fn announce(gate: &Gate, session: &Session<'_>, recorder: &Recorder<BuildReport>) {
    let status = gate.status.as_str();
    session.log.info(&format!("gate: {status}"));
    session.journal.event("gate", format!("the gate: {status}"), serde_json::json!({ "status": status }));
    recorder.record(|report| report.gate = Some(gate.clone()));
}

/// Adds the price of hardware that the recommendation needed no prices for.
async fn priced(pick: Option<(String, Option<f64>)>, session: &Session<'_>) -> Option<(String, Option<f64>)> {
    let (name, known) = pick?;
    let price = match (known, name.parse()) {
        (None, Ok(flavor)) => space::hardware::hourly_price(session.hub, &HardwareName::Known(flavor)).await,
        (known, _) => known,
    };
    Some((name, price))
}

/// Returns hardware that suffices, and that the run has not asked for, with its price of an hour.
fn pick(analysis: &Analysis) -> Option<(String, Option<f64>)> {
    let recommendation = &analysis.recommendation;
    let is_new = |name: &str| {
        let asked = recommendation.candidates.iter().filter_map(|candidate| candidate.hardware);
        asked.into_iter().all(|flavor| !flavor.is(name))
    };
    let manual = recommendation.manual.map(|manual| (manual.hardware.to_string(), manual.price));
    let others = recommendation.alternatives.iter();
    let others = others.map(|other| (other.hardware.clone(), other.price_usd_hour));
    manual.into_iter().chain(others).find(|(name, _)| is_new(name))
}
