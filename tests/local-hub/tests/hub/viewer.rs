//! The dataset viewer: splits, sizes and states of what a dataset holds.

use std::time::Duration;

use local_hub::{DEFAULT_TOKEN, NewRepo, RepoType, User};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Client, start};

const DATASET: &str = "ada/data";

/// A dataset with these files.
async fn with_files(files: &[(&str, &[u8])]) -> Client {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Dataset, DATASET)).unwrap();
    c.hub.repo(RepoType::Dataset, DATASET).commit_as("ada", "main", files, "files").unwrap();
    c
}

/// Asks the viewer about a dataset, and returns status, `X-Error-Code` and body.
async fn ask(c: &Client, question: &str, token: Option<&str>) -> (StatusCode, String, Value) {
    let request = c.request(reqwest::Method::GET, &format!("{}/{question}", c.hub.viewer()));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let response = request.send().await.unwrap();
    let code = response.headers().get("x-error-code").map(|code| code.to_str().unwrap().to_owned());
    (response.status(), code.unwrap_or_default(), response.json().await.unwrap())
}

async fn answer(c: &Client, path: &str) -> Value {
    let (status, code, body) = ask(c, &format!("{path}?dataset=ada%2Fdata"), Some(DEFAULT_TOKEN)).await;
    assert_eq!((status, code.as_str()), (StatusCode::OK, ""), "{body}");
    body
}

#[tokio::test]
async fn splits_and_sizes_are_those_of_the_files() {
    let c = with_files(&[
        ("train-1.jsonl", b"{\"text\":\"a\",\"n\":1}\n{\"text\":\"b\",\"n\":2}\n"),
        ("train-2.jsonl", b"{\"text\":\"c\",\"n\":3}\n"),
        ("test.jsonl", b"{\"text\":\"d\",\"n\":4}\n"),
    ])
    .await;
    let valid = answer(&c, "is-valid").await;
    assert_eq!(
        valid,
        json!({"preview": true, "viewer": true, "search": true, "filter": true, "statistics": true})
    );
    let splits = answer(&c, "splits").await;
    let split = |name: &str| json!({"dataset": DATASET, "config": "default", "split": name});
    assert_eq!(splits, json!({"splits": [split("train"), split("test")], "pending": [], "failed": []}));
    let size = answer(&c, "size").await;
    assert_eq!(size["size"]["dataset"]["num_rows"], json!(4));
    assert_eq!(size["size"]["splits"][0]["num_rows"], json!(3));
    assert_eq!(size["size"]["splits"][1]["num_columns"], json!(2));
    let bytes: u64 = size["size"]["dataset"]["num_bytes_original_files"].as_u64().unwrap();
    assert_eq!((bytes, &size["partial"], &size["failed"]), (76, &json!(false), &json!([])));
    let response = c.get(&format!("{}/size?dataset={DATASET}", c.hub.viewer())).await;
    let revision = response.headers()["x-revision"].to_str().unwrap().to_owned();
    assert_eq!(Some(revision), c.hub.repo(RepoType::Dataset, DATASET).head("main"));
    assert_eq!(c.hub.violations(), [""; 0]);
}

#[tokio::test]
async fn the_card_names_configs_and_splits() {
    let card = b"---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/*.csv\n  - split: dev\n    path: more.tsv\n---\n";
    let c =
        with_files(&[("README.md", card), ("en/a.csv", b"a,b\n1,2\n"), ("more.tsv", b"a\tb\n1\t2\n3\t4\n")])
            .await;
    let size = answer(&c, "size").await;
    let split = |at: usize| {
        let row = &size["size"]["splits"][at];
        (row["config"].clone(), row["split"].clone(), row["num_rows"].clone())
    };
    assert_eq!(split(0), (json!("en"), json!("train"), json!(1)));
    assert_eq!(split(1), (json!("en"), json!("dev"), json!(2)));
}

