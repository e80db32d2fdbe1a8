#!/usr/bin/env python3
"""Measures the peak memory of a deploy from outside: 50,000 small files, and one file of 5 GB.

    tests/bench/memory.py [--files 50000] [--bytes 5000000000]

Fails above the limits in tests/bench/README.md. Writes the large file below `target/`, and deletes it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from contenders import WORK, Ours, build_hub

from corpus import MIB, noise
from processes import USER, running_hub

MB = 1_000_000


def many(root: Path, count: int) -> None:
    for number in range(count):
        file = root / f"folder-{number % 100}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {number}\n" * 20)


def large(root: Path, size: int) -> None:
    """Writes content without repetition, because the storage keeps repeated blocks once."""
    root.mkdir(parents=True)
    with (root / "weights.bin").open("wb") as file:
        for start in range(0, size, 64 * MIB):
            file.write(noise(f"weights {start}", min(64 * MIB, size - start)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--bytes", type=int, default=5_000 * MB)
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    os.environ["LOCAL_HUB_BIN"] = os.environ.get("LOCAL_HUB_BIN") or str(build_hub())
    ours = Ours()
    cases = [
        (f"{options.files:,} small files", lambda root: many(root, options.files), 100 * MB),
        (f"one file of {options.bytes / 1e9:g} GB", lambda root: large(root, options.bytes), 200 * MB),
    ]
    print("\n| case | peak MB | promised MB | wall s | CPU s |\n| --- | ---: | ---: | ---: | ---: |")
    broken = []
    for name, make, most in cases:
        with tempfile.TemporaryDirectory(dir=WORK) as directory:
            scratch = Path(directory)
            make(scratch / "source")
            with running_hub(scratch / "hub") as hub:
                cost = ours(hub.endpoint, scratch / "source", f"{USER}/bench", scratch / "run")
            shutil.rmtree(scratch / "source")
        if cost.failure:
            sys.exit(f"{name}: {cost.failure}")
        print(f"| {name} | {cost.memory / MB:.0f} | {most // MB} | {cost.wall:.1f} | {cost.cpu:.1f} |", flush=True)
        if cost.memory > most:
            broken.append(name)
    if broken:
        sys.exit(f"more memory than promised: {', '.join(broken)}")


if __name__ == "__main__":
    main()
