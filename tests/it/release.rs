//! `.github/release/try`, which runs a published image, with this machine's binary in place of an image.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::Folder;

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
fn the_image_of_the_proxy_serves() {
    let proxy = std::env::var("HF_DEPLOY_PROXY").expect("HF_DEPLOY_PROXY is not set, see tests/run");
    let (output, calls) = attempt(&proxy, "", 0, &["proxy", REFERENCE]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(calls.contains("http://127.0.0.1:7860/_proxy/readyz"), "{calls}");

    refused(attempt(&proxy, "", 22, &["proxy", REFERENCE]), "the log of the container");
    refused(attempt("/bin/true", "", 0, &["proxy", REFERENCE]), "ended with 0, and not with 2");
}
