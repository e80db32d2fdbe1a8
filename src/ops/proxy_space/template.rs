//! The files of a proxy Space, and the marks by which it is recognised.

use std::path::Path;

use rust_embed::Embed;
use sha2::{Digest, Sha256};

use crate::failure::{self, Result};
use crate::folder::card::Card;
use crate::ops::space::NamedSecret;
use hub::Repo;

/// Source of a proxy Space, or its card alone where an image is published. It is embedded, so that nothing is fetched at
/// run time.
#[derive(Embed)]
#[folder = "proxy-template"]
#[cfg_attr(not(proxy_image), include = "src/**/*.rs")]
#[cfg_attr(not(proxy_image), include = "Cargo.toml")]
#[cfg_attr(not(proxy_image), include = "Cargo.lock")]
#[cfg_attr(not(proxy_image), include = "Dockerfile")]
#[cfg_attr(not(proxy_image), include = ".dockerignore")]
#[include = "README.md"]
#[exclude = "*_tests.rs"]
struct Template;

/// Published image of the proxy, by digest. A release is built with it. Without it, the Space compiles its source.
const IMAGE: Option<&str> = match option_env!("HF_DEPLOY_PROXY_IMAGE") {
    // A build argument without a value is empty.
    Some(image) if !image.is_empty() => Some(image),
    _ => None,
};

/// Tag in the card of each proxy Space that this action made.
const MARKER: &str = "hf-deploy-proxy";
/// File with a fingerprint of the Space's secrets, so that other secrets make a difference.
const RECORD: &str = "deploy.json";

/// Writes the files of a proxy Space to a folder.
pub(super) fn write_source(folder: &Path, repo: &Repo, secrets: &[NamedSecret]) -> Result<()> {
    for (name, content) in files(IMAGE) {
        write(&folder.join(name), &content)?;
    }
    let record = serde_json::json!({
        "made_by": concat!("hf-deploy ", env!("CARGO_PKG_VERSION")),
        "secrets": fingerprint(repo, secrets),
    });
    write(&folder.join(RECORD), format!("{record:#}\n").as_bytes())
}

/// Returns the files that are deployed: the whole source, or the card and a Dockerfile that starts the image.
fn files(image: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let names = Template::iter().filter(|name| image.is_none() || name == "README.md");
    let mut files: Vec<(String, Vec<u8>)> =
        names.filter_map(|name| Some((name.to_string(), Template::get(&name)?.data.into_owned()))).collect();
    files.extend(image.map(|image| ("Dockerfile".to_owned(), format!("FROM {image}\n").into_bytes())));
    files
}

/// Returns true if the card of a Space says that this action made it, as a proxy.
pub(super) fn has_marker(readme: &[u8]) -> bool {
    matches!(Card::read(readme), Ok(Some(card)) if card.has_tag(MARKER))
}

/// Returns 64 bits that differ if a secret differs. They reveal no token, because tokens are random and long.
fn fingerprint(repo: &Repo, secrets: &[NamedSecret]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(repo.id.to_string());
    for secret in secrets {
        for part in [secret.key.as_str(), secret.value.expose()] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failure::proxy::files_not_written)?;
    }
    std::fs::write(path, content).map_err(failure::proxy::files_not_written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub::{RepoName, RepoType, Secret};

    #[test]
    fn marker_counts_only_among_the_tags_of_the_card() {
        assert!(has_marker(b"---\ntitle: x\ntags:\n  - hf-deploy-proxy\n---\ntext"));
        assert!(has_marker(b"---\r\ntags: [a, hf-deploy-proxy]\r\n---\r\n"));
        assert!(!has_marker(b"---\ntitle: hf-deploy-proxy\n---\n"));
        assert!(!has_marker(b"---\ntitle: x\n---\ntags:\n- hf-deploy-proxy\n"));
        assert!(!has_marker(b"# hf-deploy-proxy"));
    }

    #[test]
    fn template_is_complete_and_has_the_marker() {
        let names: Vec<String> = Template::iter().map(|name| name.into_owned()).collect();
        for name in ["Cargo.toml", "Cargo.lock", "Dockerfile", "README.md", "src/main.rs", "src/lib.rs"] {
            assert!(names.iter().any(|other| other == name), "{name} is missing: {names:?}");
        }
        assert!(names.iter().all(|name| !name.starts_with("target") && !name.contains("tests")), "{names:?}");
        let readme = Template::get("README.md").unwrap();
        assert!(has_marker(&readme.data));
    }

    #[test]
    fn release_starts_its_image_and_other_builds_compile() {
        let image = "ghcr.io/acme/hf-deploy-proxy:1.2.3@sha256:0";
        let released = files(Some(image));
        let names: Vec<&str> = released.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["README.md", "Dockerfile"]);
        assert!(has_marker(&released[0].1));
        assert_eq!(released[1].1, format!("FROM {image}\n").into_bytes());
        let compiled = files(None);
        assert_eq!(compiled.iter().filter(|(name, _)| name == "Dockerfile").count(), 1);
        assert!(compiled.iter().any(|(name, content)| name == "src/main.rs" && !content.is_empty()));
    }

    #[test]
    fn fingerprint_depends_on_each_secret() {
        let repo =
            Repo { repo_type: RepoType::Space, id: "ada/app".parse::<RepoName>().unwrap().full().unwrap() };
        let secret = |key: &str, value: &str| NamedSecret { key: key.to_owned(), value: Secret::new(value) };
        let of = |secrets: &[NamedSecret]| fingerprint(&repo, secrets);
        let first = of(&[secret("A", "1"), secret("B", "2")]);
        assert_eq!(first.len(), 16);
        assert_eq!(first, of(&[secret("A", "1"), secret("B", "2")]));
        assert_ne!(first, of(&[secret("A", "1"), secret("B", "3")]));
        assert_ne!(first, of(&[secret("A", "1B2")]));
    }
}
