//! The card of a dataset that has one already.

use local_hub::RepoType;

use super::{read, run};
use crate::harness::{Folder, hub};

const ROWS: (&str, &str) = ("rows.csv", "text,label\nfine,1\n");

#[tokio::test(flavor = "multi_thread")]
async fn readme_of_a_person_only_gets_the_keys_that_it_lacks() {
    let hub = hub().await;
    let readme = "---\r\nlicense: cc0-1.0 # ours\r\n---\r\n# Mine\r\n";
    let folder = Folder::new(&[ROWS, ("README.md", readme)]);
    let ran = run(&hub, &folder).input("license", "mit").run().await.ended(0, "deployed");
    let changes =
        "README.md, in the uploaded copy only: add `task_categories`, add `size_categories`, add `configs`";
    assert!(ran.log.contains(changes), "{}", ran.log);
    let card = read(&hub, "README.md");
    assert!(
        card.starts_with("---\r\nlicense: cc0-1.0 # ours\r\ntask_categories:\r\n- text-classification\r\n")
    );
    assert!(card.ends_with("---\r\n# Mine\r\n") && !card.contains("## Rows"), "{card}");
    assert_eq!(std::fs::read_to_string(folder.path().join("README.md")).unwrap(), readme);
}

#[tokio::test(flavor = "multi_thread")]
async fn readme_on_the_hub_stays_with_the_words_of_its_writers() {
    let (hub, folder) = (hub().await, Folder::new(&[ROWS]));
    run(&hub, &folder).run().await.ended(0, "deployed");
    let edited = format!("{}\nWords of a person\n", read(&hub, "README.md").replace("# rows", "# Our rows"));
    let repo = hub.repo(RepoType::Dataset, "ada/rows");
    repo.commit_as("ada", "main", &[("README.md", edited.as_bytes())], "edit").unwrap();
    run(&hub, &folder).run().await.ended(0, "unchanged");
    folder.write("rows.csv", "text,label\nfine,1\nbad,0\n");
    run(&hub, &folder).run().await.ended(0, "deployed");
    let card = read(&hub, "README.md");
    assert!(card.contains("# Our rows\n") && card.ends_with("\nWords of a person\n"), "{card}");
    assert!(card.contains("| `train` | 2 | 1 | 24 B |"), "{card}");
}

#[tokio::test(flavor = "multi_thread")]
async fn card_can_be_kept_or_left_out() {
    let hub = hub().await;
    let own = Folder::new(&[ROWS, ("README.md", "# Mine\n")]);
    run(&hub, &own).input("card", "keep").run().await.ended(0, "deployed");
    let tree = hub.repo(RepoType::Dataset, "ada/rows").tree("main").unwrap();
    assert_eq!(read(&hub, "README.md"), "# Mine\n");
    assert!(!tree.contains_key("metadata.json"), "the library would read it as data");
    let folder = Folder::new(&[ROWS]);
    let ran = run(&hub, &folder).input("repo", "ada/bare").input("card", "none");
    let ran = ran.input("license", "mit").run().await.ended(0, "deployed");
    assert!(ran.log.contains("`license` has no effect: `card: none`"), "{}", ran.log);
    let tree = hub.repo(RepoType::Dataset, "ada/bare").tree("main").unwrap();
    assert_eq!(tree.keys().collect::<Vec<_>>(), [".gitattributes", "rows.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn card_that_cannot_be_completed_is_an_error() {
    let hub = hub().await;
    let folder = Folder::new(&[ROWS, ("README.md", "---\n{license: mit}\n---\n")]);
    let ran = run(&hub, &folder).run().await.failed(2, "invalid_card");
    assert!(ran.log.contains("cannot add `task_categories` to the metadata block"), "{}", ran.log);
    let folder = Folder::new(&[ROWS, ("metadata.json", "{\"mine\": 1}")]);
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("`metadata.json` of the folder is deployed as it is"), "{}", ran.log);
    assert_eq!(read(&hub, "metadata.json"), "{\"mine\": 1}");
}
