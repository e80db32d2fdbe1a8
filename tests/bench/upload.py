#!/usr/bin/env python3
"""Compares hf-deploy with other tools that upload a folder to the Hub, in one run on this machine.

    tests/bench/upload.py                              everything; about 25 minutes on two quiet cores
    tests/bench/upload.py --cases small --rtt 0        the cases whose name has this in it, without delay

Builds what it needs. All tools talk to the same kind of local Hub, in a process of its own on the same machine, once
directly and once through a relay that adds round-trip time, since each request on the way costs that much more on a
real network. Each run meets a Hub without content, or with what hf-deploy put there where the case says so.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from contenders import CONTENDERS, ROOT, WORK, Cost, build_hub

from corpus import noise
from processes import TOKEN, USER, LocalHub, plain_environment, running_hub

MB = 1_000_000
REPO = f"{USER}/bench"


def small_files(root: Path, count: int) -> None:
    for number in range(count):
        file = root / f"folder-{number % 20}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(noise(f"small {number}", 1024).hex())


def large_files(root: Path, count: int, size: int) -> None:
    root.mkdir(parents=True)
    for number in range(count):
        (root / f"weights-{number}.bin").write_bytes(noise(f"large {number}", size))


def change_one(root: Path) -> None:
    (root / "folder-7" / "7.txt").write_text("changed\n")


def change_middle(root: Path) -> None:
    with (root / "weights-0.bin").open("r+b") as file:
        file.seek(500 * MB)
        file.write(noise("changed", MB))


def change_nothing(root: Path) -> None:
    pass


@dataclass
class Case:
    name: str
    make: Callable[[Path], None]
    #: Change between the first deploy, which is not measured, and the measured one.
    change: Callable[[Path], None] | None = None
    #: Runs once instead of `--runs` times, because it is long enough to be steady.
    long: bool = False


CASES = [
    Case("20 small files", lambda root: small_files(root, 20)),
    Case("2,000 small files", lambda root: small_files(root, 2000)),
    Case("20,000 small files", lambda root: small_files(root, 20_000), long=True),
    Case("one changed of 20,000", lambda root: small_files(root, 20_000), change_one, long=True),
    Case("nothing changed of 20,000", lambda root: small_files(root, 20_000), change_nothing, long=True),
    Case("one file of 1 GB", lambda root: large_files(root, 1, 1000 * MB), long=True),
    Case("1 GB in 200 files", lambda root: large_files(root, 200, 5 * MB), long=True),
    Case("1 GB, 1 MB of it changed", lambda root: large_files(root, 1, 1000 * MB), change_middle, long=True),
]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def hub_behind(data: Path, rtt: int):
    """Starts a Hub, and yields its address, through a relay that adds `rtt` milliseconds unless it is 0."""
    if rtt == 0:
        with running_hub(data) as hub:
            yield hub, hub.endpoint
        return
    port = free_port()
    command = [sys.executable, ROOT / "tests/bench/relay.py", "--to", f"127.0.0.1:{port}", "--rtt", str(rtt)]
    relay = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        public = f"http://127.0.0.1:{relay.stdout.readline().split()[-1]}"
        with running_hub(data, "xet", "--port", str(port), "--public-url", public) as hub:
            # Questions about the run do not use the relay.
            hub.endpoint = f"http://127.0.0.1:{port}"
            yield hub, public
    finally:
        relay.terminate()
        relay.wait()


@dataclass
class Row:
    cost: Cost
    requests: int
    sent: int
    commits: int


def measure(tool, first, case: Case, rtt: int, folder: Path) -> Row:
    with tempfile.TemporaryDirectory(dir=WORK) as directory:
        scratch = Path(directory)
        source = folder
        with hub_behind(scratch / "hub", rtt) as (hub, endpoint):
            if case.change:
                source = scratch / "source"
                shutil.copytree(folder, source)
                before = first(hub.endpoint if rtt == 0 else endpoint, source, REPO, scratch / "before")
                if before.failure:
                    raise SystemExit(f"the first deploy failed: {before.failure}")
                case.change(source)
            hub.clear()
            cost = tool(endpoint, source, REPO, scratch / "run")
            requests = hub.requests()
            sent = sum(request["body_len"] for request in requests)
            return Row(cost, len(requests), sent, hub.commits_made())


def median(rows: list[Row]) -> Row:
    failed = [row for row in rows if row.cost.failure]
    if failed:
        return failed[0]
    middle = statistics.median
    cost = Cost(
        middle(row.cost.wall for row in rows),
        middle(row.cost.cpu for row in rows),
        int(middle(row.cost.memory for row in rows)),
    )
    counts = [int(middle(getattr(row, name) for row in rows)) for name in ("requests", "sent", "commits")]
    return Row(cost, *counts)


def machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release()}"


def print_row(case: Case, rtt: int, label: str, row: Row, ours: Row | None) -> None:
    cost = row.cost
    if cost.failure:
        reason = re.sub(r"[|\s]+", " ", cost.failure).strip()[:80]
        print(f"| {case.name} | {rtt} | {label} | fails: {reason} | | | | | | |", flush=True)
        return
    ratio = f"{cost.wall / ours.cost.wall:.2f}" if ours and not ours.cost.failure else ""
    print(
        f"| {case.name} | {rtt} | {label} | {cost.wall:.3f} | {ratio} | {cost.cpu:.2f} | {cost.memory / MB:.0f} "
        f"| {row.requests} | {row.sent / MB:.1f} | {row.commits} |",
        flush=True,
    )


def first_request(program: str, runs: int = 15) -> float:
    """Returns the seconds from the start of the process to the first byte at a server."""
    taken = []
    for _ in range(runs):
        with socket.socket() as listener, tempfile.TemporaryDirectory(dir=WORK) as folder:
            (Path(folder) / "file.txt").write_text("hello\n")
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            env = plain_environment(Path(folder)) | {
                "HF_ENDPOINT": f"http://127.0.0.1:{listener.getsockname()[1]}",
                "INPUT_HUGGINGFACE_REPO": REPO,
                "INPUT_HF_TOKEN": TOKEN,
                "INPUT_SOURCE_DIR": folder,
            }
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            began = time.monotonic()
            process = subprocess.Popen([program], env=env, **quiet)
            listener.settimeout(10)
            with listener.accept()[0] as connection:
                connection.recv(1)
                taken.append(time.monotonic() - began)
            process.kill()
            process.wait()
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="", help="only cases whose name contains one of these, separated by `;`")
    parser.add_argument("--tools", default=",".join(CONTENDERS), help=f"some of {','.join(CONTENDERS)}")
    parser.add_argument("--rtt", default="0,80", help="milliseconds of round-trip time to add; 0 is without the relay")
    parser.add_argument("--runs", type=int, default=3, help="runs of a short case, the median of which is shown")
    options = parser.parse_args()
    wanted = [text.strip() for text in options.cases.split(";")]
    cases = [case for case in CASES if any(text in case.name for text in wanted)]
    rtts = [int(rtt) for rtt in options.rtt.split(",")]

    WORK.mkdir(parents=True, exist_ok=True)
    # Without the check of requests, because it would be measured too.
    unchecked = WORK / "unchecked.json"
    unchecked.write_text('{"openapi": "3.1.0", "paths": {}}')
    os.environ["HUB_OPENAPI"] = str(unchecked)
    os.environ["LOCAL_HUB_BIN"] = os.environ.get("LOCAL_HUB_BIN") or str(build_hub())
    tools = {name: CONTENDERS[name]() for name in options.tools.split(",")}
    first = tools.get("ours") or CONTENDERS["ours"]()
    program = os.environ["HF_DEPLOY_BIN"]

    print(f"\n{machine()}; {datetime.date.today()}")
    print(f"hf-deploy: {Path(program).stat().st_size / MB:.1f} MB, {first_request(program) * 1000:.0f} ms from its start")
    print(f"to its first request. Medians of {options.runs}, long cases once; Hub and storage on the same machine.\n")
    print("| case | RTT ms | tool | wall s | × ours | CPU s | peak MB | requests | MB sent | commits |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for case in cases:
        with tempfile.TemporaryDirectory(dir=WORK) as directory:
            folder = Path(directory) / "source"
            case.make(folder)
            for rtt in rtts:
                rows: dict[str, list[Row]] = {name: [] for name in tools}
                # In turns, so that a slow moment of the machine does not affect only one tool.
                for _ in range(1 if case.long else options.runs):
                    for name, tool in tools.items():
                        rows[name].append(measure(tool, first, case, rtt, folder))
                results = {name: median(some) for name, some in rows.items()}
                for name, row in results.items():
                    print_row(case, rtt, tools[name].label, row, results.get("ours"))


if __name__ == "__main__":
    main()
