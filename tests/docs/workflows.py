"""Writes the workflows that the pages show as files, for the linters of workflows.

workflows.py FOLDER
"""

import re
import sys
import textwrap
from pathlib import Path

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for old in folder.glob("*.yml"):
    old.unlink()
root = Path(__file__).parents[2]
count = 0
for page in ("README.md", ".github/SUPPORT.md", ".github/docs/deploy.md"):
    text = (root / page).read_text()
    blocks = re.finditer(r"^( *)```yaml\n(.*?)^\1```$", text, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        if not re.search(r"^ *jobs:$", block[2], flags=re.MULTILINE):
            continue
        line = text[: block.start()].count("\n") + 2
        (folder / f"{Path(page).stem.lower()}-{line}.yml").write_text(textwrap.dedent(block[2]))
        count += 1
if not count:
    sys.exit("no page shows a workflow")
print(f"{count} workflows of the pages")
