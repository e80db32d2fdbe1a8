//! SIGKILL at any request, to the Hub or to GitHub: the next run completes the preview, and the close deletes it.

use std::time::Duration;

use local_github::{Fault as GithubFault, PullState};
use local_hub::{Fault, FaultKind};

use super::world::{GITHUB_TOKEN, MARK, PREVIEW, Pull, World};
use crate::harness::{Run, hub, static_space_with_picture, until};
use crate::signals::send;

const HELD: Duration = Duration::from_secs(60);

/// Places at which a run is killed: requests to the Hub, and to GitHub.
const HUB: [(&str, &str); 6] = [
    ("GET", "/api/spaces/ada/app-pr-12"),
    ("POST", "/api/repos/create"),
    ("POST", "/preupload/"),
    ("GET", "/runtime"),
    ("POST", "/api/validate-yaml"),
    ("POST", "/commit/"),
];
const GITHUB: [(&str, &str); 7] = [
    ("POST", "/graphql"),
    ("GET", "/issues/12/comments"),
    ("POST", "/issues/12/comments"),
    ("PATCH", "/issues/comments/"),
    ("POST", "/deployments"),
    ("POST", "/statuses"),
    ("GET", "/pulls/12"),
];

fn run(world: &World) -> Run {
    world.run("opened", &Pull::open("aaaaaaa1"))
}

/// The picture makes the files a commit of their own.
async fn with_picture() -> World {
    World::with(hub().await, static_space_with_picture()).await
}

/// Leaves the next requests to a place of the Hub without an answer.
fn hold(world: &World, (method, path): (&str, &str), times: usize) {
    world.hub.inject(Fault {
        method: Some(method.to_owned()),
        path_contains: path.to_owned(),
        skip: 0,
        times,
        kind: FaultKind::Delay(HELD),
    });
}

fn is_reached(world: &World, (method, path): (&str, &str)) -> bool {
    world.hub.requests().iter().any(|one| one.method == method && one.path.contains(path))
}

/// Runs until GitHub or the Hub has a request, and kills the run.
async fn killed_at(world: &World, run: Run, is_reached: impl Fn() -> bool) {
    let mut child = run.spawn();
    let wait = async {
        while !is_reached() && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(HELD, wait).await.expect("the run comes to the request");
    let _ = child.kill().await;
    world.hub.clear_faults();
}

/// Checks that nothing is leaked: each Space has the mark, and the next runs find everything.
async fn assert_recovers(world: &World, case: &str) {
    for space in world.spaces().await {
        assert_eq!(world.mark(&space).await.as_deref(), Some(MARK), "{case}");
    }
    let ran = run(world).run().await;
    assert_eq!(ran.code, 0, "{case}: {}", ran.log);
    assert_eq!(world.spaces().await, [PREVIEW], "{case}");
    assert_eq!(world.states(), ["Ready"], "{case}: {}", ran.log);
    let live = world.deployments().iter().filter(|row| !row.ends_with(" inactive")).count();
    assert_eq!(live, 1, "{case}: {:?}", world.deployments());
    world.close("aaaaaaa1", PullState::Merged).run().await.ended(0, "deleted");
    assert!(world.spaces().await.is_empty(), "{case}");
    assert_eq!(world.states(), ["Deleted"], "{case}");
    assert!(world.deployments().iter().all(|row| row.ends_with(" inactive")), "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_at_a_request_to_the_hub_leaks_nothing() {
    for (method, path) in HUB {
        for is_held in [true, false] {
            let case = format!("{method} {path} {is_held}");
            let world = with_picture().await;
            hold(&world, (method, path), usize::from(is_held));
            killed_at(&world, run(&world), || is_reached(&world, (method, path))).await;
            assert_recovers(&world, &case).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_at_a_request_to_github_leaks_nothing() {
    for (method, path) in GITHUB {
        for after in [false, true] {
            let case = format!("{method} {path} {after}");
            let world = World::new().await;
            let fault = GithubFault::new(method, path, 1, 502);
            world.github.plant(GithubFault { after, delay: HELD, ..fault });
            let seen = || !world.github.held().is_empty();
            killed_at(&world, run(&world), seen).await;
            assert_recovers(&world, &case).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_is_killed_is_completed_by_the_next_one() {
    let world = World::new().await;
    run(&world).run().await.ended(0, "deployed");
    world.github.plant(GithubFault { delay: HELD, ..GithubFault::new("PATCH", "/issues/comments/", 1, 502) });
    let close = world.close("aaaaaaa1", PullState::Merged);
    let mut child = close.spawn();
    until(|| !world.github.held().is_empty()).await;
    assert!(world.spaces().await.is_empty());
    child.kill().await.unwrap();
    world.run("closed", &Pull::closed("aaaaaaa1")).run().await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cancelled_at_a_request_to_github_ends_soon() {
    for (method, path) in GITHUB {
        let world = World::new().await;
        world.github.plant(GithubFault { delay: HELD, ..GithubFault::new(method, path, 1, 502) });
        let run = run(&world);
        let child = run.spawn();
        until(|| !world.github.held().is_empty()).await;
        let started = std::time::Instant::now();
        send("INT", child.id().unwrap());
        run.finish(child).await.ended(130, "cancelled");
        assert!(started.elapsed() < Duration::from_secs(5), "{method} {path}: {:?}", started.elapsed());
        assert!(
            world.states().iter().all(|state| state == "Cancelled"),
            "{method} {path}: {:?}",
            world.states()
        );
        assert_recovers(&world, path).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cancelled_at_a_request_to_the_hub_says_so() {
    for (method, path) in HUB {
        for signal in ["INT", "TERM"] {
            let case = format!("{signal} at {method} {path}");
            let world = with_picture().await;
            hold(&world, (method, path), 1);
            let run = run(&world);
            let child = run.spawn();
            until(|| is_reached(&world, (method, path))).await;
            send(signal, child.id().unwrap());
            run.finish(child).await.ended(130, "cancelled");
            assert!(world.states().iter().all(|state| state == "Cancelled"), "{case}: {:?}", world.states());
            world.hub.clear_faults();
            assert_recovers(&world, &case).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_ends_what_a_killed_run_left_behind() {
    for (method, path) in GITHUB {
        let world = World::new().await;
        world.github.plant(GithubFault {
            after: true,
            delay: HELD,
            ..GithubFault::new(method, path, 1, 502)
        });
        let is_whole = || !world.github.held().is_empty() && is_reached(&world, ("POST", "/repos/create"));
        killed_at(&world, run(&world), is_whole).await;
        world.close("aaaaaaa1", PullState::Merged);
        let cleanup = Run::new(&world.hub, &world.folder)
            .action("cleanup")
            .var("GITHUB_API_URL", &world.github.api_url());
        let ran = cleanup.secret("INPUT_GITHUB_TOKEN", GITHUB_TOKEN).run().await;
        assert_eq!((ran.code, world.spaces().await.len()), (0, 0), "{method} {path}: {}", ran.log);
        if ran.output("deleted") == "1" {
            assert!(world.states().iter().all(|state| state == "Deleted"), "{path}: {:?}", world.states());
            let rows = world.deployments();
            assert!(rows.iter().all(|row| row.ends_with(" inactive")), "{path}: {rows:?}");
        }
    }
}
