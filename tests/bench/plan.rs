//! Plans a deploy of a folder, on one thread and without a Hub, for `tests/bench/plan.py` to count its instructions:
//! the walk, the digests, and the comparison with what a Hub would hold, where every tenth file is another.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use hf_deploy::folder::{self, SourceOptions};
use hf_deploy::ops::deploy::plan::{self, Action, Candidate, Pruning};

fn main() -> Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).context("usage: plan FOLDER")?);
    let exclude = vec!["*.log".to_owned(), "/build/".to_owned()];
    let options = SourceOptions { root, exclude, ..SourceOptions::default() };
    let source = folder::read(&options).map_err(|failure| anyhow!("{failure}"))?;
    let mut candidates = Vec::with_capacity(source.files.len());
    for (number, file) in source.files.iter().enumerate() {
        let local = file.git_blob_oid()?.to_string();
        let remote = if number % 10 == 0 { "0".repeat(40) } else { local.clone() };
        candidates.push(Candidate {
            path: file.path.clone(),
            size: file.size,
            large: false,
            ignored: false,
            remote: Some(remote),
            local: Some(local),
        });
    }
    let remote =
        source.files.iter().map(|file| file.path.to_string()).chain(["gone.txt".to_owned()]).collect();
    let plan = plan::plan(&candidates, &Pruning::On { remote });
    let counts = [Action::Update, Action::Delete].map(|action| plan.count(action));
    println!("{} files, {counts:?} updated and deleted, {} unchanged", source.files.len(), plan.unchanged);
    Ok(())
}
