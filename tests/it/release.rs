//! The release: the order of its workflow, and `.github/release/try`, which runs a published image, with this
//! machine's binary in place of an image. What the plan and the commit decide is tested in `tests/release`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::contract::{planted, read, yaml};
use crate::harness::{Folder, prepared_variable};

const REFERENCE: &str = "ghcr.io/acme/hf-deploy:1.2.3@sha256:0";
const PROXY: &str = "ghcr.io/acme/hf-deploy-proxy:1.2.3@sha256:1";

/// A `docker` that runs the binary in an environment of its own, as far as `try` asks for it.
const DOCKER: &str = r#"#!/bin/sh
command=$1
shift
case $command in
  run)
    echo "run $*" >>"$CALLS"
    set -- "$@" --
    while [ "$1" != "$REFERENCE" ]; do
      case $1 in
        --detach) detached=true; shift ;;
        --rm) shift ;;
        --publish) shift 2 ;;
        --env) variables="$variables $2"; shift 2 ;;
      esac
    done
    shift
    [ "$1" = -- ] && shift || { argument=$1; shift; }
    [ -n "$detached" ] && { echo container; exit; }
    exec env -i $variables "$PROGRAM" $argument ;;
  create) echo container ;;
  cp) cat "$CONTENT" ;;
  logs) echo "the log of the container" ;;
  rm) ;;
  *) exit 99 ;;
esac
"#;

