//! The previews of pull requests, and the run on GitHub that they belong to.

use std::path::Path;
use std::time::Duration;

use hub::{Flavor, RepoName, Secret, SleepTime};
use url::Url;

use super::hardware;
use super::sign_in;
use crate::action::GithubContext;
use crate::commands::inputs::declaration::{DefaultValue, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::parse::{Parsed, refuse};
use crate::commands::inputs::urls;
use crate::commands::inputs::values::Values;
use crate::github::{GithubOptions, PullRequestEvent};
use crate::ops::preview::body::HeadCommit;
use crate::ops::preview::comment_mark::RunAttempt;
use crate::ops::preview::marker::{GithubRepository, Marker};
use crate::ops::preview::name::Suffix;
use crate::ops::space::{HardwareOptions, OptionOf};

inputs! {
    /// Inputs of the previews.
    PREVIEW_GROUP: "Previews of pull requests", "In a run of a pull request, `preview: true` deploys to a Space of its own. In all other runs, it changes nothing.";
    PREVIEW = Input {
        kind: ValueKind::Flag,
        summary: "Give each pull request a Space of its own, with a comment and a deployment on GitHub, and delete it with the pull request",
        details: "For a model or a dataset, the comment has the plan, and nothing on the Hub changes.",
        default: DefaultValue::Value("false"),
        ..Input::new("preview")
    };
    PREVIEW_SUFFIX = Input {
        kind: ValueKind::Text("SUFFIX"),
        summary: "Suffix that makes the name of the preview from the name of the Space; `{number}` is that of the pull request",
        details: "A name that is too long for the Hub is cut, and gets a hash.",
        default: DefaultValue::Value("-pr-{number}"),
        only: OF_A_PREVIEW,
        ..Input::new("preview_suffix")
    };
    PREVIEW_HARDWARE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware of the previews, such as `cpu-basic`",
        default: DefaultValue::Words("`hardware`"),
        only: OF_A_PREVIEW,
        ..Input::new("preview_hardware")
    };
    PREVIEW_SLEEP_TIME = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Idle time after which a preview sleeps, such as `10m` or `never`",
        default: DefaultValue::Words("`sleep_time`; without it, `15m` on paid hardware"),
        only: OF_A_PREVIEW,
        ..Input::new("preview_sleep_time")
    };
    PREVIEW_COMMENT = Input {
        kind: ValueKind::Flag,
        summary: "Write a comment on the pull request, one for each Space, and keep it up to date",
        default: DefaultValue::Value("true"),
        only: OF_A_PREVIEW,
        ..Input::new("preview_comment")
    };
    GITHUB_DEPLOYMENT = Input {
        kind: ValueKind::Text("ENVIRONMENT"),
        summary: "Environment of a deployment on GitHub, such as `production`, for runs that deploy no preview",
        details: "Previews have the environment `preview`.",
        default: DefaultValue::Words("no deployment on GitHub"),
        ..Input::new("github_deployment")
    };
    GITHUB_TOKEN = Input {
        summary: "Token for comments and deployments on GitHub",
        details: "The job gives it `permissions: { pull-requests: write, deployments: write }`.",
        default: DefaultValue::Passed("${{ github.token }}"),
        is_secret: true,
        ..Input::new("github_token")
    };
}

const OF_A_PREVIEW: &[Only] = &[Only::With(PREVIEW.name)];

/// Events of pull requests that get previews.
const EVENTS: [&str; 2] = ["pull_request", "pull_request_target"];
/// Idle time after which a preview on paid hardware sleeps, if no input says another.
const SLEEP_TIME: Duration = Duration::from_secs(15 * 60);
/// Most characters of the name of an environment on GitHub.
const MAX_ENVIRONMENT: usize = 255;

/// The inputs of previews, whatever the run.
#[derive(Debug, Clone)]
pub(crate) struct PreviewInputs {
    pub(crate) is_wanted: bool,
    pub(crate) has_comment: bool,
    suffix: Suffix,
    flavor: Option<Flavor>,
    sleep_time: Option<SleepTime>,
}

