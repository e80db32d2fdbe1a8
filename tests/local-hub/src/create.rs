//! New repositories with their first commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use crate::answer::HubError;
use crate::attributes;
use crate::config::RepoType;
use crate::hub::Hub;
use crate::objects::Kind;
use crate::repo::{NewCommit, Repo, RepoState};
use crate::snapshot::FileEntry;
use crate::space::{Setting, SpaceState};
use crate::stage::BuildCause;
use crate::util::{lock, now_ms, sha256_hex, unique_hex};

/// Everything `POST /api/repos/create` decides.
pub(crate) struct CreateRepo {
    pub(crate) repo_type: RepoType,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) visibility: String,
    pub(crate) sdk: Option<String>,
    pub(crate) sdk_version: Option<String>,
    pub(crate) short_description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) hardware: Option<String>,
    pub(crate) sleep_time: Option<i64>,
    pub(crate) secrets: BTreeMap<String, Setting>,
    pub(crate) variables: BTreeMap<String, Setting>,
    pub(crate) volumes: Vec<serde_json::Value>,
    pub(crate) dev_mode: bool,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) author: String,
    /// Id of the repository whose files these are: none are generated then.
    pub(crate) copy_of: Option<String>,
}

impl Default for CreateRepo {
    fn default() -> Self {
        Self {
            repo_type: RepoType::Model,
            namespace: String::new(),
            name: String::new(),
            visibility: "public".into(),
            sdk: None,
            sdk_version: None,
            short_description: None,
            license: None,
            hardware: None,
            sleep_time: None,
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            volumes: vec![],
            dev_mode: false,
            files: vec![],
            author: String::new(),
            copy_of: None,
        }
    }
}

impl CreateRepo {
    /// The files of the first commit; given files replace the generated ones.
    fn first_files(&self) -> BTreeMap<String, Vec<u8>> {
        if self.copy_of.is_some() {
            return self.files.iter().cloned().collect();
        }
        let mut files = BTreeMap::new();
        files.insert(".gitattributes".to_owned(), attributes::initial(self.repo_type).into_bytes());
        if let Some(sdk) = self.sdk.as_deref().filter(|_| self.repo_type == RepoType::Space) {
            files.insert("README.md".to_owned(), self.space_card(sdk).into_bytes());
            if sdk == "static" {
                let page = "<!doctype html>\n<html>\n\t<head>\n\t\t<meta charset=\"utf-8\" />\n\t\t\
                    <title>My static Space</title>\n\t\t<link rel=\"stylesheet\" href=\"style.css\" />\n\t</head>\n\t\
                    <body>\n\t\t<h1>Welcome to your static Space!</h1>\n\t</body>\n</html>\n";
                files.insert("index.html".to_owned(), page.into());
                files.insert("style.css".to_owned(), b"body {\n\tfont-family: sans-serif;\n}\n".to_vec());
            }
        } else if let Some(license) = &self.license {
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
            let version = self.sdk_version.as_deref().unwrap_or("6.1.0");
            card.push_str(&format!("sdk_version: {version}\napp_file: app.py\n"));
        }
        card.push_str("pinned: false\n");
        if let Some(license) = &self.license {
            card.push_str(&format!("license: {license}\n"));
        }
        if let Some(text) = &self.short_description {
            card.push_str(&format!("short_description: {}\n", json!(text)));
        }
        card.push_str("---\n");
        card
    }
}

impl Hub {
    /// Creates the repository; `None` when the name is taken.
    pub(crate) fn create_repo(&self, request: CreateRepo) -> anyhow::Result<Option<Arc<Repo>>> {
        if self.store.get(request.repo_type, &format!("{}/{}", request.namespace, request.name)).is_some() {
            return Ok(None);
        }
        let id = unique_hex(24);
        let space = request.sdk.as_deref().filter(|_| request.repo_type == RepoType::Space).map(|sdk| {
            let mut space = SpaceState::new(sdk, subdomain(&request.namespace, &request.name, &id));
            space.hardware = request.hardware.clone();
            space.sleep_time = request.sleep_time;
            space.secrets = request.secrets.clone();
            space.variables = request.variables.clone();
            space.volumes = request.volumes.clone();
            space.dev_mode = request.dev_mode;
            let id = format!("{}/{}", request.namespace, request.name).to_lowercase();
            if let Some(waiting) = lock(&self.waiting_scripts).remove(&id) {
                (space.script, space.queue) = (waiting.stages, waiting.builds);
            }
            space
        });
        let state = RepoState {
            id,
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
            space,
            creator: request.author.clone(),
            publishers: vec![],
            former_ids: BTreeSet::new(),
        };
        let repo_is_space = state.space.is_some();
        let Some(repo) = self.store.create(state)? else { return Ok(None) };
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
        repo.update(|s| s.refs.insert("refs/heads/main".into(), oid))?;
        if repo_is_space {
            self.open_edge(&repo)?;
        }
        self.rebuild_space(&repo, BuildCause::Create).map_err(|e: HubError| anyhow::anyhow!("{}", e.body))?;
        Ok(Some(repo))
    }

    /// Gives a renamed Space its new subdomain.
    pub(crate) fn rename_space(&self, repo: &Repo) -> anyhow::Result<()> {
        let (namespace, name, id) = {
            let s = lock(&repo.state);
            (s.namespace.clone(), s.name.clone(), s.id.clone())
        };
        repo.update(|s| {
            if let Some(space) = &mut s.space {
                space.subdomain = subdomain(&namespace, &name, &id);
            }
        })
    }
}

/// A subdomain nobody can compute from the name: the slug and a suffix from the repository's id.
fn subdomain(namespace: &str, name: &str, id: &str) -> String {
    let slug: String = format!("{namespace}-{name}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let slug: String = slug.trim_matches('-').chars().take(50).collect();
    format!("{}-{}", slug.trim_end_matches('-'), &sha256_hex(id.as_bytes())[..5])
}
