//! A run bundle that is read back, from the workspace or from a bucket, as a command.

mod render;

use std::path::PathBuf;

use hub::{BucketId, Credentials, Secret};
use serde_json::{Value, json};
use url::Url;

use super::command::{Command, Invocation, connect, prints_json};
use super::groups::sign_in;
use super::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use super::inputs::diagnostics::Diagnostics;
use super::inputs::values::{Field, Values};
use crate::action::{GithubContext, Handles, Report, drive};
use crate::failure::{Failure, Result};
use crate::ops::bundle_bucket::{self, StoredBundle};

inputs! {
    /// Inputs of the command.
    STORED_BUNDLE: "Run bundle", "";
    RUN_ID = Input {
        kind: ValueKind::Text("RUN_ID"),
        summary: "Id of the run: the output `run_id` of its step",
        default: DefaultValue::Required,
        is_positional: true,
        ..Input::new("run_id")
    };
    BUCKET = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Bucket that has the bundle",
        default: DefaultValue::Words("the folder `.hf-deploy/runs` of the checkout, or of the current folder"),
        ..Input::new("bucket")
    };
    TOKEN = Input {
        summary: "Token with read access to the bucket",
        is_secret: true,
        ..Input::new("hf_token")
    };
}

pub(super) static COMMAND: Command = Command {
    name: "bundle show",
    about: "Show a run bundle of this machine or of a bucket: its state, events and report",
    details: "",
    groups: &[STORED_BUNDLE],
    outputs: &[],
    action: None,
    run: |call| Box::pin(run(call)),
};

/// The bundle, once it is read.
#[derive(Debug, Default)]
struct ShowReport {
    bundle: Option<StoredBundle>,
    failure: Option<Failure>,
}

/// Inputs of the command.
struct ShowInputs {
    run_id: String,
    place: Place,
}

/// Place of the bundle.
enum Place {
    Workspace(PathBuf),
    Bucket { bucket: BucketId, token: Secret, endpoint: Url },
}

impl Report for ShowReport {
    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn json(&self) -> Option<Value> {
        Some(match (&self.bundle, &self.failure) {
            (Some(bundle), _) => render::json(bundle),
            (None, Some(failure)) => json!({
                "error": { "code": failure.code.as_str(), "message": failure.message, "hints": failure.hints },
            }),
            (None, None) => Value::Null,
        })
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    let is_printed = !prints_json(&call.options);
    drive(call.log, files, call.cancelled, |handles| show(values, is_printed, handles)).await
}

/// Reads the bundle, and prints it as text if it is not printed as JSON.
async fn show(values: Result<Values>, is_printed: bool, handles: Handles<ShowReport>) -> Result<()> {
    let Handles { log, recorder, .. } = &handles;
    let values = values?;
    let mut diagnostics = values.diagnostics();
    let inputs = validate(&values, &mut diagnostics);
    let ShowInputs { run_id, place } = diagnostics.accept(inputs)?.logged(log);
    let bundle = match place {
        Place::Workspace(workspace) => bundle_bucket::read_here(&workspace, &run_id, log).await?,
        Place::Bucket { bucket, token, endpoint } => {
            log.mask(&token);
            let hub = connect(&endpoint, Credentials::Token(token), log)?;
            bundle_bucket::read(&hub, &bucket, &run_id, log).await?
        }
    };
    if is_printed {
        log.untrusted(&render::text(&bundle));
    }
    recorder.record(|report| report.bundle = Some(bundle));
    Ok(())
}

fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<ShowInputs> {
    let run_id = values.required(&RUN_ID, |text| Ok::<_, String>(text.to_owned()), diagnostics);
    let bucket = values.field(&BUCKET, str::parse, diagnostics);
    let place = match bucket {
        Field::Absent => {
            let github = GithubContext::from_vars(|name| values.environment().exact(name));
            Place::Workspace(github.workspace.unwrap_or_else(|| PathBuf::from(".")))
        }
        bucket => {
            let wanted = "must hold a token with read access";
            let token = sign_in::required_token(values, &TOKEN, wanted, diagnostics);
            let endpoint = sign_in::endpoint(values.environment(), diagnostics);
            Place::Bucket { bucket: bucket.ok()?, token: token?, endpoint: endpoint? }
        }
    };
    Some(ShowInputs { run_id: run_id?, place })
}
