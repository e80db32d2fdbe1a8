//! An app that a Gradio Space cannot start is refused before the Space is made.

use local_hub::RepoType;

use crate::assert_ran;
use crate::harness::{Folder, Run, hub};

#[tokio::test(flavor = "multi_thread")]
async fn app_of_another_framework_is_refused_before_anything_is_created() {
    let streamlit = ("streamlit", "import streamlit as st\n\nst.write(1)\n", "set `space_sdk: streamlit`");
    let flask =
        ("flask", "from flask import Flask\n", "add a Dockerfile to the folder that starts the flask app");
    let fastapi = ("fastapi", "import os\nfrom fastapi import FastAPI\n", "add a Dockerfile");
    for (name, code, way_out) in [streamlit, flask, fastapi] {
        let hub = hub().await;
        let folder = Folder::new(&[("app.py", code)]);
        let ran = Run::new(&hub, &folder).run().await.failed(2, "invalid_input");
        assert!(hub.repo(RepoType::Space, "ada/app").head("main").is_none(), "a Space was made");
        assert!(ran.log.contains(&format!("hint: {way_out}")), "{}", ran.log);
        let line = code.lines().position(|line| line.contains(name)).unwrap() + 1;
        let message =
            format!("app.py imports `{name}`, not `gradio`, and this is deployed as a Gradio Space");
        let annotation =
            format!("::error file=app.py,line={line},title=invalid_input::{message}%0Ahint: {way_out}");
        assert!(ran.log.contains(&annotation), "{}", ran.log);
        if name == "streamlit" {
            assert_ran!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_in_a_gradio_space_that_was_chosen_is_a_warning() {
    let hub = hub().await;
    let folder =
        Folder::new(&[("README.md", "---\nsdk: gradio\n---\n"), ("app.py", "from fastapi import FastAPI\n")]);
    let run = || Run::new(&hub, &folder).input("wait", "false").run();
    let ran = run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning file=app.py,line=1::app.py imports `fastapi`"), "{}", ran.log);
    // Gradio beside it is a Gradio app, and Streamlit never runs there.
    folder.write("app.py", "from fastapi import FastAPI\nimport gradio as gr\n");
    let ran = run().await.ended(0, "deployed");
    assert!(!ran.log.contains("::warning"), "{}", ran.log);
    folder.write("app.py", "import streamlit\n");
    run().await.failed(2, "invalid_input");
}
