//! Comments and deployments of previews that are gone, or whose run was killed.

use std::time::Duration;

use hf_deploy::github::DeploymentState;
use local_github::{Access, Actor, Permissions, PullState};

use super::{REPO, World, mark};
use crate::assert_ran;

impl World {
    /// Makes everything on GitHub older.
    fn pass(&self, hours: u64) {
        let time = Duration::from_secs(hours * 3600);
        self.github.change_comments(REPO, |comment| comment.updated_at -= time);
        self.github.change_deployments(REPO, |deployment| deployment.created_at -= time);
    }

    /// Returns the words of the comments and the states of the deployments of a pull request.
    fn said(&self, number: u64) -> (Vec<String>, Vec<String>) {
        let word = |line: String| line.split([' ', ':']).nth(2).unwrap_or_default().to_owned();
        let space = format!("ada/app-pr-{number}");
        let own = self.deployments().into_iter().filter(|(name, _)| *name == space);
        (self.comments(number).into_iter().map(word).collect(), own.map(|(_, state)| state).collect())
    }

    fn assert_said(&self, number: u64, word: &str, state: &str) {
        assert_eq!(self.said(number), (vec![word.to_owned()], vec![state.to_owned()]), "#{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_was_killed_after_the_deletion_is_finished() {
    let world = World::new().await;
    for number in 1..=4 {
        world.open(number);
        world.announce(number).await;
        world.close(number, PullState::Merged);
    }
    // Killed after the first of both writes.
    world.github.change_comments(REPO, |comment| {
        if comment.number == 2 {
            comment.body = comment.body.replace("✅ Ready", "🗑️ Deleted");
        }
    });
    let id = world.github.comments(REPO, 3)[0].id;
    world.github.delete_comment(REPO, id);
    // The pull request of another Space.
    world.github.change_comments(REPO, |comment| {
        if comment.number == 4 {
            comment.body = comment.body.replace("ada/app-pr-4", "ada/other-pr-4");
        }
    });
    let ran = world.cleanup().run().await.ended(0, "unchanged");
    world.assert_said(1, "Deleted", "inactive");
    world.assert_said(2, "Deleted", "inactive");
    assert_eq!(world.said(3), (vec![], vec!["inactive".to_owned()]));
    assert_eq!(world.said(4).0, ["Ready"]);
    assert_ran!(ran);
    let before = world.writes();
    world.cleanup().run().await.ended(0, "unchanged");
    assert_eq!(world.writes(), before);
    world.assert_contract_kept();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_is_over_after_six_hours() {
    let world = World::new().await;
    // Before it made a Space.
    world.open(1);
    world.say(1, "⏳ Building", DeploymentState::InProgress).await;
    // After that.
    world.open(2);
    world.make("app-pr-2", Some(&mark(2))).await;
    world.say(2, "⏳ Building", DeploymentState::InProgress).await;
    // The same in a workflow without comments.
    for number in [3, 4] {
        world.open(number);
        world.say(number, "⏳ Building", DeploymentState::InProgress).await;
        let id = world.github.comments(REPO, number)[0].id;
        world.github.delete_comment(REPO, id);
    }
    world.make("app-pr-4", Some(&mark(4))).await;
    world.pass(5);
    world.cleanup().run().await.ended(0, "unchanged");
    world.assert_said(1, "Building", "in_progress");
    world.assert_said(2, "Building", "in_progress");
    world.pass(2);
    let ran = world.cleanup().run().await.ended(0, "unchanged");
    world.assert_said(1, "Cancelled", "inactive");
    world.assert_said(2, "Cancelled", "inactive");
    for number in [3, 4] {
        assert_eq!(world.said(number), (vec![], vec!["inactive".to_owned()]), "{}", ran.log);
    }
    assert!(world.is_there("app-pr-2") && world.is_there("app-pr-4"));
    let line = "brought pull request #1 up to date: the run for its Space `ada/app-pr-1` was killed";
    assert!(ran.log.contains(line), "{}", ran.log);
    assert!(
        world.github.comments(REPO, 1)[0].body.contains("| Reason | the run was killed: start it again |")
    );
    world.assert_contract_kept();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_an_open_pull_request_that_is_gone_is_deleted_on_github() {
    let world = World::new().await;
    world.open(1);
    world.announce(1).await;
    // A run that failed before it made a Space says so until the next.
    world.open(2);
    world.say(2, "❌ Failed", DeploymentState::Failure).await;
    world.open(3);
    world.say(3, "🚫 Cancelled", DeploymentState::Inactive).await;
    world.pass(1000);
    world.cleanup().run().await.ended(0, "unchanged");
    world.assert_said(1, "Deleted", "inactive");
    world.assert_said(2, "Failed", "failure");
    world.assert_said(3, "Cancelled", "inactive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_token_that_only_reads_leave_github_as_it_is() {
    let world = World::new().await;
    world.open(1);
    world.announce(1).await;
    world.close(1, PullState::Closed);
    let ran = world.cleanup().input("dry_run", "true").run().await.ended(0, "dry-run");
    let line = "would bring pull request #1 up to date: its Space `ada/app-pr-1` is gone";
    assert!(ran.log.contains(line), "{}", ran.log);
    assert_eq!(ran.output("deleted"), "0");
    let reader = Permissions { pull_requests: Access::Read, ..Permissions::default() };
    world.github.add_token("ghs_token_that_only_reads", Actor::workflow(reader));
    let run = world.cleanup().secret("INPUT_GITHUB_TOKEN", "ghs_token_that_only_reads");
    let ran = run.run().await.ended(0, "unchanged");
    assert_eq!(ran.log.matches("::notice").count(), 2, "{}", ran.log);
    assert!(ran.log.contains("the deletions on the Hub are not affected"), "{}", ran.log);
    world.assert_said(1, "Ready", "success");
}
