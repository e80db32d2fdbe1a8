"""Starts the programs under test and reads their results. Loopback only."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USER = "ada"
TOKEN = "hf_InteropTokenThatMustNeverShowUp"

# Paths of the storage, for all transfers.
STORAGE_PATHS = ("/v1/", "/v2/", "/simulation/", "/__lfs/", "/__cdn/")


def binary(variable: str, name: str) -> Path:
    """Returns the program of this name: the path in `variable`, else cargo's dev build."""
    path = Path(os.environ.get(variable) or ROOT / "target" / "debug" / name)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: build it with `cargo build --workspace`, or set {variable}")
    return path


def plain_environment(home: Path) -> dict[str, str]:
    """Returns the variables that every program needs, and none that changes its behaviour."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "HUB_OPENAPI") if name in os.environ}
    return kept | {"HOME": str(home), "LANG": "C.UTF-8"}


def client_environment(endpoint: str, home: Path, **more: str) -> dict[str, str]:
    """Returns the environment of an official client that has never run before."""
    return plain_environment(home) | {
        "HF_ENDPOINT": endpoint,
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_COLOR": "1",
        **more,
    }


class LocalHub:
    """A local Hub in its own process, and its introspection."""

    def __init__(self, data: Path, transfer: str = "xet", *options: str) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.errors = data / "stderr.log"
        command = [binary("LOCAL_HUB_BIN", "local-hub"), "serve", "--data", data / "hub"]
        command += ["--user", USER, "--token", TOKEN, "--transfer", transfer, *options]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=plain_environment(data), cwd=ROOT,
            )
        first_line = self.process.stdout.readline()
        match = re.search(r"listening on (http://\S+)", first_line)
        if not match:
            self.stop()
            raise RuntimeError(f"the local Hub did not start: {first_line}{self.errors.read_text()}")
        self.endpoint = match[1]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def ask(self, method: str, path: str):
        """Requests an introspection path, which is not part of the Hub and not recorded."""
        request = urllib.request.Request(f"{self.endpoint}/__local/{path}", method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def clear(self) -> None:
        """Clears the recorded requests and pending faults."""
        self.ask("POST", "clear")

    def forgive(self) -> None:
        """Clears the requests that broke the contract, which `clear` keeps."""
        self.ask("POST", "forgive")

    def violations(self) -> list[str]:
        """Returns the requests that broke the contract of the Hub."""
        return self.ask("GET", "violations")

    def requests(self) -> list[dict]:
        return self.ask("GET", "requests")

    def hub_requests(self) -> list[dict]:
        """Returns the requests that count against a quota: all except those to the storage."""
        return [request for request in self.requests() if not request["path"].startswith(STORAGE_PATHS)]

    def commits_made(self) -> int:
        """Counts the commits that were accepted since the last `clear`, merges included."""
        made = (r for r in self.requests() if r["method"] == "POST" and 200 <= r["status"] < 300)
        return sum(bool(re.search(r"/commit/[^/]+$|/discussions/\d+/merge$", r["path"])) for r in made)

    def tree(self, repo_type: str, repo: str, revision: str = "main") -> dict[str, dict]:
        """Returns path → git object id, size, SHA-256 of a large file, and mode."""
        revision = urllib.parse.quote(revision, safe="")
        return self.ask("GET", f"tree/{repo_type}/{repo}/{revision}")

    def read(self, repo_type: str, repo: str, path: str, revision: str = "main") -> bytes:
        prefix = {"model": "", "dataset": "datasets/", "space": "spaces/"}[repo_type]
        url = f"{self.endpoint}/{prefix}{repo}/resolve/{revision}/{urllib.parse.quote(path)}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


@contextlib.contextmanager
def running_hub(data: Path, transfer: str = "xet", *options: str):
    hub = LocalHub(data, transfer, *options)
    try:
        yield hub
    finally:
        hub.stop()


@dataclass
class Finished:
    """A finished process."""

    code: int
    stdout: str
    stderr: str
    wall: float
    cpu: float
    #: In bytes.
    peak_memory: int


def run(command: list, env: dict[str, str], cwd: Path, scratch: Path, timeout: float = 300) -> Finished:
    """Runs a program, and measures it.

    Its output goes to files, since a full pipe would stop it. The peak is read from `VmHWM` while it runs:
    `ru_maxrss` of a child also counts what its parent held at the moment of the fork.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    stdout, stderr = scratch / "stdout", scratch / "stderr"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        start = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    peak, ended = [0], threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(process.pid, peak, ended), daemon=True)
    watcher.start()
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        timer.cancel()
        ended.set()
        watcher.join()
    return Finished(
        code=process.returncode,
        stdout=stdout.read_text(encoding="utf-8"),
        stderr=stderr.read_text(encoding="utf-8", errors="replace"),
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_memory=peak[0],
    )


