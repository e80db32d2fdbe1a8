"""hf-deploy leaves the same tree on the Hub as the official client, for folders that are hard to deploy."""

from __future__ import annotations

import os
import stat
import sys
import unicodedata
from pathlib import Path

import corpus
import pytest
from processes import LocalHub, client_environment, run, running_hub

KINDS = ["model", "dataset", "space"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    parent = tmp_path_factory.mktemp("corpus")
    return lambda name: corpus.build(name, parent)


def upload_with_client(
    hub: LocalHub, kind: str, repo: str, source: Path, scratch: Path, delete: bool | None = None, **env: str
) -> None:
    # A Space has exactly the files of the folder. Files of other writers stay in models and datasets.
    patterns = ["*"] if delete or (delete is None and kind == "space") else []
    command = [sys.executable, Path(__file__).with_name("upload_with_client.py"), kind, repo, source, *patterns]
    # A client that has never run, so that it skips nothing.
    ran = run(command, client_environment(hub.endpoint, scratch / "home", **env), scratch.parent, scratch)
    assert ran.code == 0, f"{ran.stdout}\n{ran.stderr}"


def snapshot(root: Path) -> dict[str, tuple]:
    """Returns everything about a folder that a deploy could change."""
    found = {}
    for path in root.rglob("*"):
        state = path.lstat()
        target = os.readlink(path) if stat.S_ISLNK(state.st_mode) else ""
        found[str(path.relative_to(root))] = (stat.filemode(state.st_mode), state.st_size, state.st_mtime_ns, target)
    return found


def assert_same_tree(hub: LocalHub, kind: str, ours: str, theirs: str) -> None:
    our_tree, their_tree = hub.tree(kind, ours), hub.tree(kind, theirs)
    assert our_tree.keys() == their_tree.keys()
    # The Hub adds a rule for each large file, in the order of the commit: the lines must be equal, their order may
    # differ.
    rules = ".gitattributes"
    if our_tree[rules] != their_tree[rules]:
        assert sorted(hub.read(kind, ours, rules).splitlines()) == sorted(hub.read(kind, theirs, rules).splitlines())
        del our_tree[rules], their_tree[rules]
    assert our_tree == their_tree


def compare(hub: LocalHub, kind: str, source: Path, ours, new_repo, scratch: Path, **env: str) -> None:
    our_repo, their_repo = new_repo("ours"), new_repo("theirs")
    before = snapshot(source)
    deployed = ours(hub, source, our_repo, kind).expect("deployed")
    assert deployed.stderr == ""
    assert snapshot(source) == before, "the deploy changed the source folder"
    assert hub.violations() == []
    upload_with_client(hub, kind, their_repo, source, scratch, **env)
    assert_same_tree(hub, kind, our_repo, their_repo)

    # The counts are right, and a second run has nothing to do.
    tree = hub.tree(kind, our_repo)
    initial = {".gitattributes"}
    counted = sum(int(deployed.outputs[f"files_{what}"]) for what in ("added", "updated", "unchanged"))
    assert counted == len(tree.keys() - initial)
    again = ours(hub, source, our_repo, kind).expect("unchanged")
    assert again.outputs["commit_sha"] == deployed.outputs["commit_sha"]
    assert (again.outputs["bytes_uploaded"], again.outputs["files_unchanged"]) == ("0", str(counted))
    # Files of the official client are not sent again either.
    ours(hub, source, their_repo, kind).expect("unchanged")


@pytest.mark.parametrize("name", corpus.FOLDERS)
@pytest.mark.parametrize("kind", KINDS)
def test_same_tree_as_the_official_client(hub, folder, ours, new_repo, tmp_path, kind, name):
    compare(hub, kind, folder(name), ours, new_repo, tmp_path / "client")


@pytest.mark.parametrize("transfer", ["multipart", "basic"])
def test_same_tree_without_xet(folder, ours, new_repo, tmp_path, transfer):
    with running_hub(tmp_path / "hub", transfer) as hub:
        # The official client does not fall back by itself.
        compare(hub, "model", folder("large"), ours, new_repo, tmp_path / "client", HF_HUB_DISABLE_XET="1")
        assert hub.violations() == []


@pytest.mark.parametrize("kind", KINDS)
def test_same_tree_after_a_change(hub, ours, new_repo, tmp_path, kind):
    source, our_repo, their_repo = tmp_path / "source", new_repo("ours"), new_repo("theirs")
    corpus.shapes(source)
    folder = corpus.Folder(source)
    folder.write("was-folder/a/b.txt", "b\n")
    ours(hub, source, our_repo, kind).expect("deployed")
    upload_with_client(hub, kind, their_repo, source, tmp_path / "client-1", delete=True)

    for path in ("cr.txt", "twin-2.bin", "links/to-text.txt", ".hidden", "was-folder/a/b.txt"):
        (source / path).unlink()
    for path in ("was-folder/a", "was-folder"):
        (source / path).rmdir()
    folder.write("was-folder", "a file now\n")
    (source / "crlf.txt").rename(source / "renamed.txt")
    folder.link("links/to-text.txt", "../renamed.txt")
    (source / "no-newline.txt").unlink()
    folder.write("no-newline.txt/now-a-folder.txt", "moved\n")
    folder.write("same-1.txt", "not the same\n")
    folder.write("text-512.txt", corpus.noise("now binary", 400_000))
    folder.write("twin-1.bin", "now text\n")
    folder.write("empty.txt", "not empty\n")
    folder.write("text-1.txt", "")
    deployed = ours(hub, source, our_repo, kind, prune="true").expect("deployed")
    upload_with_client(hub, kind, their_repo, source, tmp_path / "client-2", delete=True)
    assert_same_tree(hub, kind, our_repo, their_repo)
    assert int(deployed.outputs["files_deleted"]) > 0
    ours(hub, source, our_repo, kind, prune="true").expect("unchanged")


def test_what_the_corpus_is_for(hub, folder, ours, new_repo):
    """The tree contains the hard cases, in case both tools lose the same file."""
    repo = new_repo()
    for name in ("names", "shapes"):
        ours(hub, folder(name), repo, "model").expect("deployed")
    tree = hub.tree("model", repo)
    nfc, nfd = (unicodedata.normalize(form, "café.txt") for form in ("NFC", "NFD"))
    assert nfc != nfd and tree[nfc] != tree[nfd]
    assert {"#hash.txt", "what?.txt", "100%.txt", "%2F.txt", 'double"quote.txt', "emoji-🤗.txt"} <= tree.keys()
    assert tree["large #1 of 100%? 🤗.bin"]["lfs_sha256"]
    assert tree["empty.bin"]["size"] == 0 and not tree["empty.bin"]["lfs_sha256"]
    assert tree["links/to-link.txt"] == tree["crlf.txt"]
    assert tree["links/to-large.bin"] == tree["twin-1.bin"] == tree["twin-2.bin"]
    assert {".hidden", ".gitignore", ".github/workflows/ci.yml", "kept.log", "sub/ignored/file.txt"} <= tree.keys()
    assert hub.read("model", repo, "crlf.txt") == b"one\r\ntwo\r\n"
    for path in tree:
        assert not path.startswith((".git/", ".cache/", "ignored/", "no-files")), path
    assert not {"ignored.log", "sub/ignored.log"} & tree.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_with_its_own_gitattributes(hub, ours, new_repo, tmp_path, kind):
    """It is left out at the root, because the Hub's own file says which files are large."""
    source = tmp_path / "source"
    source.mkdir()
    folder = corpus.Folder(source)
    folder.write("table.csv", "a,b\n1,2\n")
    folder.write("weights.safetensors", corpus.noise("weights", 1000))
    repo, theirs = new_repo("ours"), new_repo("theirs")
    upload_with_client(hub, kind, theirs, source, tmp_path / "client")
    folder.write(".gitattributes", "* text=auto\n")
    ours(hub, source, repo, kind).expect("deployed")
    assert_same_tree(hub, kind, repo, theirs)
    ours(hub, source, repo, kind).expect("unchanged")


def test_a_name_with_a_newline_is_refused(hub, ours, new_repo, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    folder = corpus.Folder(source)
    folder.write("evil\n::error::name.txt", "x\n")
    refused = ours(hub, source, new_repo(), "model").expect("failed", code=2)
    assert refused.outputs["error_code"] == "invalid_path"
    shown = refused.stdout + refused.summary
    assert "evil" in shown and r"\n" in shown
    # Escaped in the log and in the summary, so that it is never a line or a command.
    assert not any(line.startswith("::error::name") for line in shown.splitlines())
    assert hub.requests() == []