/// The workflow run, as GitHub's API and pages know it.
#[derive(Debug, Clone)]
pub(crate) struct GithubRun {
    pub(crate) repository: GithubRepository,
    pub(crate) run: RunAttempt,
    /// Address of GitHub's pages, without a trailing slash.
    server: String,
    /// `None` without a token.
    pub(crate) options: Option<GithubOptions>,
}

/// Reads the inputs. They are checked in every run, so that a pull request finds no new faults.
pub(crate) fn read(values: &Values, diagnostics: &mut Diagnostics) -> PreviewInputs {
    let is_wanted = values.flag(&PREVIEW, diagnostics);
    let inputs = PreviewInputs {
        is_wanted,
        has_comment: values.flag(&PREVIEW_COMMENT, diagnostics),
        suffix: suffix(values, diagnostics),
        flavor: values
            .given(&PREVIEW_HARDWARE)
            .and_then(|name| hardware::flavor(&PREVIEW_HARDWARE, name, diagnostics)),
        sleep_time: hardware::sleep_time(values, &PREVIEW_SLEEP_TIME, diagnostics),
    };
    if !is_wanted {
        let because = format!("{} is not `true`", values.quoted(&PREVIEW));
        values.warn_without(Only::With(PREVIEW.name), because, diagnostics);
    }
    inputs
}

/// Reads the suffix of the names of previews.
pub(crate) fn suffix(values: &Values, diagnostics: &mut Diagnostics) -> Suffix {
    values.value(&PREVIEW_SUFFIX, str::parse, diagnostics)
}

/// Returns true if the run is one of a pull request, and gets a preview if the inputs ask for one.
pub(crate) fn is_of_pull_request(github: &GithubContext) -> bool {
    github.event_name.as_deref().is_some_and(|name| EVENTS.contains(&name))
}

/// Reads the event of the pull request; `None` is a fault.
pub(crate) fn event(values: &Values, diagnostics: &mut Diagnostics) -> Option<PullRequestEvent> {
    const PATH: &str = "GITHUB_EVENT_PATH";
    let Some(path) = values.environment().var(PATH) else {
        diagnostics.fault_of_name(PATH, "must name the event of the pull request: it is empty");
        return None;
    };
    match PullRequestEvent::read(Path::new(path)) {
        Ok(event) => Some(event),
        Err(error) => {
            diagnostics.fault_of_name(PATH, format!("must name the event of the pull request: {error}"));
            None
        }
    }
}

/// Reads the run from the variables of the runner; `None` is a fault.
pub(crate) fn run(
    values: &Values,
    github: &GithubContext,
    diagnostics: &mut Diagnostics,
) -> Option<GithubRun> {
    const API: &str = "GITHUB_API_URL";
    const SERVER: &str = "GITHUB_SERVER_URL";
    let environment = values.environment();
    let token: Option<Secret> = sign_in::token(values, &GITHUB_TOKEN, diagnostics);
    let mut address = |name: &str, usual: &str| match urls::endpoint(environment.var(name).unwrap_or(usual)) {
        Ok(url) => Some(url),
        Err(refusal) => {
            diagnostics.fault_of_name(name, refusal.0);
            None
        }
    };
    let (api, server) = (address(API, "https://api.github.com"), address(SERVER, "https://github.com"));
    let Some(name) = &github.repository else {
        diagnostics.fault_of_name("GITHUB_REPOSITORY", "must name the repository on GitHub: it is empty");
        return None;
    };
    let number = |name: &str| environment.var(name).and_then(|text| text.parse().ok());
    let (api, server): (Url, Url) = (api?, server?);
    Some(GithubRun {
        repository: GithubRepository::new(&server, name)?,
        run: RunAttempt {
            id: number("GITHUB_RUN_ID").unwrap_or(0),
            attempt: number("GITHUB_RUN_ATTEMPT").unwrap_or(1),
        },
        server: server.as_str().trim_end_matches('/').to_owned(),
        options: token.map(|token| GithubOptions { api, token, repository: name.clone() }),
    })
}

/// Reads the environment of a deployment on GitHub.
pub(crate) fn environment(values: &Values, diagnostics: &mut Diagnostics) -> Option<String> {
    values.field(&GITHUB_DEPLOYMENT, environment_name, diagnostics).ok()
}

