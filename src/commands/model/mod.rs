//! Models, before a Space is made for them.

use hub::Credentials;
use serde_json::{Value, json};

use super::command::{Command, Invocation, connect, prints_json};
use super::groups::{model, sign_in};
use super::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use super::inputs::values::Values;
use super::recommendation;
use crate::action::{Handles, Log, Report, drive};
use crate::failure::{self, Failure, Result};
use crate::model::Analysis;
use crate::ops::build_space::{self, ModelQuestion};

inputs! {
    /// Inputs of the account that the Space would belong to.
    ACCOUNT: "Account", "";
    HF_TOKEN = Input {
        summary: "Hugging Face token, for private models and for the plan of the account",
        default: DefaultValue::Words("none: public models need no token"),
        is_secret: true,
        ..Input::new("hf_token")
    };
    NAMESPACE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "User or organization that the Space would belong to",
        default: DefaultValue::Words("the user of `hf_token`"),
        ..Input::new("namespace")
    };
}

const GROUPS: &[Group] = &[model::MODEL_GROUP, model::RUNTIME_GROUP, ACCOUNT];

pub(super) static INSPECT: Command = Command {
    name: "model inspect",
    about: "Show the template, the memory and the hardware for a Space of a model",
    details: "Nothing is written. Exits with 1 if no Space can be made for the model.",
    groups: GROUPS,
    outputs: &[],
    action: None,
    run: |call| Box::pin(run(call)),
};

/// Report of the command: the analysis, as JSON and as Markdown.
#[derive(Debug, Default)]
struct Inspected {
    json: Option<Value>,
    summary: Option<String>,
}

impl Report for Inspected {
    fn fail(&mut self, _failure: Failure) {}

    fn json(&self) -> Option<Value> {
        self.json.clone()
    }

    fn summary(&self, _warnings: &[String]) -> Option<String> {
        self.summary.clone()
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&INSPECT);
    let files = call.output_files();
    let is_json = prints_json(&call.options);
    drive(call.log, files, call.cancelled, |handles: Handles<Inspected>| async move {
        let (question, analysis) = inspect(&values?, &handles.log).await?;
        handles.recorder.record(|report| {
            report.json = Some(to_json(&analysis));
            report.summary = Some(recommendation::markdown(&analysis));
        });
        if !is_json {
            handles.log.info(recommendation::lines(&analysis).trim_end());
        }
        if analysis.is_blocked() {
            return Err(failure::model::blocked(&question.model, &analysis.blockers));
        }
        Ok(())
    })
    .await
}

async fn inspect(values: &Values, log: &Log) -> Result<(ModelQuestion, Analysis)> {
    let mut diagnostics = values.diagnostics();
    let question = model::read(values, &mut diagnostics);
    let token = sign_in::token(values, &HF_TOKEN, &mut diagnostics);
    let namespace = values.field(&NAMESPACE, hub::job_namespace, &mut diagnostics).ok();
    let endpoint = sign_in::endpoint(values.environment(), &mut diagnostics);
    let (question, endpoint) = diagnostics.accept(question.zip(endpoint))?.logged(log);
    let question = ModelQuestion { wants_prices: true, ..question };
    [&token, &question.space_token].into_iter().flatten().for_each(|token| log.mask(token));
    let hub = connect(&endpoint, token.map_or(Credentials::Anonymous, Credentials::Token), log)?;
    let analysis = build_space::recommend(&hub, &question, namespace.as_deref(), log).await?;
    Ok((question, analysis))
}

/// Returns the recommendation with the obstacles, as in the files of a run bundle.
fn to_json(analysis: &Analysis) -> Value {
    let mut all = json!(analysis.recommendation);
    all["blockers"] = json!(analysis.blockers);
    all
}
