"""Renders the pictures of the job summary in README.md, with a real deploy to a local Hub, and a real browser.

tests/run picture
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image, ImageChops

ROOT = Path(__file__).parents[2]
TOKEN = "hf_token_of_the_picture"
WIDTH, HEIGHT, SCALE, MARGIN = 860, 1600, 2, 24
COLOURS = {
    "light": {"text": "#1f2328", "soft": "#59636e", "line": "#d1d9e0", "back": "#ffffff", "raised": "#f6f8fa", "link": "#0969da"},
    "dark": {"text": "#f0f6fc", "soft": "#9198a1", "line": "#3d444d", "back": "#0d1117", "raised": "#151b23", "link": "#4493f8"},
}
PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: {margin}px; background: {back}; color: {text}; font: 15px/1.5 "DejaVu Sans", sans-serif }}
h3 {{ font-size: 19px; margin: 0 0 14px }}
h4 {{ font-size: 16px; margin: 14px 0 8px }}
a {{ color: {link}; text-decoration: underline }}
code {{ font: 13px "DejaVu Sans Mono", monospace; background: {raised}; padding: 2px 5px; border-radius: 5px }}
table {{ border-collapse: collapse; margin: 0 0 14px }}
th, td {{ border: 1px solid {line}; padding: 5px 12px; text-align: left }}
thead:not(:has(th:not(:empty))) {{ display: none }}
tbody tr:nth-child(even) {{ background: {raised} }}
details {{ margin: 8px 0 }}
p {{ margin: 0 0 12px }}
</style>{body}"""


def source(folder, files):
    """Writes a folder to deploy: the fixture, and the given files."""
    for path in (ROOT / "tests/fixtures/hello-space").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for name, content in files.items():
        (folder / name).write_text(content)


def deploy(hub, folder, scratch):
    """Runs the action as a workflow step does, and returns its job summary."""
    summary = scratch / "summary.md"
    summary.write_text("")
    inputs = {
        "HUGGINGFACE_REPO": "ada/hello",
        "HF_TOKEN": TOKEN,
        "PROXY_HF_TOKEN": TOKEN,
        "SOURCE_DIR": str(folder),
        "PRIVATE": "true",
        "CREATE_PROXY": "true",
        "VARIABLES": "GREETING=hello",
        "HEALTH_CONTAINS": "<h1>Hello",
    }
    environment = {f"INPUT_{name}": value for name, value in inputs.items()}
    environment |= {"HF_ENDPOINT": hub, "GITHUB_WORKSPACE": str(scratch), "GITHUB_STEP_SUMMARY": str(summary)}
    subprocess.run([os.environ["HF_DEPLOY_BIN"]], env=environment, check=True, stdout=subprocess.DEVNULL)
    return summary.read_text()


def real_summary():
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        command = [os.environ["LOCAL_HUB_BIN"], "serve", "--port", "0", "--data", str(scratch / "hub")]
        command += ["--user", "ada", "--token", TOKEN, "--edge", "--docker-command", os.environ["HF_DEPLOY_PROXY"]]
        hub = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = hub.stdout.readline().split()[-1]
            folder = scratch / "app"
            folder.mkdir()
            source(folder, {"old.html": "<p>The page before\n"})
            deploy(address, folder, scratch)
            (folder / "old.html").unlink()
            source(folder, {"about.html": "<h1>About</h1>\n", "style.css": "h1 { color: teal }\n"})
            return deploy(address, folder, scratch)
        finally:
            hub.terminate()
            hub.wait()


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
    markdown = real_summary()
    if TOKEN in markdown or not re.match(r"### ✅ Deployed", markdown):
        sys.exit(f"not a summary to show:\n{markdown}")
    print(markdown)
    for name, colours in COLOURS.items():
        render(markdown, colours, ROOT / f".github/summary-{name}.png")


if __name__ == "__main__":
    main()
