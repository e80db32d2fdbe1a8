//! Lists of datasets, and of the files of one.

use local_hub::{Fault, FaultKind, NewRepo, RepoType};

use super::download::{DATASET, command, json, said, with_dataset};
use crate::harness::{Folder, hub};

#[tokio::test(flavor = "multi_thread")]
async fn datasets_are_listed_by_the_beginning_of_their_names() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    for name in ["ada/rows-2", "ada/more-rows"] {
        hub.create_repo(NewRepo::new("ada", RepoType::Dataset, name)).unwrap();
    }
    let ids = async |arguments: &[&str]| -> Vec<String> {
        let ran = command(&hub, &folder, &[&["list", "--json"], arguments].concat()).run().await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        json(&ran).as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]).await, ["ada/more-rows", "ada/rows", "ada/rows-2"]);
    assert_eq!(ids(&["ROWS"]).await, ["ada/rows", "ada/rows-2"]);
    assert_eq!(ids(&["ada/mo"]).await, ["ada/more-rows"]);
    assert_eq!(ids(&["ada/x"]).await, [""; 0]);
    let ran = command(&hub, &folder, &["list", "ada/rows"]).run().await;
    let lines: Vec<&str> = ran.log.lines().collect();
    assert!(lines[0].contains(" MB  private") && lines[0].ends_with("ada/rows"), "{}", said(&ran));
    assert!(lines[1].contains("public") && lines[2].starts_with("2 datasets, "), "{}", said(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_dataset_are_listed_by_the_beginning_of_their_paths() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let ran = command(&hub, &folder, &["list", "ada/rows/data/", "--json"]).run().await;
    let report = json(&ran);
    let rows: Vec<(&str, u64)> = report
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["path"].as_str().unwrap(), row["size"].as_u64().unwrap()))
        .collect();
    assert_eq!(rows, [("data/test.jsonl", 8), ("data/train.jsonl", 16)]);
    let ran = command(&hub, &folder, &["list", "ada/rows/"]).run().await;
    assert!(said(&ran).contains("      3 MB  large.bin\n"), "{}", said(&ran));
    let gone = command(&hub, &folder, &["list", "ada/gone/"]).run().await;
    assert!(
        gone.code == 3 && said(&gone).contains("cannot find the dataset `ada/gone`"),
        "{} {}",
        gone.code,
        gone.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_a_token_needs_a_namespace() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.create_repo(NewRepo::new("ada", RepoType::Dataset, DATASET)).unwrap();
    let list = async |arguments: &[&str]| command(&hub, &folder, arguments).without("HF_TOKEN").run().await;
    assert_eq!(list(&["list", "ada/"]).await.code, 0);
    let ran = list(&["list"]).await;
    assert!(ran.code == 2 && said(&ran).contains("must have a namespace"), "{}", said(&ran));
    let ran = list(&["list", "https://hub.example/x"]).await;
    assert!(ran.code == 2 && said(&ran).contains("`<PREFIX>` has the character"), "{}", said(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_waits_for_a_hub_that_is_busy() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let status = |code, headers| FaultKind::Status { code, headers, body: "busy".to_owned() };
    let limit = vec![("ratelimit".to_owned(), "\"api\";r=0;t=1".to_owned())];
    for kind in [status(429, limit), status(503, vec![]), FaultKind::DropConnection] {
        hub.inject(Fault {
            method: Some("GET".to_owned()),
            path_contains: "/api/datasets?".to_owned(),
            skip: 0,
            times: 1,
            kind,
        });
        let ran = command(&hub, &folder, &["list", "ada/rows"]).run().await;
        assert!(ran.code == 0 && said(&ran).contains("ada/rows"), "{} {}", ran.code, said(&ran));
    }
}
