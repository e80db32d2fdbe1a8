//! The framework of the app, which decides about closed routes and about the host that the app sees.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hf_proxy::config::CheckPauses;
use hf_proxy::internals::selfcheck;

use crate::world::{Upstream, World, ok, soon, values};

/// Starts an app with a given `/config`, which echoes all other requests.
async fn app(config: &str) -> (Upstream, Arc<Mutex<String>>) {
    let config = Arc::new(Mutex::new(config.to_owned()));
    let shown = config.clone();
    let upstream = Upstream::answering(move |head, body| {
        if head.starts_with("GET /config ") {
            return ok(shown.lock().unwrap().as_bytes());
        }
        ok(&[head.as_bytes(), body].concat())
    });
    (upstream.await, config)
}

fn gradio(pages: &str) -> String {
    format!("{{\"version\":\"6.31.0\",\"components\":[],\"dependencies\":[],\"pages\":[{pages}]}}")
}

/// Returns the statuses of a GET of each path.
async fn statuses(world: &World, paths: &[&str]) -> Vec<u16> {
    let mut statuses = vec![];
    for path in paths {
        statuses.push(world.get(path, "").await.status);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_closed_for_their_framework_only() {
    let paths =
        ["/monitoring", "/token", "/vibe-check", "/gradio_api/token", "/ui/gradio_api/proxy=https://x"];
    for (config, want) in [
        (gradio(""), [403, 403, 200, 403, 403]),
        // Not Gradio, in spite of a `/config`.
        ("{\"version\":\"1\"}".to_owned(), [200, 200, 200, 403, 403]),
    ] {
        let (upstream, _) = app(&config).await;
        let world = World::start(upstream.addr, &[]).await;
        // Before the first check.
        assert_eq!(statuses(&world, &paths).await, [503, 503, 200, 403, 403]);
        world.proxy.health.record(selfcheck::check(&world.proxy).await);
        assert_eq!(statuses(&world, &paths).await, want, "{config}");
        let login = "POST /token HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(world.ask(login).await.status, 200, "{config}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_app_are_open() {
    let (upstream, config) = app(&gradio("[\"\",\"Home\"],[\"second\",\"Second\"]")).await;
    let world =
        World::start_with(&format!("http://{}", upstream.addr), &[("ALLOW_PATHS", "gradio-ui")], |config| {
            let retry = Duration::from_millis(20);
            config.timeouts.selfcheck = CheckPauses { retry, renew: retry, ..config.timeouts.selfcheck };
        })
        .await;
    let check = tokio::spawn(selfcheck::run(world.proxy.clone()));
    soon(async {
        while world.get("/second", "").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(
        statuses(&world, &["/second/", "/third", "/gradio_api/component_server/"]).await,
        [200, 403, 200]
    );
    // Another app was deployed, and its use starts a check.
    *config.lock().unwrap() = gradio("[\"third\",\"Third\"]");
    soon(async {
        while world.get("/third", "").await.status != 200 {
            world.get("/", "").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    check.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_stay_closed_when_the_config_cannot_be_read() {
    let paths = ["/monitoring", "/token", "/file=http://x", "/proxy=http://x"];
    let padded = |bytes: usize| {
        let config = gradio("[\"second\",\"Second\"]");
        format!("{},\"css\":\"{}\"}}", &config[..config.len() - 1], "x".repeat(bytes))
    };
    let answer = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for (what, answer, want) in [
        ("a large config", answer("200 OK", &padded(12 << 20)), 403),
        ("one beyond the limit", answer("200 OK", &padded(17 << 20)), 403),
        ("a redirect", answer("302 Found\r\nLocation: /login", ""), 403),
        ("a login", answer("401 Unauthorized", ""), 403),
        ("a packed one", answer("200 OK\r\nContent-Encoding: gzip", "x"), 403),
        ("an error", answer("500 Internal Server Error", "x"), 503),
        ("an app that starts", answer("503 Service Unavailable", "x"), 503),
        (
            "half a config",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{}".to_owned(),
            503,
        ),
        ("no config", answer("404 Not Found", "x"), 200),
    ] {
        let upstream = Upstream::answering(move |head, _| {
            if head.starts_with("GET /config ") { answer.clone().into() } else { ok(b"page") }
        })
        .await;
        let world = World::start(upstream.addr, &[]).await;
        world.proxy.health.record(selfcheck::check(&world.proxy).await);
        assert_eq!(statuses(&world, &paths).await, [want; 4], "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_app_keeps_its_known_framework() {
    let fails = Arc::new(Mutex::new(false));
    let failing = fails.clone();
    let upstream = Upstream::answering(move |head, _| {
        if !head.starts_with("GET /config ") {
            return ok(b"page");
        }
        if *failing.lock().unwrap() {
            return b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        ok(gradio("[\"second\",\"Second\"]").as_bytes())
    })
    .await;
    let world = World::start(upstream.addr, &[("ALLOW_PATHS", "gradio-ui")]).await;
    let paths = ["/second", "/third", "/file=http://x"];
    // Before the first check any path may be a page.
    assert_eq!(statuses(&world, &paths).await, [503, 503, 503]);
    let page = world.get("/second", "Accept: text/html\r\n").await;
    assert!(page.status == 503 && page.text().contains("starting"), "{}", page.text());
    for failed in [false, true] {
        *fails.lock().unwrap() = failed;
        world.proxy.health.record(selfcheck::check(&world.proxy).await);
        assert_eq!(statuses(&world, &paths).await, [200, 403, 403], "{failed}");
    }
}

/// Few checks, because each keeps the app awake.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_error_is_checked_a_few_times() {
    for (errors, asked, status) in [(2, 3, 200), (usize::MAX, 6, 503)] {
        let counted = Arc::new(AtomicUsize::new(0));
        let count = counted.clone();
        let upstream = Upstream::answering(move |head, _| {
            if !head.starts_with("GET /config ") {
                return ok(b"page");
            }
            if count.fetch_add(1, Ordering::Relaxed) < errors {
                return b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec();
            }
            ok(gradio("[\"second\",\"Second\"]").as_bytes())
        })
        .await;
        let target = format!("http://{}", upstream.addr);
        let world = World::start_with(&target, &[("ALLOW_PATHS", "gradio-ui")], |config| {
            config.timeouts.selfcheck.retry = Duration::from_millis(10);
        })
        .await;
        let check = tokio::spawn(selfcheck::run(world.proxy.clone()));
        soon(async {
            while counted.load(Ordering::Relaxed) < asked {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        // Long enough for a further check.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(counted.load(Ordering::Relaxed), asked);
        assert_eq!(world.get("/second", "").await.status, status);
        check.abort();
    }
}

/// Gradio makes its addresses from the public host, so it gets that host too.
#[tokio::test(flavor = "multi_thread")]
async fn apps_that_may_compare_hosts_see_one_host() {
    for (config, path, public) in [
        (gradio(""), "/upload", true),
        ("{}".to_owned(), "/upload", false),
        ("{}".to_owned(), "/ui/gradio_api/upload", true),
        // Uncompressed, because the answer is read for the id of its event.
        ("{}".to_owned(), "/ui/queue/join", true),
    ] {
        let (upstream, _) = app(&config).await;
        let world = World::start(upstream.addr, &[]).await;
        world.proxy.health.record(selfcheck::check(&world.proxy).await);
        let reply = world
            .ask(&format!(
                "POST {path} HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST\r\nAccept-Encoding: br\r\nContent-Length: 2\r\n\r\n{{}}"
            ))
            .await;
        assert_eq!(reply.status, 200);
        let head = upstream.last();
        assert_eq!(values(&head, "origin"), [format!("http://{}", upstream.addr)]);
        let (host, coding) = (values(&head, "x-forwarded-host"), values(&head, "accept-encoding"));
        if public {
            let want = if path.ends_with("/join") { "identity" } else { "br" };
            assert_eq!((host, coding), (vec![&*world.addr.to_string()], vec![want]), "{path}");
        } else {
            // Uncompressed, because the answer is searched for the private address.
            assert_eq!((host, coding), (vec![], vec!["identity"]), "{path}");
        }
    }
}
