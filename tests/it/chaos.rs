//! The walk: every request of a deploy breaks once in every way, and each time the repo is whole.
//!
//! A deploy over a sound network is recorded first. Then, for each of its requests and each way to break, the same
//! deploy starts again from the same state of the Hub.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hf_deploy::failure::Code;
use local_hub::{LargeFileTransfer, RepoType};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::harness::{Folder, Ran, Run, TestHub, hub_with, tree};
use crate::network::{Kind, Network, Place};

/// Breaks after which the network is sound again within seconds.
const PASSING: &[Kind] = &[
    Kind::ResetBefore,
    Kind::RefusedForAWhile,
    Kind::CutRequest,
    Kind::ResetAfter,
    Kind::CutAnswer,
    Kind::SlowAnswer,
];
/// Breaks that are noticed only when patience ends: each request meets one of them. The transfer engine's patience is
/// counted in minutes, and its own test is beside it: its requests are left out.
const SILENT: &[Kind] = &[Kind::SilentBefore, Kind::SilentAfter, Kind::SilentInAnswer];
/// Deploys that run at once. Most of their time they wait.
const AT_ONCE: usize = 10;

/// A deploy, and the state of the Hub that it starts from.
pub(crate) struct Scenario {
    name: &'static str,
    repo_type: RepoType,
    transfer: LargeFileTransfer,
    inputs: &'static [(&'static str, &'static str)],
    folder: Folder,
    old: tempfile::TempDir,
    /// `None` where there is no repo yet.
    old_tree: Option<BTreeMap<String, String>>,
}

/// The expected results of a deploy without faults.
pub(crate) struct Unbroken {
    pub(crate) places: Vec<Place>,
    pub(crate) tree: BTreeMap<String, String>,
    commits: usize,
}

/// Time to wait for a Space of a silent Hub: longer than the timeout of one request.
const WAIT: &str = "100s";

impl Scenario {
    /// A model with a large file and small ones: one of each is added, changed and deleted.
    pub(crate) async fn model(transfer: LargeFileTransfer) -> Self {
        let name = if transfer == LargeFileTransfer::Xet { "model by Xet" } else { "model by LFS" };
        let folder = Folder::new(&[("README.md", "---\nlicense: mit\n---\n"), ("gone.txt", "gone\n")]);
        folder.write("weights.bin", noise(90_000, 1));
        let inputs: &[_] = &[("repo_type", "model"), ("prune", "true")];
        Self::new(name, (RepoType::Model, transfer), inputs, folder, |folder| {
            folder.remove("gone.txt");
            folder.write("config.json", "{}\n");
            folder.write("weights.bin", noise(100_000, 2));
        })
        .await
    }

    /// A Space with a variable that changes, and a secret.
    pub(crate) async fn space() -> Self {
        let inputs: &[_] =
            &[("variables", "MODE=new"), ("secrets", "KEY"), ("visibility", "public"), ("timeout", WAIT)];
        Self::new(
            "space",
            (RepoType::Space, LargeFileTransfer::Basic),
            inputs,
            crate::harness::static_space(),
            |folder| {
                folder.remove("style.css");
                folder.write("index.html", "<h1>New</h1>\n");
                folder.write("about.html", "<p>New</p>\n");
            },
        )
        .await
    }

    /// A model whose change takes three commits.
    pub(crate) async fn staged() -> Self {
        let inputs: &[_] = &[("repo_type", "model"), ("prune", "true"), ("max_commit_files", "2")];
        let folder = Folder::new(&[("gone.txt", "gone\n"), ("a.txt", "a\n"), ("b.txt", "b\n")]);
        Self::new("staged", (RepoType::Model, LargeFileTransfer::Basic), inputs, folder, |folder| {
            folder.remove("gone.txt");
            folder.write("a.txt", "new\n");
            folder.write("b.txt", "new\n");
            folder.write("c.txt", "new\n");
            folder.write("d.txt", "new\n");
        })
        .await
    }

    /// A Space that is not there yet, with a file that it cannot be born with.
    pub(crate) async fn new_space() -> Self {
        let old = tempfile::tempdir().unwrap();
        let (name, inputs) = ("new space", &[("variables", "MODE=new"), ("timeout", WAIT)]);
        let (repo_type, transfer) = (RepoType::Space, LargeFileTransfer::Xet);
        let folder = crate::harness::static_space_with_picture();
        Self { name, repo_type, transfer, inputs, folder, old, old_tree: None }
    }

