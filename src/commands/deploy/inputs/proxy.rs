//! The inputs of the proxy Space. They are judged whether or not there is to be one, so that a workflow
//! that switches it on is not surprised.

use hub::{RepoName, RepoType, Secret, suggest};

use super::faults::Findings;
use super::raw::{Environment, Raw, given};
use super::space;
use super::{flag, lists, parse, time, value};
use crate::ops::proxy_space::{AllowOrigins, ProxyOptions};
use crate::ops::space::{HardwareOptions, NamedSecret, Variable};

/// The proxy's settings that `proxy_settings` takes. A test holds them to the proxy's own list.
pub const PROXY_SETTINGS: &[&str] = &[
    "TARGET_EDGE",
    "AUTH_MODE",
    "PASS_AUTHORIZATION",
    "ENFORCE_ORIGIN",
    "ALLOW_CREDENTIALS",
    "ALLOW_PATHS",
    "DENY_PATHS",
    "ALLOW_METHODS",
    "ZEROGPU_QUOTA",
    "RATE_LIMIT",
    "RATE_LIMIT_COMPUTE",
    "MAX_COMPUTE_PER_IP",
    "MAX_IN_FLIGHT",
    "MAX_STREAMS_PER_IP",
    "MAX_CONNECTIONS",
    "MAX_BODY",
    "CONNECT_TIMEOUT",
    "TLS_TIMEOUT",
    "HEADER_READ_TIMEOUT",
    "KEEP_ALIVE_TIMEOUT",
    "RESPONSE_TIMEOUT",
    "BODY_IDLE_TIMEOUT",
    "WEBSOCKET_IDLE_TIMEOUT",
    "POOL_IDLE_TIMEOUT",
    "HOLD_TIMEOUT",
    "DRAIN_TIMEOUT",
    "LOG_FORMAT",
];

/// The settings whose values come from the step's `env:`, since variables of a Space are public.
pub const PROXY_SECRETS: &[&str] = &["PROXY_API_KEY", "METRICS_TOKEN"];

/// The default of `proxy_space_suffix` in action.yml.
const DEFAULT_SUFFIX: &str = "-proxy";

/// Settings that have an input of their own, and which.
const ELSEWHERE: &[(&str, &str)] = &[
    ("TARGET_URL", "proxy_target_url"),
    ("TARGET_TOKEN", "proxy_hf_token"),
    ("ALLOW_ORIGINS", "proxy_allow_origins"),
    ("ALLOW_ANY_TARGET", "allow_any_target"),
];

/// `repo` and `repo_type` are `None` when they are faults of their own.
pub(super) fn read(
    environment: &Environment,
    repo: Option<&RepoName>,
    repo_type: Option<RepoType>,
    findings: &mut Findings,
) -> Option<ProxyOptions> {
    let raw = &environment.raw;
    let wanted = given(raw.create_proxy.as_deref())
        .and_then(|text| findings.take("create_proxy", parse::boolean(text)))
        .unwrap_or(false);
    let is_space = repo_type.is_none_or(|repo_type| repo_type == RepoType::Space);
    if wanted && !is_space {
        findings.without_effect(&["create_proxy"], "only a Space has an app to stand in front of");
    }
    let has_proxy = wanted && is_space;
    let proxy_repo = name(raw.proxy_space_suffix.as_deref(), has_proxy, repo, findings);
    let token = given(raw.proxy_hf_token.as_deref())
        .and_then(|text| findings.take("proxy_hf_token", parse::token(text)));
    let allow_any_target =
        flag("allow_any_target", raw.allow_any_target.as_deref(), findings).unwrap_or(false);
    let target_url = given(raw.proxy_target_url.as_deref())
        .and_then(|text| findings.take("proxy_target_url", parse::target_url(text, allow_any_target)));
    let allow_origins = origins(raw.proxy_allow_origins.as_deref(), findings);
    let hardware = hardware(raw, findings);
    let (settings, secrets) = settings(environment, findings);
    judge_settings(&settings, &secrets, &allow_origins, findings);
    if !has_proxy {
        let because = if wanted { "there is no proxy" } else { "`create_proxy` is not `true`" };
        findings.without_effect(&space::set_ones(&given_ones(raw)), because);
        return None;
    }
    if allow_any_target && target_url.is_none() {
        findings.without_effect(&["allow_any_target"], "`proxy_target_url` is not set");
    }
    Some(ProxyOptions {
        repo: proxy_repo?,
        token,
        deploy_token: None,
        target_url,
        allow_origins,
        allow_any_target,
        hardware: hardware?,
        settings,
        secrets,
    })
}

