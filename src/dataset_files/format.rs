//! The formats of data files, by their names.

/// Format of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    JsonLines,
    Json,
    Csv,
    Tsv,
    Parquet,
}

/// Names that the `datasets` library does not take for data, and the file that this program writes.
const NOT_DATA: [&str; 5] =
    ["config.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json", "metadata.json"];

/// Ends of names of compressed files.
const COMPRESSED: [&str; 6] = ["gz", "bz2", "xz", "zst", "lz4", "zip"];

impl Format {
    /// Returns the format of the file at a path of the repo; `None` if it is no data file.
    pub fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        if NOT_DATA.contains(&name) || is_hidden(path) {
            return None;
        }
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// Returns the name of the format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
        }
    }

    /// Returns the formats that the `datasets` library reads with the same options. All files of a configuration need
    /// the same ones.
    pub fn family(self) -> &'static str {
        match self {
            Self::JsonLines | Self::Json => "json",
            other => other.as_str(),
        }
    }
}

/// Returns true for a data file in a compressed form.
pub fn is_compressed(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(stem, end)| {
        COMPRESSED.contains(&end.to_ascii_lowercase().as_str()) && Format::of(stem).is_some()
    })
}

/// Returns true if a part of the path has a name that the `datasets` library skips.
fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.') || part.starts_with("__"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_follow_the_names() {
        for (path, format) in [
            ("data/train.JSONL", Some(Format::JsonLines)),
            ("a.ndjson", Some(Format::JsonLines)),
            ("a.json", Some(Format::Json)),
            ("a/b.csv", Some(Format::Csv)),
            ("a.tsv", Some(Format::Tsv)),
            ("a.parquet", Some(Format::Parquet)),
            ("metadata.json", None),
            ("x/dataset_info.json", None),
            (".cache/a.csv", None),
            ("__pycache__/a.json", None),
            ("README.md", None),
            ("csv", None),
            ("a.csv.gz", None),
        ] {
            assert_eq!(Format::of(path), format, "{path}");
        }
        assert!(is_compressed("a.csv.gz") && is_compressed("a.jsonl.zst") && !is_compressed("photos.zip"));
    }
}