fn environment_name(text: &str) -> Parsed<String> {
    let length = text.chars().count();
    if length > MAX_ENVIRONMENT {
        return refuse(format!("has {length} characters, GitHub takes at most {MAX_ENVIRONMENT}"));
    }
    if text.chars().any(char::is_control) {
        return refuse("must be one line");
    }
    Ok(text.to_owned())
}

impl PreviewInputs {
    /// Returns the name of the preview, with room for the suffix of a proxy; `None` is a fault.
    pub(crate) fn name(
        &self,
        of: &RepoName,
        number: u64,
        room: usize,
        diagnostics: &mut Diagnostics,
    ) -> Option<RepoName> {
        diagnostics.take(&PREVIEW_SUFFIX, self.suffix.name(of, number, room))
    }

    /// Returns the hardware of a preview of a Space that has `usual`.
    pub(crate) fn hardware(&self, usual: HardwareOptions) -> HardwareOptions {
        let is_other = self.flavor.is_some();
        let wanted = self.flavor.map_or(usual.wanted, |flavor| vec![flavor]);
        let is_paid = wanted.iter().any(|flavor| !flavor.is_basic() && !flavor.is_zero_gpu());
        // That of the Space may have no meaning on the hardware of the preview.
        let usual_time = usual.sleep_time.filter(|_| is_paid || !is_other);
        let default = is_paid.then_some(SleepTime::After(SLEEP_TIME));
        let by = |is_own: bool, usual| if is_own { OptionOf::Previews } else { usual };
        HardwareOptions {
            wanted,
            wanted_by: by(is_other, usual.wanted_by),
            sleep_time: self.sleep_time.or(usual_time).or(default),
            sleep_time_by: by(self.sleep_time.is_some(), usual.sleep_time_by),
            ..usual
        }
    }
}

impl GithubRun {
    /// Returns the marker of a pull request of the repository.
    pub(crate) fn marker(&self, number: u64) -> Marker {
        Marker { repository: self.repository.clone(), number }
    }

    /// Returns the head of the pull request with its page.
    pub(crate) fn head(&self, event: &PullRequestEvent) -> HeadCommit {
        let url = format!("{}/{}/commit/{}", self.server, self.repository.name, event.head);
        HeadCommit { sha: event.head.clone(), url }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(flavor: Option<&str>, sleep_time: Option<SleepTime>) -> PreviewInputs {
        PreviewInputs {
            is_wanted: true,
            has_comment: true,
            suffix: "-pr-{number}".parse().unwrap(),
            flavor: flavor.map(|name| name.parse().unwrap()),
            sleep_time,
        }
    }

    #[test]
    fn paid_previews_sleep_soon() {
        let hour = SleepTime::After(Duration::from_secs(3600));
        let soon = SleepTime::After(SLEEP_TIME);
        let usual = |names: &[&str], sleep_time| HardwareOptions {
            wanted: names.iter().map(|name| name.parse().unwrap()).collect(),
            sleep_time,
            ..HardwareOptions::default()
        };
        for (flavor, own, usual, expected) in [
            (None, None, usual(&[], None), None),
            (None, None, usual(&["cpu-basic"], None), None),
            (None, None, usual(&["zero-a10g"], None), None),
            (None, None, usual(&["t4-small", "cpu-basic"], None), Some(soon)),
            (None, None, usual(&["t4-small"], Some(hour)), Some(hour)),
            (None, Some(SleepTime::Never), usual(&["t4-small"], Some(hour)), Some(SleepTime::Never)),
            (Some("cpu-upgrade"), None, usual(&[], None), Some(soon)),
            (Some("cpu-basic"), None, usual(&["t4-small"], Some(hour)), None),
        ] {
            let made = inputs(flavor, own).hardware(usual.clone());
            assert_eq!(made.sleep_time, expected, "{flavor:?} {own:?} {usual:?}");
        }
        let made = inputs(Some("cpu-upgrade"), None).hardware(usual(&["t4-small", "l4x1"], None));
        assert_eq!(made.wanted, ["cpu-upgrade".parse::<Flavor>().unwrap()]);
        assert_eq!((made.wanted_by, made.sleep_time_by), (OptionOf::Previews, OptionOf::Space));
    }
}
