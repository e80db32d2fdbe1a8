//! Two deploys of different content at the same time: readers of the branch see one of them whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local_hub::RepoType;

use crate::harness::{Folder, Run, hub, tree};

const ROUNDS: usize = 5;
const FILES: usize = 12;

/// A folder whose files all say `content`, one of them in its name too: a tree with two contents is a mixture.
fn of(content: &str) -> Folder {
    let folder = Folder::new(&[(&format!("only-{content}.txt"), content)]);
    for index in 0..FILES {
        folder.write(&format!("part-{index}.txt"), content);
    }
    folder
}

/// The content of a tree, which is whole.
fn content(tree: &std::collections::BTreeMap<String, String>) -> String {
    let ours: Vec<_> = tree.iter().filter(|(path, _)| *path != ".gitattributes").collect();
    let contents: BTreeSet<_> = ours.iter().map(|(_, oid)| *oid).collect();
    assert!(contents.len() == 1 && ours.len() == FILES + 1, "a mixture: {tree:#?}");
    let (name, _) = ours.iter().find(|(path, _)| path.starts_with("only-")).expect("a name");
    (*name).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_deploys_at_once_each_ends_and_no_mixture_is_ever_seen() {
    let hub = Arc::new(hub().await);
    let run = |folder: &Folder| Run::new(&hub, folder).input("repo_type", "model").input("prune", "true");
    run(&of("start")).run().await.ended(0, "deployed");
    let over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (hub, over) = (Arc::clone(&hub), Arc::clone(&over));
        async move {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                seen.push(content(&tree(&hub, RepoType::Model)));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            seen.dedup();
            seen
        }
    });
    let mut deployed = 0;
    for round in 0..ROUNDS {
        let names = [format!("a{round}"), format!("b{round}")];
        let folders = [of(&names[0]), of(&names[1])];
        let (a, b) = tokio::join!(run(&folders[0]).run(), run(&folders[1]).run());
        for ran in [a, b] {
            match ran.code {
                0 => {
                    deployed += 1;
                    assert_eq!(ran.output("status"), "deployed");
                }
                _ => drop(ran.failed(5, "conflict")),
            }
        }
        let end = content(&tree(&hub, RepoType::Model));
        assert!(names.iter().any(|name| end == format!("only-{name}.txt")), "{end} after round {round}");
    }
    over.store(true, Ordering::Relaxed);
    let seen = reader.await.unwrap();
    assert!(deployed >= ROUNDS, "one of the two wins each time");
    // The Hub's first commit, the start, and one for each that said so.
    assert_eq!(hub.repo(RepoType::Model, "ada/app").commits("main").len(), 2 + deployed, "{seen:?}");
}
