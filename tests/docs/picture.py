"""Renders the pictures of README.md with a real browser, from the summaries and the comment of real deploys.

tests/run picture
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image, ImageChops

ROOT = Path(__file__).parents[2]
# Summaries that `tests/it/pictures.rs` writes, and the comment of `tests/it/previews/pictures.rs`.
NAMES = ["success", "failure", "dry-run", "comment"]
WIDTH, HEIGHT, SCALE, MARGIN = 860, 1600, 2, 24
COLOURS = {
    "light": {"text": "#1f2328", "line": "#d1d9e0", "back": "#ffffff", "raised": "#f6f8fa", "link": "#0969da"},
    "dark": {"text": "#f0f6fc", "line": "#3d444d", "back": "#0d1117", "raised": "#151b23", "link": "#4493f8"},
}
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: {margin}px; background: {back}; color: {text}; font: 15px/1.5 "DejaVu Sans", sans-serif }}
h3 {{ font-size: 19px; margin: 0 0 14px }}
h4 {{ font-size: 16px; margin: 14px 0 8px }}
a {{ color: {link}; text-decoration: underline }}
code {{ font: 13px "DejaVu Sans Mono", monospace; background: {raised}; padding: 2px 5px; border-radius: 5px }}
pre {{ background: {raised}; padding: 12px; border-radius: 6px; margin: 0 0 12px; white-space: pre-wrap; overflow-wrap: anywhere }}
pre code {{ padding: 0; font-size: 12px }}
table {{ border-collapse: collapse; margin: 0 0 14px }}
th, td {{ border: 1px solid {line}; padding: 5px 12px; text-align: left }}
tbody tr:nth-child(even) {{ background: {raised} }}
details {{ margin: 8px 0 }}
p, ul {{ margin: 0 0 12px }}
</style>{body}"""


def render(markdown, colours, picture):
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    with tempfile.TemporaryDirectory() as name:
        page, shot = Path(name) / "page.html", Path(name) / "shot.png"
        page.write_text(PAGE.format(body=body, margin=MARGIN, **colours))
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={name}/profile"]
        options += [f"--force-device-scale-factor={SCALE}", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}"]
        subprocess.run([os.environ["HF_DEPLOY_CHROMIUM"], *options, page.as_uri()], check=True, capture_output=True)
        image = Image.open(shot).convert("RGB")
    empty = Image.new("RGB", image.size, image.getpixel((0, 0)))
    left, top, right, bottom = ImageChops.difference(image, empty).getbbox()
    margin = MARGIN * SCALE
    image = image.crop((0, 0, min(right + margin, image.width), bottom + margin))
    image.quantize(64, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(f"{picture.relative_to(ROOT)}: {image.width} x {image.height}, {picture.stat().st_size} bytes")


def main():
    folder = Path(os.environ["HF_DEPLOY_PICTURES"])
    for name in NAMES:
        markdown = (folder / f"{name}.md").read_text()
        if "hf_" in markdown or "127.0.0.1" in markdown:
            sys.exit(f"not a summary to show:\n{markdown}")
        for theme, colours in COLOURS.items():
            render(markdown, colours, ROOT / f".github/{name}-{theme}.png")


if __name__ == "__main__":
    main()
