//! The inputs of the check: the app, and the shared group of checks.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use hub::{ParseError, RepoId, RepoName, Secret, shorten};
use url::Url;

use super::checks_file::ChecksFile;
use crate::app_check::{Check, Mode};
use crate::commands::groups::{app_check, bundle, sign_in};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::diagnostics::{Accepted, Diagnostics};
use crate::commands::inputs::parse::{self, Parsed};
use crate::commands::inputs::time;
use crate::commands::inputs::values::Values;
use crate::failure::Result;
use crate::ops::bundle_bucket::BundleBucket;
use crate::ops::verify::{NamedCheck, Target, VerifyOptions};

pub(super) const GROUPS: &[Group] = &[APP, CHECKS_OF_THE_APP, app_check::APP_CHECK, bundle::BUNDLE];

inputs! {
    /// Inputs of the app.
    APP: "App", "";
    SPACE = Input {
        kind: ValueKind::Text("NAMESPACE/NAME"),
        summary: "Space to check, such as `acme/my-space`",
        elsewhere: &["space_id", "repo", "repo_id", "huggingface_repo"],
        ..Input::new("space")
    };
    URL = Input {
        kind: ValueKind::Text("URL"),
        summary: "Address of an app that is no Space",
        details: "It gets no token.",
        ..Input::new("url")
    };
    TOKEN = Input {
        summary: "Token with read access, for a private Space; and with write access to the bucket of `bundle_bucket`",
        is_secret: true,
        ..Input::new("hf_token")
    };
    TIMEOUT = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Longest time for all of it, such as `10m`: the wait for the Space, and all checks",
        default: DefaultValue::Value("10m"),
        ..Input::new("timeout")
    };
    WORKSPACE = Input {
        kind: ValueKind::Text("FOLDER"),
        summary: "Folder of the files that inputs and arguments name; the results are written to its `.hf-deploy/`",
        default: DefaultValue::Value("."),
        ..Input::new("workspace")
    };
}

inputs! {
    /// Inputs about several checks, and several calls.
    CHECKS_OF_THE_APP: "Checks", "";
    CHECKS = Input {
        kind: ValueKind::Text("FILE"),
        summary: "YAML file with a list of checks, in place of the inputs of the app check",
        default: DefaultValue::Words("one check, by the inputs of the app check"),
        ..Input::new("checks")
    };
    RUNS = Input {
        kind: ValueKind::Text("NUMBER"),
        summary: "Number of times that each call is made, one after the other, for the distribution of its times",
        details: "At most 100.",
        default: DefaultValue::Value("1"),
        ..Input::new("runs")
    };
    RUN_ID = Input {
        kind: ValueKind::Text("ID"),
        summary: "Earlier run about this Space, such as one that waited for hardware: its run bundle gets the result as well",
        details: "The bundle is in the workspace, or in the bucket of `bundle_bucket`.",
        ..Input::new("run_id")
    };
    JUNIT_PATH = Input {
        kind: ValueKind::Text("FILE"),
        summary: "File for the results in the form of JUnit",
        ..Input::new("junit_path")
    };
}

/// Name of the only check, in reports.
const ALONE: &str = "app";
/// Largest number of calls of one check.
const MAX_RUNS: u32 = 100;
/// Largest file of checks, in bytes.
const MAX_CHECKS_FILE: u64 = 1 << 20;

/// Inputs of a check on its own.
#[derive(Debug)]
pub(super) struct VerifyInputs {
    pub(super) options: VerifyOptions,
    /// The Hub: `HF_ENDPOINT`.
    pub(super) endpoint: Url,
    pub(super) token: Option<Secret>,
    /// Bucket that gets the run bundle.
    pub(super) bundle_bucket: Option<BundleBucket>,
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
    let workspace: PathBuf = values.value(&WORKSPACE, str::parse, diagnostics);
    let runs = values.value(&RUNS, runs, diagnostics);
    let timeout = time::read_or_default(values, &TIMEOUT, diagnostics);
    let junit_path =
        values.field(&JUNIT_PATH, parse::path, diagnostics).ok().map(|path| parse::below(&workspace, path));
    let endpoint = sign_in::endpoint(values.environment(), diagnostics);
    let checks = checks(values, &workspace, runs, diagnostics);
    let fail_on = app_check::fail_on(values, diagnostics);
    if runs > 1 && !checks.is_empty() && !checks.iter().any(|named| named.check.requests_call()) {
        diagnostics.warn_without_effect(&[&RUNS], "no check makes a call");
    }
    let bundle_bucket = bundle::read(values, diagnostics);
    if bundle_bucket.is_some() && values.given(&TOKEN).is_none() {
        let token = values.quoted(&TOKEN);
        diagnostics.fault(&bundle::BUNDLE_BUCKET, format!("needs a token in {token} that may write to it"));
    }
    let completes = values.string(&RUN_ID);
    if completes.is_some() && values.given(&URL).is_some() {
        let url = values.quoted(&URL);
        diagnostics.fault(&RUN_ID, format!("contradicts {url}: an earlier run is about a Space"));
    }
    let options = VerifyOptions {
        target: target?,
        checks,
        timeout,
        fail_on,
        completes,
        bundle_bucket: bundle_bucket.clone(),
        junit_path,
    };
    Some(VerifyInputs { options, endpoint: endpoint?, token, bundle_bucket })
}

