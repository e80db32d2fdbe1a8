//! The proxy Space. Its inputs are checked even if there is no proxy, so that a workflow which switches it on later
//! finds no new faults.

use hub::{RepoName, RepoType, Secret, suggest};

use super::hardware;
use super::sign_in;
use crate::commands::inputs::declaration::{DefaultValue, Input, Only, ValueKind, inputs};
use crate::commands::inputs::diagnostics::Diagnostics;
use crate::commands::inputs::lists;
use crate::commands::inputs::urls::{self, MoreHosts};
use crate::commands::inputs::values::Values;
use crate::ops::proxy_space::{AllowOrigins, ProxyOptions};
use crate::ops::space::{HardwareOptions, NamedSecret, OptionOf, Variable};

inputs! {
    /// Inputs of the proxy.
    PROXY: "Proxy", "The other inputs have an effect only with `create_proxy: true`, for Spaces.";
    CREATE_PROXY = Input {
        kind: ValueKind::Flag,
        summary: "Put a public proxy Space in front of the deployed Space",
        default: DefaultValue::Passed("false"),
        ..Input::new("create_proxy")
    };
    PROXY_SPACE_SUFFIX = Input {
        kind: ValueKind::Text("SUFFIX"),
        summary: "Suffix that makes the name of the proxy Space from the name of the Space",
        details: "An empty value is an error if `create_proxy` is `true`.",
        default: DefaultValue::Passed(DEFAULT_SUFFIX),
        only: OF_THE_PROXY,
        ..Input::new("proxy_space_suffix")
    };
    PROXY_HF_TOKEN = Input {
        summary: "Token with which the proxy opens the private Space, best a fine-grained one with read access only",
        details: "A deploy without `hf_token` needs it.",
        default: DefaultValue::Words("`hf_token`"),
        is_secret: true,
        only: OF_THE_PROXY,
        ..Input::new("proxy_hf_token")
    };
    PROXY_TARGET_URL = Input {
        kind: ValueKind::Text("URL"),
        summary: "Address under `hf.space` that the proxy forwards to, with `https`",
        default: DefaultValue::Words("the address of the Space"),
        only: OF_THE_PROXY,
        ..Input::new("proxy_target_url")
    };
    PROXY_ALLOW_ORIGINS = Input {
        kind: ValueKind::Text("ORIGINS"),
        summary: "Origins whose pages may call the proxy, separated by commas or newlines, or `*` for all",
        default: DefaultValue::Passed("*"),
        only: OF_THE_PROXY,
        ..Input::new("proxy_allow_origins")
    };
    PROXY_HARDWARE = Input {
        kind: ValueKind::Text("NAME"),
        summary: "Hardware of the proxy Space, such as `cpu-upgrade`",
        default: DefaultValue::Words("the hardware that the proxy Space has; `cpu-basic` for a new one"),
        only: OF_THE_PROXY,
        ..Input::new("proxy_hardware")
    };
    PROXY_SLEEP_TIME = Input {
        kind: ValueKind::Text("DURATION"),
        summary: "Idle time after which the proxy Space sleeps, such as `10m`, `2h` or `never`",
        default: DefaultValue::Words("the sleep time that the proxy Space has"),
        only: OF_THE_PROXY,
        ..Input::new("proxy_sleep_time")
    };
    PROXY_SETTINGS_INPUT = Input {
        kind: ValueKind::Text("LINES"),
        summary: "Settings of the proxy, one `NAME=VALUE` per line",
        details: "A secret setting is a bare name, and the `env:` of the step holds its value.",
        default: DefaultValue::Words("the defaults of the proxy"),
        only: OF_THE_PROXY,
        ..Input::new("proxy_settings")
    };
    ALLOW_ANY_TARGET = Input {
        kind: ValueKind::Flag,
        summary: "Allow any https address as `proxy_target_url`; that host sees the token",
        default: DefaultValue::Value("false"),
        only: &[Only::With(CREATE_PROXY.name), Only::With(PROXY_TARGET_URL.name)],
        ..Input::new("allow_any_target")
    };
}

const OF_THE_PROXY: &[Only] = &[Only::With(CREATE_PROXY.name)];

/// Settings of the proxy that `proxy_settings` takes. A test compares them with the list of the proxy.
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

/// Settings whose values come from the environment, because variables of a Space are public.
pub const PROXY_SECRETS: &[&str] = &["PROXY_API_KEY", "METRICS_TOKEN"];

/// Default of `proxy_space_suffix`.
const DEFAULT_SUFFIX: &str = "-proxy";

