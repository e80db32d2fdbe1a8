#!/usr/bin/env python3
"""Measures a Job against `hf jobs run` in the same run, and the requests of a checkout.

    tests/bench/jobs.py            both, in about two minutes on two quiet cores
    tests/bench/jobs.py --runs 3   medians of fewer runs

Time is that from the start of the command to the first line of the script in its output. The local Hub has hardware at
once, so that only the command is measured. Builds what it needs.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import CLIENT, WORK, build_hub, build_ours, install_client
from upload import machine, small_files

from processes import TOKEN, LocalHub, client_environment, deploy, plain_environment, running_hub

LINE = "the first line of the script"
IMAGE = "python:3.12"
COMMAND = ("job", "--from-inputs")


def seconds_to_line(command: list, env: dict[str, str], folder: Path) -> float:
    """Returns the seconds from the start of the command to the line in its output."""
    began = time.monotonic()
    process = subprocess.Popen(
        [str(part) for part in command], env=env, cwd=folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    taken, lines = None, []
    with process.stdout:
        for line in process.stdout:
            lines.append(line)
            if taken is None and line.strip() == LINE:
                taken = time.monotonic() - began
    if process.wait() != 0 or taken is None:
        raise SystemExit(f"the command did not run the Job:\n{''.join(lines)}")
    return taken


def ours(hub: LocalHub, folder: Path) -> float:
    env = plain_environment(folder) | {
        "HF_ENDPOINT": hub.endpoint,
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(folder),
        "INPUT_HF_TOKEN": TOKEN,
        "INPUT_RUN": f"echo {LINE}",
        "INPUT_IMAGE": IMAGE,
    }
    return seconds_to_line([os.environ["HF_DEPLOY_BIN"], *COMMAND], env, folder)


def official(hub: LocalHub, folder: Path) -> float:
    hf = install_client()
    command = [hf, "jobs", "run", IMAGE, "sh", "-c", f"echo {LINE}"]
    return seconds_to_line(command, client_environment(hub.endpoint, folder), folder)


def first_lines(runs: int) -> None:
    with tempfile.TemporaryDirectory(dir=WORK) as directory, running_hub(Path(directory) / "hub") as hub:
        taken: dict[str, list[float]] = {"hf-deploy": [], f"hf jobs run {CLIENT}": []}
        # In turns, so that a slow moment of the machine does not affect only one of them.
        for number in range(runs):
            for (name, times), measure in zip(taken.items(), (ours, official)):
                folder = Path(directory) / f"{number}-{name.split()[0]}"
                folder.mkdir()
                times.append(measure(hub, folder))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print("| command | seconds to the first line | × ours |\n| --- | ---: | ---: |")
    for name, median in medians.items():
        print(f"| {name} | {median:.3f} | {median / medians['hf-deploy']:.2f} |")


def requests_of_a_checkout(files: int) -> None:
    print(f"\n| checkout of {files:,} files | requests to the Hub | to the storage | MB sent |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(dir=WORK) as directory, running_hub(Path(directory) / "hub") as hub:
        source = Path(directory) / "source"
        small_files(source, files)
        for name in ("first", "repeated"):
            hub.clear()
            inputs = {"run": "true", "image": IMAGE, "source_dir": "."}
            deploy(hub.endpoint, source, Path(directory) / name, arguments=COMMAND, **inputs).expect("succeeded")
            requests, sent = hub.requests(), hub.hub_requests()
            size = sum(request["body_len"] for request in requests) / 1e6
            print(f"| {name} run | {len(sent)} | {len(requests) - len(sent)} | {size:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7, help="runs of each command, the median of which is shown")
    parser.add_argument("--files", type=int, default=2000, help="files of the checkout")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    # Without the check of requests, because it would be measured too.
    unchecked = WORK / "unchecked.json"
    unchecked.write_text('{"openapi": "3.1.0", "paths": {}}')
    os.environ["HUB_OPENAPI"] = str(unchecked)
    os.environ["LOCAL_HUB_BIN"] = os.environ.get("LOCAL_HUB_BIN") or str(build_hub())
    os.environ["HF_DEPLOY_BIN"] = os.environ.get("HF_DEPLOY_BIN") or str(build_ours())
    print(f"{machine()}; {datetime.date.today()}; medians of {options.runs}\n")
    first_lines(options.runs)
    requests_of_a_checkout(options.files)


if __name__ == "__main__":
    sys.exit(main())
