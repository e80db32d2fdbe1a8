"""Writes each script of a workflow to its own file, for shellcheck.

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
                # The default shell of GitHub.
                (folder / f"{path.stem}-{name}-{number}.sh").write_text(f"#!/usr/bin/env bash\nset -e\n{script}\n")
