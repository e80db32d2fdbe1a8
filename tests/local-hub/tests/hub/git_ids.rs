//! Object ids against the real git.

use std::path::Path;
use std::process::Command;

use local_hub::{HubConfig, LocalHub, NewRepo, RepoType};

fn git(dir: &Path, args: &[&str], env: &[(&str, String)]) -> String {
    let out = Command::new("git").arg("-C").arg(dir).args(args).envs(env.iter().cloned()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn ids_are_gits_own() {
    let hub = LocalHub::start(HubConfig::default()).await.unwrap();
    hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/ids")).unwrap();
    let files: [(&str, &[u8]); 6] = [
        ("a.txt", b"a\n"),
        ("a/b/c.txt", b"c"),
        ("a/d", b""),
        ("a-b", b"x"),
        ("z z/\u{e9}.md", "\u{e9}".as_bytes()),
        ("B", b"B"),
    ];
    let before = hub.repo(RepoType::Model, "ada/ids").head("main").unwrap();
    let commit =
        hub.repo(RepoType::Model, "ada/ids").commit_as("ada", "main", &files, "Second\n\nBody").unwrap();

    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "-b", "main"], &[]);
    for path in hub.repo(RepoType::Model, "ada/ids").tree("main").unwrap().keys() {
        let target = dir.path().join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, hub.repo(RepoType::Model, "ada/ids").read_file("main", path).unwrap())
            .unwrap();
    }
    // The `.gitattributes` of a new repository would send files through a filter; ids are wanted as they are.
    git(dir.path(), &["-c", "core.attributesFile=/dev/null", "-c", "filter.lfs.clean=", "add", "-A"], &[]);
    for (path, file) in hub.repo(RepoType::Model, "ada/ids").tree("main").unwrap() {
        assert_eq!(git(dir.path(), &["rev-parse", &format!(":{path}")], &[]), file.oid, "{path}");
    }
    let tree = git(dir.path(), &["write-tree"], &[]);
    // The first commit is an object git does not have here; its id is enough for a parent.
    let raw = format!("tree {tree}\nparent {before}\n");
    let made = raw_commit(&hub, &commit, &raw);
    std::fs::write(dir.path().join("commit"), &made).unwrap();
    let id = git(dir.path(), &["hash-object", "-t", "commit", "--literally", "commit"], &[]);
    assert_eq!(id, commit);
}

/// The commit object as git would encode it, with the server's date.
fn raw_commit(hub: &LocalHub, commit: &str, head: &str) -> String {
    let info = hub.repo(RepoType::Model, "ada/ids").commits("main");
    assert_eq!(
        (info[0].id.as_str(), info[0].title.as_str(), info[0].message.as_str()),
        (commit, "Second", "Body")
    );
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for time in (now - 30..=now).rev() {
        let who = format!("ada <ada@users.noreply.localhost> {time} +0000");
        let text = format!("{head}author {who}\ncommitter {who}\n\nSecond\n\nBody");
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("c"), &text).unwrap();
        if git(dir.path(), &["hash-object", "-t", "commit", "--literally", "c"], &[]) == commit {
            return text;
        }
    }
    panic!("no date gives this commit id");
}
