//! The rules for single values: text in, a value or a sentence out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_proxy::units::{self, UnitError};
use hub::{ParseError, RepoPath, Revision, Secret, shorten, suggest};
use url::{Host, Url};

use super::Prune;

pub(super) type Parsed<T> = Result<T, ParseError>;

/// How much of a bad value a sentence repeats.
pub(super) const SHOWN: usize = 120;

pub(super) fn refuse<T>(sentence: impl Into<String>) -> Parsed<T> {
    Err(ParseError(sentence.into()))
}

/// A boolean of the YAML 1.2 core schema, as in `@actions/core`'s `getBooleanInput`.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => refuse(format!(
            "must be `true` or `false` (also `True`, `TRUE`, `False`, `FALSE`), not `{}`{}",
            shorten(text, SHOWN),
            meant_boolean(text)
        )),
    }
}

/// Returns the end of a refusal: the boolean that a word of older YAML, or a misspelt one, stands for.
fn meant_boolean(text: &str) -> String {
    let word = text.to_lowercase();
    let meant = match word.as_str() {
        "yes" | "y" | "on" | "1" => Some("true"),
        "no" | "n" | "off" | "0" => Some("false"),
        word => suggest::closest(word, ["true", "false"]),
    };
    meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default()
}

pub(super) fn prune(text: &str) -> Parsed<Prune> {
    match (text, boolean(text)) {
        ("auto", _) => Ok(Prune::Auto),
        (_, Ok(true)) => Ok(Prune::Always),
        (_, Ok(false)) => Ok(Prune::Never),
        _ => suggest::one_of(&["auto", "true", "false"], text),
    }
}

/// Refuses a value that does not look as it should.
pub(super) fn not_like<T>(example: &str, text: &str) -> Parsed<T> {
    refuse(format!("must be {example}, not `{}`", shorten(text, SHOWN)))
}

/// Parses a time of at least a second.
pub(super) fn duration(text: &str) -> Parsed<Duration> {
    match units::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_secs(1) => Ok(duration),
        _ => not_like(UnitError::DURATION.form(), text),
    }
}

/// Parses a size of at least a byte.
pub(super) fn size(text: &str) -> Parsed<u64> {
    match units::parse_size(text) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => not_like(UnitError::SIZE.form(), text),
    }
}

/// The lines of a list, without empty ones and `#` comments. A `\` keeps the blank that it ends in, as in
/// `.gitignore`.
pub(super) fn patterns(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let line = line.trim_start();
            match line.trim_end() {
                kept if kept.ends_with('\\') => {
                    let blank = line[kept.len()..].chars().next().map_or(0, char::len_utf8);
                    &line[..kept.len() + blank]
                }
                kept => kept,
            }
        })
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Names that secrets with a token usually have, which are no tokens in small letters either.
const USUAL_NAMES: &[&str] =
    &["hf_token", "hf_read_token", "hf_write_token", "hf_api_token", "huggingface_token", "token"];

/// Returns the name of the variable or secret that a text stands for, as in `HF_TOKEN`, `$HF_TOKEN` or
/// `${{ secrets.HF_TOKEN }}`: only the runner puts values in the place of names, and only in the last form.
pub(super) fn stands_for(text: &str) -> Option<&str> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "${}()%".contains(c));
    let scopes = ["secrets.", "env.", "env:", "vars.", "inputs."];
    let name = scopes.iter().find_map(|scope| bare.strip_prefix(scope)).unwrap_or(bare);
    let is_marked = name.len() < text.trim().len();
    let is_upper = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_usual = USUAL_NAMES.iter().any(|usual| usual.eq_ignore_ascii_case(name));
    (is_usual || is_plain_name(name) && (is_marked || is_upper)).then_some(name)
}

