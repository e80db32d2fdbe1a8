//! The folder of a dataset that may be named by its only file.

use std::path::{Path, PathBuf};

use crate::action::Log;
use crate::failure::{Result, dataset as advice};
use crate::ops::deploy::DeployOptions;

use super::DatasetOptions;
use crate::setting::{INCLUDE, PATH};

/// Returns the deploy of the folder. A single file is deployed from its folder, without the files beside it.
pub(super) fn locate(options: &DatasetOptions, log: &Log) -> Result<DeployOptions> {
    let deploy = &options.deploy;
    let path = &deploy.source_dir;
    if !path.exists() {
        return Err(advice::path_missing(path, deploy.workspace.as_deref()));
    }
    if !path.is_file() {
        return Ok(deploy.clone());
    }
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| advice::name_not_text(path))?;
    if !deploy.include.is_empty() {
        log.warning(&format!("{INCLUDE} has no effect: {PATH} names a file"));
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    Ok(DeployOptions {
        source_dir: folder.map_or_else(|| PathBuf::from("."), Path::to_owned),
        include: vec![pattern_of(name)],
        ..deploy.clone()
    })
}

/// Returns the pattern in gitignore syntax that this name alone matches, at the top of the folder.
fn pattern_of(name: &str) -> String {
    let mut pattern = String::from("/");
    for c in name.chars() {
        if matches!(c, '\\' | '*' | '?' | '[' | ']' | '!' | '#' | ' ' | '{' | '}') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use crate::folder::{self, SourceOptions};

    use super::*;

    #[test]
    fn pattern_of_a_name_matches_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["a.csv", "a*.csv", "[a].csv", "!a.csv", "#a.csv", "a b.csv ", "{a}.csv", "sub/a.csv"];
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        for name in &names[..7] {
            let include = vec![pattern_of(name)];
            let root = folder.path().to_owned();
            let source = folder::read(&SourceOptions { root, include, ..SourceOptions::default() }).unwrap();
            let found: Vec<_> = source.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(found, [*name]);
        }
    }
}
