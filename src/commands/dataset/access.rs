//! Sign-in of the commands that read datasets.

use hub::{Credentials, Hub};

use crate::action::Log;
use crate::commands::command::connect;
use crate::commands::groups::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Input, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::values::Values;
use crate::failure::Result;

inputs! {
    /// Inputs of the sign-in.
    READ_ACCESS: "Sign-in", "";
    READ_TOKEN = Input {
        summary: "Token with read access",
        default: DefaultValue::Words("none, which is enough for public datasets"),
        is_secret: true,
        ..Input::new("hf_token")
    };
}

/// Signs in, if there is a token. The other faults of the inputs are reported as well.
pub(super) fn read_access<T>(
    values: &Values,
    mut diagnostics: Diagnostics,
    inputs: Option<T>,
    log: &Log,
) -> Result<(Hub, T)> {
    let credentials = match values.given(&READ_TOKEN) {
        Some(_) => sign_in::token(values, &READ_TOKEN, &mut diagnostics).map(Credentials::Token),
        None => Some(Credentials::Anonymous),
    };
    let endpoint = sign_in::endpoint(values.environment(), &mut diagnostics);
    let all = credentials.zip(endpoint).zip(inputs);
    let ((credentials, endpoint), inputs) = diagnostics.accept(all)?.logged(log);
    Ok((connect(&endpoint, credentials, log)?, inputs))
}
