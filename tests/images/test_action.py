"""The action's image, run as GitHub's runner runs a container action."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from processes import ROOT, TOKEN, USER, parse_outputs

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
#: User of the runner, who owns the workspace.
RUNNER = 1001
LARGE = bytes(range(256)) * 45_000


@dataclass
class Step:
    """A finished step."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


def inputs(given: dict[str, str]) -> dict[str, str]:
    """Returns every input of action.yml, with its default or empty, as the runner does."""
    assert given.keys() <= ACTION["inputs"].keys()
    values = {name: str(spec.get("default", "")) for name, spec in ACTION["inputs"].items()} | given
    return {f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in values.items()}


@pytest.fixture
def step(action, tmp_path):
    """Runs the entry point with the mounts, the variables and the folder that a runner sets."""

    def run(workspace: Path, env: dict[str, str], **given: str) -> Step:
        temp = tmp_path / f"runner-{uuid.uuid4().hex}"
        mounts = {temp / name: f"/github/{name}" for name in ("home", "workflow", "file_commands", "runner_temp")}
        for folder in mounts:
            folder.mkdir(parents=True)
        (temp / "workflow" / "event.json").write_text("{}")
        suffix = uuid.uuid4()
        commands = {
            "GITHUB_OUTPUT": f"set_output_{suffix}",
            "GITHUB_STEP_SUMMARY": f"step_summary_{suffix}",
            "GITHUB_ENV": f"set_env_{suffix}",
            "GITHUB_PATH": f"add_path_{suffix}",
            "GITHUB_STATE": f"save_state_{suffix}",
        }
        for name in commands.values():
            (temp / "file_commands" / name).touch()
        for place in [workspace, *workspace.rglob("*"), temp, *temp.rglob("*")]:
            os.chown(place, RUNNER, RUNNER)
        env = {
            "CI": "true",
            "HOME": "/github/home",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "__octo_hf-deploy",
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": "/github/workflow/event.json",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REF_NAME": "main",
            "GITHUB_REPOSITORY": "octo/hello",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567",
            "GITHUB_WORKSPACE": "/github/workspace",
            "RUNNER_ARCH": "X64",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
            **{name: f"/github/file_commands/{file}" for name, file in commands.items()},
            **inputs({"hf_token": TOKEN} | given),
            **env,
        }
        with action.container() as container:
            process = container.start([], env, mounts | {workspace: "/github/workspace"}, "/github/workspace")
            log, errors = process.communicate(timeout=300)
        read = lambda name: (temp / "file_commands" / commands[name]).read_text(encoding="utf-8")
        captured = {
            # The line that masks the token may contain it.
            "log": log.replace(f"::add-mask::{TOKEN}\n", ""),
            "errors": errors,
            **{name: read(name) for name in commands},
        }
        for place, text in captured.items():
            assert TOKEN not in text, f"the token stands in {place}"
        return Step(process.returncode, log + errors, parse_outputs(captured["GITHUB_OUTPUT"]), read("GITHUB_STEP_SUMMARY"))

    return run


def test_a_folder_is_deployed_with_a_large_file(step, hub, tmp_path):
    workspace = tmp_path / "workspace"
    (workspace / "site").mkdir(parents=True)
    (workspace / "site" / "README.md").write_text("---\ntitle: Hello\nsdk: static\n---\n")
    (workspace / "site" / "index.html").write_text("<h1>Hello</h1>\n")
    (workspace / "site" / "model.bin").write_bytes(LARGE)
    given = {"huggingface_repo": f"{USER}/app", "source_dir": "site", "verify": "false"}
    ran = step(workspace, {"HF_ENDPOINT": hub.endpoint}, **given)
    assert (ran.code, ran.outputs.get("status")) == (0, "deployed"), ran.log
    assert ran.outputs.keys() == ACTION["outputs"].keys()
    assert ran.outputs["repo_id"] == f"{USER}/app"
    assert f"{USER}/app" in ran.summary
    assert hub.read("space", f"{USER}/app", "index.html") == b"<h1>Hello</h1>\n"
    stored = hub.tree("space", f"{USER}/app")["model.bin"]
    assert (stored["size"], stored["lfs_sha256"]) == (len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert any(request["path"].startswith(("/v1/", "/v2/")) for request in hub.requests()), "it went by Xet"

    ran = step(workspace, {"HF_ENDPOINT": hub.endpoint}, **given)
    assert (ran.code, ran.outputs.get("status")) == (0, "unchanged"), ran.log


def test_a_proxy_is_made_where_there_is_no_temporary_folder_yet(step, hub, tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "index.html").write_text("<h1>Hello</h1>\n")
    given = {"huggingface_repo": f"{USER}/door", "space_sdk": "static", "private": "true", "wait": "false"}
    given |= {"proxy_hf_token": "hf_TheTokenOfTheDoorOnly"}
    ran = step(workspace, {"HF_ENDPOINT": hub.endpoint}, **given, create_proxy="true")
    assert (ran.code, ran.outputs.get("status")) == (0, "deployed"), ran.log
    assert ran.outputs["proxy_repo_id"] == f"{USER}/door-proxy"


def test_an_invalid_input_is_in_the_log_the_outputs_and_the_summary(step, tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    ran = step(workspace, {"HF_ENDPOINT": "http://127.0.0.1:9"}, huggingface_repo="ada/app", repo_type="spaces")
    assert ran.code == 2, ran.log
    assert "::error" in ran.log and "repo_type" in ran.log
    assert (ran.outputs["status"], ran.outputs["error_code"]) == ("failed", "invalid_input")
    assert ran.outputs.keys() == ACTION["outputs"].keys()
    assert "repo_type" in ran.summary


def test_the_roots_of_trust_are_there_when_a_large_file_needs_them(action, hub, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.bin").write_bytes(LARGE)
    env = inputs({"huggingface_repo": f"{USER}/roots", "repo_type": "model", "hf_token": TOKEN})
    env |= {"HF_ENDPOINT": hub.endpoint, "GITHUB_WORKSPACE": "/github/workspace"}
    with action.container() as container:
        process = container.start([], env, {tmp_path / "model": "/github/workspace"}, "/github/workspace")
        log, errors = process.communicate(timeout=300)
        assert process.returncode == 0, log + errors
        assert "warning" not in log + errors
        with container.root() as root:
            roots = (root / action_variable(action, "SSL_CERT_FILE").lstrip("/")).read_text()
    assert roots.count("-----BEGIN CERTIFICATE-----") > 100


def action_variable(action, name: str) -> str:
    return dict(variable.split("=", 1) for variable in action.config["Env"])[name]


def test_the_entry_point_prints_its_version(action):
    with action.container() as container:
        process = container.start(["--version"], {})
        log, errors = process.communicate(timeout=60)
    assert (process.returncode, log, errors) == (0, "hf-deploy 0.1.0\n", "")


def test_the_first_line_comes_at_once(action, figures):
    """The figure is printed, not asserted, because other work on the machine changes it."""
    times = []
    with action.container() as container, container.root() as root:
        for _ in range(11):
            began = time.perf_counter()
            process = subprocess.Popen(
                [root / "hf-deploy"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=inputs({"huggingface_repo": "ada/app", "repo_type": "spaces"}) | {"GITHUB_ACTIONS": "true"},
            )
            line = process.stdout.readline()
            times.append(time.perf_counter() - began)
            process.communicate()
            assert line.startswith(b"::error"), line
            assert process.returncode == 2
    milliseconds = statistics.median(times) * 1000
    figures(f"from the start of hf-deploy to its first line: {milliseconds:.1f} ms (median of {len(times)}; 20 are allowed)")
