//! Redirects, failing front pages, and results beyond all measure.

use super::*;

#[tokio::test]
async fn a_redirect_on_the_app_is_followed_three_times() {
    let folder = tempfile::tempdir().unwrap();
    let to = |path: &str| Reply { headers: vec![("location", path.to_owned())], ..reply(307, "") };
    let app = Script::default()
        .on("/", to("/a"))
        .on("/a", to("b"))
        .on("/b", to("./c"))
        .on("/c", reply(200, "here"));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Static, check(&folder)).await;
    assert_eq!(result.status, CheckStatus::HealthOnly);
    let app = Script::default().on("/", to("/"));
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Static, check(&folder)).await;
    assert!(result.detail.contains("in circles"), "{result:?}");
}

/// More than 200 MB in one event, made as it is read.
#[tokio::test]
async fn a_result_beyond_all_measure_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let app = gradio().on("/gradio_api/queue/data", Reply { then_floods: true, ..reply(200, "data: ") });
    let asked = Check { expect: Some(Expect::Text), ..check(&folder) };
    let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Gradio, asked).await;
    assert_eq!(result.status, CheckStatus::FullInferenceCandidateHealthPassed);
    assert_eq!(result.detail, "`/draw`: the result is larger than 200 MB, and the check reads no more");
}

#[tokio::test]
async fn a_redirect_to_another_scheme_or_port_of_the_host_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let app = Script::default().on("/ui/", reply(200, "here"));
    let address = app.start("127.0.0.1").await;
    for location in ["http://127.0.0.1/ui/".to_owned(), format!("https://{address}/ui/")] {
        let away = Reply { headers: vec![("location", location)], ..reply(307, "") };
        app.answers.lock().unwrap().retain(|(path, _)| *path != "/");
        let _ = app.clone().on("/", away);
        let (result, _) = judged(address, AppKind::Docker, check(&folder)).await;
        assert_eq!(result.status, CheckStatus::HealthOnly, "{result:?}");
    }
    assert!(app.every_request_had_it());
}

#[tokio::test]
async fn a_front_page_that_fails_has_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    for (status, hint) in [
        (500, "look for the exception in the run log of the Space"),
        (403, "an app without a front page needs `health_path`"),
    ] {
        let app = Script::default().on("/", reply(status, "no"));
        let (result, _) = judged(app.start("127.0.0.1").await, AppKind::Docker, check(&folder)).await;
        assert_eq!((result.status, hints(&result)), (CheckStatus::Failed, vec![hint.to_owned()]));
        assert_eq!(result.detail, format!("`GET /` answered {status}: no"));
    }
}
