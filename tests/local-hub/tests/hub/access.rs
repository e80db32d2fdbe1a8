//! Access to repositories, and what accounts say of themselves.

use local_hub::{DEFAULT_TOKEN, NewRepo, Org, RepoType, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{refusal, start};

#[tokio::test]
async fn the_files_of_a_gated_repository_are_for_those_let_in() {
    let c = start().await;
    c.hub.add_user(User::new("bob", "hf_bob"));
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let put = c.as_user(DEFAULT_TOKEN, Method::PUT, "/api/models/ada/m/settings", json!({"gated": "auto"}));
    assert_eq!(put.await.status(), 200);
    let bob = async |path: &str| c.request(Method::GET, path).bearer_auth("hf_bob").send().await.unwrap();
    for path in [
        "/api/models/ada/m/auth-check",
        "/ada/m/resolve/main/.gitattributes",
        "/ada/m/raw/main/.gitattributes",
        "/api/models/ada/m/xet-read-token/main",
    ] {
        let answer = bob(path).await;
        let (status, code, text) = refusal(&answer);
        assert_eq!((status, code), (403, "GatedRepo"), "{path}");
        assert!(
            text.starts_with("Access to model ada/m is restricted and you are not in the authorized list")
        );
        let anonymous = c.request(Method::GET, path).send().await.unwrap();
        assert_eq!((refusal(&anonymous).0, refusal(&anonymous).1), (401, "GatedRepo"), "{path}");
        assert!(c.get(path).await.status().as_u16() < 400, "{path}: its owner");
    }
    assert_eq!(bob("/api/models/ada/m").await.status(), 200, "its page is public");
    let requests = "/api/models/ada/m/user-access-request";
    assert_eq!(c.post(&format!("{requests}/grant"), json!({"user": "eve"})).await.status(), 404);
    assert_eq!(c.post(&format!("{requests}/grant"), json!({"user": "bob"})).await.status(), 200);
    assert_eq!(bob("/api/models/ada/m/auth-check").await.status(), 200);
    let rejected = json!({"user": "bob", "status": "rejected"});
    assert_eq!(c.post(&format!("{requests}/handle"), rejected).await.status(), 200);
    assert_eq!(bob("/api/models/ada/m/auth-check").await.status(), 403);
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn names_without_a_namespace_are_repositories_that_are_not_there() {
    let c = start().await;
    for (method, path) in [
        (Method::GET, "/api/models/nope"),
        (Method::GET, "/api/models/nope/commits/main"),
        (Method::GET, "/api/datasets/nope/refs"),
        (Method::HEAD, "/nope/resolve/main/x"),
        (Method::DELETE, "/api/models/nope/like"),
    ] {
        let known = c.request(method.clone(), path).bearer_auth(DEFAULT_TOKEN).send().await.unwrap();
        assert_eq!((refusal(&known).0, refusal(&known).1), (404, "RepoNotFound"), "{path}");
        let anonymous = c.request(method, path).send().await.unwrap();
        assert_eq!((refusal(&anonymous).0, refusal(&anonymous).1), (401, ""), "{path}");
    }
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/tree")).unwrap();
    assert_eq!(c.get("/api/models/ada/tree").await.status(), 200, "a name that is a part of other paths");
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn an_organisation_can_make_new_repositories_private() {
    let c = start().await;
    let org = Org { private_by_default: true, ..Org::new("acme", "write") };
    c.hub.add_user(User { orgs: vec![org], ..User::new("bob", "hf_bob") });
    for (name, body, expected) in [
        ("a", json!({}), "private"),
        ("b", json!({"private": false}), "public"),
        ("c", json!({"visibility": "public"}), "public"),
    ] {
        let mut body = body;
        (body["name"], body["organization"]) = (json!(name), json!("acme"));
        assert_eq!(c.as_user("hf_bob", Method::POST, "/api/repos/create", body).await.status(), 200);
        let id = format!("acme/{name}");
        assert_eq!(c.hub.repo(RepoType::Model, &id).visibility().as_deref(), Some(expected), "{name}");
    }
}

#[tokio::test]
async fn accounts_have_full_names_and_a_billing_mode() {
    let c = start().await;
    let org = Org { full_name: "Acme Inc.".into(), ..Org::new("acme", "write") };
    let bob = User { full_name: "Bob B.".into(), orgs: vec![org], ..User::new("bob", "hf_bob") };
    c.hub.add_user(bob);
    let answer = c.request(Method::GET, "/api/whoami-v2").bearer_auth("hf_bob").send().await.unwrap();
    let who: Value = answer.json().await.unwrap();
    assert_eq!((&who["fullname"], &who["billingMode"]), (&json!("Bob B."), &json!("postpaid")));
    assert_eq!(who["orgs"][0]["fullname"], "Acme Inc.");
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn a_move_onto_a_taken_name_is_refused_in_the_hubs_words() {
    let c = start().await;
    for id in ["ada/a", "ada/b"] {
        c.hub.create_repo(NewRepo::new("ada", RepoType::Model, id)).unwrap();
    }
    let body = json!({"fromRepo": "ada/a", "toRepo": "ada/b", "type": "model"});
    let answer = c.post("/api/repos/move", body).await;
    assert_eq!(refusal(&answer), (409, "", "A model repository called ada/b already exists"));
}

#[tokio::test]
async fn cards_are_judged_as_the_hub_does() {
    let c = start().await;
    let ask = async |content: &str| {
        let answer = c.post("/api/validate-yaml", json!({"content": content, "repoType": "model"})).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = ask("---\nlicense: asdf\n---\n").await;
    assert!(status == 400 && text.contains("\\\"license\\\" must be one of [apache-2.0, "), "{text}");
    assert_eq!(ask("\n---\nmodel-index: foo\n---\n").await.0, 400);
    assert_eq!(ask("\n---\nlicense: mit\n---\n").await.0, 200);
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let files: &[(&str, &[u8])] = &[("README.md", b"\n\n---\nlicense: mit\n---\n")];
    c.hub.repo(RepoType::Model, "ada/m").commit_as("ada", "main", files, "add a card").unwrap();
    assert_eq!(c.json("/api/models/ada/m").await["cardData"]["license"], "mit");
}
