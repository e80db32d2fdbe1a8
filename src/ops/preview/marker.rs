//! The mark of a preview: a variable of the Space that names its pull request.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// Name of the variable. The app may read it.
pub const VARIABLE: &str = "HF_DEPLOY_PREVIEW";

/// A repository on a GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GithubRepository {
    /// Host of the GitHub, with its port if it has one: `github.com`.
    pub host: String,
    /// `owner/name`.
    pub name: String,
}

/// Pull request that a preview belongs to: `github.com/owner/repo#12`, the value of [`VARIABLE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    pub repository: GithubRepository,
    /// Number of the pull request.
    pub number: u64,
}

impl GithubRepository {
    /// Returns the repository `owner/name` of the GitHub whose pages are at `server`: `None` for an address without a
    /// host.
    pub fn new(server: &Url, name: &str) -> Option<Self> {
        let host = server.host_str()?;
        let host = server.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Some(Self { host, name: name.to_owned() })
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GithubRepository { host, name } = &self.repository;
        write!(f, "{host}/{name}#{}", self.number)
    }
}

/// Reason why a value is no marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMarker;

impl FromStr for Marker {
    type Err = NoMarker;

    fn from_str(text: &str) -> Result<Self, NoMarker> {
        let (repository, number) = text.rsplit_once('#').ok_or(NoMarker)?;
        let (host, name) = repository.split_once('/').ok_or(NoMarker)?;
        let (owner, rest) = name.split_once('/').ok_or(NoMarker)?;
        let marker = Self {
            repository: GithubRepository { host: host.to_owned(), name: name.to_owned() },
            number: number.parse().map_err(|_| NoMarker)?,
        };
        let is_whole = ![host, owner, rest].contains(&"") && !rest.contains('/') && marker.number > 0;
        // Another spelling of the number is no marker of this action.
        if is_whole && marker.to_string() == text { Ok(marker) } else { Err(NoMarker) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_names_host_repository_and_number() {
        let repository =
            |server: &str| GithubRepository::new(&server.parse().unwrap(), "octo/hello").unwrap();
        let marker = Marker { repository: repository("https://github.com"), number: 12 };
        assert_eq!(marker.to_string(), "github.com/octo/hello#12");
        assert_eq!(marker.to_string().parse(), Ok(marker));
        assert_eq!(repository("http://127.0.0.1:8080/").host, "127.0.0.1:8080");
    }

    #[test]
    fn other_values_are_no_marker() {
        for text in [
            "",
            "true",
            "github.com/octo/hello",
            "github.com/octo#1",
            "github.com/octo/hello#",
            "github.com/octo/hello#x",
            "github.com/octo/hello#0",
            "github.com/octo/hello#012",
            "github.com/octo/hello#+1",
            "github.com/octo/hello/x#1",
            "/octo/hello#1",
            "github.com//hello#1",
        ] {
            assert_eq!(text.parse::<Marker>(), Err(NoMarker), "{text}");
        }
    }
}
