//! The Space's card, as it arrives on the Hub; the folder itself stays as it is.

use local_hub::RepoType;

use crate::assert_ran;
use crate::harness::{Folder, Run, hub};

fn readme(hub: &local_hub::LocalHub) -> String {
    let bytes = hub.repo(RepoType::Space, "ada/app").read_file("main", "README.md").unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readme_without_a_card_gets_one_in_the_uploaded_copy() {
    let hub = hub().await;
    let text = "# My app\r\n\r\nWith its own line endings.\r\n";
    let folder = Folder::new(&[("README.md", text), ("Dockerfile", "FROM scratch\nEXPOSE 8080\n")]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
    let uploaded = readme(&hub);
    assert!(uploaded.starts_with("---\r\n") && uploaded.ends_with(text), "{uploaded:?}");
    for line in ["title: app\r\n", "sdk: docker\r\n", "app_port: 8080\r\n"] {
        assert!(uploaded.contains(line), "{line:?} in {uploaded:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("README.md")).unwrap(), text);
    Run::new(&hub, &folder).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_without_an_sdk_keeps_its_comments_and_order() {
    let hub = hub().await;
    let card = "---\n# ours\nemoji: 🐙 # an octopus\ntitle: Octo\n---\nbody\n";
    let folder = Folder::new(&[("README.md", card), ("app.py", "import gradio\n")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(readme(&hub), "---\n# ours\nemoji: 🐙 # an octopus\ntitle: Octo\nsdk: gradio\n---\nbody\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_readme_completes_the_card_on_the_hub() {
    let hub = hub().await;
    let folder = Folder::new(&[("index.html", "hi")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(readme(&hub).contains("sdk: static"));
    let theirs = "---\ntitle: Edited on the Hub\nemoji: 🚀\nsdk: static\n---\n";
    hub.repo(RepoType::Space, "ada/app")
        .commit_as("ada", "main", &[("README.md", theirs.as_bytes())], "edit")
        .unwrap();
    folder.write("index.html", "hello");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(readme(&hub), theirs);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_streamlit_snippet_deploys_a_docker_space() {
    let hub = hub().await;
    let folder = Folder::new(&[
        ("app.py", "import streamlit as st\nst.write('hi')\n"),
        ("requirements.txt", "pandas\n"),
    ]);
    let ran = Run::new(&hub, &folder)
        .input("repo_type", "space")
        .input("space_sdk", "streamlit")
        .input("private", "false")
        .run()
        .await
        .ended(0, "deployed");
    assert_ran!(ran);
    let dockerfile = hub.repo(RepoType::Space, "ada/app").read_file("main", "Dockerfile").unwrap();
    insta::assert_snapshot!("generated_streamlit_dockerfile", String::from_utf8(dockerfile).unwrap());
    assert!(readme(&hub).contains("sdk: docker"));
    assert!(!folder.path().join("Dockerfile").exists());
    Run::new(&hub, &folder).input("space_sdk", "streamlit").run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_the_hub_refuses_is_annotated_and_nothing_is_created() {
    let hub = hub().await;
    let card = "---\ntitle: Hello\nsdk: static\ncolorFrom: teal\n---\n";
    let folder = Folder::new(&[("web/README.md", card), ("web/index.html", "hi")]);
    let ran = Run::new(&hub, &folder).input("source_dir", "web").run().await.failed(2, "invalid_card");
    assert_ran!(ran);
    assert!(ran.log.contains("file=web/README.md,line=4"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").head("main"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn card_with_invalid_yaml_is_annotated_at_its_line() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\ntitle: [\nsdk: static\n---\n"), ("index.html", "hi")]);
    let ran = Run::new(&hub, &folder).run().await.failed(2, "invalid_card");
    assert_ran!(ran);
}

/// Blanks after the first fence hide the metadata from the Hub.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_the_hub_would_not_see_is_mended_in_the_uploaded_copy() {
    for (opening, end) in [("--- ", "\n"), ("---\t", "\n"), ("---   ", "\r\n")] {
        let hub = hub().await;
        let card = format!("{opening}{end}title: t{end}sdk: docker{end}---{end}");
        let folder = Folder::new(&[("README.md", &card), ("Dockerfile", "FROM scratch\n")]);
        let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
        assert!(!ran.log.contains("::warning"), "{}", ran.log);
        assert_eq!(readme(&hub), format!("---{end}title: t{end}sdk: docker{end}---{end}"));
        assert_eq!(std::fs::read_to_string(folder.path().join("README.md")).unwrap(), card);
        Run::new(&hub, &folder).run().await.ended(0, "unchanged");
        if opening == "--- " {
            assert_ran!(ran);
        }
    }
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "--- \nlicense: mit\n---\n"), ("data.csv", "1\n")]);
    let ran = Run::new(&hub, &folder).input("repo_type", "dataset").run().await.ended(0, "deployed");
    assert!(ran.log.contains("remove the blanks after the first `---`"), "{}", ran.log);
}

/// White space before the first fence does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_after_blank_lines_is_left_as_it_is() {
    let hub = hub().await;
    let card = "\n \n---\ntitle: t\nsdk: docker\n--- \t\nbody\n";
    let folder = Folder::new(&[("README.md", card), ("Dockerfile", "FROM scratch\n")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(readme(&hub), card);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_gradio_card_has_the_version_that_requirements_pin() {
    let hub = hub().await;
    let folder =
        Folder::new(&[("app.py", "import gradio\n"), ("requirements.txt", "numpy\ngradio[oauth]==4.44.1\n")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(readme(&hub).contains("sdk: gradio\nsdk_version: \"4.44.1\"\n"), "{}", readme(&hub));
    Run::new(&hub, &folder).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_hub_does_not_read_are_warned_of() {
    let hub = hub().await;
    let card = "---\nsdk: docker\napp_port: 8080\n---\n";
    let folder = Folder::new(&[("Readme.md", card), ("Dockerfile", "FROM scratch\n")]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(
        ran.log.contains(
            "::warning::`Readme.md` is not `README.md`, which is the one that the Hub reads: rename it"
        ),
        "{}",
        ran.log
    );
    let folder = Folder::new(&[("dockerfile", "FROM scratch\n"), ("requirement.txt", "gradio\n")]);
    let ran = Run::new(&hub, &folder).input("huggingface_repo", "ada/other").run().await;
    assert_ne!(ran.code, 0, "{}", ran.log);
    for (found, meant) in [("dockerfile", "Dockerfile"), ("requirement.txt", "requirements.txt")] {
        assert!(ran.log.contains(&format!("::warning::`{found}` is not `{meant}`")), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contradiction_names_its_source() {
    let hub = hub().await;
    let card = ("README.md", "---\nsdk: docker\n---\n");
    let docker = Folder::new(&[card, ("Dockerfile", "FROM scratch\n")]);
    Run::new(&hub, &docker).run().await.ended(0, "deployed");
    for (folder, place) in [
        (Folder::new(&[("index.html", "hi")]), "README.md on the Hub"),
        (Folder::new(&[card, ("index.html", "hello")]), "README.md"),
    ] {
        let ran = Run::new(&hub, &folder).input("space_sdk", "static").run().await.ended(0, "deployed");
        let warning = format!(
            "::warning::{place} says `sdk: docker` and `space_sdk` says `static`: the uploaded copy says"
        );
        assert!(ran.log.contains(&warning), "{}", ran.log);
        Run::new(&hub, &docker).run().await.ended(0, "deployed");
    }
    // Without the input, the card on the Hub decides.
    let folder = Folder::new(&[("index.html", "hi"), ("Dockerfile", "FROM scratch\n")]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("SDK: docker (the README card on the Hub says so)"), "{}", ran.log);
}

/// The Hub's commits have no file modes.
#[tokio::test(flavor = "multi_thread")]
async fn an_executable_that_the_dockerfile_starts_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;

    let hub = hub().await;
    let folder = Folder::new(&[
        ("README.md", "---\nsdk: docker\n---\n"),
        ("Dockerfile", "FROM scratch\nCOPY . /app\nENTRYPOINT [\"/app/start.sh\"]\n"),
        ("start.sh", "#!/bin/sh\n"),
    ]);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path().join("start.sh"), executable).unwrap();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
    folder.write(
        "Dockerfile",
        "FROM scratch\nCOPY . /app\nRUN chmod +x /app/start.sh\nENTRYPOINT [\"/app/start.sh\"]\n",
    );
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(!ran.log.contains("::warning"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_readme_leaves_the_space_what_it_is() {
    let hub = hub().await;
    let card = "---\ntitle: App\nsdk: docker\napp_port: 8000\n---\n# App\n";
    let folder = Folder::new(&[("README.md", card), ("Dockerfile", "FROM scratch\n")]);
    let run = |folder: &Folder| Run::new(&hub, folder).input("wait", "false");
    run(&folder).run().await.ended(0, "deployed");
    folder.write("README.md", "# App\n\nHow to build it.\n");
    run(&folder).run().await.ended(0, "deployed");
    let readme = hub.repo(RepoType::Space, "ada/app").read_file("main", "README.md").unwrap();
    let expected = "---\ntitle: App\nsdk: docker\napp_port: 8000\n---\n# App\n\nHow to build it.\n";
    assert_eq!(String::from_utf8(readme).unwrap(), expected);
    run(&folder).run().await.ended(0, "unchanged");

    // A wrong folder with a README of its own is still a wrong folder.
    let wrong = Folder::new(&[("README.md", "# Docs\n"), ("index.html", "<h1>Docs</h1>\n")]);
    run(&wrong).run().await.failed(2, "space_without_app");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_of_a_namespace_needs_no_page() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\ntitle: README\nsdk: static\n---\n# Ada\n")]);
    let run = || Run::new(&hub, &folder).input("huggingface_repo", "ada/README").input("wait", "false");
    run().run().await.ended(0, "deployed");
    folder.write("README.md", "---\ntitle: README\nsdk: static\n---\n# Ada, new\n");
    run().run().await.ended(0, "deployed");
}