/// Settings that have an input of their own.
const ELSEWHERE: &[(&str, &Input)] = &[
    ("TARGET_URL", &PROXY_TARGET_URL),
    ("TARGET_TOKEN", &PROXY_HF_TOKEN),
    ("ALLOW_ORIGINS", &PROXY_ALLOW_ORIGINS),
    ("ALLOW_ANY_TARGET", &ALLOW_ANY_TARGET),
];

/// Reads the proxy. `repo` and `repo_type` are `None` if they are faults.
pub(crate) fn read(
    values: &Values,
    repo: Option<&RepoName>,
    repo_type: Option<RepoType>,
    secrets_are_withheld: bool,
    diagnostics: &mut Diagnostics,
) -> Option<ProxyOptions> {
    let is_wanted = values.flag(&CREATE_PROXY, diagnostics);
    let is_space = repo_type.is_none_or(|repo_type| repo_type == RepoType::Space);
    if is_wanted && !is_space {
        diagnostics.warn_without_effect(&[&CREATE_PROXY], "only a Space has an app to stand in front of");
    }
    let has_proxy = is_wanted && is_space;
    let proxy_repo = proxy_repo(values, has_proxy, repo, diagnostics);
    let token = sign_in::token(values, &PROXY_HF_TOKEN, diagnostics);
    let allow_any_target = values.flag(&ALLOW_ANY_TARGET, diagnostics);
    let setting = values.place().setting(&ALLOW_ANY_TARGET, "true");
    let more_hosts = if allow_any_target { MoreHosts::Allowed } else { MoreHosts::AllowedBy(&setting) };
    let target_url =
        values.field(&PROXY_TARGET_URL, |text| urls::target_url(text, more_hosts), diagnostics).ok();
    let allow_origins = origins(values, diagnostics);
    let hardware = hardware(values, diagnostics);
    let (settings, secrets) = settings(values, secrets_are_withheld, diagnostics);
    check_settings(&settings, &secrets, &allow_origins, diagnostics);
    if !has_proxy {
        let because = if is_wanted {
            "there is no proxy".to_owned()
        } else {
            format!("{} is not `true`", values.quoted(&CREATE_PROXY))
        };
        values.warn_without(Only::With(CREATE_PROXY.name), because, diagnostics);
        return None;
    }
    if values.given(&PROXY_TARGET_URL).is_none() {
        let because = format!("{} is not set", values.quoted(&PROXY_TARGET_URL));
        values.warn_without(Only::With(PROXY_TARGET_URL.name), because, diagnostics);
    }
    Some(ProxyOptions {
        repo: proxy_repo?,
        token,
        deploy_token: None,
        target_url,
        allow_origins,
        allow_any_target,
        hardware,
        settings,
        secrets,
    })
}

fn hardware(values: &Values, diagnostics: &mut Diagnostics) -> HardwareOptions {
    let flavor =
        values.given(&PROXY_HARDWARE).and_then(|name| hardware::flavor(&PROXY_HARDWARE, name, diagnostics));
    let sleep_time = hardware::sleep_time(values, &PROXY_SLEEP_TIME, diagnostics);
    HardwareOptions {
        wanted: flavor.into_iter().collect(),
        wanted_by: OptionOf::Proxy,
        sleep_time,
        sleep_time_by: OptionOf::Proxy,
        ..HardwareOptions::default()
    }
}

/// Reads `NAME=VALUE` lines, and the bare names of settings whose values come from the environment.
fn settings(
    values: &Values,
    secrets_are_withheld: bool,
    diagnostics: &mut Diagnostics,
) -> (Vec<Variable>, Vec<NamedSecret>) {
    const INPUT: &Input = &PROXY_SETTINGS_INPUT;
    let (mut settings, mut secrets): (Vec<Variable>, Vec<NamedSecret>) = (Vec::new(), Vec::new());
    let text = values.text(INPUT);
    if lists::is_another_notation(INPUT, "`NAME=VALUE` lines", text, diagnostics) {
        return (settings, secrets);
    }
    let holder = values.place().environment();
    let numbered = |(number, line)| entries(line).into_iter().map(move |entry| (number, entry));
    for (number, line) in lists::lines(text).flat_map(numbered) {
        let name = line.split('=').next().unwrap_or_default().trim();
        if settings.iter().any(|other| other.key == name) || secrets.iter().any(|other| other.key == name) {
            diagnostics.fault(INPUT, format!("names `{name}` twice"));
        } else if PROXY_SECRETS.contains(&name) && line.contains('=') {
            diagnostics.fault(
                INPUT,
                format!("must hold the bare name `{name}`, and {holder} its value: settings with a value are public"),
            );
        } else if PROXY_SECRETS.contains(&name) {
            match values.environment().exact(name).filter(|value| !value.trim().is_empty()) {
                Some(value) => {
                    diagnostics.hide(value);
                    secrets.push(NamedSecret { key: name.to_owned(), value: Secret::new(value) });
                }
                None if secrets_are_withheld => {}
                None => diagnostics
                    .fault(INPUT, format!("names `{name}`, which {holder} does not set, or sets to nothing")),
            }
        } else if let Some((_, input)) = ELSEWHERE.iter().find(|(setting, _)| *setting == name) {
            let input = values.quoted(input);
            diagnostics.fault(INPUT, format!("must not name `{name}`: {input} is its input"));
        } else if let Some(variable) = lists::key_value(INPUT, number, line, diagnostics) {
            if PROXY_SETTINGS.contains(&name) {
                settings.push(variable);
            } else {
                note_unknown(number, name, diagnostics);
            }
        }
    }
    (settings, secrets)
}

