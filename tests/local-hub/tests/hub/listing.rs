//! Listings and their paging.

use local_hub::{DEFAULT_TOKEN, NewRepo, Org, RepoType, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::start;

#[tokio::test]
async fn trees_are_paged() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let names: Vec<String> = (0..2300).map(|i| format!("d{}/f{i:04}", i % 3)).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), b"x" as &[u8])).collect();
    c.hub.repo(RepoType::Model, "ada/m").commit_as("ada", "main", &files, "many").unwrap();
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

#[tokio::test]
async fn only_what_a_type_has_can_be_asked_for() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("static")).unwrap();
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let space = c.json("/api/spaces/ada/s?expand=sdk&expand[]=tags").await;
    let mut names: Vec<_> = space.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["_id", "id", "sdk", "tags"]);
    for path in [
        "/api/spaces/ada/s?expand=visibility",
        "/api/spaces/ada/s/revision/main?expand[]=host",
        "/api/models/ada/m?expand=runtime",
        "/api/models?expand[]=sdk",
    ] {
        let answer = c.get(path).await;
        assert_eq!(answer.status(), 400, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.starts_with("{\"error\":\"\\\"expand\\\" must be one of [author, "), "{path}: {text}");
    }
    let space = c.json("/api/spaces/ada/s?expand=xetEnabled&expand=gitalyUid").await;
    assert!(space["xetEnabled"].is_boolean() && space["gitalyUid"].is_string(), "{space}");
    assert_eq!(c.json("/api/models/ada/m?expand=downloadsAllTime").await["downloadsAllTime"], 0);
    assert!(c.json("/api/models/ada/m").await.get("downloadsAllTime").is_none());
    c.hub.set_policy(|policy| policy.expands_visibility = true);
    assert_eq!(c.json("/api/spaces/ada/s?expand=visibility").await["visibility"], "public");
    assert_eq!(c.get("/api/models/ada/m?expand=visibility").await.status(), 400);
}

#[tokio::test]
async fn visibility_is_listed_for_its_namespace() {
    let c = start().await;
    c.hub.add_user(User { orgs: vec![Org::new("acme", "write")], ..User::new("bob", "hf_bob") });
    for id in ["ada/s", "acme/s"] {
        c.hub.create_repo(NewRepo::new("ada", RepoType::Space, id).sdk("static")).unwrap();
    }
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m").private()).unwrap();
    let put = c.request(Method::PUT, "/api/spaces/ada/s/settings").bearer_auth(DEFAULT_TOKEN);
    put.json(&json!({"visibility": "protected"})).send().await.unwrap();
    let rows = |answer: Value| -> Vec<(String, String)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        answer.as_array().unwrap().iter().map(|row| (text(row, "id"), text(row, "visibility"))).collect()
    };
    let pair = |id: &str, visibility: &str| (id.to_owned(), visibility.to_owned());
    let own = rows(c.json("/api/settings/repositories").await);
    assert_eq!(own, [pair("ada/m", "private"), pair("ada/s", "protected")]);
    let space = rows(c.json("/api/settings/repositories?type=space&search=S").await);
    assert_eq!(space, [pair("ada/s", "protected")]);
    let of_org = "/api/organizations/acme/settings/repositories";
    assert_eq!(c.get(of_org).await.status(), 404);
    let bob = c.request(Method::GET, of_org).bearer_auth("hf_bob").send().await.unwrap();
    assert_eq!(rows(bob.json().await.unwrap()), [pair("acme/s", "public")]);
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}