/// Reads the checks: those of the file, or the one of the inputs.
fn checks(values: &Values, workspace: &Path, runs: u32, diagnostics: &mut Diagnostics) -> Vec<NamedCheck> {
    let check = Check { runs, ..app_check::read(values, workspace.to_owned(), diagnostics) };
    let Some(file) = values.given(&CHECKS) else {
        return vec![NamedCheck { name: ALONE.to_owned(), check, place: None }];
    };
    let is_one_check = |input: &&Input| match check.mode {
        _ if input.name == app_check::FAIL_ON.name => false,
        Mode::Auto if input.name == app_check::VERIFY.name => false,
        _ => values.asks(input),
    };
    for input in app_check::APP_CHECK.inputs.iter().filter(is_one_check) {
        let checks = values.quoted(&CHECKS);
        diagnostics.fault(input, format!("contradicts {checks}: write it into the file"));
    }
    let text = match read_text(&workspace.join(file)) {
        Ok(text) => text,
        Err(error) => {
            let shown = shorten(file, parse::SHOWN);
            diagnostics.fault(&CHECKS, format!("names `{shown}`, which cannot be read: {error}"));
            return Vec::new();
        }
    };
    let base = Check { runs, ..Check::new(workspace) };
    ChecksFile { path: file, text: &text }.read(&base, diagnostics)
}

/// Reads a file of UTF-8 that is not larger than a list of checks.
fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_CHECKS_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_CHECKS_FILE {
        return Err(std::io::Error::other("it is larger than 1 MB"));
    }
    Ok(text)
}

fn runs(text: &str) -> Parsed<u32> {
    match text.parse() {
        Ok(runs @ 1..=MAX_RUNS) => Ok(runs),
        _ => parse::not_like(&format!("a number from 1 to {MAX_RUNS}"), text),
    }
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
        let VerifyOptions { target, checks, timeout, junit_path, .. } = inputs.options;
        assert!(matches!(target, Target::Space(id) if id.to_string() == "acme/app"));
        assert_eq!((checks.len(), checks[0].check.expect), (1, Some(Expect::Image)));
        assert_eq!((timeout, junit_path), (Duration::from_secs(90), None));
        assert!(warnings.is_empty());
    }

    #[test]
    fn paths_are_in_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("checks.yml"), "- {name: a, health_path: /}\n").unwrap();
        let workspace = folder.path().to_str().unwrap();
        let given = [
            "--url",
            "http://x",
            "--workspace",
            workspace,
            "--checks",
            "checks.yml",
            "--junit-path",
            "r.xml",
        ];
        let (inputs, warnings) = read(&[&given[..], &["--runs", "3"]].concat()).unwrap();
        assert_eq!(inputs.options.junit_path, Some(folder.path().join("r.xml")));
        assert_eq!((inputs.options.checks[0].name.as_str(), inputs.options.checks[0].check.runs), ("a", 3));
        assert_eq!(warnings, ["`--runs` has no effect: no check makes a call"]);
        let contradictions = ["--verify", "health", "--api-name", "x", "--max-latency", "3s"];
        let failure = read(&[&given[..], &contradictions].concat()).unwrap_err();
        let lines: Vec<&str> = failure.message.lines().collect();
        assert_eq!(lines[0], "3 invalid inputs:");
        assert_eq!(lines[2], "`--api-name` contradicts `--checks`: write it into the file");
        assert!(read(&[&given[..], &["--verify", "auto"]].concat()).is_ok());
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
            (&["--url", "http://x", "--runs", "0"], "`--runs` must be a number from 1 to 100, not `0`"),
            (
                &["--url", "http://x", "--checks", "no.yml"],
                "`--checks` names `no.yml`, which cannot be read: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(read(arguments).unwrap_err().message, message);
        }
        let (_, warnings) = read(&["--url", "http://x", "--verify", "false", "--api-name", "x"]).unwrap();
        assert_eq!(warnings, ["`--api-name` has no effect: `--verify` is `false`"]);
    }
}
