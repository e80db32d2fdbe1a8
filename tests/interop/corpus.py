"""Folders that are hard to deploy, with the same bytes in every run."""

from __future__ import annotations

import hashlib
import os
import struct
import unicodedata
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

MIB = 1024 * 1024

#: A complete card: neither the Hub nor a deploy has a reason to change it.
CARD = """\
---
title: Hard folders
emoji: 🗂️
colorFrom: indigo
colorTo: pink
sdk: static
pinned: false
license: mit
---

# Hard folders

Names, shapes and sizes that break tools.
"""


def noise(seed: str, size: int) -> bytes:
    """Returns bytes without a pattern, from the seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


def png(width: int, height: int) -> bytes:
    """Returns a small image, built by hand because libraries differ."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + bytes(value for x in range(width) for value in (x * 255 // width, y * 255 // height, 160))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zip_bytes() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("inside.txt"), "inside\n")
    return buffer.getvalue()


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("README.md", CARD)
        self.write("index.html", "<h1>Hard</h1>\n")

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def link(self, path: str, target: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)


def names(root: Path) -> None:
    """Writes names that need escaping somewhere: in a URL, a shell, a pattern, JSON, or a workflow command."""
    folder = Folder(root)
    for name in [
        "with space.txt", " leading and trailing .txt", "two  spaces.txt", "#hash.txt", "a#b.txt", "what?.txt",
        "100%.txt", "%20.txt", "%2F.txt", "%25.txt", "single'quote.txt", 'double"quote.txt', "`tick`.txt",
        "$HOME.txt", "$(id).txt", "semi;colon.txt", "amp&ersand.txt", "pipe|.txt", "less<than>.txt", "star*.txt",
        "[bracket].txt", "{brace}.txt", "(paren).txt", "!bang.txt", "~tilde.txt", "at@sign.txt", "plus+.txt",
        "comma,.txt", "equals=.txt", "colon:.txt", "::warning::.txt", "caret^.txt", "-dash.txt", "--option", "CON",
        "trailing.", "UPPER.TXT", "upper.txt", "..double", "...", "@refs/pr/1", "main", "refs/heads/main",
        "emoji-🤗.txt", "family-👩‍👩‍👧‍👦.txt", "中文.txt", "עברית.txt", "русский.txt", "zero\u200bwidth.txt", "nbsp\u00a0.txt",
        "n" * 200 + ".txt",
    ]:
        folder.write(name, f"{name}\n")
    # One name in both normal forms: two files on git, the Hub and Linux, one on macOS.
    for form in ("NFC", "NFD"):
        folder.write(unicodedata.normalize(form, "café.txt"), f"{form}\n")
        folder.write(unicodedata.normalize(form, "Ångström/é.txt"), f"{form}\n")
    for path in ["fold er/#/100%/wh?t/'q'/\"d\"/🤗/file.txt", "resolve/main/x", "tree/main", "api/models", "blob/a#b?c=d&e"]:
        folder.write(path, f"{path}\n")
    # A large file, because large files use another API.
    folder.write("large #1 of 100%? 🤗.bin", noise("large name", 300_000))


def shapes(root: Path) -> None:
    """Writes files with unusual content."""
    folder = Folder(root)
    folder.write("/".join(f"level{depth}" for depth in range(40)) + "/bottom.txt", "deep\n")
    folder.write("empty.txt", "")
    folder.write("empty.bin", "")
    folder.write("empty/in/a/folder", "")
    (root / "no-files-in-here").mkdir()
    for name, content in {"run.sh": "#!/bin/sh\necho hello\n", "bin/tool": noise("tool", 4096)}.items():
        folder.write(name, content).chmod(0o755)
    folder.write("read-only.txt", "read only\n").chmod(0o444)
    folder.write(".hidden", "dotfile\n")
    folder.write(".config/settings.toml", "answer = 42\n")
    folder.write(".github/workflows/ci.yml", "on: push\n")
    # The official client also leaves out files that the Hub's ignore rules match.
    folder.write(".gitignore", "*.log\n/ignored/\n!kept.log\n")
    for name in ("ignored.log", "kept.log", "ignored/file.txt", "sub/ignored.log", "sub/ignored/file.txt"):
        folder.write(name, f"{name}\n")
    # Neither tool deploys these.
    folder.write(".git/config", "[core]\n")
    folder.write(".cache/huggingface/upload/x.metadata", "cache\n")
    folder.write("crlf.txt", "one\r\ntwo\r\n")
    folder.write("cr.txt", "one\rtwo\r")
    folder.write("no-newline.txt", "no newline")
    folder.write("bom.txt", "\ufeffwith a mark\n")
    folder.write("latin1.txt", "caf\u00e9\n".encode("latin-1"))
    folder.write("utf16.txt", "hello\n".encode("utf-16"))
    folder.write("nul-late.txt", "a" * 600 + "\0")
    for size in (1, 511, 512, 513, 2048):
        folder.write(f"text-{size}.txt", "x" * size)
    # A multi-byte character at the end of the sample for the Hub.
    folder.write("split-character.txt", "a" * 511 + "é" * 100)
    folder.write("same-1.txt", "the same\n")
    folder.write("same-2.txt", "the same\n")
    folder.write("image.png", png(16, 16))
    folder.write("archive.zip", zip_bytes())
    folder.write("weights.safetensors", noise("weights", 1000))
    folder.write("tiny.bin", b"\0")
    folder.write("twin-1.bin", noise("twin", 70_000))
    folder.write("twin-2.bin", noise("twin", 70_000))
    folder.link("links/to-text.txt", "../crlf.txt")
    folder.link("links/to-link.txt", "to-text.txt")
    folder.link("links/to-large.bin", "../twin-1.bin")


def large(root: Path) -> None:
    """Writes files around and above the size limit of a commit."""
    folder = Folder(root)
    folder.write("5mb.dat", noise("5", 5_000_000))
    folder.write("11mb.dat", noise("11", 11_000_000))
    folder.write("200mb.bin", noise("200", 200_000_000))
    folder.write("12mb.txt", b"".join(b"line %d\n" % line for line in range(1_000_000))[:12_000_000])
    folder.write("10mib.txt", b"x" * (10 * MIB))
    folder.write("10mib-and-1.txt", b"x" * (10 * MIB + 1))


def many(root: Path) -> None:
    """Writes more files than one page of a listing, or one commit of the official client, contains."""
    folder = Folder(root)
    for number in range(1100):
        folder.write(f"part-{number % 7}/file {number:04}.txt", f"file number {number}\n")


FOLDERS = {"names": names, "shapes": shapes, "large": large, "many": many}


def build(name: str, parent: Path) -> Path:
    """Writes a folder of the corpus, once for each `parent`."""
    root = parent / name
    if not root.exists():
        unfinished = parent / f".{name}.{os.getpid()}"
        FOLDERS[name](unfinished)
        unfinished.rename(root)
    return root
