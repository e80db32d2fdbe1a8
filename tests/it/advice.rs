//! Advice names each setting as the user of the run writes it: a line of a workflow, an option, an argument.

use std::fmt::Write as _;

use local_hub::LocalHub;

use crate::harness::{Folder, Run, TOKEN, hub};
use crate::live::edge;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

fn folder() -> Folder {
    Folder::new(&[
        ("app/index.html", "hello\n"),
        ("weights/model.bin", POINTER),
        ("rows.csv", "text\nhello\n"),
    ])
}

/// A command of the terminal.
fn command(hub: &LocalHub, folder: &Folder, arguments: &[&str]) -> Run {
    let run = Run::at(&hub.endpoint(), folder).without("INPUT_HUGGINGFACE_REPO").without("INPUT_HF_TOKEN");
    let run = run.without("GITHUB_ACTIONS").without("GITHUB_WORKSPACE").secret("HF_TOKEN", TOKEN);
    run.arguments(arguments)
}

/// Returns what the runs print, each after its name.
async fn printed(runs: Vec<(String, Run)>, folder: &Folder) -> String {
    let mut text = String::new();
    for (name, run) in runs {
        let ran = run.run().await;
        let lines = format!("{}{}", ran.log, ran.stderr);
        let is_message = |line: &&str| {
            let starts = ["error", "hint: ", "warning: ", "::error", "::warning"];
            starts.iter().any(|start| line.starts_with(start))
        };
        let lines = lines.lines().filter(is_message);
        writeln!(text, "# {name}\n{}\n", lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
    text.replace(&*folder.path().to_string_lossy(), "FOLDER")
}

#[tokio::test(flavor = "multi_thread")]
async fn terminal_reads_options_and_arguments() {
    let (hub, folder) = (hub().await, folder());
    let calls = [
        "deploy --huggingface-repo ada/demo --source-dir App --space-sdk static",
        "deploy --huggingface-repo ada/demo --source-dir app/* --space-sdk static",
        "deploy --huggingface-repo ada/demo --source-dir rows.csv --space-sdk static",
        "deploy --huggingface-repo ada/demo --source-dir app --include *.rs",
        "dataset upload --repo ada/rows --path weights",
        "dataset upload --repo ada/rows --path . --exclude a[",
        "dataset upload --repo ada/rows --path data",
        "dataset upload --repo ada/rows --path app",
        "dataset upload --repo ada/rows --path rows.csv --include *.csv --splits train=*.tsv",
        "dataset download ada/none rows",
        "dataset delete ada/none --yes",
        "dataset upload --repo ada/rows --path rows.csv --include *.csv",
        "deploy --huggingface-repo ada/demo --source-dir app --revision none --repo-type model --create-pr",
        "space --operation status --space ada/none",
        "verify --space ada/none --timeout 3s",
        "job logs 0123456789abcdef01234567",
    ];
    let runs = calls.map(|call| {
        let arguments: Vec<&str> = call.split(' ').collect();
        (call.to_owned(), command(&hub, &folder, &arguments))
    });
    let printed = printed(runs.into(), &folder).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => [(r"Root=[0-9a-f-]+", "ID")] }, {
        insta::assert_snapshot!("advice_on_a_terminal", printed);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn workflow_reads_the_inputs_of_its_action() {
    let (hub, folder) = (hub().await, folder());
    let dataset = |inputs: &[(&str, &str)]| {
        let run = Run::new(&hub, &folder).without("INPUT_HUGGINGFACE_REPO").action("dataset");
        let run = run.input("repo", "ada/rows");
        let name = inputs.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
        (name.join(", "), inputs.iter().fold(run, |run, (name, value)| run.input(name, value)))
    };
    let runs = vec![
        dataset(&[("path", "weights")]),
        dataset(&[("path", "data")]),
        dataset(&[("path", "rows.csv"), ("include", "*.csv"), ("splits", "train=*.tsv")]),
    ];
    let printed = printed(runs, &folder).await;
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => [(r"Root=[0-9a-f-]+", "ID")] }, {
        insta::assert_snapshot!("advice_in_a_workflow", printed);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn file_of_checks_has_keys_and_no_options() {
    let hub = edge().await;
    let checks = "- name: page\n  health_path: /none\n";
    let folder = Folder::new(&[("index.html", "hello\n"), ("checks.yml", checks)]);
    let deploy = "deploy --huggingface-repo ada/app --space-sdk static --source-dir .";
    let one = "verify --space ada/app --health-path /none";
    let file = "verify --space ada/app --checks checks.yml";
    for (call, code, hint) in
        [(deploy, 0, "deployed"), (one, 1, "correct `--health-path`"), (file, 1, "correct `health_path`")]
    {
        let arguments: Vec<&str> = call.split(' ').collect();
        let ran = command(&hub, &folder, &arguments).run().await;
        assert_eq!(ran.code, code, "{}", ran.everything());
        assert!(ran.everything().contains(hint), "{}", ran.everything());
    }
}