fn note_unknown(number: usize, name: &str, diagnostics: &mut Diagnostics) {
    let known = || PROXY_SETTINGS.iter().chain(PROXY_SECRETS).copied();
    let meant = suggest::closest(name, known());
    let meant = meant.map(|known| format!(" (did you mean `{known}`?)")).unwrap_or_default();
    diagnostics.fault(
        &PROXY_SETTINGS_INPUT,
        format!("must name settings of the proxy: line {number} names none of them{meant}"),
    );
    let known: Vec<String> = known().map(|known| format!("`{known}`")).collect();
    diagnostics.hint(format!("the proxy knows {}", known.join(", ")));
}

/// Returns the entries of one line: a setting with its value, or bare names.
fn entries(line: &str) -> Vec<&str> {
    if line.contains('=') { vec![line] } else { lists::names_of(line).collect() }
}

/// Checks the settings with the code of the proxy, one by one and together, because it does not start with a bad one.
fn check_settings(
    settings: &[Variable],
    secrets: &[NamedSecret],
    allow_origins: &AllowOrigins,
    diagnostics: &mut Diagnostics,
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
    // Faults of the origins are noted at the input that they come from.
    for fault in faults.iter().filter(|fault| fault.name != "ALLOW_ORIGINS") {
        diagnostics.fault(&PROXY_SETTINGS_INPUT, format!("cannot be used: {fault}"));
    }
}

/// Returns the suffix of the name of the proxy Space.
pub(crate) fn suffix(values: &Values) -> &str {
    values.text(&PROXY_SPACE_SUFFIX).unwrap_or(DEFAULT_SUFFIX).trim()
}

/// Returns the name of the proxy Space. An empty suffix would make it the Space itself.
fn proxy_repo(
    values: &Values,
    has_proxy: bool,
    repo: Option<&RepoName>,
    diagnostics: &mut Diagnostics,
) -> Option<RepoName> {
    const INPUT: &Input = &PROXY_SPACE_SUFFIX;
    let suffix = suffix(values);
    // The runner passes the default to each run, and a long name of a Space is valid without it.
    if suffix == DEFAULT_SUFFIX && !has_proxy {
        return None;
    }
    if suffix.is_empty() {
        if has_proxy {
            diagnostics
                .fault(INPUT, "must not be empty: the proxy Space would have the name of the Space itself");
        }
        return None;
    }
    if suffix.contains('/') {
        diagnostics.fault(INPUT, format!("must be the end of a name, without a `/`: `{suffix}`"));
        return None;
    }
    // If the name of the Space is a fault, any other name shows whether the suffix is valid.
    let stand_in = RepoName { namespace: None, name: "space".to_owned() };
    let repo = repo.unwrap_or(&stand_in);
    let named: Result<RepoName, _> = format!("{}{suffix}", repo.name).parse();
    match named {
        Ok(named) => Some(RepoName { namespace: repo.namespace.clone(), ..named }),
        Err(refusal) => {
            diagnostics.fault(INPUT, format!("makes a name that the Hub refuses, which {refusal}"));
            None
        }
    }
}

fn origins(values: &Values, diagnostics: &mut Diagnostics) -> AllowOrigins {
    const INPUT: &Input = &PROXY_ALLOW_ORIGINS;
    let text = values.text(INPUT);
    if lists::is_another_notation(INPUT, lists::NAMES, text, diagnostics) {
        return AllowOrigins::Any;
    }
    let listed: Vec<&str> = lists::lines(text).flat_map(|(_, line)| lists::names_of(line)).collect();
    if values.given(INPUT).is_none() || listed == ["*"] {
        return AllowOrigins::Any;
    }
    if listed.is_empty() {
        // Commas around nothing, as an empty variable leaves them, must not open the proxy to all.
        diagnostics.fault(INPUT, "names no origin: leave it out or set it to `*` to allow every page");
    }
    let exact = listed.into_iter().filter_map(|origin| diagnostics.take(INPUT, urls::origin(origin)));
    AllowOrigins::Only(exact.collect())
}
