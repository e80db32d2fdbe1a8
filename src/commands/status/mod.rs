//! The account of a token and its features, as a command and as an action.

mod json;
mod outputs;
mod report;
mod summary;
mod text;

use hub::Credentials;

use crate::action::outputs::Outputs;
use crate::action::{Handles, Report, drive};
use crate::failure::{self, Code, Failure, Result};
use crate::ops::account::{self, TokenForm};
use crate::ops::bundle_bucket;

use super::command::{ActionFiles, Command, Invocation, connect};
use super::groups::{bundle, sign_in};
use super::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use super::inputs::diagnostics::Diagnostics;
use super::inputs::parse::{Parsed, not_like};
use super::inputs::values::Values;
use report::StatusReport;

const GROUPS: &[Group] = &[ACCOUNT, bundle::BUNDLE];

/// Beginning of a token of one repo, which the Hub exchanges for an ID token.
const ONE_REPO: &str = "hf_jwt_";

inputs! {
    /// Inputs of the account.
    ACCOUNT: "Account", "";
    TOKEN = Input {
        summary: "Token to look at",
        details: "It needs no permission. What it may not read is unknown.",
        default: DefaultValue::Required,
        is_secret: true,
        ..Input::new("hf_token")
    };
    NAMESPACE = Input {
        kind: ValueKind::Text("NAMESPACE"),
        summary: "User or organization whose features are shown",
        default: DefaultValue::Words("the user of the token"),
        ..Input::new("namespace")
    };
}

pub(super) static COMMAND: Command = Command {
    name: "status",
    about: "Show the user, plan and limits of a token, and the features of the Hub that it may use",
    details: "Each feature is yes, no or unknown, with the reason and the fix. Nothing is guessed, and nothing is changed.",
    groups: GROUPS,
    outputs: outputs::OUTPUTS.declared,
    action: Some(ActionFiles {
        manifest: ".github/actions/status/action.yml",
        readme: ".github/actions/status/README.md",
        open_groups: 1,
        open_outputs: 8,
    }),
    run: |call| Box::pin(run(call)),
};

impl Report for StatusReport {
    const OUTPUTS: Outputs<Self> = outputs::OUTPUTS;

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    fn summary(&self, _warnings: &[String]) -> Option<String> {
        Some(summary::summary(self))
    }

    fn json(&self) -> Option<serde_json::Value> {
        Some(json::of_report(self))
    }
}

async fn run(call: Invocation) -> u8 {
    let values = call.values(&COMMAND);
    let files = call.output_files();
    drive(call.log, files, call.cancelled, |handles| show(values, handles)).await
}

async fn show(values: Result<Values>, handles: Handles<StatusReport>) -> Result<()> {
    let Handles { log, journal, recorder } = &handles;
    let values = values?;
    let mut diagnostics = values.diagnostics();
    let inputs = validate(&values, &mut diagnostics);
    let bucket = bundle::read(&values, &mut diagnostics);
    let (access, namespace) = diagnostics.accept(inputs)?.logged(log);
    let is_one_repo = access.token.expose().starts_with(ONE_REPO);
    let form = if is_one_repo { TokenForm::OneRepo } else { TokenForm::User };
    let hub = connect(&access.endpoint, Credentials::Token(access.token), log)?;
    bundle_bucket::push_at_end(bucket, &hub, log, journal).await?;
    let facts = account::read(&hub, namespace, form).await.map_err(failure::deploy::explain_token)?;
    let features = account::features(&facts);
    text::lines(&facts, &features).iter().for_each(|line| log.info(line));
    recorder.record(|report| report.account = Some((facts, features)));
    Ok(())
}

fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<(sign_in::HubAccess, Option<String>)> {
    let token = sign_in::token(values, &TOKEN, diagnostics);
    if values.given(&TOKEN).is_none() {
        diagnostics.fault_with_code(Code::TokenMissing, &TOKEN, "must hold a token");
    }
    let endpoint = sign_in::endpoint(values.environment(), diagnostics);
    let namespace = values.field(&NAMESPACE, namespace, diagnostics).ok();
    Some((sign_in::HubAccess { token: token?, endpoint: endpoint? }, namespace))
}

/// Parses the name of a user or an organization.
fn namespace(text: &str) -> Parsed<String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.bytes().all(is_name) { Ok(text.to_owned()) } else { not_like("a name such as `acme`", text) }
}
