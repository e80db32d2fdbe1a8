//! Volumes of Spaces and Jobs.

use std::fmt;
use std::str::FromStr;

use super::text::{ParseError, bail_parse, shorten};

/// Length of a bad value in a parse error, in characters.
const SHOWN: usize = 60;

/// Kind of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    /// A storage bucket.
    Bucket,
    /// A model repo.
    Model,
    /// A dataset repo.
    Dataset,
    /// A Space repo.
    Space,
}

impl VolumeKind {
    /// Returns the name that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }
}

/// Folder of the Hub that a container mounts: `bucket:ns/name[/path]:/mount[:ro]`, or the form of the official clients,
/// `hf://buckets/ns/name[/path]:/mount[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Kind of the source.
    pub kind: VolumeKind,
    /// `namespace/name`.
    pub source: String,
    /// Revision of a repo; `None` for its default branch.
    pub revision: Option<String>,
    /// Folder inside the source; `None` for all of it.
    pub path: Option<String>,
    /// Absolute path inside the container.
    pub mount: String,
    /// True if the container cannot write to it.
    pub read_only: bool,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.source)?;
        if let Some(revision) = &self.revision {
            write!(f, "@{revision}")?;
        }
        if let Some(path) = &self.path {
            write!(f, "/{path}")?;
        }
        write!(f, ":{}{}", self.mount, if self.read_only { ":ro" } else { "" })
    }
}

impl FromStr for Volume {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let shown = shorten(text, SHOWN);
        let (kind, rest) = split_kind(text, &shown)?;
        let parts: Vec<&str> = rest.split(':').collect();
        let (source, mount, mode) = match parts.as_slice() {
            [source, mount] => (*source, *mount, None),
            [source, mount, mode] => (*source, *mount, Some(*mode)),
            _ => bail_parse!("must hold lines like `bucket:namespace/name:/data`, not `{shown}`"),
        };
        let read_only = match mode {
            // The Hub mounts repos read-only, whatever is asked for.
            None => kind != VolumeKind::Bucket,
            Some("ro") => true,
            Some("rw") if kind == VolumeKind::Bucket => false,
            Some("rw") => bail_parse!("can only be written to when it is a bucket: `{shown}`"),
            Some(_) => bail_parse!("must end with the folder, `:ro` or `:rw` in `{shown}`"),
        };
        let mut names = source.splitn(3, '/');
        let (Some(namespace), Some(name)) = (names.next(), names.next()) else {
            bail_parse!("must name the source as `namespace/name` in `{shown}`");
        };
        let path = names.next().map(|path| path.trim_end_matches('/')).filter(|path| !path.is_empty());
        let (name, revision) = match name.split_once('@') {
            None => (name, None),
            Some(_) if kind == VolumeKind::Bucket => bail_parse!("has no revisions of a bucket: `{shown}`"),
            Some((name, revision)) => (name, Some(revision)),
        };
        let plain =
            |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
        let inside = path.is_none_or(|path| path.split('/').all(|part| plain(part) && part != ".."));
        if !plain(namespace) || !plain(name) || !inside || !revision.is_none_or(plain) {
            bail_parse!("must name the source as `namespace/name` in `{shown}`");
        }
        if !mount.starts_with('/') || mount.len() < 2 || mount.split('/').any(|part| part == "..") {
            bail_parse!("must mount at an absolute path like `/data` in `{shown}`");
        }
        Ok(Self {
            kind,
            source: format!("{namespace}/{name}"),
            revision: revision.map(str::to_owned),
            path: path.map(str::to_owned),
            mount: mount.trim_end_matches('/').to_owned(),
            read_only,
        })
    }
}

/// Returns the kind of a volume, and the rest of its text. In the form of the official clients, a model needs no kind.
fn split_kind<'a>(text: &'a str, shown: &str) -> Result<(VolumeKind, &'a str), ParseError> {
    let (found, rest) = match text.strip_prefix("hf://") {
        Some(rest) => {
            let kinds = [
                ("buckets/", "bucket"),
                ("models/", "model"),
                ("datasets/", "dataset"),
                ("spaces/", "space"),
            ];
            let kind = kinds.iter().find_map(|(prefix, kind)| Some((*kind, rest.strip_prefix(*prefix)?)));
            kind.unwrap_or(("model", rest))
        }
        None => match text.split_once(':') {
            Some(split) => split,
            None => bail_parse!("must hold lines like `bucket:namespace/name:/data`, not `{shown}`"),
        },
    };
    let kind = match found {
        "bucket" => VolumeKind::Bucket,
        "model" => VolumeKind::Model,
        "dataset" => VolumeKind::Dataset,
        "space" => VolumeKind::Space,
        _ => bail_parse!("must start with `bucket:`, `model:`, `dataset:` or `space:` in `{shown}`"),
    };
    Ok((kind, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_parsed_and_printed() {
        for (text, shown) in [
            ("bucket:ada/data:/data", "bucket:ada/data:/data"),
            ("bucket:ada/data/a/b/:/data/:ro", "bucket:ada/data/a/b:/data:ro"),
            ("bucket:ada/data:/data:rw", "bucket:ada/data:/data"),
            ("model:ada/weights:/models", "model:ada/weights:/models:ro"),
            ("dataset:ada/rows@v1/train:/rows", "dataset:ada/rows@v1/train:/rows:ro"),
            ("hf://buckets/ada/data/a/b:/data:ro", "bucket:ada/data/a/b:/data:ro"),
            ("hf://datasets/ada/rows:/rows", "dataset:ada/rows:/rows:ro"),
            ("hf://spaces/ada/app:/app", "space:ada/app:/app:ro"),
            ("hf://ada/weights:/models", "model:ada/weights:/models:ro"),
        ] {
            assert_eq!(text.parse::<Volume>().unwrap().to_string(), shown);
        }
        for text in [
            "ada/data:/data",
            "disk:ada/data:/data",
            "bucket:data:/data",
            "bucket:ada/:/data",
            "bucket:ada/data:data",
            "bucket:ada/data:/",
            "bucket:ada/data/../x:/data",
            "bucket:ada/data:/data:rx",
            "model:ada/weights:/models:rw",
            "bucket:ada/data:/data:ro:x",
            "bucket:ada/data@v1:/data",
            "hf://buckets/data:/data",
            "hf://buckets/ada/data",
        ] {
            assert!(text.parse::<Volume>().is_err(), "{text}");
        }
    }
}
