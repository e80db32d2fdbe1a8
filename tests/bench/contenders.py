"""The tools that the benchmark of uploads compares, each built or installed, and run as on a fresh machine."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))

from processes import Finished, client_environment, deploy, run  # noqa: E402

CLIENT = "2.4.0"
WORK = ROOT / "target" / "bench"


@dataclass
class Cost:
    """The cost of one deploy, over all of its commands."""

    wall: float
    cpu: float
    #: Peak of the largest command, in bytes.
    memory: int
    #: The reason of a failure.
    failure: str = ""


def cost_of(*ran: Finished) -> Cost:
    failure = ""
    for one in ran:
        if one.code != 0:
            lines = (one.stderr + one.stdout).strip().splitlines()
            failure = lines[-1][:160] if lines else f"exit code {one.code}"
    return Cost(sum(r.wall for r in ran), sum(r.cpu for r in ran), max(r.peak_memory for r in ran), failure)


def cargo(target: Path, *arguments: str, **environment: str) -> None:
    command = ["cargo", "build", "--release", "--locked", *arguments]
    env = os.environ | {"CARGO_TARGET_DIR": str(target)} | environment
    subprocess.run(command, cwd=ROOT, env=env, check=True)


def build_ours() -> Path:
    """Builds hf-deploy as released: alone, so that it has only its own features."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cargo(target, "--package", "hf-deploy", "--bin", "hf-deploy", "--features", "jemalloc")
    return target / "release" / "hf-deploy"


def build_hub() -> Path:
    """Builds the local Hub with optimisation, so that it does not slow down the tools, but without LTO, which takes minutes."""
    target = WORK / "hub"
    quick = {"CARGO_PROFILE_RELEASE_LTO": "false", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
    cargo(target, "--package", "local-hub", "--bin", "local-hub", **quick)
    return target / "release" / "local-hub"


def build_hf_hub() -> Path:
    target = WORK / "hf-hub"
    cargo(target, "--manifest-path", "tests/bench/hf-hub-upload/Cargo.toml")
    return target / "release" / "hf-hub-upload"


def install_client() -> Path:
    """Installs the `hf` command in its own virtual environment."""
    venv = WORK / f"venv-{CLIENT}"
    hf = venv / "bin" / "hf"
    if not hf.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", f"huggingface_hub=={CLIENT}"], check=True)
    return hf


class Ours:
    label = "hf-deploy"

    def __init__(self) -> None:
        os.environ["HF_DEPLOY_BIN"] = os.environ.get("HF_DEPLOY_BIN") or str(build_ours())

    def __call__(self, endpoint: str, source: Path, repo: str, scratch: Path) -> Cost:
        ran = deploy(endpoint, source, scratch, huggingface_repo=repo, repo_type="model")
        cost = cost_of(ran)
        if cost.failure:
            cost.failure = ran.outputs.get("error_message") or cost.failure
        return cost


class HfUpload:
    label = f"`hf upload` {CLIENT}"

    def __init__(self) -> None:
        self.hf = install_client()

    def run(self, endpoint: str, scratch: Path, *arguments) -> Finished:
        env = client_environment(endpoint, scratch / "home")
        return run([self.hf, *arguments], env, scratch.parent, scratch, timeout=900)

    def __call__(self, endpoint: str, source: Path, repo: str, scratch: Path) -> Cost:
        return cost_of(self.run(endpoint, scratch, "upload", repo, source, "."))


class HubSync(HfUpload):
    """The commands of `huggingface/hub-sync`, with the client installed already; on a runner, `uvx` downloads it first."""

    label = "hub-sync's commands"

    def __call__(self, endpoint: str, source: Path, repo: str, scratch: Path) -> Cost:
        upload = ["upload", repo, source, ".", "--repo-type", "model"]
        upload += ["--exclude=.git*", "--exclude=.github*", "--delete=*", "--commit-message=Sync"]
        commands = [["version"], ["repos", "create", repo, "--repo-type", "model", "--exist-ok"], upload]
        return cost_of(*(self.run(endpoint, scratch, *command) for command in commands))


class HfHub:
    label = "`hf-hub` 1.0.0"

    def __init__(self) -> None:
        self.program = build_hf_hub()

    def __call__(self, endpoint: str, source: Path, repo: str, scratch: Path) -> Cost:
        env = client_environment(endpoint, scratch / "home")
        return cost_of(run([self.program, repo, source], env, scratch.parent, scratch, timeout=900))


#: Tools by their name for `--tools`.
CONTENDERS = {"ours": Ours, "hf": HfUpload, "hub-sync": HubSync, "hf-hub": HfHub}
