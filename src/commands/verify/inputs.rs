//! The inputs of the check: the app, and the shared group of checks.

use hub::{ParseError, RepoId, RepoName, Secret};
use url::Url;

use crate::app_check::Check;
use crate::commands::groups::{app_check, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::failure::Result;

pub(super) const GROUPS: &[Group] = &[APP, app_check::APP_CHECK];

inputs! {
    /// Inputs of the app.
    APP: "App", "";
    SPACE = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Space to check, such as `acme/my-space`",
        ..Input::new("space")
    };
    URL = Input {
        kind: ValueKind::Text("URL"),
        summary: "Address of an app that is no Space",
        details: "It gets no token.",
        ..Input::new("url")
    };
    TOKEN = Input {
        summary: "Token with read access, for a private Space",
        is_secret: true,
        ..Input::new("hf_token")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time for the whole check, such as `10m`",
        default: DefaultValue::Value("10m"),
        ..Input::new("timeout")
    };
    WORKSPACE = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder of the files that arguments name; the result is written to its `.hf-deploy/`",
        default: DefaultValue::Value("."),
        ..Input::new("workspace")
    };
}

/// Inputs of a check on its own.
#[derive(Debug)]
pub(super) struct VerifyInputs {
    pub(super) target: Target,
    pub(super) check: Check,
    /// The Hub: `HF_ENDPOINT`.
    pub(super) endpoint: Url,
    pub(super) token: Option<Secret>,
}

/// App to check.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Space(RepoId),
    Url(Url),
}

impl VerifyInputs {
    pub(super) fn from_values(values: &Values) -> Result<Accepted<Self>> {
        let mut diagnostics = values.diagnostics();
        let inputs = validate(values, &mut diagnostics);
        diagnostics.accept(inputs)
    }
}

/// Applies every rule. `None` means that a fault was noted.
fn validate(values: &Values, diagnostics: &mut Diagnostics) -> Option<VerifyInputs> {
    let target = target(values, diagnostics);
    let token = sign_in::token(values, &TOKEN, diagnostics);
    let workspace = values.value(&WORKSPACE, str::parse, diagnostics);
    let check = app_check::read(values, workspace, diagnostics);
    let timeout = time::read_or_default(values, &TIMEOUT, diagnostics);
    let endpoint = sign_in::endpoint(values.environment(), diagnostics);
    Some(VerifyInputs { target: target?, check: Check { timeout, ..check }, endpoint: endpoint?, token })
}

/// Reads the app; `None` is a fault.
fn target(values: &Values, diagnostics: &mut Diagnostics) -> Option<Target> {
    let [space, url] = [&SPACE, &URL].map(|input| values.given(input));
    match (space, url) {
        (Some(space), None) => diagnostics.take(&SPACE, space_id(space)).map(Target::Space),
        (None, Some(url)) => {
            let parsed = url.parse().map_err(|_| "must be a full address, like `https://app.example`");
            diagnostics.take(&URL, parsed).map(Target::Url)
        }
        (None, None) => {
            let url = values.quoted(&URL);
            diagnostics.fault(&SPACE, format!("must name a Space, or {url} the address of an app"));
            None
        }
        (Some(_), Some(_)) => {
            let url = values.quoted(&URL);
            diagnostics.fault(&SPACE, format!("contradicts {url}: leave one of them out"));
            None
        }
    }
}

fn space_id(text: &str) -> std::result::Result<RepoId, ParseError> {
    let name: RepoName = text.parse()?;
    name.full().ok_or_else(|| ParseError("must be `namespace/name`".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app_check::Expect;
    use crate::commands::inputs::options;

    fn read(arguments: &[&str]) -> Result<(VerifyInputs, Vec<String>)> {
        let command = options::add(clap::Command::new("verify"), GROUPS);
        let options = command.try_get_matches_from([&["verify"], arguments].concat()).unwrap();
        let accepted = VerifyInputs::from_values(&Values::from_options(&options, [], GROUPS))?;
        Ok((accepted.inputs, accepted.warnings))
    }

    #[test]
    fn options_of_the_shared_group_are_read() {
        let (inputs, warnings) =
            read(&["--space", "acme/app", "--expect", "image", "--timeout", "90s", "--workspace", "w"])
                .unwrap();
        assert!(matches!(inputs.target, Target::Space(id) if id.to_string() == "acme/app"));
        assert_eq!(inputs.check.expect, Some(Expect::Image));
        assert_eq!(inputs.check.timeout, Duration::from_secs(90));
        assert!(warnings.is_empty());
    }

    #[test]
    fn faults_name_options() {
        for (arguments, message) in [
            (&[][..], "`--space` must name a Space, or `--url` the address of an app"),
            (
                &["--space", "a/b", "--url", "http://x"],
                "`--space` contradicts `--url`: leave one of them out",
            ),
            (&["--space", "app"], "`--space` must be `namespace/name`"),
            (
                &["--url", "http://x", "--health-path", "x"],
                "`--health-path` must be a path that starts with one `/`, not `x`",
            ),
            (
                &["--url", "http://x", "--timeout", "soon"],
                "`--timeout` must be a time like `90s`, `10m` or `2h`, not `soon`",
            ),
        ] {
            assert_eq!(read(arguments).unwrap_err().message, message);
        }
        let (_, warnings) = read(&["--url", "http://x", "--verify", "false", "--api-name", "x"]).unwrap();
        assert_eq!(warnings, ["`--api-name` has no effect: `--verify` is `false`"]);
    }
}
