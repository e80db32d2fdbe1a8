//! Downloads: `resolve`, the cache it leads to, and `raw`.

use local_hub::{NewRepo, RepoType};
use reqwest::{Method, Response};

use crate::client::{Client, start};

/// A hub with the Space `ada/s`, which has `a b/config.json` on a branch.
async fn with_config(private: bool) -> Client {
    let c = start().await;
    let new = NewRepo::new("ada", RepoType::Space, "ada/s").sdk("static");
    c.hub.create_repo(if private { new.private() } else { new }).unwrap();
    let files: &[(&str, &[u8])] = &[("a b/config.json", b"{\"key\": 1}")];
    c.hub.repo(RepoType::Space, "ada/s").commit_as("ada", "main", files, "add a file").unwrap();
    c
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_small_file_is_answered_by_a_relative_redirect() {
    let c = with_config(false).await;
    let head = c.hub.repo(RepoType::Space, "ada/s").head("main").unwrap();
    let oid = c.hub.repo(RepoType::Space, "ada/s").tree("main").unwrap()["a b/config.json"].oid.clone();
    let target = "/spaces/ada/s/resolve/main/a%20b/config.json";
    let location = format!(
        "/api/resolve-cache/spaces/ada/s/{head}/a%20b%2Fconfig.json\
         ?%2Fspaces%2Fada%2Fs%2Fresolve%2Fmain%2Fa%2520b%2Fconfig.json=&etag=%22{oid}%22"
    );
    for method in [Method::GET, Method::HEAD] {
        let answer = c.request(method.clone(), target).send().await.unwrap();
        assert_eq!(answer.status(), 307);
        assert_eq!(header(&answer, "location"), Some(location.as_str()));
        assert_eq!(header(&answer, "x-repo-commit"), Some(head.as_str()));
        assert_eq!((header(&answer, "etag"), header(&answer, "x-linked-size")), (None, None));
        assert_ne!(header(&answer, "content-length"), Some("10"), "that of the redirect, not of the file");

        let found = c.request(method.clone(), &location).send().await.unwrap();
        assert_eq!(found.status(), 200);
        assert_eq!(header(&found, "etag"), Some(format!("\"{oid}\"").as_str()));
        assert_eq!(header(&found, "content-length"), Some("10"));
        let expected: &[u8] = if method == Method::GET { b"{\"key\": 1}" } else { b"" };
        assert_eq!(found.bytes().await.unwrap(), expected);
    }
    let part = c.request(Method::GET, &location).header("range", "bytes=0-0").send().await.unwrap();
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, Some("bytes 0-0/10")));
    let known =
        c.request(Method::GET, &location).header("if-none-match", format!("\"{oid}\"")).send().await.unwrap();
    assert_eq!(known.status(), 304);
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0], "a JSON file is no description of a Xet file");
}

#[tokio::test]
async fn a_private_file_needs_a_token_on_both_ways() {
    let c = with_config(true).await;
    let answer = c.get("/spaces/ada/s/resolve/main/a%20b/config.json").await;
    let location = header(&answer, "location").unwrap().to_owned();
    assert_eq!(c.get(&location).await.status(), 200);
    assert_eq!(c.request(Method::GET, &location).send().await.unwrap().status(), 401);
    let missing = c.get("/spaces/ada/s/resolve/main/none").await;
    assert_eq!((missing.status().as_u16(), header(&missing, "x-error-code")), (404, Some("EntryNotFound")));
    let missing = c.get("/api/resolve-cache/spaces/ada/s/main/none").await;
    assert_eq!((missing.status().as_u16(), header(&missing, "x-error-code")), (404, Some("EntryNotFound")));
}

#[tokio::test]
async fn downloads_count_as_resolvers() {
    let c = with_config(false).await;
    let answer = c.get("/spaces/ada/s/resolve/main/a%20b/config.json").await;
    assert!(header(&answer, "ratelimit").unwrap().starts_with("\"resolvers\""));
    let found = c.get(header(&answer, "location").unwrap()).await;
    assert!(header(&found, "ratelimit").unwrap().starts_with("\"resolvers\""));
}

#[tokio::test]
async fn raw_sends_what_git_has() {
    let c = with_config(false).await;
    let answer = c.get("/spaces/ada/s/raw/main/a%20b/config.json").await;
    assert_eq!(header(&answer, "content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.text().await.unwrap(), "{\"key\": 1}");
    assert_eq!(c.get("/spaces/ada/s/raw/main/none").await.status(), 404);
    c.hub.assert_contract_kept();
}
