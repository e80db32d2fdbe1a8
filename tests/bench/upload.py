#!/usr/bin/env python3
"""Compares hf-deploy with `hf upload` of the official client, in one run on this machine.

    tests/bench/upload.py [--runs 3]

Builds what it needs. Both tools talk to the same kind of local Hub, in a process of its own on the same
machine, so what is measured is the tools' own work and their number of requests; on a real network, each
request on the way costs a round trip more.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "interop"))

from corpus import MIB, noise  # noqa: E402
from processes import USER, LocalHub, client_environment, deploy, run, running_hub  # noqa: E402

CLIENT = "2.4.0"


def build() -> None:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cargo = ["cargo", "build", "--locked"]
    # Alone, so that it is built with its own features only, as it is shipped.
    subprocess.run([*cargo, "--release", "--package", "hf-deploy", "--bin", "hf-deploy"], cwd=ROOT, check=True)
    # As `tests/run` builds it, where the dependencies, which do the work, are optimised. Both tools meet it.
    subprocess.run([*cargo, "--workspace", "--all-targets"], cwd=ROOT, check=True)
    os.environ["HF_DEPLOY_BIN"] = str(target / "release" / "hf-deploy")
    os.environ["LOCAL_HUB_BIN"] = str(target / "debug" / "local-hub")


def client() -> Path:
    """The `hf` command, in a virtual environment of its own."""
    venv = ROOT / "target" / "bench" / f"venv-{CLIENT}"
    hf = venv / "bin" / "hf"
    if not hf.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", f"huggingface_hub=={CLIENT}"], check=True)
    return hf


def small_files(root: Path, seed: str, count: int, size: int) -> Path:
    for number in range(count):
        file = root / f"folder-{number % 20}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(noise(f"{seed}/{number}", size // 2).hex())
    return root


def large_file(root: Path, seed: str, size: int) -> Path:
    root.mkdir(parents=True)
    (root / "weights.bin").write_bytes(noise(seed, size))
    return root


#: Name, how the folder is made, whether it is on the Hub already.
CASES = [
    ("20 small files", lambda root, seed: small_files(root, seed, 20, 2048), False),
    ("2,000 files of 2 KB", lambda root, seed: small_files(root, seed, 2000, 2048), False),
    ("nothing changed among 2,000", lambda root, seed: small_files(root, seed, 2000, 2048), True),
    ("one file of 200 MB", lambda root, seed: large_file(root, seed, 200_000_000), False),
]


class Tools:
    """Both tools, each run as if it were the first on a fresh machine."""

    def __init__(self, hf: Path) -> None:
        self.hf = hf

    def ours(self, hub: LocalHub, source: Path, repo: str, scratch: Path):
        ran = deploy(hub.endpoint, source, scratch, huggingface_repo=repo, repo_type="model")
        if ran.code != 0:
            raise SystemExit(f"hf-deploy failed:\n{ran.stdout}{ran.stderr}")
        return ran

    def theirs(self, hub: LocalHub, source: Path, repo: str, scratch: Path):
        env = client_environment(hub.endpoint, scratch / "home")
        ran = run([self.hf, "upload", repo, source, "."], env, scratch.parent, scratch)
        if ran.code != 0:
            raise SystemExit(f"hf upload failed:\n{ran.stdout}{ran.stderr}")
        return ran


def measure(tool, parent: Path, make_folder, unchanged: bool, number: int) -> dict[str, float]:
    """One run against a Hub without content, so that nothing is skipped for what an earlier run sent."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        scratch = Path(directory)
        source = make_folder(scratch / "source", f"run {number}")
        with running_hub(scratch / "hub") as hub:
            repo = f"{USER}/bench"
            if unchanged:
                tool(hub, source, repo, scratch / "before")
            hub.clear()
            ran = tool(hub, source, repo, scratch / "run")
            return {
                "wall": ran.wall,
                "cpu": ran.cpu,
                "memory": ran.peak_memory / MIB,
                "requests": len(hub.hub_requests()),
                "commits": hub.commits_made(),
            }


def machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="how often each case runs; the median is shown")
    runs = parser.parse_args().runs
    build()
    tools = Tools(client())
    work = ROOT / "target" / "bench" / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    print(f"\n{machine()}")
    print(f"{datetime.date.today()}; median of {runs}; Hub and storage on the same machine\n")
    print("| case | tool | wall s | CPU s | peak RSS MiB | Hub requests | commits | wall, ours : theirs |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, make_folder, unchanged in CASES:
        samples: dict[str, list] = {"ours": [], "theirs": []}
        # In turns, so that a slow moment of the machine does not fall on one tool only.
        for number in range(runs):
            for which in samples:
                tool = getattr(tools, which)
                samples[which].append(measure(tool, work, make_folder, unchanged, number))
        median = {
            which: {key: statistics.median(sample[key] for sample in rows) for key in rows[0]}
            for which, rows in samples.items()
        }
        ratio = median["ours"]["wall"] / median["theirs"]["wall"]
        for which, label in {"ours": "hf-deploy", "theirs": f"`hf upload` {CLIENT}"}.items():
            row = median[which]
            print(
                f"| {name if which == 'ours' else ''} | {label} | {row['wall']:.3f} | {row['cpu']:.2f} "
                f"| {row['memory']:.0f} | {row['requests']:.0f} | {row['commits']:.0f} "
                f"| {f'{ratio:.2f}' if which == 'ours' else ''} |",
                flush=True,
            )
    shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
