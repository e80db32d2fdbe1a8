//! The upload: what lands on the Hub, and what the user reads.

use local_hub::RepoType;

use super::run;
use crate::assert_ran;
use crate::harness::{Folder, hub};

#[tokio::test(flavor = "multi_thread")]
async fn folder_becomes_a_private_dataset_in_one_commit() {
    let hub = hub().await;
    let folder = Folder::new(&[("train.jsonl", "{\"a\": 1}\n"), ("notes/about.txt", "hello\n")]);
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
    let repo = hub.repo(RepoType::Dataset, "ada/rows");
    assert_eq!(repo.visibility().as_deref(), Some("private"));
    assert_eq!(repo.commits("main").len(), 2, "the first commit, and the upload");
    let tree = repo.tree("main").unwrap();
    assert_eq!(tree.keys().collect::<Vec<_>>(), [".gitattributes", "notes/about.txt", "train.jsonl"]);
}