    async fn new(
        name: &'static str,
        (repo_type, transfer): (RepoType, LargeFileTransfer),
        inputs: &'static [(&'static str, &'static str)],
        folder: Folder,
        change: impl FnOnce(&Folder),
    ) -> Self {
        let old = tempfile::tempdir().unwrap();
        let scenario = Self { name, repo_type, transfer, inputs, folder, old, old_tree: None };
        let hub = scenario.hub_in(scenario.old.path()).await;
        let first = scenario.run_at(&hub.endpoint()).input("variables", "").input("secrets", "");
        first.run().await.ended(0, "deployed");
        let old_tree = Some(tree(&hub, repo_type));
        drop(hub);
        change(&scenario.folder);
        Self { old_tree, ..scenario }
    }

    async fn hub_in(&self, data: &Path) -> TestHub {
        hub_with(|config| {
            config.transfer = self.transfer;
            config.multipart_chunk = 64 << 10;
            config.data_dir = Some(data.to_owned());
        })
        .await
    }

    fn run_at(&self, endpoint: &str) -> Run {
        let run = Run::at(endpoint, &self.folder).secret("KEY", "sk-AValueThatIsNobodysBusiness");
        self.inputs.iter().fold(run, |run, (name, value)| run.input(name, value))
    }

    /// The Hub as it was before the deploy.
    pub(crate) async fn start(&self) -> World {
        let data = tempfile::tempdir().unwrap();
        copy(self.old.path(), data.path());
        let hub = self.hub_in(data.path()).await;
        let network = Network::before(&hub.endpoint()).await;
        World { hub, network, _data: data }
    }

    pub(crate) fn run(&self, world: &World) -> Run {
        self.run_at(&world.network.endpoint())
    }

    pub(crate) async fn unbroken(&self) -> Unbroken {
        let world = self.start().await;
        self.run(&world).run().await.ended(0, "deployed");
        let commits = world.hub.repo(self.repo_type, "ada/app").commits("main").len();
        Unbroken { places: world.network.requests(), tree: tree(&world.hub, self.repo_type), commits }
    }

    /// Which tree the head has: nothing else than the old or the new one will do.
    pub(crate) fn state(&self, world: &World, unbroken: &Unbroken) -> State {
        let commits = world.hub.repo(self.repo_type, "ada/app").commits("main").len();
        if world.hub.repo(self.repo_type, "ada/app").head("main").is_none() {
            assert_eq!(self.old_tree, None, "the repo is gone");
            return State::Old;
        }
        match (tree(&world.hub, self.repo_type), &self.old_tree) {
            (found, _) if found == unbroken.tree && commits == unbroken.commits => State::New,
            (found, Some(old)) if found == *old && commits == unbroken.commits - 1 => State::Old,
            // Created, with what the Hub itself puts there.
            (_, None) if commits == 1 => State::Old,
            (found, _) => panic!("neither the old nor the new tree: {commits} commits, {found:#?}"),
        }
    }
}

/// A Hub of its own for one deploy, behind a network of its own.
pub(crate) struct World {
    pub(crate) hub: TestHub,
    pub(crate) network: Network,
    _data: tempfile::TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Old,
    New,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Bytes that do not compress.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let byte = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()[3]
    };
    std::iter::repeat_with(byte).take(length).collect()
}

/// Asserts that a run wrote its outputs and summary, however it ended.
pub(crate) fn assert_reported(ran: &Ran) {
    for name in hf_deploy::commands::deploy::outputs::OUTPUTS.declared.iter().map(|output| output.name) {
        assert!(ran.outputs.contains_key(name), "no output `{name}`:\n{}", ran.log);
    }
    assert!(ran.summary.starts_with("### "), "no summary:\n{}", ran.log);
    assert_eq!(ran.stderr, "");
}

/// Asserts that a run over a broken network failed for that reason, and with the exit code that belongs to it.
fn assert_blames_the_network(ran: &Ran) {
    let written = ran.output("error_code");
    let code = Code::ALL.iter().find(|code| code.as_str() == written).expect("a code of the table");
    assert_eq!(ran.code, i32::from(code.kind().exit_code()), "{}", ran.log);
    let right = [Code::HubUnavailable, Code::Timeout, Code::UploadFailed];
    assert!(right.contains(code), "`{written}` is not the error:\n{}", ran.log);
    assert_eq!(ran.output("status"), "failed");
}

