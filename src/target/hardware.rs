//! What a Space can run on, how long it stays awake, and what it mounts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{ParseError, shorten, suggest};

/// How much of a bad value a sentence repeats.
const SHOWN: usize = 60;

macro_rules! bail_parse {
    ($($arg:tt)*) => { return Err(ParseError(format!($($arg)*))) };
}

/// The hardware of a Space, by the Hub's name for it (`POST /api/repos/create`, `hardware`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flavor(&'static str);

/// Every flavor that the Hub's contract knows, in its order: of one kind, the cheapest comes first.
const FLAVORS: &[&str] = &[
    "cpu-basic",
    "cpu-upgrade",
    "cpu-performance",
    "cpu-xl",
    "sprx8",
    "zero-a10g",
    "t4-small",
    "t4-medium",
    "l4x1",
    "l4x4",
    "l40sx1",
    "l40sx4",
    "l40sx8",
    "a10g-small",
    "a10g-large",
    "a10g-largex2",
    "a10g-largex4",
    "a100-large",
    "a100x4",
    "a100x8",
    "h200",
    "h200x2",
    "h200x4",
    "h200x8",
    "rtx-pro-6000",
    "rtx-pro-6000x2",
    "rtx-pro-6000x4",
    "rtx-pro-6000x8",
    "inf2x6",
    "zerogpu",
];

impl Flavor {
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Returns the names of all flavors as a list in a sentence, where ZeroGPU with its two names stands once.
    pub fn list() -> String {
        let names = FLAVORS.iter().filter(|name| **name != "zerogpu");
        let names: Vec<String> = names
            .map(|name| format!("`{name}`{}", if is_zero_gpu(name) { " (or `zerogpu`)" } else { "" }))
            .collect();
        names.join(", ")
    }

    /// ZeroGPU, which has two names and takes Gradio Spaces only.
    pub fn is_zero_gpu(self) -> bool {
        is_zero_gpu(self.0)
    }

    /// The free hardware, whose sleep time cannot be set.
    pub fn is_basic(self) -> bool {
        self.0 == "cpu-basic"
    }

    /// Whether this is what the Hub calls `name`.
    pub fn is(self, name: &str) -> bool {
        self.0 == name || (self.is_zero_gpu() && is_zero_gpu(name))
    }
}

fn is_zero_gpu(name: &str) -> bool {
    matches!(name, "zero-a10g" | "zerogpu")
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Flavor {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if let Some(name) = FLAVORS.iter().find(|name| **name == text) {
            return Ok(Self(name));
        }
        let shown = shorten(text, SHOWN);
        match suggest::meant(text, FLAVORS).or_else(|| suggest::of_the_family(text, FLAVORS)) {
            Some(name) => bail_parse!("must name hardware of the Hub, not `{shown}`: did you mean `{name}`?"),
            None => bail_parse!("must name hardware of the Hub, not `{shown}`"),
        }
    }
}

/// How long a Space may be idle before it sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SleepTime {
    After(Duration),
    Never,
}

impl SleepTime {
    /// The value as the Hub takes it: seconds, or -1 for never (`POST …/sleeptime`).
    pub fn seconds(self) -> i64 {
        match self {
            Self::After(time) => i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            Self::Never => -1,
        }
    }
}

impl fmt::Display for SleepTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(time) => write!(f, "after {} s", time.as_secs()),
            Self::Never => f.write_str("never"),
        }
    }
}

/// What a volume is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeKind {
    Bucket,
    Model,
    Dataset,
    Space,
}

impl VolumeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }
}

/// A folder of the Hub that is mounted in a Space: `bucket:ns/name[/path]:/mount[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub kind: VolumeKind,
    /// `namespace/name`.
    pub source: String,
    /// The folder inside the source; `None` is all of it.
    pub path: Option<String>,
    /// Absolute, inside the container.
    pub mount: String,
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
    fn flavors_are_those_of_the_contract() {
        let path = std::env::var("HUB_OPENAPI").unwrap_or_else(|_| {
            concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/hub-openapi.json").to_owned()
        });
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let create = &document["paths"]["/api/repos/create"]["post"].to_string();
        let start = create.find(r#"["cpu-basic""#).unwrap();
        let end = start + create[start..].find(']').unwrap() + 1;
        let theirs: Vec<String> = serde_json::from_str(&create[start..end]).unwrap();
        assert_eq!(theirs, FLAVORS);
    }

    #[test]
    fn the_list_of_flavors_names_zero_gpu_once() {
        let list = Flavor::list();
        assert_eq!(list.matches("zerogpu").count(), 1, "{list}");
        assert!(list.contains("`zero-a10g` (or `zerogpu`)") && list.ends_with("`inf2x6`"), "{list}");
        let far = "quantum".parse::<Flavor>().unwrap_err().0;
        assert_eq!(far, "must name hardware of the Hub, not `quantum`");
    }

    #[test]
    fn a_suggestion_is_the_cheapest_of_its_kind() {
        for (text, meant) in [
            ("T4", "t4-small"),
            ("T4-Medium", "t4-medium"),
            ("t4small", "t4-small"),
            ("t4-large", "t4-small"),
            ("t5-small", "t4-small"),
            ("cpu", "cpu-basic"),
            ("CPU-Upgrade", "cpu-upgrade"),
            ("cpu-large", "cpu-basic"),
            ("basic", "cpu-basic"),
            ("a100", "a100-large"),
            ("A10G", "a10g-small"),
            ("a10", "a10g-small"),
            ("l4", "l4x1"),
            ("l4x2", "l4x1"),
            ("L40S", "l40sx1"),
            ("zero", "zero-a10g"),
            ("ZeroGPU", "zerogpu"),
            ("zero-gpu", "zerogpu"),
        ] {
            let refusal = text.parse::<Flavor>().unwrap_err().0;
            assert!(refusal.contains(&format!(": did you mean `{meant}`?")), "{refusal}");
        }
    }

    #[test]
    fn zero_gpu_has_two_names() {
        let flavor: Flavor = "zerogpu".parse().unwrap();
        assert!(flavor.is("zero-a10g") && flavor.is("zerogpu") && !flavor.is("t4-small"));
        assert!(!"t4-small".parse::<Flavor>().unwrap().is("zerogpu"));
    }

    #[test]
    fn volumes() {
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
