//! Branches, tags, short ids and comparisons.

use local_hub::{DEFAULT_TOKEN, NewRepo, RepoType};
use reqwest::Method;
use serde_json::json;

use crate::client::{Client, refusal, start};

async fn with_two_commits() -> (Client, String, String) {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let commit = |files: &[(&str, &[u8])]| {
        c.hub.repo(RepoType::Model, "ada/m").commit_as("ada", "main", files, "add files").unwrap()
    };
    let first = commit(&[("a.txt", b"one"), ("b.bin", b"\0\0")]);
    let second = commit(&[("a.txt", b"second")]);
    (c, first, second)
}

#[tokio::test]
async fn seven_digits_name_a_commit() {
    let (c, first, second) = with_two_commits().await;
    assert_eq!(c.json(&format!("/api/models/ada/m/revision/{}", &first[..7])).await["sha"], json!(first));
    let tag = c.post(&format!("/api/models/ada/m/tag/{}", &first[..7]), json!({"tag": "v1"})).await;
    assert_eq!(tag.status(), 200);
    assert_eq!(c.hub.repo(RepoType::Model, "ada/m").head("v1"), Some(first.clone()));
    assert_ne!(first, second);
    for rev in [&first[..6], "0000000", "zzzzzzz"] {
        let answer = c.get(&format!("/api/models/ada/m/revision/{rev}")).await;
        assert_eq!((answer.status().as_u16(), refusal(&answer).1), (404, "RevisionNotFound"), "{rev}");
    }
}

#[tokio::test]
async fn refusals_to_delete_a_branch_are_the_hubs() {
    let (c, ..) = with_two_commits().await;
    c.post("/api/models/ada/m/tag/main", json!({"tag": "v1"})).await;
    let delete = async |name: &str| {
        let path = format!("/api/models/ada/m/branch/{name}");
        c.request(Method::DELETE, &path).bearer_auth(DEFAULT_TOKEN).send().await.unwrap()
    };
    assert_eq!(refusal(&delete("main").await), (403, "", "Cannot delete refs/heads/main"));
    assert_eq!(refusal(&delete("none").await), (404, "RevisionNotFound", "Invalid rev id: none"));
    assert_eq!(refusal(&delete("v1").await), (404, "RevisionNotFound", "Invalid rev id: v1"), "a tag");
}

#[tokio::test]
async fn comparisons_are_short_or_raw() {
    let (c, first, second) = with_two_commits().await;
    let ask = async |query: &str| {
        let answer = c.get(&format!("/api/models/ada/m/compare/{query}")).await;
        answer.text().await.unwrap()
    };
    let oid = |rev: &str, path: &str| {
        c.hub.repo(RepoType::Model, "ada/m").tree(rev).unwrap()[path].oid[..10].to_owned()
    };
    let (old, new) = (oid(&first, "a.txt"), oid(&second, "a.txt"));
    let line = format!("T 6\t:100644 100644 {old}... {new}... M\ta.txt\n");
    assert_eq!(ask(&format!("{first}..{second}?raw=true")).await, line);
    assert_eq!(ask(&format!("{first}..{second}")).await, "diff --git a/a.txt b/a.txt\n");
    let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let all = ask(&format!("{empty}..{first}?raw=true")).await;
    let binary = format!("B 2\t:000000 100644 0000000000... {}... A\tb.bin\n", oid(&first, "b.bin"));
    assert!(all.contains(&binary), "{all}");
    let gone = ask(&format!("{first}..{empty}?raw=true")).await;
    assert!(gone.contains(&format!("T 0\t:100644 000000 {old}... 0000000000... D\ta.txt\n")), "{gone}");
    c.hub.assert_contract_kept();
}
