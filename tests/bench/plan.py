#!/usr/bin/env python3
"""Counts the instructions that a plan of 20,000 files takes, and compares them with those of the last record.

    tests/bench/plan.py             fails when there are more than a tenth more
    tests/bench/plan.py --record    writes down what was counted

Instructions are the same on every machine of a kind, whatever else it does: what makes plans slower shows here long
before a clock would tell. Needs valgrind. The build is that of the tests, with its own code not optimised.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "tests" / "bench" / "plan.json"
FILES = 20_000
#: Growth that is not a fault: another compiler changes a count by a few percent.
TOLERANCE = 0.10


def make(root: Path) -> None:
    for number in range(FILES):
        file = root / f"folder-{number % 200}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(hashlib.sha256(str(number).encode()).hexdigest() * 4)


def count() -> int:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    # The features of the tests, so that nothing is built twice.
    build = ["cargo", "build", "--quiet", "--locked", "--workspace", "--examples"]
    subprocess.run(build, cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory(prefix="plan-") as folder:
        make(Path(folder) / "source")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        command += [target / "debug" / "examples" / "plan", Path(folder) / "source"]
        ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"{ran.stdout}{ran.stderr}")
    print(ran.stdout.strip())
    expected = f"{FILES} files, [{FILES // 10}, 1] updated and deleted, {FILES - FILES // 10} unchanged"
    if ran.stdout.strip() != expected:
        sys.exit(f"the plan is wrong, expected: {expected}")
    return int(re.search(r"Collected\s*:\s*(\d+)", ran.stderr)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write the count down instead of comparing it")
    options = parser.parse_args()
    counted = count()
    if options.record:
        record = {"files": FILES, "instructions": counted}
        RECORD.write_text(json.dumps(record, indent=2) + "\n")
        print(f"{counted:,} instructions, recorded")
        return
    recorded = json.loads(RECORD.read_text())["instructions"]
    print(f"{counted:,} instructions, {counted / recorded - 1:+.1%} of the record")
    if counted > recorded * (1 + TOLERANCE):
        sys.exit("a plan takes more work than it did: find out why, or record it with `--record`")


if __name__ == "__main__":
    main()
