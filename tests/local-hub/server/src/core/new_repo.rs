//! New repositories with their first commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use crate::core::attributes;
use crate::core::content::Core;
use crate::core::objects::Kind;
use crate::core::repo::{MAIN, NewCommit, Repo, RepoState};
use crate::core::repo_type::RepoType;
use crate::core::snapshot::FileEntry;
use crate::util::{now_ms, unique_hex};

/// A repository that is created.
#[derive(Clone, Debug)]
pub(crate) struct CreateRepo {
    pub(crate) repo_type: RepoType,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) author: String,
    /// `public`, `private` or `protected`.
    pub(crate) visibility: String,
    /// Metadata of the generated card.
    pub(crate) card: NewCard,
    /// Files of the first commit, which replace the generated ones.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Id of the repository that is duplicated. No files are generated then.
    pub(crate) copy_of: Option<String>,
}

/// Metadata of the card of a new repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewCard {
    /// SDK of a Space.
    pub(crate) sdk: Option<String>,
    pub(crate) sdk_version: Option<String>,
    pub(crate) short_description: Option<String>,
    pub(crate) license: Option<String>,
}

impl CreateRepo {
    /// Returns the files of the first commit.
    fn first_files(&self) -> BTreeMap<String, Vec<u8>> {
        if self.copy_of.is_some() {
            return self.files.iter().cloned().collect();
        }
        let mut files = BTreeMap::new();
        files.insert(".gitattributes".to_owned(), attributes::initial(self.repo_type).into_bytes());
        if let Some(sdk) = self.card.sdk.as_deref().filter(|_| self.repo_type == RepoType::Space) {
            files.insert("README.md".to_owned(), self.space_card(sdk).into_bytes());
            if sdk == "static" {
                let page = "<!doctype html>\n<html>\n\t<head>\n\t\t<meta charset=\"utf-8\" />\n\t\t\
                    <title>My static Space</title>\n\t\t<link rel=\"stylesheet\" href=\"style.css\" />\n\t</head>\n\t\
                    <body>\n\t\t<h1>Welcome to your static Space!</h1>\n\t</body>\n</html>\n";
                files.insert("index.html".to_owned(), page.into());
                files.insert("style.css".to_owned(), b"body {\n\tfont-family: sans-serif;\n}\n".to_vec());
            }
        } else if let Some(license) = &self.card.license {
            files.insert("README.md".to_owned(), format!("---\nlicense: {license}\n---\n").into_bytes());
        }
        for (path, content) in &self.files {
            files.insert(path.clone(), content.clone());
        }
        files
    }

    fn space_card(&self, sdk: &str) -> String {
        let mut title = self.name.replace(['-', '_'], " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let mut card =
            format!("---\ntitle: {title}\nemoji: 🚀\ncolorFrom: blue\ncolorTo: green\nsdk: {sdk}\n");
        if sdk == "gradio" {
            let version = self.card.sdk_version.as_deref().unwrap_or("6.1.0");
            card.push_str(&format!("sdk_version: {version}\napp_file: app.py\n"));
        }
        card.push_str("pinned: false\n");
        if let Some(license) = &self.card.license {
            card.push_str(&format!("license: {license}\n"));
        }
        if let Some(text) = &self.card.short_description {
            card.push_str(&format!("short_description: {}\n", json!(text)));
        }
        card.push_str("---\n");
        card
    }
}

impl Core {
    /// Creates the repository; `None` if the name is taken.
    pub(crate) fn create(&self, request: &CreateRepo) -> anyhow::Result<Option<Arc<Repo>>> {
        let state = RepoState {
            id: unique_hex(24),
            repo_type: request.repo_type,
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            visibility: request.visibility.clone(),
            gated: json!(false),
            granted: BTreeSet::new(),
            settings: BTreeMap::new(),
            created_ms: now_ms(),
            modified_ms: now_ms(),
            refs: BTreeMap::new(),
            discussions: BTreeMap::new(),
            creator: request.author.clone(),
            publishers: vec![],
            former_ids: BTreeSet::new(),
            planted: serde_json::Value::Null,
        };
        let Some(repo) = self.repos.create(state)? else { return Ok(None) };
        let mut files = BTreeMap::new();
        for (path, content) in request.first_files() {
            let oid = repo.objects.put(Kind::Blob, &content)?;
            files.insert(path, FileEntry { mode: 0o100_644, oid });
        }
        let new = NewCommit {
            author: request.author.clone(),
            summary: match &request.copy_of {
                Some(id) => format!("Duplicate from {id}"),
                None => "initial commit".into(),
            },
            description: String::new(),
        };
        let oid = repo.write_commit(files, vec![], &new)?;
        repo.update(|s| s.refs.insert(MAIN.into(), oid))?;
        Ok(Some(repo))
    }
}