async fn broken(scenario: &Scenario, unbroken: &Unbroken, place: &Place, kind: Kind) -> (State, i32, bool) {
    let world = scenario.start().await;
    world.network.break_at(place, kind);
    let ran = scenario.run(&world).run().await;
    assert_reported(&ran);
    let state = scenario.state(&world, unbroken);
    match ran.code {
        0 => {
            assert_eq!(ran.output("status"), "deployed", "{}", ran.log);
            assert_eq!(state, State::New, "{}", ran.log);
            let head = world.hub.repo(scenario.repo_type, "ada/app").head("main").unwrap();
            assert_eq!(ran.output("commit_sha"), head);
        }
        _ => assert_blames_the_network(&ran),
    }
    let struck = world.network.all_struck();
    (state, ran.code, struck)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_breaks_in_every_way_and_the_repo_stays_whole() {
    let scenarios = vec![
        Scenario::model(LargeFileTransfer::Xet).await,
        Scenario::model(LargeFileTransfer::Multipart).await,
        Scenario::space().await,
        Scenario::new_space().await,
    ];
    walk(scenarios).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_a_deploy_in_parts_breaks_in_every_way_and_the_repo_stays_whole() {
    walk(vec![Scenario::staged().await]).await;
}

async fn walk(scenarios: Vec<Scenario>) {
    let started = Instant::now();
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut cases = JoinSet::new();
    let mut walked = 0;
    for scenario in scenarios {
        let unbroken = Arc::new(scenario.unbroken().await);
        let scenario = Arc::new(scenario);
        println!("{}: {:#?}", scenario.name, unbroken.places);
        for (index, place) in unbroken.places.iter().enumerate() {
            let engine = ["/v1/", "/v2/", "/simulation/"].iter().any(|part| place.request.contains(part));
            let silent = (!engine).then_some(SILENT[index % SILENT.len()]);
            // The slowest first.
            for kind in silent.into_iter().chain([Kind::Gone]).chain(PASSING.iter().copied()) {
                walked += 1;
                let (scenario, unbroken) = (Arc::clone(&scenario), Arc::clone(&unbroken));
                let (place, at_once) = (place.clone(), Arc::clone(&at_once));
                cases.spawn(async move {
                    let _permit = if PASSING.contains(&kind) {
                        Some(at_once.acquire_owned().await.unwrap())
                    } else {
                        // They wait without work, but not all of them can begin at once.
                        tokio::time::sleep(Duration::from_millis(100 * index as u64)).await;
                        None
                    };
                    let began = Instant::now();
                    let what =
                        format!("{} · {} #{} · {kind:?}", scenario.name, place.request, place.occurrence);
                    let task = tokio::spawn(async move { broken(&scenario, &unbroken, &place, kind).await });
                    (what, kind, task.await, began.elapsed())
                });
            }
        }
    }
    let mut faults = Vec::new();
    let mut ends = BTreeMap::new();
    while let Some(case) = cases.join_next().await {
        let (what, kind, ended, took) = case.unwrap();
        println!("{what}: {:?} in {:.1} s", ended.as_ref().ok(), took.as_secs_f64());
        match ended {
            Ok((state, code, struck)) => {
                *ends.entry((code, state == State::New)).or_insert(0) += 1;
                if !struck {
                    faults.push(format!("{what}: the break never struck"));
                }
                // One break is survived, wherever it is: only a network that is gone may end a deploy.
                if code != 0 && kind != Kind::Gone {
                    faults.push(format!("{what}: not survived, exit code {code}"));
                }
            }
            Err(error) => {
                let text = match error.try_into_panic() {
                    Ok(panic) => panic.downcast_ref::<String>().cloned().unwrap_or_default(),
                    Err(error) => error.to_string(),
                };
                faults.push(format!("{what}: {text}"));
            }
        }
    }
    println!(
        "{walked} breaks walked in {:.0} s: (code, new tree) → times {ends:?}",
        started.elapsed().as_secs_f64()
    );
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n\n"));
}
