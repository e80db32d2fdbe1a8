//! The sign-in: the token of the run, and the reason if there is none.

use std::sync::Arc;

use hub::{Access, Credentials, Secret, token_form};
use url::Url;

use crate::action::{GithubContext, IdTokens};
use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::environment::Environment;
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::place::InputPlace;
use crate::commands::inputs::values::Values;
use crate::commands::inputs::{tokens, urls};
use crate::failure::Code;

inputs! {
    /// Inputs of the sign-in.
    SIGN_IN: "Sign-in", "";
    HF_TOKEN = Input {
        summary: "Hugging Face token with write access to the repo",
        details: "Without a token and without the identity of the job, the run fails, except for a dry run of a public repo and runs that `missing_token` skips.",
        default: DefaultValue::Words("the identity of the job, with `permissions: id-token: write` and a Trusted Publisher"),
        is_secret: true,
        elsewhere: &[
            "huggingface_token", "hugging_face_token", "hub_token", "hf_api_token", "hf_access_token", "api_token",
            "access_token", "api_key",
        ],
        ..Input::new("hf_token")
    };
    MISSING_TOKEN = Input {
        kind: ValueKind::Choice(&["fail", "skip"]),
        summary: "Result of a run without a token that a pull request or Dependabot started, because GitHub may give it no secrets",
        details: "`skip` ends it with a notice and success.",
        default: DefaultValue::Value("fail"),
        ..Input::new("missing_token")
    };
}

inputs! {
    /// Inputs of a command that changes repos, and never signs in without a stored token.
    WRITE_ACCESS: "Sign-in", "";
    WRITE_TOKEN = Input { summary: "Token with write access", is_secret: true, default: DefaultValue::Required, ..Input::new("hf_token") };
}

/// Result of a run that GitHub gives no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MissingToken {
    Fail,
    Skip,
}

/// Sign-in of a run.
pub(crate) struct SignIn {
    /// `None` is a fault, or a run to skip.
    pub(crate) credentials: Option<Credentials>,
    /// GitHub withholds secrets from this run, which needs none: it is skipped, or only plans.
    pub(crate) secrets_are_withheld: bool,
}

/// Address of the Hub, and a token for it.
pub(crate) struct HubAccess {
    pub(crate) token: Secret,
    pub(crate) endpoint: Url,
}

/// Kind of run, as far as the sign-in depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RunKind {
    pub(crate) is_dry_run: bool,
    /// The run is skipped without a token, whatever `missing_token` says.
    pub(crate) may_lack_token: bool,
}

/// Reads the token, or the source of ID tokens.
pub(crate) fn read(
    values: &Values,
    github: &GithubContext,
    RunKind { is_dry_run, may_lack_token }: RunKind,
    diagnostics: &mut Diagnostics,
) -> SignIn {
    let missing_token = values.value(&MISSING_TOKEN, missing_token, diagnostics);
    let may_skip = may_lack_token || github.may_lack_secrets() && missing_token == MissingToken::Skip;
    let has_token = values.given(&HF_TOKEN).is_some();
    let secrets_are_withheld = !has_token && github.may_lack_secrets() && (may_skip || is_dry_run);
    let credentials = if has_token {
        let token = token(values, &HF_TOKEN, diagnostics);
        if token.as_ref().is_some_and(|token| !token.expose().starts_with("hf_")) {
            let name = values.quoted(&HF_TOKEN);
            diagnostics.warn(format!(
                "{name} does not look like a Hugging Face token: it does not start with `hf_`"
            ));
        }
        token.map(Credentials::Token)
    } else if may_lack_token {
        None
    } else if let Some(id_tokens) = id_tokens(values.environment()) {
        diagnostics.hide(id_tokens.request_token.expose());
        Some(Credentials::TrustedPublishing(Arc::new(id_tokens)))
    } else if is_dry_run {
        Some(Credentials::Anonymous)
    } else {
        if !may_skip {
            explain_missing(values, github, diagnostics);
        }
        None
    };
    SignIn { credentials, secrets_are_withheld }
}

/// Reads a token; `None` is a fault, or an input that is not set.
pub(crate) fn token(values: &Values, input: &Input, diagnostics: &mut Diagnostics) -> Option<Secret> {
    let place = values.place();
    values.field(input, |text| tokens::token(text, place), diagnostics).ok()
}

