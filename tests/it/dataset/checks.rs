//! The checks before anything is sent.

use local_hub::RepoType;

use super::run;
use crate::assert_ran;
use crate::harness::{Folder, hub};

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_are_reported_at_once_and_nothing_is_sent() {
    let hub = hub().await;
    let folder = Folder::new(&[
        ("train-00000-of-00002.jsonl", "{\"id\": 1, \"text\": \"a\"}\n"),
        (
            "train-00001-of-00002.jsonl",
            "{\"id\": \"2\", \"text\": \"b\"}\n{\"id\": 3,\n{\"id\": \"4\", \"id\": \"5\"}\n",
        ),
        ("test.jsonl", "{\"id\": 4, \"label\": true}\n"),
        ("validation.jsonl", ""),
    ]);
    let ran = run(&hub, &folder).run().await.failed(2, "invalid_dataset");
    assert_ran!(ran);
    assert_eq!(hub.repo(RepoType::Dataset, "ada/rows").visibility(), None);
    let sent: Vec<_> = hub.requests().into_iter().filter(|request| request.method != "GET").collect();
    assert!(sent.is_empty(), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_have_a_limit() {
    let hub = hub().await;
    let folder = Folder::new(&[("rows.jsonl", &"no\n".repeat(1000))]);
    let ran = run(&hub, &folder).run().await.failed(2, "invalid_dataset");
    assert!(ran.log.contains("20 faults in the dataset, and the check ended there:"), "{}", ran.log);
    assert!(ran.log.contains("`rows.jsonl:20` is no JSON") && !ran.log.contains("rows.jsonl:21"));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_make_no_dataset_are_refused() {
    let hub = hub().await;
    for (files, code, message) in [
        (&[("a.txt", "x")][..], "source_missing", "`path` holds no data file"),
        (&[("a.csv.gz", "x")], "source_missing", "unpack `a.csv.gz`"),
        (
            &[("a.csv", "a\n1\n"), ("b.json", "[]")],
            "invalid_dataset",
            "the data files have different formats: `a.csv` and `b.json`",
        ),
        (
            &[("train_test.csv", "a\n1\n")],
            "invalid_dataset",
            "`train_test.csv` has the words of two splits in its name",
        ),
        (&[("a.csv", "a\n")], "invalid_dataset", "`a.csv` has no rows"),
        (
            &[("a.parquet", "PAR1 no PAR1")],
            "invalid_dataset",
            "`a.parquet` cannot be read as Parquet at row 1: ",
        ),
    ] {
        let ran = run(&hub, &Folder::new(files)).run().await.failed(2, code);
        assert!(ran.log.contains(message), "{message}\n{}", ran.log);
    }
    let ran = run(&hub, &Folder::new(&[])).input("path", "none").run().await.failed(2, "source_missing");
    assert!(ran.log.contains("`path` names `none`, which does not exist"), "{}", ran.log);
    let large = Folder::new(&[("a.csv", &format!("a\n{}\n", "x".repeat(2000)))]);
    let ran = run(&hub, &large).input("max_row_size", "1kB").run().await.failed(2, "invalid_dataset");
    assert!(ran.log.contains("`a.csv:2` has a row of 2 kB, and the limit is 1 kB"), "{}", ran.log);
    run(&hub, &large).run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn splits_follow_their_patterns() {
    let hub = hub().await;
    let folder =
        Folder::new(&[("easy/a.csv", "a\n1\n"), ("hard/b.csv", "a\n2\n3\n"), ("rest.csv", "b\nx\n")]);
    let named = |splits: &str| run(&hub, &folder).input("splits", splits);
    let ran = named("hard=hard/\neasy=easy/*.csv").run().await.ended(0, "deployed");
    assert_eq!(ran.output("splits"), r#"{"hard":2,"easy":1}"#);
    assert!(ran.log.contains("in no split of `splits`, so not checked, and not in the card: `rest.csv`"));
    for (splits, message) in [
        ("all=*.csv", "`splits` must name splits by letters, digits"),
        ("train", "`splits` must hold `SPLIT=PATTERN` lines: line 1 has no `=`"),
        ("- a=b", "`splits` must hold `SPLIT=PATTERN` lines, not a list of YAML"),
        ("a={", "`splits` has the pattern `{`, which is not valid"),
        ("a=none.csv", "`splits` matches no data file for `a`"),
    ] {
        let ran = named(splits).run().await.failed(2, "invalid_input");
        assert!(ran.log.contains(message), "{message}\n{}", ran.log);
    }
}
