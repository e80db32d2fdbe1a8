"""The unchanged official client works with the local Hub and keeps the Hub's contract.

This tests the local Hub: it behaves as the official clients expect.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import CARD, noise
from processes import TOKEN, USER

KINDS = ["model", "dataset", "space"]


def sdk(kind: str) -> dict[str, str]:
    return {"space_sdk": "static"} if kind == "space" else {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Writes small files, and 20 MB twice: of text, and of bytes without a pattern."""
    root = tmp_path / "folder"
    files = {
        "README.md": CARD.encode(),
        "index.html": b"<h1>Hello</h1>\n",
        "data/a.txt": b"a\n",
        "data/b.txt": b"b\n",
        "data/deep/er/c.txt": b"c\n",
        "with space #1.txt": b"space\n",
        "empty.txt": b"",
        "large.bin": noise("large", 20_000_000),
        "large.txt": b"0123456789abcde\n" * 1_250_000,
    }
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


def contents(root: Path) -> dict[str, bytes]:
    files = (file for file in root.rglob("*") if file.is_file())
    found = {file.relative_to(root).as_posix(): file.read_bytes() for file in files}
    # The client's own files beside a download.
    return {path: content for path, content in found.items() if not path.startswith(".cache/")}


@pytest.mark.parametrize("kind", KINDS)
def test_create(hf, api, new_repo, kind):
    repo = new_repo(kind)
    assert api.create_repo(repo, repo_type=kind, **sdk(kind)).repo_id == repo
    assert api.create_repo(repo, repo_type=kind, exist_ok=True, **sdk(kind)).repo_id == repo
    with pytest.raises(hf.errors.HfHubHTTPError) as refused:
        api.create_repo(repo, repo_type=kind, **sdk(kind))
    assert refused.value.response.status_code == 409
    assert not api.repo_info(repo, repo_type=kind).private
    assert api.repo_exists(repo, repo_type=kind)

    hidden = new_repo(f"private-{kind}")
    api.create_repo(hidden, repo_type=kind, private=True, **sdk(kind))
    assert api.repo_info(hidden, repo_type=kind).private
    with pytest.raises(hf.errors.HfHubHTTPError):
        hf.HfApi(token=False).repo_info(hidden, repo_type=kind)

    api.delete_repo(repo, repo_type=kind)
    assert repo not in [info.id for info in listed(api, kind)]


def listed(api, kind):
    return {"model": api.list_models, "dataset": api.list_datasets, "space": api.list_spaces}[kind](author=USER)


def test_settings_and_move(api, new_repo):
    repo, moved = new_repo("before"), new_repo("after")
    api.create_repo(repo)
    api.update_repo_settings(repo, private=True)
    assert api.repo_info(repo).private
    api.move_repo(from_id=repo, to_id=moved)
    assert api.repo_info(moved).id == moved


@pytest.mark.parametrize("kind", KINDS)
def test_a_former_name_leads_to_the_repo(hf, api, new_repo, folder, tmp_path, kind):
    repo, moved = new_repo("before"), new_repo("After")
    api.create_repo(repo, repo_type=kind, **sdk(kind))
    api.move_repo(from_id=repo, to_id=moved, repo_type=kind)
    for former in [repo, moved.lower()]:
        assert api.repo_info(former, repo_type=kind).id == moved
    done = api.upload_folder(repo_id=repo, repo_type=kind, folder_path=folder)
    assert api.repo_info(moved, repo_type=kind).sha == done.oid
    one = hf.hf_hub_download(repo, "large.bin", repo_type=kind, cache_dir=tmp_path / "cache")
    assert Path(one).read_bytes() == (folder / "large.bin").read_bytes()


def test_whoami(api, hf):
    assert api.whoami()["name"] == USER
    with pytest.raises(hf.errors.HfHubHTTPError) as refused:
        hf.HfApi(token="hf_wrong").whoami()
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize("kind", KINDS)
def test_upload_and_download(hf, api, hub, new_repo, folder, tmp_path, kind):
    repo = new_repo("folder")
    api.create_repo(repo, repo_type=kind, **sdk(kind))
    before = len(api.list_repo_commits(repo, repo_type=kind))
    done = api.upload_folder(repo_id=repo, repo_type=kind, folder_path=folder, commit_message="All of it")
    commits = api.list_repo_commits(repo, repo_type=kind)
    assert (len(commits) - before, commits[0].title, commits[0].commit_id) == (1, "All of it", done.oid)

    # The same folder again makes no commit.
    hub.clear()
    api.upload_folder(repo_id=repo, repo_type=kind, folder_path=folder)
    assert hub.commits_made() == 0
    assert api.repo_info(repo, repo_type=kind).sha == done.oid

    down = tmp_path / "down"
    hf.snapshot_download(repo, repo_type=kind, local_dir=down)
    found = contents(down)
    uploaded = contents(folder)
    assert {path: found[path] for path in uploaded} == uploaded
    assert set(found) - set(uploaded) <= {".gitattributes", "style.css"}

    one = hf.hf_hub_download(repo, "large.bin", repo_type=kind, cache_dir=tmp_path / "cache")
    assert Path(one).read_bytes() == (folder / "large.bin").read_bytes()