/// Runs `try` with a program, with the content of its image, and with how `curl` ends.
fn attempt(program: &str, content: &str, curl: i32, arguments: &[&str]) -> (Output, String) {
    let bin = Folder::new(&[("docker", DOCKER), ("content", content)]);
    bin.write("curl", format!("#!/bin/sh\necho \"curl $*\" >>\"$CALLS\"\nexit {curl}\n"));
    for name in ["docker", "curl"] {
        let path = bin.path().join(name);
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/release/try"))
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("PROGRAM", program)
        .env("REFERENCE", REFERENCE)
        .env("CONTENT", bin.path().join("content"))
        .env("CALLS", bin.path().join("calls"))
        .output()
        .unwrap();
    (output, std::fs::read_to_string(bin.path().join("calls")).unwrap_or_default())
}

fn refused(attempt: (Output, String), words: &str) {
    let (output, _) = attempt;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{said}");
}

#[test]
fn the_image_of_the_action_is_what_it_should_be() {
    let version = env!("CARGO_PKG_VERSION");
    let program = env!("CARGO_BIN_EXE_hf-deploy");
    let content = format!("\0\0FROM {PROXY}\0\0");
    let arguments = ["action", REFERENCE, version, PROXY];
    let (output, calls) = attempt(program, &content, 0, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(calls.contains(&format!("{REFERENCE} --version")), "{calls}");

    refused(
        attempt(program, &content, 0, &["action", REFERENCE, "9.9.9", PROXY]),
        "does not say `hf-deploy 9.9.9`",
    );
    refused(attempt(program, "FROM another", 0, &arguments), "does not name");
    refused(attempt("/bin/echo", &content, 0, &arguments), "does not say");
    refused(attempt("/bin/false", &content, 0, &arguments), "ended with 1, and not with 0");
    refused(attempt(program, &content, 0, &["action", REFERENCE]), "usage");
}

#[test]
#[ignore = "needs tests/run setup"]
fn the_image_of_the_proxy_serves() {
    let proxy = prepared_variable("HF_DEPLOY_PROXY");
    let (output, calls) = attempt(&proxy, "", 0, &["proxy", REFERENCE]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(calls.contains("http://127.0.0.1:7860/_proxy/readyz"), "{calls}");

    refused(attempt(&proxy, "", 22, &["proxy", REFERENCE]), "the log of the container");
    refused(attempt("/bin/true", "", 0, &["proxy", REFERENCE]), "ended with 0, and not with 2");
}

/// The jobs of a release, each of which goes on from the one before.
const ORDER: [&str; 6] = ["plan", "proxy-image", "image", "commit", "draft", "publish"];

/// Finds the faults of the release workflow.
fn release_faults(text: &str) -> Vec<String> {
    let workflow = yaml(text);
    let mut faults = Vec::new();
    let names = |value: &serde_yaml::Value| -> Vec<String> {
        match value {
            serde_yaml::Value::String(name) => vec![name.clone()],
            serde_yaml::Value::Sequence(names) => {
                names.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect()
            }
            serde_yaml::Value::Mapping(mapping) => {
                mapping.keys().filter_map(|name| name.as_str()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        }
    };
    if names(&workflow["on"]) != ["workflow_dispatch"] {
        faults.push("it starts by itself".to_owned());
    }
    if names(&workflow["jobs"]) != ORDER {
        faults.push("it has other jobs".to_owned());
    }
    for pair in ORDER.windows(2) {
        if !names(&workflow["jobs"][pair[1]]["needs"]).contains(&pair[0].to_owned()) {
            faults.push(format!("`{}` does not wait for `{}`", pair[1], pair[0]));
        }
    }
    for job in ORDER {
        let is_protected = workflow["jobs"][job]["environment"] == "release";
        if is_protected != (job == "publish") {
            faults.push(format!("`{job}` is in the wrong environment"));
        }
    }
    let proxy = "${{ needs.proxy-image.outputs.reference }}";
    if workflow["jobs"]["image"]["with"]["proxy"] != proxy {
        faults.push("the action is not built with the digest of the proxy".to_owned());
    }
    faults
}

/// Finds the faults of the workflow that publishes an image.
fn image_faults(text: &str) -> Vec<String> {
    let jobs = &yaml(text)["jobs"];
    let run = |job: &str| -> String {
        let steps = jobs[job]["steps"].as_sequence().unwrap().iter();
        steps.filter_map(|step| step["run"].as_str()).collect::<Vec<_>>().join("\n")
    };
    let mut faults = Vec::new();
    for option in ["--no-cache", "--sbom=true", "--provenance=mode=max", "push-by-digest=true"] {
        if !run("build").contains(option) {
            faults.push(format!("it builds without `{option}`"));
        }
    }
    if jobs["join"]["needs"] != "build" || jobs["run"]["needs"] != "join" {
        faults.push("the jobs are in another order".to_owned());
    }
    let steps = jobs["join"]["steps"].as_sequence().unwrap();
    let attest = steps.last().unwrap();
    let is_attested = attest["uses"].as_str().is_some_and(|uses| uses.contains("/attest-build-provenance@"))
        && attest["with"]["subject-digest"] == "${{ steps.join.outputs.digest }}";
    if !is_attested {
        faults.push("what is joined is not attested".to_owned());
    }
    if run("run").contains("login") || !run("run").contains("\"$REFERENCE\"") {
        faults.push("it does not run the digest as everybody may".to_owned());
    }
    faults
}

#[test]
fn a_release_goes_from_one_digest_to_the_next() {
    let text = read(".github/workflows/release.yml");
    for (from, to, said) in [
        ("  workflow_dispatch:\n", "  push:\n  workflow_dispatch:\n", "by itself"),
        ("needs: [plan, draft]", "needs: [plan]", "`publish` does not wait for `draft`"),
        ("needs: [plan, image]", "needs: [plan]", "`commit` does not wait for `image`"),
        ("    environment: release", "    environment: other", "`publish` is in the wrong environment"),
        ("needs.proxy-image.outputs.reference", "needs.plan.outputs.proxy_image", "digest of the proxy"),
        ("\njobs:\n", "\njobs:\n  more: {}\n", "other jobs"),
    ] {
        planted(release_faults, &text, from, to, said);
    }
    let text = read(".github/workflows/image.yml");
    for (from, to, said) in [
        ("--sbom=true", "", "without `--sbom=true`"),
        ("--no-cache", "", "without `--no-cache`"),
        ("needs: join", "needs: build", "another order"),
        ("subject-digest: ${{ steps.join", "subject-digest: ${{ steps.build", "not attested"),
        ("      - name: Run what", "      - run: docker login\n      - name: Run what", "as everybody may"),
    ] {
        planted(image_faults, &text, from, to, said);
    }
}
