//! Volumes of a Space.

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

/// Folder of the Hub that a Space mounts: `bucket:ns/name[/path]:/mount[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Kind of the source.
    pub kind: VolumeKind,
    /// `namespace/name`.
    pub source: String,
    /// Folder inside the source; `None` for all of it.
    pub path: Option<String>,
    /// Absolute path inside the container.
    pub mount: String,
    /// True if the app cannot write to it.
    pub read_only: bool,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.source)?;
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
        let parts: Vec<&str> = text.split(':').collect();
        let (kind, source, mount, mode) = match parts.as_slice() {
            [kind, source, mount] => (*kind, *source, *mount, None),
            [kind, source, mount, mode] => (*kind, *source, *mount, Some(*mode)),
            _ => bail_parse!("must hold lines like `bucket:namespace/name:/data`, not `{shown}`"),
        };
        let kind = match kind {
            "bucket" => VolumeKind::Bucket,
            "model" => VolumeKind::Model,
            "dataset" => VolumeKind::Dataset,
            "space" => VolumeKind::Space,
            _ => bail_parse!("must start with `bucket:`, `model:`, `dataset:` or `space:` in `{shown}`"),
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
        let plain =
            |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control());
        let inside = path.is_none_or(|path| path.split('/').all(|part| plain(part) && part != ".."));
        if !plain(namespace) || !plain(name) || !inside {
            bail_parse!("must name the source as `namespace/name` in `{shown}`");
        }
        if !mount.starts_with('/') || mount.len() < 2 || mount.split('/').any(|part| part == "..") {
            bail_parse!("must mount at an absolute path like `/data` in `{shown}`");
        }
        Ok(Self {
            kind,
            source: format!("{namespace}/{name}"),
            path: path.map(str::to_owned),
            mount: mount.trim_end_matches('/').to_owned(),
            read_only,
        })
    }
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
        ] {
            assert!(text.parse::<Volume>().is_err(), "{text}");
        }
    }
}
