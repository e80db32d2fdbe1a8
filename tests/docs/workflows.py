"""Writes the workflows that README.md shows as files, for the linters of workflows.

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
readme = (Path(__file__).parents[2] / "README.md").read_text()
blocks = re.finditer(r"^( *)```yaml\n(.*?)^\1```$", readme, flags=re.MULTILINE | re.DOTALL)
workflows = [block for block in blocks if re.search(r"^jobs:$", block[2], flags=re.MULTILINE)]
for block in workflows:
    line = readme[: block.start()].count("\n") + 2
    (folder / f"readme-{line}.yml").write_text(textwrap.dedent(block[2]))
if not workflows:
    sys.exit("README.md shows no workflow")
print(f"{len(workflows)} workflows of README.md")
