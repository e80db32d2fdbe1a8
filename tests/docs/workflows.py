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
pages = [root / name for name in ("README.md", ".github/SUPPORT.md", ".github/docs/deploy.md")]
for page in [*pages, *sorted(root.glob(".github/actions/*/README.md"))]:
    text = page.read_text()
    name = str(page.relative_to(root).with_suffix("")).lower().replace("/", "-").lstrip(".")
    blocks = re.finditer(r"^( *)```yaml\n(.*?)^\1```$", text, flags=re.MULTILINE | re.DOTALL)
    for block in blocks:
        if not re.search(r"^ *jobs:$", block[2], flags=re.MULTILINE):
            continue
        line = text[: block.start()].count("\n") + 2
        (folder / f"{name}-{line}.yml").write_text(textwrap.dedent(block[2]))
        count += 1
if not count:
    sys.exit("no page shows a workflow")
print(f"{count} workflows of the pages")
