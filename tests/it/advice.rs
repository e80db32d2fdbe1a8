//! Advice names each setting as the user of the run writes it: a line of a workflow, an option, an argument.

use std::fmt::Write as _;

use local_hub::LocalHub;

use crate::harness::{Folder, Run, TOKEN, hub};

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
        let lines = lines.lines().filter(|line| line.contains('`') || line.starts_with("hint: "));
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
        "dataset download ada/none",
    ];
    let runs = calls.map(|call| {
        let arguments: Vec<&str> = call.split(' ').collect();
        (call.to_owned(), command(&hub, &folder, &arguments))
    });
    let printed = printed(runs.into(), &folder).await;
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
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
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("advice_in_a_workflow", printed);
    });
}