/// Reads a token that must be set; `None` is a fault, and `missing` describes it.
pub(crate) fn required_token(
    values: &Values,
    input: &Input,
    missing: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Secret> {
    if values.given(input).is_none() {
        diagnostics.fault_with_code(Code::TokenMissing, input, missing);
    }
    token(values, input, diagnostics)
}

/// Reads the access that a command needs; `None` is a fault.
pub(crate) fn write_access(values: &Values, diagnostics: &mut Diagnostics) -> Option<HubAccess> {
    let token = required_token(values, &WRITE_TOKEN, "must hold a token with write access", diagnostics);
    let endpoint = endpoint(values.environment(), diagnostics);
    Some(HubAccess { token: token?, endpoint: endpoint? })
}

fn missing_token(text: &str) -> Parsed<MissingToken> {
    parse::choice(&MISSING_TOKEN, text, |word| match word {
        "fail" => Some(MissingToken::Fail),
        "skip" => Some(MissingToken::Skip),
        _ => None,
    })
}

/// Environment variable of the Hub's address, as in the official clients.
pub(crate) const ENDPOINT: &str = "HF_ENDPOINT";

/// Address of the Hub if `HF_ENDPOINT` names no other.
pub(crate) const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Reads the address of the Hub; `None` is a fault.
pub(crate) fn endpoint(environment: &Environment, diagnostics: &mut Diagnostics) -> Option<Url> {
    let text = environment.var(ENDPOINT).unwrap_or(DEFAULT_ENDPOINT);
    match urls::endpoint(text) {
        Ok(url) => Some(url),
        Err(refusal) => {
            diagnostics.fault_of_name(ENDPOINT, refusal.0);
            None
        }
    }
}

/// Environment variable of the address of Inference Providers.
const ROUTER_ENDPOINT: &str = "HF_ROUTER_ENDPOINT";

/// Address of Inference Providers if `HF_ROUTER_ENDPOINT` names no other.
const DEFAULT_ROUTER: &str = "https://router.huggingface.co";

/// Reads the address of the router of Inference Providers; `None` is a fault.
pub(crate) fn router(environment: &Environment, diagnostics: &mut Diagnostics) -> Option<Url> {
    let text = environment.var(ROUTER_ENDPOINT).unwrap_or(DEFAULT_ROUTER);
    urls::endpoint(text).map_err(|refusal| diagnostics.fault_of_name(ROUTER_ENDPOINT, refusal.0)).ok()
}

/// Notes the reason why there is no token, with hints for that reason only.
fn explain_missing(values: &Values, github: &GithubContext, diagnostics: &mut Diagnostics) {
    const SKIP: &str = "set `missing_token: skip` to skip such runs, or `dry_run: true` to show the plan";
    let mut missing = |sentence: &str| diagnostics.fault_with_code(Code::TokenMissing, &HF_TOKEN, sentence);
    if values.place() == InputPlace::CommandLine {
        missing("must hold a token with write access");
        diagnostics.hint(format!("make a token at {}", token_form(DEFAULT_ENDPOINT, Access::Write, None)));
        return;
    }
    if values.environment().var("HF_TOKEN").is_some() {
        missing("is empty, and the variable `HF_TOKEN` of this step is not read");
        diagnostics.hint("move the token from `env:` to `with:`, as `hf_token: ${{ secrets.HF_TOKEN }}`");
        return;
    }
    if github.is_by_dependabot() {
        missing("is empty: this run is by Dependabot, to which GitHub gives no secrets of Actions");
        diagnostics.hint(SKIP);
        diagnostics.hint("or add the secret under Settings → Secrets and variables → Dependabot as well");
        return;
    }
    // A run of `pull_request_target` has the secrets of the repository, also for a fork.
    if github.from_fork == Some(true) && github.event_name.as_deref() != Some("pull_request_target") {
        missing("is empty: this run comes from a fork, to which GitHub gives no secrets");
        diagnostics.hint(SKIP);
        return;
    }
    if github.may_lack_secrets() && github.from_fork.is_none() {
        missing(
            "is empty: this run comes from a fork, to which GitHub gives no secrets, or there is no secret of that name",
        );
        diagnostics.hint(format!("for a fork, {SKIP}"));
    } else {
        missing(
            "is empty: it is not set, or the repository (or the environment of the job) has no secret of that name",
        );
    }
    diagnostics.hint(format!(
        "make a token at {}, add it to the GitHub repository under Settings → Secrets and variables → Actions as \
         `HF_TOKEN`, and pass it with `hf_token: ${{{{ secrets.HF_TOKEN }}}}`",
        token_form(DEFAULT_ENDPOINT, Access::Write, None)
    ));
    diagnostics.hint(
        "or do without a stored token: add a Trusted Publisher in the settings of the repo on the Hub, and give \
         the job `permissions: { contents: read, id-token: write }`",
    );
}

/// Returns the source of this job's ID tokens, which exists only with `permissions: id-token: write`.
fn id_tokens(environment: &Environment) -> Option<IdTokens> {
    let url: Url = environment.var("ACTIONS_ID_TOKEN_REQUEST_URL")?.parse().ok()?;
    if url.scheme() != "https" && !urls::is_loopback(&url) {
        return None;
    }
    let request_token = Secret::new(environment.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
    Some(IdTokens { url, request_token })
}
