"""Shared by the tests: a Hub for the whole session, and the official client set up for it."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from processes import TOKEN, USER, LocalHub, client_environment, deploy, run, running_hub


@pytest.fixture(scope="session")
def session_hub(tmp_path_factory):
    # Jobs find the programs of this virtual environment.
    programs = Path(sys.executable).parent
    with running_hub(tmp_path_factory.mktemp("hub"), "xet", "--job-path", str(programs)) as hub:
        yield hub


@pytest.fixture
def hub(session_hub: LocalHub):
    """Yields the Hub, and checks after the test that every request kept the contract."""
    session_hub.clear()
    session_hub.forgive()
    yield session_hub
    assert session_hub.violations() == []
    for request in session_hub.requests():
        # The token is in one header only, not in addresses or in stored content.
        assert TOKEN not in request["path"] + request["query"] + request["body"]


@pytest.fixture(scope="session")
def client_env(session_hub: LocalHub, tmp_path_factory) -> dict[str, str]:
    return client_environment(session_hub.endpoint, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def hf(client_env: dict[str, str]):
    """Imports the official client after setting its environment, because it reads it on import."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        # Except for the paths of the programs under test.
        if name != "HF_DEPLOY_BIN":
            del os.environ[name]
    os.environ.update({name: value for name, value in client_env.items() if name.startswith("HF_")})
    import huggingface_hub

    return huggingface_hub


@pytest.fixture
def api(hf, hub):
    return hf.HfApi()


@pytest.fixture
def new_repo():
    """Returns a repo name that no other test uses."""
    return lambda name="repo": f"{USER}/{name}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def hf_command(hub, client_env: dict[str, str], tmp_path: Path):
    """Runs the `hf` command of this virtual environment, and expects it to succeed."""

    def command(*arguments: str):
        ran = run([Path(sys.executable).with_name("hf"), *arguments], client_env, tmp_path, tmp_path / "hf-command")
        assert ran.code == 0, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
        return ran

    return command


@pytest.fixture
def ours(tmp_path: Path):
    """Runs hf-deploy with its own files and home."""
    count = SimpleNamespace(runs=0)

    def action(hub: LocalHub, source: Path, repo: str, repo_type: str, **inputs: str):
        count.runs += 1
        scratch = tmp_path / f"run-{count.runs}"
        # The official client excludes none of these by default.
        inputs = {"default_excludes": "false"} | inputs
        if repo_type == "space":
            # This Hub has no edge, so the app has no address.
            inputs = {"verify": "false"} | inputs
        return deploy(hub.endpoint, source, scratch, huggingface_repo=repo, repo_type=repo_type, **inputs)

    return action
