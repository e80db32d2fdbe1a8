"""The unchanged official client and hf-deploy operate the same Spaces, and see the same account."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import TOKEN, USER, LocalHub, binary, client_environment, run


@pytest.fixture
def space(api, new_repo) -> str:
    """Creates a Gradio Space that runs."""
    repo = new_repo("space")
    api.create_repo(repo, repo_type="space", space_sdk="gradio")
    api.upload_file(path_or_fileobj=b"print()\n", path_in_repo="app.py", repo_id=repo, repo_type="space")
    assert api.wait_for_space(repo).stage == "RUNNING"
    return repo


@pytest.fixture
def ours(hub: LocalHub, tmp_path: Path):
    """Runs a command of hf-deploy with `--json`, and returns its exit code and its object."""

    def command(*arguments: str) -> tuple[int, dict]:
        env = client_environment(hub.endpoint, tmp_path)
        ran = run([binary("HF_DEPLOY_BIN", "hf-deploy"), *arguments, "--json"], env, tmp_path, tmp_path / "ours")
        assert TOKEN not in ran.stdout + ran.stderr
        return ran.code, json.loads(ran.stdout)

    return command


@pytest.fixture
def operate(ours, space: str):
    """Runs an operation on the Space."""

    def command(operation: str, *arguments: str) -> dict:
        code, made = ours("space", "--space", space, "--operation", operation, *arguments)
        assert code == 0, made
        return made

    return command


def test_pause_and_restart(api, space, operate):
    assert api.pause_space(space).stage == "PAUSED"
    assert operate("pause")["status"] == "unchanged"
    assert operate("wake")["space_stage"] == "RUNNING"
    assert operate("pause")["status"] == "done"
    assert api.get_space_runtime(space).stage == "PAUSED"
    assert api.restart_space(space, factory_reboot=True).stage != "PAUSED"
    assert api.wait_for_space(space).stage == "RUNNING"
    assert operate("factory-restart")["commit_sha"] == api.space_info(space).sha


def test_hardware_and_sleep_time(api, space, operate):
    assert api.request_space_hardware(space, "t4-small", sleep_time=3600).requested_hardware == "t4-small"
    api.wait_for_space(space)
    made = operate("hardware", "--hardware", "t4-small")
    assert (made["status"], made["price_usd_per_hour"], made["sleep_time_seconds"]) == ("unchanged", "0.40", "3600")
    api.set_space_sleep_time(space, 7200)
    assert operate("status")["sleep_time_seconds"] == "7200"
    operate("sleep-time", "--sleep-time", "1h")
    assert api.get_space_runtime(space).sleep_time == 3600
    operate("hardware", "--hardware", "cpu-basic")
    assert api.get_space_runtime(space).requested_hardware == "cpu-basic"


def test_dev_mode(api, space, operate):
    assert not api.get_space_runtime(space).dev_mode
    assert api.enable_space_dev_mode(space).dev_mode
    made = operate("dev-mode")
    subdomain = api.space_info(space).subdomain
    assert (made["status"], made["ssh_address"]) == ("unchanged", f"{subdomain}@ssh.hf.space")
    assert made["editor_url"].endswith(f"/spaces/{space}/dev-mode/vscode-web?folder=/home/user/app")
    assert not api.disable_space_dev_mode(space).dev_mode
    assert operate("dev-mode", "--dev-mode", "off")["status"] == "unchanged"
    operate("dev-mode")
    assert api.get_space_runtime(space).dev_mode


def test_logs(api, space, operate):
    lines = [line.rstrip("\n") for line in api.fetch_space_logs(space, build=True)]
    assert operate("logs", "--log", "build")["logs"]["build"] == lines


def test_delete(api, hf, space, ours):
    code, made = ours("space", "--space", space, "--operation", "delete", "--confirm", USER)
    assert (code, made["error_code"]) == (2, "invalid_input")
    assert api.repo_exists(space, repo_type="space")
    code, _ = ours("space", "--space", space, "--operation", "delete", "--confirm", space)
    assert code == 0 and not api.repo_exists(space, repo_type="space")
    code, made = ours("space", "--space", space, "--operation", "restart")
    assert (code, made["error_code"]) == (3, "repo_not_found")


def test_account(api, ours):
    code, made = ours("status")
    who = api.whoami()
    assert code == 0 and made["user"] == who["name"] and made["plan"] == "pro"
    assert made["token"]["role"] == who["auth"]["accessToken"]["role"]
    quota = api.get_zero_gpu_quota()
    assert made["limits"]["zero_gpu_minutes"] == {
        "base": quota.base / 60, "left": quota.remaining / 60, "resets_at": quota.resets_at,
    }