/// Returns true for a name that cannot be a token with a stray character beside it, because the fault repeats the name.
fn is_plain_name(name: &str) -> bool {
    let has = |of_kind: fn(&u8) -> bool| name.as_bytes().iter().any(of_kind);
    let is_word =
        |word: &str| word.len() <= 11 || word.len() <= 20 && !word.bytes().any(|byte| byte.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
        && name.split('_').all(is_word)
}

/// A token as it can stand in a header. The refusals never repeat it.
pub(super) fn token(text: &str) -> Parsed<Secret> {
    if let Some(name) = stands_for(text) {
        return refuse(format!(
            "holds the text `{}` in place of a token: write `${{{{ secrets.{} }}}}`",
            shorten(text, SHOWN),
            name.to_uppercase()
        ));
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return refuse("has quotation marks around it: paste the token alone");
    }
    if text.chars().any(char::is_whitespace) {
        return refuse("holds more than one word: copy the token again, without a space or a line break");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("holds a character that no token has: copy the token again");
    }
    Ok(Secret::new(text))
}

/// The root of the repo is `None`: also for `.` and `./`, which people write for it.
pub(super) fn path_in_repo(text: &str) -> Parsed<Option<RepoPath>> {
    let path = text.trim_start_matches("./").trim_end_matches('/');
    if path.contains('\\') {
        return refuse(format!("must separate folders by `/`, not by `\\`: `{}`", shorten(text, SHOWN)));
    }
    match path {
        "" | "." => Ok(None),
        path => path.parse().map(Some),
    }
}

/// A file below the checkout: what is outside of it is gone after the run, and nothing there is ours to write.
pub(super) fn cache_path(text: &str, workspace: Option<&Path>) -> Parsed<PathBuf> {
    let path: RepoPath = text.trim_start_matches("./").parse()?;
    Ok(workspace.unwrap_or(Path::new(".")).join(path.as_str()))
}

/// Also takes what `${{ github.ref }}` holds for a branch.
pub(super) fn revision(text: &str) -> Parsed<Revision> {
    if let Some(tag) = text.strip_prefix("refs/tags/") {
        return refuse(format!(
            "must be a branch on the Hub, not the tag `{tag}`: leave `revision` out, which deploys what is checked out to `main`"
        ));
    }
    if let Some(pull_request) = text.strip_prefix("refs/pull/") {
        return refuse(format!(
            "must be a branch on the Hub, not the pull request `{pull_request}` of GitHub: leave `revision` out, and set `create_pr: true` to open one on the Hub"
        ));
    }
    let of_the_hub = ["refs/heads/", "refs/pr/", "refs/convert/"];
    if text.starts_with("refs/") && !of_the_hub.iter().any(|start| text.starts_with(start)) {
        return refuse(format!("must be a branch on the Hub, not `{}`", shorten(text, SHOWN)));
    }
    text.strip_prefix("refs/heads/").unwrap_or(text).parse()
}

/// The folder below the checkout, without the `.` parts which would stand in every message.
pub(super) fn source_dir(text: &str, workspace: Option<&Path>) -> PathBuf {
    let joined = workspace.map_or_else(|| PathBuf::from(text), |workspace| workspace.join(text));
    let clean: PathBuf = joined.components().collect();
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

/// The address of a Hub: an origin, maybe with a path in front of the Hub's own.
pub(super) fn endpoint(text: &str) -> Parsed<Url> {
    let mut url = address(text)?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return refuse(format!(
            "must start with `https://` (`http://` is for this machine only): `{}`",
            shown(&url)
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Where the proxy may send its token: nobody but Hugging Face's edge takes it off again, so that any
/// other address has to be asked for.
pub(super) fn target_url(text: &str, allow_any: bool) -> Parsed<Url> {
    let url = address(text)?;
    let on_the_edge =
        url.port().is_none() && url.domain().is_some_and(|domain| domain.ends_with(".hf.space"));
    let allowed = url.scheme() == "https" && (on_the_edge || allow_any);
    if !allowed && !is_loopback(&url) {
        let more =
            if allow_any { "" } else { " (or set `allow_any_target: true`, if that host may see the token)" };
        return refuse(format!(
            "must be the https address of a Space, like `https://namespace-name.hf.space`: `{}`{more}",
            shown(&url)
        ));
    }
    if url.path() != "/" {
        return refuse(format!("must have no path behind the host: `{}`", shown(&url)));
    }
    Ok(url)
}

/// An http or https URL without what has no place in an address that ends up in logs.
fn address(text: &str) -> Parsed<Url> {
    let Ok(url) = Url::parse(text) else {
        return refuse("must be a full address, like `https://host.example`");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse(format!("must start with `https://`, not `{}:`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not hold a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("must not hold a `?` or a `#`");
    }
    Ok(url)
}

fn shown(url: &Url) -> String {
    shorten(url.as_str(), SHOWN)
}

/// Whether the URL leads to this machine, where `http` harms nobody.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        None => false,
    }
}

/// An origin exactly as a browser sends it (RFC 6454, section 6.2): it is compared byte by byte.
pub(super) fn origin(text: &str) -> Parsed<String> {
    let text_shown = shorten(text, SHOWN);
    if text.contains('*') {
        return refuse(format!("must name each origin in full, or be `*` alone: `{text_shown}`"));
    }
    let exact = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| url.origin().ascii_serialization());
    match exact {
        Some(exact) if exact == text => Ok(exact),
        Some(exact) => {
            refuse(format!("must hold origins as browsers send them, `{exact}` instead of `{text_shown}`"))
        }
        None => refuse(format!("must hold origins like `https://app.example.org`, not `{text_shown}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_those_of_yaml_and_no_others() {
        for (text, value) in
            [("true", true), ("True", true), ("TRUE", true), ("false", false), ("FALSE", false)]
        {
            assert_eq!(boolean(text), Ok(value));
        }
        for text in ["ture", "yes", "no", "on", "1", "0", "tRUE", "", "null"] {
            assert!(boolean(text).unwrap_err().0.contains("`True`"), "{text}");
        }
        assert_eq!(prune("auto"), Ok(Prune::Auto));
        assert_eq!(prune("TRUE"), Ok(Prune::Always));
        assert_eq!(prune("false"), Ok(Prune::Never));
        assert!(prune("always").unwrap_err().0.starts_with("must be `auto`"));
    }

    #[test]
    fn lists_lose_comments_and_empty_lines() {
        let text = "# models\n  *.pt  \r\n\n\\#odd\n!keep.pt\nends in blank\\ \n\t";
        assert_eq!(patterns(text), ["*.pt", "\\#odd", "!keep.pt", "ends in blank\\ "]);
        assert!(patterns("\n # only a comment\n").is_empty());
        assert_eq!(patterns("a\\ \u{3000}"), ["a\\ "]);
        assert_eq!(patterns("a\\\u{a0}\nb\\"), ["a\\\u{a0}", "b\\"]);
    }

    #[test]
    fn tokens_are_one_word() {
        assert_eq!(token("hf_abc").unwrap().expose(), "hf_abc");
        for bad in ["hf_a hf_b", "hf_\nab", "hf_ü", "hf_a\u{7}"] {
            let refusal = token(bad).unwrap_err().0;
            assert!(!refusal.contains("hf_"), "{refusal}");
        }
    }

    #[test]
    fn a_name_in_the_place_of_a_token_is_recognised() {
        for (text, name) in [
            ("HF_TOKEN", "HF_TOKEN"),
            ("hf_token", "HF_TOKEN"),
            ("$HF_TOKEN", "HF_TOKEN"),
            ("${HF_TOKEN}", "HF_TOKEN"),
            ("%HF_TOKEN%", "HF_TOKEN"),
            ("$env:HF_TOKEN", "HF_TOKEN"),
            ("${{ secrets.HF_TOKEN }}", "HF_TOKEN"),
            ("secrets.HF_READ", "HF_READ"),
            ("$my_token", "MY_TOKEN"),
            ("TOKEN", "TOKEN"),
        ] {
            assert_eq!(
                token(text).unwrap_err().0,
                format!("holds the text `{text}` in place of a token: write `${{{{ secrets.{name} }}}}`")
            );
        }
        for real in [
            "hf_abc",
            "hf_AbCdEfGhIjKlMnOpQrStUvWxYz",
            "api_org_abc",
            "hf_jwt_eyJh.bGci",
            // A stray character beside a token does not make it a name, which the message would repeat.
            "hf_AbCdEfGhIjKlMnOpQrStUvWxYz}",
            "$hf_AbCdEfGhIjKlMnOpQrStUvWxYz",
            "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
            "A1B2C3D4E5F60718293A4B5C6D7E8F90}",
        ] {
            assert_eq!(token(real).unwrap().expose(), real);
        }
    }

    #[test]
    fn revisions_are_branches_of_the_hub() {
        assert_eq!(revision("refs/heads/next").unwrap().as_str(), "next");
        assert_eq!(revision("refs/pr/3").unwrap().as_str(), "refs/pr/3");
        assert_eq!(revision("v1").unwrap().as_str(), "v1");
        for (text, part) in [
            ("refs/tags/v1", "not the tag `v1`: leave `revision` out"),
            ("refs/pull/7/merge", "not the pull request `7/merge` of GitHub"),
            ("refs/notes/x", "not `refs/notes/x`"),
        ] {
            assert!(revision(text).unwrap_err().0.contains(part), "{text}");
        }
    }

    #[test]
    fn the_root_of_a_repo_has_many_names() {
        for root in [".", "./", "/"] {
            assert_eq!(path_in_repo(root), Ok(None), "{root}");
        }
        assert_eq!(path_in_repo("./data/").unwrap().unwrap().as_str(), "data");
        assert!(path_in_repo("/data").is_err());
        assert!(path_in_repo("../data").is_err());
    }

    #[test]
    fn source_dirs_are_relative_to_the_checkout() {
        let workspace = Some(Path::new("/github/workspace"));
        for (text, full) in [
            (".", "/github/workspace"),
            ("./a/./b/", "/github/workspace/a/b"),
            ("../x", "/github/workspace/../x"),
            ("/srv/app", "/srv/app"),
        ] {
            assert_eq!(source_dir(text, workspace), Path::new(full), "{text}");
        }
        assert_eq!(source_dir(".", None), Path::new("."));
        assert_eq!(source_dir("./", None), Path::new("."));
        assert_eq!(source_dir("a/b", None), Path::new("a/b"));
    }

    #[test]
    fn endpoints_are_https_unless_they_are_here() {
        for (text, url) in [
            ("https://huggingface.co", "https://huggingface.co/"),
            ("https://hub.example/base/", "https://hub.example/base"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
            ("http://[::1]:1", "http://[::1]:1/"),
            ("http://localhost", "http://localhost/"),
        ] {
            assert_eq!(endpoint(text).unwrap().as_str(), url);
        }
        for text in [
            "huggingface.co",
            "http://huggingface.co",
            "http://localhost.evil.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://a:b@huggingface.co",
            "https://huggingface.co?x=1",
            "https://huggingface.co#x",
        ] {
            assert!(endpoint(text).is_err(), "{text}");
        }
        assert!(!endpoint("https://user:hf_secret@h.example").unwrap_err().0.contains("hf_secret"));
    }

    #[test]
    fn the_proxy_sends_its_token_to_spaces_only() {
        for text in ["https://acme-app.hf.space", "https://acme-app.hf.space/", "http://127.0.0.1:7860"] {
            assert!(target_url(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://acme-app.hf.space",
            "https://hf.space",
            "https://evilhf.space",
            "https://acme.hf.space.evil.example",
            "https://acme.hf.space@evil.example",
            "https://acme.hf.space:8443",
            "https://acme.hf.space/path",
            "acme.hf.space",
        ] {
            assert!(target_url(text, false).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_exact() {
        for good in ["https://app.example.org", "http://localhost:3000", "https://xn--bcher-kva.example"] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "https://app.example.org/",
            "https://app.example.org/x",
            "https://App.example.org",
            "https://app.example.org:443",
            "https://*.example.org",
            "app.example.org",
            "null",
            "file:///x",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        assert!(origin("https://A.example:443/").unwrap_err().0.contains("`https://a.example` instead"));
    }
}
