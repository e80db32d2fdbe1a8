//! Names of repos, with or without a namespace.

use std::str::FromStr;

use super::repo::RepoId;
use super::text::{ParseError, bail_parse};

/// Maximum length of a repo name, in characters (`huggingface_hub`'s repo id rule).
pub const MAX_REPO_NAME: usize = 96;

/// Name of a repo, with or without its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoName {
    /// User or organization; `None` if the name has none.
    pub namespace: Option<String>,
    /// Name of the repo in its namespace.
    pub name: String,
}

impl RepoName {
    /// Returns the full id, with `namespace` if the name has none.
    pub fn with_namespace(&self, namespace: &str) -> RepoId {
        RepoId {
            namespace: self.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
            name: self.name.clone(),
        }
    }

    /// Returns the full id, if the name has a namespace.
    pub fn full(&self) -> Option<RepoId> {
        let namespace = self.namespace.clone()?;
        Some(RepoId { namespace, name: self.name.clone() })
    }
}

impl FromStr for RepoName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).map_err(|ParseError(refusal)| {
            let meant = meant_by(text).map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
            ParseError(format!("{refusal}{meant}"))
        })
    }
}

fn parse(text: &str) -> Result<RepoName, ParseError> {
    if text.contains("://") {
        bail_parse!("must be `name` or `namespace/name`, not a URL: `{text}`");
    }
    let (namespace, name) = match text.split_once('/') {
        None => (None, text),
        Some((namespace, name)) => (Some(namespace), name),
    };
    if name.contains('/') {
        bail_parse!("must be `name` or `namespace/name`, not `{text}`");
    }
    if let Some(namespace) = namespace {
        check_part(namespace)?;
    }
    check_part(name)?;
    // The Hub has accounts with `--` in their names, and gives no repo such a name.
    if name.contains("--") {
        bail_parse!("must not contain `--`: `{name}`");
    }
    Ok(RepoName { namespace: namespace.map(str::to_owned), name: name.to_owned() })
}

/// Applies the rule for both parts that the Hub's official clients enforce before any request.
fn check_part(part: &str) -> Result<(), ParseError> {
    if part.is_empty() {
        bail_parse!("must be `name` or `namespace/name`, with neither part empty");
    }
    if part.len() > MAX_REPO_NAME {
        bail_parse!("has {} characters in `{part}`, the Hub takes at most {MAX_REPO_NAME}", part.len());
    }
    if let Some(bad) = part.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
        bail_parse!(
            "has the character {bad:?} in `{part}`; only letters, digits, `-`, `_` and `.` are allowed"
        );
    }
    if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
        bail_parse!("must not start or end with `-` or `.`: `{part}`");
    }
    if part.contains("..") {
        bail_parse!("must not contain `..`: `{part}`");
    }
    if part.ends_with(".git") {
        bail_parse!("must not end with `.git`: `{part}`");
    }
    Ok(())
}

/// Returns the name that an address, a path of the Hub's pages or a title stands for.
fn meant_by(text: &str) -> Option<String> {
    let is_url = text.contains("://");
    let path = match text.split_once("://") {
        Some((_, address)) => address.split_once('/')?.1,
        None => text.strip_prefix("git@").unwrap_or(text),
    };
    let hosts = ["huggingface.co/", "www.huggingface.co/", "hf.co/", "hf.co:", "huggingface.co:"];
    let below_host = hosts.iter().find_map(|host| path.strip_prefix(host));
    let path = below_host.unwrap_or(path).trim_start_matches('@');
    let kind = ["spaces/", "datasets/", "models/"].iter().find_map(|kind| path.strip_prefix(kind));
    let parts: Vec<&str> = kind.unwrap_or(path).split('/').filter(|part| !part.is_empty()).collect();
    let is_address = is_url || below_host.is_some() || kind.is_some();
    // The address of a repo has both parts, and may go on with a page of it.
    let parts = if is_address { parts.get(..2)? } else { &parts };
    let meant = parts.iter().map(|part| without_blanks(part)).collect::<Vec<_>>().join("/");
    (meant != text && parse(&meant).is_ok()).then_some(meant)
}

/// Returns a part of a name with `-` in place of blanks.
fn without_blanks(part: &str) -> String {
    let words = part.split(|c: char| c.is_whitespace() || c == '-').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").trim_end_matches(".git").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<RepoName>().expect_err(text).to_string()
    }

    #[test]
    fn repo_names_with_and_without_a_namespace() {
        let name: RepoName = "acme/my-app".parse().unwrap();
        assert_eq!(name.full().unwrap().to_string(), "acme/my-app");
        let name: RepoName = "my_app.v2".parse().unwrap();
        assert_eq!(name.full(), None);
        assert_eq!(name.with_namespace("ada").to_string(), "ada/my_app.v2");
    }

    #[test]
    fn repo_names_that_the_hub_refuses() {
        for bad in [
            "",
            "a/",
            "/a",
            "a/b/c",
            "a b",
            "-a",
            "a.",
            "a--b",
            "x/a--b",
            "a..b",
            "a.git",
            "ü",
            "https://x.y/a",
        ] {
            refusal(bad);
        }
        let long = "x".repeat(97);
        assert!(refusal(&long).contains("at most 96"));
        assert!("x".repeat(96).parse::<RepoName>().is_ok());
    }

    #[test]
    fn a_namespace_may_hold_two_dashes() {
        let name: RepoName = "ram--charan/demo".parse().unwrap();
        assert_eq!(name.full().unwrap().to_string(), "ram--charan/demo");
        assert_eq!(refusal("demo--x"), "must not contain `--`: `demo--x` (did you mean `demo-x`?)");
    }

    #[test]
    fn what_people_write_for_a_name_suggests_it() {
        for (text, meant) in [
            ("spaces/ada/demo", Some("ada/demo")),
            ("datasets/ada/demo", Some("ada/demo")),
            ("https://huggingface.co/spaces/ada/demo", Some("ada/demo")),
            ("https://huggingface.co/spaces/ada/demo/tree/main", Some("ada/demo")),
            ("https://huggingface.co/ada/demo/", Some("ada/demo")),
            ("https://huggingface.co/spaces/ada/demo.git", Some("ada/demo")),
            ("huggingface.co/spaces/ada/demo", Some("ada/demo")),
            ("git@hf.co:spaces/ada/demo", Some("ada/demo")),
            ("@ada/demo", Some("ada/demo")),
            ("My Cool Space", Some("My-Cool-Space")),
            ("ada/My Cool Space", Some("ada/My-Cool-Space")),
            ("ada/demo.git", Some("ada/demo")),
            ("https://ada-demo.hf.space", None),
            ("https://huggingface.co/ada", None),
            ("-a", Some("a")),
            ("größe", None),
            ("", None),
        ] {
            let refusal = refusal(text);
            match meant {
                Some(meant) => assert!(refusal.ends_with(&format!("(did you mean `{meant}`?)")), "{refusal}"),
                None => assert!(!refusal.contains("did you mean"), "{refusal}"),
            }
        }
    }
}