def test_delete_patterns(api, new_repo, folder):
    repo = new_repo("patterns")
    api.create_repo(repo)
    api.upload_folder(repo_id=repo, folder_path=folder)
    (folder / "data/a.txt").unlink()
    (folder / "data/b.txt").write_text("changed\n")
    api.upload_folder(repo_id=repo, folder_path=folder, delete_patterns="data/*.txt")
    files = api.list_repo_files(repo)
    assert "data/a.txt" not in files and {"data/b.txt", "data/deep/er/c.txt", ".gitattributes"} <= set(files)

    for path in ["large.txt", "index.html"]:
        (folder / path).unlink()
    api.upload_folder(repo_id=repo, folder_path=folder, delete_patterns="*")
    assert set(api.list_repo_files(repo)) == set(contents(folder)) | {".gitattributes"}


def test_single_files(hf, api, new_repo):
    repo = new_repo("single")
    api.create_repo(repo, repo_type="dataset")
    parent = api.repo_info(repo, repo_type="dataset").sha
    upload = {"repo_id": repo, "repo_type": "dataset", "path_in_repo": "a/b.txt"}
    done = api.upload_file(path_or_fileobj=b"one\n", parent_commit=parent, **upload)
    with pytest.raises(hf.errors.HfHubHTTPError) as refused:
        api.upload_file(path_or_fileobj=b"two\n", parent_commit=parent, **upload)
    assert refused.value.response.status_code == 412
    assert api.repo_info(repo, repo_type="dataset").sha == done.oid
    assert api.file_exists(repo, "a/b.txt", repo_type="dataset")
    api.delete_file("a/b.txt", repo, repo_type="dataset")
    assert not api.file_exists(repo, "a/b.txt", repo_type="dataset")


def test_list_with_paging(hf, api, hub, new_repo):
    repo = new_repo("paging")
    api.create_repo(repo, repo_type="dataset")
    names = {f"rows/{number:04}.txt" for number in range(1234)}
    api.create_commit(
        repo, repo_type="dataset", commit_message="Rows",
        operations=[hf.CommitOperationAdd(name, name.encode()) for name in sorted(names)],
    )
    hub.clear()
    entries = list(api.list_repo_tree(repo, repo_type="dataset", recursive=True))
    assert {entry.path for entry in entries} == names | {".gitattributes", "rows"}
    assert len(hub.hub_requests()) == 2
    assert {entry.path for entry in api.list_repo_tree(repo, "rows", repo_type="dataset")} == names
    assert {entry.path for entry in api.list_repo_tree(repo, repo_type="dataset")} == {".gitattributes", "rows"}
    expanded = list(api.list_repo_tree(repo, repo_type="dataset", recursive=True, expand=True))
    assert len(expanded) == len(entries) and all(entry.last_commit for entry in expanded)
    infos = api.get_paths_info(repo, ["rows/0001.txt", "missing"], repo_type="dataset")
    assert [(info.path, info.size) for info in infos] == [("rows/0001.txt", 13)]


def test_branches_and_tags(hf, api, new_repo):
    repo = new_repo("refs")
    api.create_repo(repo)
    first = api.repo_info(repo).sha
    api.upload_file(path_or_fileobj=b"one\n", path_in_repo="file", repo_id=repo)
    api.create_branch(repo, branch="feature/one", revision=first)
    api.create_branch(repo, branch="feature/one", exist_ok=True)
    with pytest.raises(hf.errors.HfHubHTTPError) as refused:
        api.create_branch(repo, branch="feature/one")
    assert refused.value.response.status_code == 409
    api.upload_file(path_or_fileobj=b"two\n", path_in_repo="file", repo_id=repo, revision="feature/one")
    api.create_tag(repo, tag="v1", tag_message="The first", revision="main")
    refs = api.list_repo_refs(repo)
    assert {branch.name for branch in refs.branches} == {"main", "feature/one"}
    assert {tag.name for tag in refs.tags} == {"v1"}
    assert "file" in api.list_repo_files(repo, revision="v1")
    with pytest.raises(hf.errors.RevisionNotFoundError):
        api.list_repo_files(repo, revision="nowhere")
    api.delete_tag(repo, tag="v1")
    api.delete_branch(repo, branch="feature/one")
    refs = api.list_repo_refs(repo)
    assert ([branch.name for branch in refs.branches], refs.tags) == (["main"], [])