/// Returns which inputs of a proxy are set. The runner sets those that have a default to it.
fn given_ones(raw: &Raw) -> [(&'static str, bool); 8] {
    let is_given =
        |text: &Option<String>, default: &str| given(text.as_deref()).is_some_and(|text| text != default);
    [
        ("proxy_space_suffix", is_given(&raw.proxy_space_suffix, DEFAULT_SUFFIX)),
        ("proxy_hf_token", is_given(&raw.proxy_hf_token, "")),
        ("proxy_target_url", is_given(&raw.proxy_target_url, "")),
        ("proxy_allow_origins", is_given(&raw.proxy_allow_origins, "*")),
        ("proxy_hardware", is_given(&raw.proxy_hardware, "")),
        ("proxy_sleep_time", is_given(&raw.proxy_sleep_time, "")),
        ("proxy_settings", is_given(&raw.proxy_settings, "")),
        ("allow_any_target", is_given(&raw.allow_any_target, "false")),
    ]
}

fn hardware(raw: &Raw, findings: &mut Findings) -> Option<HardwareOptions> {
    let flavor = match given(raw.proxy_hardware.as_deref()) {
        Some(name) => Some(space::flavor("proxy_hardware", name, findings)?),
        None => None,
    };
    let sleep_time = value("proxy_sleep_time", raw.proxy_sleep_time.as_deref(), space::sleep_time, findings)?;
    time::question("proxy_sleep_time", raw.proxy_sleep_time.as_deref(), findings);
    Some(HardwareOptions { wanted: flavor.into_iter().collect(), required: false, sleep_time })
}

/// `NAME=VALUE` lines, and the bare names of those whose values come from the step's environment.
fn settings(environment: &Environment, findings: &mut Findings) -> (Vec<Variable>, Vec<NamedSecret>) {
    const INPUT: &str = "proxy_settings";
    let (mut settings, mut secrets): (Vec<Variable>, Vec<NamedSecret>) = (Vec::new(), Vec::new());
    let text = environment.raw.proxy_settings.as_deref();
    if lists::is_another_notation(INPUT, "`NAME=VALUE` lines", text, findings) {
        return (settings, secrets);
    }
    let numbered = |(number, line)| entries(line).into_iter().map(move |entry| (number, entry));
    for (number, line) in lists::lines(text).flat_map(numbered) {
        let name = line.split('=').next().unwrap_or_default().trim();
        if settings.iter().any(|other| other.key == name) || secrets.iter().any(|other| other.key == name) {
            findings.fault(INPUT, format!("names `{name}` twice"));
        } else if PROXY_SECRETS.contains(&name) && line.contains('=') {
            findings.fault(
                INPUT,
                format!("must hold the bare name `{name}`, and the step's `env:` its value: settings with a value are public"),
            );
        } else if PROXY_SECRETS.contains(&name) {
            match environment.exact(name).filter(|value| !value.trim().is_empty()) {
                Some(value) => {
                    findings.hide(value);
                    secrets.push(NamedSecret { key: name.to_owned(), value: Secret::new(value) });
                }
                None if findings.does_without_secrets => {}
                None => findings.fault(
                    INPUT,
                    format!("names `{name}`, which the step's `env:` does not set, or sets to nothing"),
                ),
            }
        } else if let Some((_, input)) = ELSEWHERE.iter().find(|(setting, _)| *setting == name) {
            findings.fault(INPUT, format!("must not name `{name}`: `{input}` is its input"));
        } else if let Some(variable) = lists::key_value(INPUT, number, line, findings) {
            if !PROXY_SETTINGS.contains(&name) {
                let known = PROXY_SETTINGS.iter().chain(PROXY_SECRETS).map(|known| format!("`{known}`"));
                let meant = suggest::closest(name, PROXY_SETTINGS.iter().chain(PROXY_SECRETS).copied());
                let meant = meant.map(|known| format!(" (did you mean `{known}`?)")).unwrap_or_default();
                findings.fault(
                    INPUT,
                    format!("must name settings of the proxy: line {number} names none of them{meant}"),
                );
                findings.hint(format!("the proxy knows {}", known.collect::<Vec<_>>().join(", ")));
            } else {
                settings.push(variable);
            }
        }
    }
    (settings, secrets)
}

/// Returns the entries of one line: a setting with its value, or bare names.
fn entries(line: &str) -> Vec<&str> {
    if line.contains('=') { vec![line] } else { lists::names_of(line).collect() }
}

/// Lets the proxy itself judge its settings, one by one and together: it would not start with a bad one.
fn judge_settings(
    settings: &[Variable],
    secrets: &[NamedSecret],
    allow_origins: &AllowOrigins,
    findings: &mut Findings,
) {
    let value = |name: &str| match name {
        "TARGET_URL" => Some("https://target.hf.space".to_owned()),
        "TARGET_TOKEN" => Some("hf_token".to_owned()),
        "ALLOW_ORIGINS" => Some(allow_origins.text()),
        _ => {
            let settings = settings.iter().map(|setting| (&setting.key, setting.value.as_str()));
            let secrets = secrets.iter().map(|secret| (&secret.key, secret.value.expose()));
            settings.chain(secrets).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        }
    };
    let Err(faults) = hf_proxy::config::Config::read(value) else { return };
    // What is wrong with the origins is told by the input that they come from.
    for fault in faults.iter().filter(|fault| fault.name != "ALLOW_ORIGINS") {
        findings.fault("proxy_settings", format!("cannot be used: {fault}"));
    }
}

/// The name of the proxy Space. An empty suffix would make it the Space itself.
fn name(
    suffix: Option<&str>,
    wanted: bool,
    repo: Option<&RepoName>,
    findings: &mut Findings,
) -> Option<RepoName> {
    const INPUT: &str = "proxy_space_suffix";
    let suffix = suffix.unwrap_or(DEFAULT_SUFFIX).trim();
    // The runner passes the default to each run, so that it is no choice of the user: a long name of a Space is valid without it.
    if suffix == DEFAULT_SUFFIX && !wanted {
        return None;
    }
    if suffix.is_empty() {
        if wanted {
            findings
                .fault(INPUT, "must not be empty: the proxy Space would have the name of the Space itself");
        }
        return None;
    }
    if suffix.contains('/') {
        findings.fault(INPUT, format!("must be the end of a name, without a `/`: `{suffix}`"));
        return None;
    }
    // Where the name is a fault of its own, any other shows whether the suffix is right.
    let stand_in = RepoName { namespace: None, name: "space".to_owned() };
    let repo = repo.unwrap_or(&stand_in);
    let named: Result<RepoName, _> = format!("{}{suffix}", repo.name).parse();
    match named {
        Ok(named) => Some(RepoName { namespace: repo.namespace.clone(), ..named }),
        Err(refusal) => {
            findings.fault(INPUT, format!("makes a name that the Hub refuses, which {refusal}"));
            None
        }
    }
}

fn origins(text: Option<&str>, findings: &mut Findings) -> AllowOrigins {
    const INPUT: &str = "proxy_allow_origins";
    if lists::is_another_notation(INPUT, lists::NAMES, text, findings) {
        return AllowOrigins::Any;
    }
    let listed: Vec<&str> = lists::lines(text).flat_map(|(_, line)| lists::names_of(line)).collect();
    if given(text).is_none() || listed == ["*"] {
        return AllowOrigins::Any;
    }
    if listed.is_empty() {
        // Commas around nothing, as an empty variable leaves them, must not open the proxy to all.
        findings.fault(INPUT, "names no origin: leave it out or set it to `*` to allow every page");
    }
    let exact = listed.into_iter().filter_map(|origin| findings.take(INPUT, parse::origin(origin)));
    AllowOrigins::Only(exact.collect())
}