#[tokio::test]
async fn a_viewer_that_has_not_read_a_commit_is_not_ready() {
    let c = with_files(&[("train.jsonl", b"{\"a\":1}\n")]).await;
    c.hub.set_policy(|policy| policy.viewer_delay = Duration::from_secs(3600));
    let (status, code, body) = ask(&c, "is-valid?dataset=ada/data", Some(DEFAULT_TOKEN)).await;
    assert_eq!((status, code.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "ResponseNotReady"));
    assert!(body["error"].as_str().unwrap().contains("is not ready yet"), "{body}");
    c.hub.set_policy(|policy| policy.viewer_delay = Duration::ZERO);
    answer(&c, "is-valid").await;
}

#[tokio::test]
async fn rows_that_cannot_be_read_leave_a_preview() {
    for (second, content) in [("broken", &b"{\"a\":\n"[..]), ("other columns", b"{\"b\":1}\n")] {
        let c = with_files(&[("train-1.jsonl", b"{\"a\":1}\n"), ("train-2.jsonl", content)]).await;
        let valid = answer(&c, "is-valid").await;
        assert_eq!((&valid["preview"], &valid["viewer"]), (&json!(true), &json!(false)), "{second}");
        assert_eq!(answer(&c, "splits").await["splits"].as_array().unwrap().len(), 1);
        assert_eq!(answer(&c, "size").await["failed"][0]["kind"], json!("config-size"), "{second}");
    }
}

#[tokio::test]
async fn datasets_without_rows_say_why() {
    for (files, code) in [
        (&[("README.md", &b"# Empty\n"[..])][..], "EmptyDatasetError"),
        (
            &[("README.md", b"---\nconfigs:\n- config_name: a\n  data_files: gone.csv\n---\n")],
            "DataFilesNotFoundError",
        ),
    ] {
        let c = with_files(files).await;
        for question in ["is-valid", "splits", "size"] {
            let (status, found, body) = ask(&c, &format!("{question}?dataset=ada/data"), None).await;
            assert_eq!((status, found.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, code), "{body}");
        }
    }
}

#[tokio::test]
async fn what_the_caller_cannot_see_does_not_exist() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Dataset, DATASET).private()).unwrap();
    c.hub.repo(RepoType::Dataset, DATASET).commit_as("ada", "main", &[("a.jsonl", b"{}\n")], "a").unwrap();
    c.hub.add_user(User::new("eve", "hf_OfEve"));
    c.hub.add_user(User { is_pro: false, ..User::new("ada", "hf_OfAdaWithoutPro") });
    let found = async |question: &str, token: Option<&str>| {
        let (status, code, _) = ask(&c, question, token).await;
        (status.as_u16(), code)
    };
    let private = "is-valid?dataset=ada/data";
    assert_eq!(found(private, None).await, (401, "ExternalUnauthenticatedError".to_owned()));
    assert_eq!(found(private, Some("hf_OfEve")).await, (404, "ExternalAuthenticatedError".to_owned()));
    let free = found(private, Some("hf_OfAdaWithoutPro")).await;
    assert_eq!(free, (501, "NotSupportedPrivateRepositoryError".to_owned()));
    assert_eq!(found(private, Some(DEFAULT_TOKEN)).await, (200, String::new()));
    let missing = found("splits?dataset=ada/gone", Some(DEFAULT_TOKEN)).await;
    assert_eq!(missing, (404, "ExternalAuthenticatedError".to_owned()));
    assert_eq!(found("splits", None).await, (422, "MissingRequiredParameter".to_owned()));
}

#[tokio::test]
async fn a_card_can_turn_the_viewer_off() {
    let c = with_files(&[("README.md", b"---\nviewer: false\n---\n"), ("a.jsonl", b"{\"a\":1}\n")]).await;
    let (status, code, _) = ask(&c, "is-valid?dataset=ada/data", None).await;
    assert_eq!((status.as_u16(), code.as_str()), (501, "NotSupportedDisabledViewerError"));
}
