"""The cost of a deploy: memory for a large file, requests for many small ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from corpus import CARD, MIB

GIGABYTE = 1_000_000_000


def test_a_large_file_is_never_held_in_memory(hub, ours, new_repo, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    # Random bytes, because the storage keeps repeated blocks once.
    with (source / "weights.bin").open("wb") as file:
        for _ in range(GIGABYTE // (4 * MIB)):
            file.write(os.urandom(4 * MIB))
        file.write(os.urandom(GIGABYTE % (4 * MIB)))
    repo = new_repo("gigabyte")
    try:
        deployed = ours(hub, source, repo, "model").expect("deployed")
    finally:
        (source / "weights.bin").unlink()
    peak = deployed.peak_memory / MIB
    print(f"1 GB: {peak:.0f} MiB at most, {deployed.wall:.1f} s, {deployed.cpu:.1f} s of CPU")
    assert hub.tree("model", repo)["weights.bin"]["size"] == GIGABYTE
    # A little more than the content: the storage packs chunks with headers.
    assert GIGABYTE <= int(deployed.outputs["bytes_uploaded"]) < 1.01 * GIGABYTE
    # A debug build has the C library's allocator, which keeps freed blocks. tests/bench/memory.py measures the allocator of
    # the image: 125 MB for 5 GB.
    assert 0 < deployed.peak_memory < 400_000_000


@pytest.fixture
def two_thousand_files(tmp_path: Path) -> Path:
    for number in range(1999):
        file = tmp_path / "source" / f"folder-{number % 20}" / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"file {number}\n" * 200)
    (tmp_path / "source" / "README.md").write_text(CARD)
    # A static Space without its first page is refused.
    (tmp_path / "source" / "index.html").write_text("<h1>Many</h1>\n")
    return tmp_path / "source"


@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_many_files_take_few_requests(hub, ours, new_repo, two_thousand_files, kind):
    repo = new_repo("many")
    ours(hub, two_thousand_files, repo, kind).expect("deployed")
    asked = [f"{request['method']} {request['path']}?{request['query']}" for request in hub.hub_requests()]
    # Five to look up, two to create the repo, five for its content, three parts, and six for the draft around them. One more
    # reads the visibility of a Space.
    assert len(asked) <= (22 if kind == "space" else 21), "\n".join(asked)
    assert sum("/commit/" in request for request in asked) == 3
    assert len(hub.tree(kind, repo)) == 2002
