//! Sign-in for Jobs, and the namespace that pays for them.

use hub::{Access, Secret, job_namespace, token_form};

use crate::action::GithubContext;
use crate::commands::groups::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::values::Values;
use crate::failure::Code;

inputs! {
    /// Inputs of the sign-in.
    ACCESS: "Sign-in", "";
    HF_TOKEN = Input {
        summary: "Hugging Face token with the permission `job.write` for the namespace",
        default: DefaultValue::Required,
        is_secret: true,
        elsewhere: &["huggingface_token", "hub_token", "hf_api_token", "access_token", "api_key"],
        ..Input::new("hf_token")
    };
    NAMESPACE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "User or organization that owns and pays for the Job",
        default: DefaultValue::Words("the user of `hf_token`"),
        elsewhere: &["organization", "org", "owner"],
        ..Input::new("namespace")
    };
}

/// Reads the token; `None` is a fault.
pub(super) fn token(
    values: &Values,
    github: &GithubContext,
    diagnostics: &mut Diagnostics,
) -> Option<Secret> {
    if values.given(&HF_TOKEN).is_none() {
        diagnostics.fault_with_code(Code::TokenMissing, &HF_TOKEN, missing(github));
        let form = token_form("https://huggingface.co", Access::Write, None);
        diagnostics.hint(format!("make a token at {form}, and pass it as {}", values.quoted(&HF_TOKEN)));
    }
    sign_in::token(values, &HF_TOKEN, diagnostics)
}

fn missing(github: &GithubContext) -> &'static str {
    if github.is_by_dependabot() {
        "is empty: this run is by Dependabot, to which GitHub gives no secrets of Actions"
    } else if github.may_lack_secrets() && github.from_fork != Some(false) {
        "is empty: this run may come from a fork, to which GitHub gives no secrets"
    } else {
        "must hold a token with the permission `job.write`"
    }
}

pub(super) fn namespace(values: &Values, diagnostics: &mut Diagnostics) -> Option<String> {
    values.field(&NAMESPACE, job_namespace, diagnostics).ok()
}
