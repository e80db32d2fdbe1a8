//! A repository keeps the names it had.

use local_hub::{DEFAULT_TOKEN, NewRepo, RepoType, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, file, header, start};

/// A hub on which `ada/old` is `ada/New` by now.
async fn renamed(private: bool) -> Client {
    let c = start().await;
    let new = NewRepo::new("ada", RepoType::Space, "ada/old").sdk("static");
    c.hub.create_repo(if private { new.private() } else { new }).unwrap();
    let body = json!({"fromRepo": "ada/old", "toRepo": "ada/New", "type": "space"});
    assert_eq!(c.post("/api/repos/move", body).await.status(), 200);
    c
}

fn location(answer: &reqwest::Response) -> (u16, &str) {
    let location = answer.headers().get("location").map_or("", |value| value.to_str().unwrap());
    (answer.status().as_u16(), location)
}

#[tokio::test]
async fn a_former_name_and_another_case_lead_to_the_repository() {
    let c = renamed(false).await;
    for (asked, leads_to) in [
        ("/api/spaces/ada/old", "/api/spaces/ada/New"),
        ("/api/spaces/Ada/OLD?expand=sdk", "/api/spaces/ada/New?expand=sdk"),
        ("/api/spaces/ada/new/runtime", "/api/spaces/ada/New/runtime"),
        ("/api/spaces/ada/old/revision/refs%2Fpr%2F1", "/api/spaces/ada/New/revision/refs%2Fpr%2F1"),
        ("/spaces/ada/old/resolve/main/a%20b.txt", "/spaces/ada/New/resolve/main/a%20b.txt"),
    ] {
        assert_eq!(location(&c.get(asked).await), (307, leads_to), "{asked}");
    }
    assert_eq!(c.get("/api/spaces/ada/New").await.status(), 200);
    assert_eq!(c.get("/api/models/ada/old").await.status(), 404, "of its own type only");
}

#[tokio::test]
async fn a_request_that_writes_is_sent_on_with_its_body() {
    let c = renamed(false).await;
    let lines = [header("x"), file("a.txt", b"a")];
    let answer = c.commit("/api/spaces/ada/old/commit/main", &lines).await;
    let (status, target) = location(&answer);
    assert_eq!((status, target), (307, "/api/spaces/ada/New/commit/main"));
    assert_eq!(c.commit(target, &lines).await.status(), 200);
    assert_eq!(
        c.hub.repo(RepoType::Space, "ada/New").commits("main").len(),
        2,
        "nothing was applied at first"
    );
    let put = c
        .request(Method::PUT, "/api/spaces/ada/old/settings")
        .bearer_auth(DEFAULT_TOKEN)
        .json(&json!({"visibility": "private"}));
    assert_eq!(location(&put.send().await.unwrap()), (307, "/api/spaces/ada/New/settings"));
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn former_name_of_a_private_repository_is_a_404() {
    let c = renamed(true).await;
    let anonymous = c.request(Method::GET, "/api/spaces/ada/old").send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    c.hub.add_user(User::new("eve", "hf_eve"));
    let eve = c.request(Method::GET, "/api/spaces/ada/old").bearer_auth("hf_eve").send().await.unwrap();
    assert_eq!(eve.status(), 404);
}

#[tokio::test]
async fn name_of_a_repository_wins_over_a_former_name() {
    let c = renamed(false).await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/old").sdk("static")).unwrap();
    let info: Value = c.json("/api/spaces/ada/old").await;
    assert_eq!(info["id"], "ada/old");
}
