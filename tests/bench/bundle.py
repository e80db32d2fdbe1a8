#!/usr/bin/env python3
"""Measures deploys with and without the run bundle, in turns in the same run.

    tests/bench/bundle.py             20 and 2,000 files, in about a minute on two quiet cores
    tests/bench/bundle.py --runs 5    medians of fewer pairs

Each deploy creates a dataset of its own, so that all of them do the same. Builds what it needs.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import WORK, build_hub, build_ours
from upload import machine, small_files

from processes import TOKEN, USER, plain_environment, running_hub

#: Names of the two ways, with the value of `HF_DEPLOY_BUNDLE`.
WAYS = {"with": "true", "without": "false"}


def seconds(endpoint: str, source: Path, repo: str, bundle: str) -> float:
    """Returns the seconds of a deploy of the folder to a new repo."""
    env = plain_environment(source) | {
        "HF_ENDPOINT": endpoint,
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(source),
        "HF_DEPLOY_BUNDLE": bundle,
        "INPUT_HF_TOKEN": TOKEN,
        "INPUT_HUGGINGFACE_REPO": repo,
        "INPUT_REPO_TYPE": "dataset",
    }
    began = time.monotonic()
    ran = subprocess.run([os.environ["HF_DEPLOY_BIN"]], env=env, cwd=source, capture_output=True, text=True)
    taken = time.monotonic() - began
    if ran.returncode != 0:
        raise SystemExit(f"the deploy failed:\n{ran.stdout}{ran.stderr}")
    shutil.rmtree(source / ".hf-deploy", ignore_errors=True)
    return taken


def compare(files: int, runs: int) -> tuple[float, float]:
    """Returns the median of each way. The order changes from pair to pair, because a second deploy finds warm caches."""
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory(dir=WORK) as directory, running_hub(Path(directory) / "hub") as hub:
        source = Path(directory) / "source"
        small_files(source, files)
        seconds(hub.endpoint, source, f"{USER}/first", "false")
        for number in range(runs):
            for way in sorted(WAYS, reverse=number % 2 == 0):
                taken[way].append(seconds(hub.endpoint, source, f"{USER}/{way}-{number}", WAYS[way]))
    return statistics.median(taken["with"]), statistics.median(taken["without"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="pairs of deploys, the median of which is shown")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    # Without the check of requests, because it would be measured too.
    unchecked = WORK / "unchecked.json"
    unchecked.write_text('{"openapi": "3.1.0", "paths": {}}')
    os.environ["HUB_OPENAPI"] = str(unchecked)
    os.environ["LOCAL_HUB_BIN"] = os.environ.get("LOCAL_HUB_BIN") or str(build_hub())
    os.environ["HF_DEPLOY_BIN"] = os.environ.get("HF_DEPLOY_BIN") or str(build_ours())
    print(f"{machine()}; {datetime.date.today()}; medians of {options.runs}\n")
    print("| files | with the bundle | without | × |\n| ---: | ---: | ---: | ---: |")
    for files in (20, 2000):
        with_bundle, without = compare(files, options.runs)
        print(f"| {files:,} | {with_bundle:.3f} s | {without:.3f} s | {with_bundle / without:.2f} |")


if __name__ == "__main__":
    sys.exit(main())
