//! The list of datasets, or of the files of one.

use hub::{ListedRepo, Lookup, RemoteFile, Repo, RepoId, RepoName, RepoType, Revision};

use crate::failure::{Result, dataset as advice};
use crate::ops::Session;
use crate::ops::dataset::present_name;

/// Subject of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListSubject {
    /// Datasets whose names begin with `prefix`. Without a namespace, those of the token's user.
    Datasets { namespace: Option<String>, prefix: String },
    /// Files of a dataset whose paths begin with `prefix`.
    Files { repo: RepoId, prefix: String, revision: Revision },
}

/// Entries of a list, in the order of their names.
#[derive(Debug)]
pub enum Listed {
    Datasets(Vec<ListedRepo>),
    Files(Vec<RemoteFile>),
}

/// Lists datasets, or the files of one.
///
/// # Errors
///
/// The dataset or its revision does not exist. No matching entry is no error.
pub async fn list(subject: &ListSubject, session: &Session<'_>) -> Result<Listed> {
    let Session { hub, log, .. } = *session;
    match subject {
        ListSubject::Datasets { namespace, prefix } => {
            let namespace = match namespace {
                Some(namespace) => namespace.clone(),
                None => hub.whoami().await?.name,
            };
            Ok(Listed::Datasets(begin_with(hub, &namespace, prefix).await?))
        }
        ListSubject::Files { repo, prefix, revision } => {
            let repo = Repo { repo_type: RepoType::Dataset, id: repo.clone() };
            let info = match hub.look_up(&repo, revision).await? {
                Lookup::Found(info) => info,
                Lookup::NoRevision => return Err(advice::no_revision(&repo, revision)),
                Lookup::NoRepo(refusal) => return Err(advice::not_found(&repo, &refusal)),
            };
            let repo = present_name(&repo, &info, log);
            let Some(commit) = &info.sha else { return Err(advice::no_revision(&repo, revision)) };
            let mut files = hub.list_files(&repo, commit, None).await?;
            files.retain(|file| file.path.starts_with(prefix.as_str()));
            files.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(Listed::Files(files))
        }
    }
}

/// Returns the datasets of a namespace whose names begin with `prefix`, in either case.
pub(super) async fn begin_with(hub: &hub::Hub, namespace: &str, prefix: &str) -> Result<Vec<ListedRepo>> {
    let mut repos = hub.list_repos(namespace, RepoType::Dataset, prefix).await?;
    let prefix = prefix.to_lowercase();
    repos.retain(|listed| listed.repo.id.name.to_lowercase().starts_with(&prefix));
    repos.sort_by_key(|listed| listed.repo.id.to_string().to_lowercase());
    Ok(repos)
}

impl std::str::FromStr for ListSubject {
    type Err = hub::ParseError;

    /// Parses `PREFIX`, `namespace/PREFIX` or `namespace/name/PREFIX`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || {
            hub::ParseError(
                "must be the beginning of a name, such as `acme/` or `acme/ques`, or of a path in a dataset, such as `acme/questions/data/`"
                    .to_owned(),
            )
        };
        let is_name =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let parts: Vec<&str> = text.splitn(3, '/').collect();
        match parts[..] {
            [prefix] if is_name(prefix) => Ok(Self::Datasets { namespace: None, prefix: prefix.to_owned() }),
            [namespace, prefix] if !namespace.is_empty() && is_name(namespace) && is_name(prefix) => {
                Ok(Self::Datasets { namespace: Some(namespace.to_owned()), prefix: prefix.to_owned() })
            }
            [namespace, name, prefix] => {
                let repo: RepoName = format!("{namespace}/{name}").parse()?;
                let repo = repo.full().ok_or_else(invalid)?;
                Ok(Self::Files { repo, prefix: prefix.to_owned(), revision: Revision::default() })
            }
            _ => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_follows_from_the_slashes() {
        let datasets = |namespace: Option<&str>, prefix: &str| ListSubject::Datasets {
            namespace: namespace.map(str::to_owned),
            prefix: prefix.to_owned(),
        };
        assert_eq!("".parse(), Ok(datasets(None, "")));
        assert_eq!("que".parse(), Ok(datasets(None, "que")));
        assert_eq!("acme/".parse(), Ok(datasets(Some("acme"), "")));
        assert_eq!("acme/que".parse(), Ok(datasets(Some("acme"), "que")));
        let files = |prefix: &str| {
            let repo = "acme/questions".parse::<RepoName>().unwrap().full().unwrap();
            ListSubject::Files { repo, prefix: prefix.to_owned(), revision: Revision::default() }
        };
        assert_eq!("acme/questions/".parse(), Ok(files("")));
        assert_eq!("acme/questions/data/tr".parse(), Ok(files("data/tr")));
        for text in ["/x", "a b", "acme/a b", "https://x/y", "//x"] {
            assert!(text.parse::<ListSubject>().is_err(), "{text}");
        }
    }
}
