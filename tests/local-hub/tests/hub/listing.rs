//! Listings and their paging.

use local_hub::RepoType;
use serde_json::Value;

use crate::client::start;

#[tokio::test]
async fn trees_are_paged() {
    let c = start().await;
    c.hub.create_repo_as("ada", RepoType::Model, "ada/m", None, false).unwrap();
    let names: Vec<String> = (0..2300).map(|i| format!("d{}/f{i:04}", i % 3)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), b"x" as &[u8])).collect();
    c.hub.commit_as("ada", RepoType::Model, "ada/m", "main", &files, "many").unwrap();
    let mut url = "/api/models/ada/m/tree/main?recursive=true".to_owned();
    let mut paths: Vec<String> = Vec::new();
    let mut pages = 0;
    loop {
        let answer = c.get(&url).await;
        let next = answer.headers().get("link").map(|l| l.to_str().unwrap().to_owned());
        let rows: Vec<Value> = answer.json().await.unwrap();
        assert!(rows.len() <= 1000);
        paths.extend(rows.iter().map(|r| r["path"].as_str().unwrap().to_owned()));
        pages += 1;
        match next {
            Some(link) => url = link.trim_start_matches('<').split('>').next().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, paths.len()), (3, 2300 + 3 + 1));
    let unique: std::collections::BTreeSet<&String> = paths.iter().collect();
    assert_eq!(unique.len(), paths.len());
    assert_eq!(c.get("/api/models/ada/m/tree/main?limit=5000").await.status(), 400);
    let missing = c.get("/api/models/ada/m/tree/main/none").await;
    assert_eq!(missing.headers()["x-error-code"], "EntryNotFound");
    let commits = c.get("/api/models/ada/m/commits/main?limit=1").await;
    assert_eq!(commits.headers()["x-total-count"], "2");
    assert!(commits.headers()["link"].to_str().unwrap().contains("p=1"));
    assert_eq!(c.hub.own_breaches(), Vec::<String>::new());
}