def _watch_memory(pid: int, peak: list[int], ended: threading.Event) -> None:
    status = Path(f"/proc/{pid}/status")
    while not ended.wait(0.002):
        try:
            match = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        except OSError:
            return
        if match:
            peak[0] = max(peak[0], int(match[1]) * 1024)


@dataclass
class Deployed(Finished):
    """A finished run of hf-deploy."""

    outputs: dict[str, str]
    summary: str

    def expect(self, status: str, code: int = 0) -> Deployed:
        found = (self.code, self.outputs.get("status"))
        assert found == (code, status), f"{found}\n{self.stdout}\n{self.stderr}"
        return self


def deploy(
    endpoint: str,
    source: Path,
    scratch: Path,
    step_env: dict[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    **inputs: str,
) -> Deployed:
    """Runs hf-deploy as a runner does: a cleared environment, INPUT_* variables and the two files. `step_env` is
    the `env` of the step, and `arguments` are those of another action than the deploy.

    Every byte that it leaves behind is searched for the token.
    """
    home = scratch / "home"
    home.mkdir(parents=True, exist_ok=True)
    files = {"GITHUB_OUTPUT": scratch / "output", "GITHUB_STEP_SUMMARY": scratch / "summary"}
    for file in files.values():
        file.write_bytes(b"")
    env = {
        "HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(source),
        "GITHUB_REPOSITORY": "octo/hello",
        "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_RUN_ID": "42",
        # Without the run bundle, because the folder is the workspace too, and is compared with other tools' uploads.
        "HF_DEPLOY_BUNDLE": "false",
        **{name: str(file) for name, file in files.items()},
        **(step_env or {}),
    }
    # The runner passes every input of action.yml, also those that the workflow does not set.
    env |= {f"INPUT_{name.upper()}": value for name, value in ({"hf_token": TOKEN} | inputs).items()}
    ran = run([binary("HF_DEPLOY_BIN", "hf-deploy"), *arguments], env, source, scratch)
    raw_outputs = files["GITHUB_OUTPUT"].read_text(encoding="utf-8")
    summary = files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
    # The line that masks the token may contain it.
    log = ran.stdout.replace(f"::add-mask::{TOKEN}\n", "")
    for place, text in {"log": log, "stderr": ran.stderr, "outputs": raw_outputs, "summary": summary}.items():
        assert TOKEN not in text, f"the token stands in the {place}"
    return Deployed(**vars(ran), outputs=parse_outputs(raw_outputs), summary=summary)


def parse_outputs(text: str) -> dict[str, str]:
    """Reads the file behind GITHUB_OUTPUT as the runner does: `name=value`, or a heredoc."""
    outputs: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, delimiter, rest = re.match(r"([^=<]+)(=|<<)(.*)", line).groups()
        if delimiter == "<<":
            value = []
            for inner in lines:
                if inner == rest:
                    break
                value.append(inner)
            else:
                raise AssertionError(f"the value of `{name}` has no end")
            rest = "\n".join(value)
        assert name not in outputs, f"`{name}` stands twice"
        outputs[name] = rest
    return outputs
