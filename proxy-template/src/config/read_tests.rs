use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
    let base = [("TARGET_URL", "https://ada-demo.hf.space"), ("TARGET_TOKEN", "hf_secret")];
    Config::read(|name| {
        let all = base.iter().chain(pairs);
        all.rev().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    })
}

fn faults(pairs: &[(&str, &str)]) -> String {
    read(pairs).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn defaults_are_used_without_variables() {
    let config = read(&[]).unwrap();
    assert_eq!(config.port, 7860);
    assert_eq!(config.auth_mode, AuthMode::Auto);
    assert_eq!(config.caps.body, 200_000_000);
    assert_eq!(config.timeouts.keep_alive, Duration::from_secs(75));
    assert!(config.visitor_quota && config.public_hosts.is_empty() && config.api_key.is_none());
}

#[test]
fn all_faults_are_reported_at_once() {
    let all = faults(&[
        ("TARGET_URL", "http://ada-demo.hf.space"),
        ("TARGET_TOKEN", "two words"),
        ("AUTH_MODE", "cookie"),
        ("MAX_BODY", "much"),
        ("CONNECT_TIMEOUT", "0"),
        ("ALLOW_ORIGINS", "https://a.example/"),
        ("ALLOW_PATHS", "docs"),
        ("PORT", "0"),
        ("ALLOW_METHODS", "GET, TRACE"),
        ("RATE_LIMIT", "fast"),
        ("ENFORCE_ORIGIN", "yes"),
        ("TARGET_CA_FILE", "/does/not/exist"),
    ]);
    for name in [
        "TARGET_URL",
        "TARGET_TOKEN",
        "AUTH_MODE",
        "MAX_BODY",
        "CONNECT_TIMEOUT",
        "ALLOW_ORIGINS",
        "ALLOW_PATHS",
        "PORT",
        "ALLOW_METHODS",
        "RATE_LIMIT",
        "ENFORCE_ORIGIN",
        "TARGET_CA_FILE",
    ] {
        assert_eq!(all.matches(&format!("`{name}`:")).count(), 1, "{name} in\n{all}");
    }
    assert!(!all.contains("two words"));
}

#[test]
fn required_variables_are_named() {
    let faults = Config::read(|_| None).unwrap_err();
    let names: Vec<_> = faults.iter().map(|f| f.name).collect();
    assert_eq!(names, ["TARGET_URL", "TARGET_TOKEN"]);
}

#[test]
fn the_token_goes_to_spaces_and_loopback_only() {
    assert!(faults(&[("TARGET_URL", "https://example.org")]).contains("ALLOW_ANY_TARGET"));
    assert!(read(&[("TARGET_URL", "https://example.org"), ("ALLOW_ANY_TARGET", "true")]).is_ok());
    assert!(read(&[("TARGET_URL", "http://127.0.0.1:8080")]).is_ok());
    assert!(read(&[("TARGET_URL", "http://example.org"), ("ALLOW_ANY_TARGET", "true")]).is_err());
}

#[test]
fn a_proxy_does_not_forward_to_itself() {
    assert!(faults(&[("SPACE_HOST", "x.example, ADA-demo.hf.space")]).contains("this proxy itself"));
    let local = ("TARGET_URL", "http://127.0.0.1:7861");
    assert!(read(&[local, ("SPACE_HOST", "127.0.0.1:7860")]).is_ok());
    assert!(read(&[local, ("SPACE_HOST", "127.0.0.1:7861")]).is_err());
}

#[test]
fn debug_hides_secrets() {
    let config =
        read(&[("TARGET_TOKEN", "hf_s3"), ("PROXY_API_KEY", "k3y"), ("METRICS_TOKEN", "m3t")]).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("hf_s3") && !shown.contains("k3y") && !shown.contains("m3t"), "{shown}");
}

#[test]
fn a_callers_authorization_needs_its_header() {
    assert!(faults(&[("AUTH_MODE", "authorization"), ("PASS_AUTHORIZATION", "always")]).contains("taken"));
}
