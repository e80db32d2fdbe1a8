"""Writes each script of a workflow to a file of its own, for shellcheck.

scripts.py FOLDER WORKFLOW...
"""

import sys
from pathlib import Path

from ruamel.yaml import YAML

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for old in folder.glob("*.sh"):
    old.unlink()
for path in map(Path, sys.argv[2:]):
    for name, job in YAML(typ="safe").load(path)["jobs"].items():
        for number, step in enumerate(job.get("steps", []), 1):
            if script := step.get("run"):
                # As GitHub runs it where a step names no shell.
                (folder / f"{path.stem}-{name}-{number}.sh").write_text(f"#!/usr/bin/env bash\nset -e\n{script}\n")