def test_commits(api, new_repo):
    repo = new_repo("commits")
    api.create_repo(repo)
    for number in range(3):
        api.upload_file(
            path_or_fileobj=f"{number}\n".encode(), path_in_repo="file", repo_id=repo,
            commit_message=f"Commit {number}", commit_description="Because.",
        )
    commits = api.list_repo_commits(repo)
    assert [commit.title for commit in commits[:3]] == ["Commit 2", "Commit 1", "Commit 0"]
    assert commits[0].message.strip() == "Because." and commits[0].authors == [USER]
    api.super_squash_history(repo, commit_message="One")
    assert [commit.title for commit in api.list_repo_commits(repo)] == ["One"]


def test_pull_requests(api, hf, new_repo, folder):
    repo = new_repo("pull")
    api.create_repo(repo)
    head = api.repo_info(repo).sha
    single = api.upload_file(path_or_fileobj=b"one\n", path_in_repo="file", repo_id=repo, create_pr=True)
    whole = api.upload_folder(repo_id=repo, folder_path=folder, create_pr=True)
    assert single.pr_num and whole.pr_num and single.pr_num != whole.pr_num
    assert api.repo_info(repo).sha == head
    details = api.get_discussion_details(repo, whole.pr_num)
    assert details.is_pull_request and details.status in ("draft", "open")
    assert "large.bin" in api.list_repo_files(repo, revision=f"refs/pr/{whole.pr_num}")
    if details.status == "draft":
        api.change_discussion_status(repo, whole.pr_num, "open")
    api.merge_pull_request(repo, whole.pr_num)
    assert api.get_discussion_details(repo, whole.pr_num).status == "merged"
    assert "large.bin" in api.list_repo_files(repo)
    assert {row.num for row in api.get_repo_discussions(repo)} == {single.pr_num, whole.pr_num}
    assert hf.HfApi().list_repo_refs(repo, include_pull_requests=True).pull_requests


def test_space_secrets_and_variables(api, new_repo):
    repo = new_repo("settings")
    api.create_repo(
        repo, repo_type="space", space_sdk="docker",
        space_secrets=[{"key": "FIRST", "value": "hidden"}], space_variables=[{"key": "MODE", "value": "one"}],
    )
    api.add_space_secret(repo, "SECOND", "hidden as well", description="What for")
    secrets = api.get_space_secrets(repo)
    assert set(secrets) == {"FIRST", "SECOND"} and secrets["SECOND"].description == "What for"
    api.delete_space_secret(repo, "SECOND")
    assert set(api.get_space_secrets(repo)) == {"FIRST"}

    api.add_space_variable(repo, "MODE", "two")
    variables = api.add_space_variable(repo, "SIZE", "3")
    assert {name: variable.value for name, variable in variables.items()} == {"MODE": "two", "SIZE": "3"}
    assert set(api.delete_space_variable(repo, "MODE")) == {"SIZE"}
    assert set(api.get_space_variables(repo)) == {"SIZE"}


@pytest.mark.parametrize("space_sdk", ["static", "gradio", "docker"])
def test_space_runtime(api, new_repo, space_sdk):
    repo = new_repo(space_sdk)
    api.create_repo(repo, repo_type="space", space_sdk=space_sdk)
    app = {"static": "index.html", "gradio": "app.py", "docker": "Dockerfile"}[space_sdk]
    api.upload_file(path_or_fileobj=b"\n", path_in_repo=app, repo_id=repo, repo_type="space")
    info = api.space_info(repo)
    assert info.sdk == space_sdk and info.host and info.subdomain
    runtime = api.get_space_runtime(repo)
    assert runtime.stage in {"RUNNING", "BUILDING", "APP_STARTING", "RUNNING_BUILDING", "RUNNING_APP_STARTING"}
    if space_sdk == "static":
        assert runtime.stage == "RUNNING" and runtime.hardware is None
    else:
        assert api.pause_space(repo).stage == "PAUSED"
        assert api.restart_space(repo).stage != "PAUSED"


@pytest.mark.parametrize("kind", KINDS)
def test_hf_command(hf_command, hub, new_repo, folder, tmp_path, kind):
    repo = new_repo("command")
    if kind == "space":
        # The command would choose Gradio for a Space that it creates.
        hf_command("repos", "create", repo, "--type", kind, "--space-sdk", "static")
    hf_command("upload", repo, str(folder), ".", "--type", kind, "--commit-message", "By hand")
    hub.clear()
    hf_command("upload", repo, str(folder), ".", "--type", kind)
    assert hub.commits_made() == 0
    (folder / "data/a.txt").unlink()
    hf_command("upload", repo, str(folder), ".", "--type", kind, "--delete", "*")
    assert hub.commits_made() == 1
    down = tmp_path / "down"
    hf_command("download", repo, "--type", kind, "--local-dir", str(down))
    assert contents(down).keys() - {".gitattributes"} == contents(folder).keys()
    assert {path: contents(down)[path] for path in contents(folder)} == contents(folder)


def test_the_token_is_in_one_header_only(api, hub, new_repo):
    repo = new_repo("header")
    api.create_repo(repo)
    for request in hub.requests():
        holders = [name for name, value in request["headers"] if TOKEN in value]
        assert holders in ([], ["authorization"])
