"""The unchanged official client works with the buckets of the local Hub, and keeps the Hub's contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from corpus import noise
from processes import USER


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Writes small files, an empty one, and 3 MB without a pattern."""
    root = tmp_path / "folder"
    files = {
        "a.txt": b"a\n",
        "data/b.csv": b"1,2\n",
        "data/deep/er/c.txt": b"c\n",
        "with space #1.txt": b"space\n",
        "empty.txt": b"",
        "large.bin": noise("bucket", 3_000_000),
    }
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def names(api, bucket: str, **options) -> list[str]:
    return [entry.path for entry in api.list_bucket_tree(bucket, **options)]


def test_create_settings_and_delete(hf, api, new_repo):
    bucket = new_repo("bucket")
    assert api.create_bucket(bucket, private=True).bucket_id == bucket
    assert api.create_bucket(bucket, private=True, exist_ok=True).bucket_id == bucket
    with pytest.raises(hf.errors.HfHubHTTPError) as refused:
        api.create_bucket(bucket)
    assert refused.value.response.status_code == 409
    info = api.bucket_info(bucket)
    assert (info.id, info.private, info.size, info.total_files) == (bucket, True, 0, 0)
    with pytest.raises(hf.errors.HfHubHTTPError):
        hf.HfApi(token=False).bucket_info(bucket)
    api.update_bucket_settings(bucket, private=False)
    assert not hf.HfApi(token=False).bucket_info(bucket).private
    assert bucket in [found.id for found in api.list_buckets()]
    assert [found.id for found in api.list_buckets(USER, search=bucket.split("/")[1])] == [bucket]

    moved = new_repo("moved")
    api.move_bucket(from_id=bucket, to_id=moved)
    assert api.bucket_info(bucket).id == moved
    api.delete_bucket(moved)
    api.delete_bucket(moved, missing_ok=True)
    with pytest.raises(hf.errors.HfHubHTTPError):
        api.bucket_info(moved)


def test_a_bucket_without_a_visibility_is_public(hf, api, new_repo):
    bucket = new_repo("open")
    api.create_bucket(bucket)
    assert not hf.HfApi(token=False).bucket_info(bucket).private


def test_files(hf, api, hub, new_repo, folder, tmp_path):
    bucket = new_repo("files")
    api.create_bucket(bucket, private=True)
    added = [(folder / path, f"in/{path}") for path in contents(folder)] + [(b"bytes", "in/bytes.json")]
    api.batch_bucket_files(bucket, add=added)
    uploaded = contents(folder) | {"bytes.json": b"bytes"}
    assert set(names(api, bucket)) == {f"in/{path}" for path in uploaded}
    assert {entry.path for entry in api.list_bucket_tree(bucket, prefix="in", recursive=False)} == {
        "in/a.txt", "in/bytes.json", "in/data", "in/empty.txt", "in/large.bin", "in/with space #1.txt",
    }
    infos = {info.path: info for info in api.get_bucket_paths_info(bucket, ["in/large.bin", "missing"])}
    assert [(path, info.size) for path, info in infos.items()] == [("in/large.bin", 3_000_000)]
    assert api.get_bucket_file_metadata(bucket, "in/large.bin").xet_file_data.file_hash == infos["in/large.bin"].xet_hash
    assert api.bucket_info(bucket).total_files == len(uploaded)

    down = tmp_path / "down"
    api.download_bucket_files(bucket, [(f"in/{path}", down / path) for path in uploaded])
    assert contents(down) == uploaded

    api.batch_bucket_files(bucket, delete=["in/a.txt"])
    with pytest.raises(hf.errors.BucketBatchError) as refused:
        api.batch_bucket_files(bucket, add=[(b"new", "in/new")], delete=["missing"])
    assert [failure["path"] for failure in refused.value.failures] == ["missing"]
    assert {"in/new"} <= set(names(api, bucket)) and "in/a.txt" not in names(api, bucket)


def test_many_files(api, hub, new_repo, tmp_path):
    bucket = new_repo("many")
    api.create_bucket(bucket, private=True)
    root = tmp_path / "many"
    root.mkdir()
    for number in range(1_234):
        (root / f"{number:04}.txt").write_text(f"{number}\n")
    api.sync_bucket(str(root), f"hf://buckets/{bucket}/rows", quiet=True)
    hub.clear()
    assert len(names(api, bucket, prefix="rows")) == 1_234
    assert len(hub.hub_requests()) == 2
    plan = api.sync_bucket(str(root), f"hf://buckets/{bucket}/rows", quiet=True)
    assert plan.summary()["uploads"] == 0


def test_copies(api, new_repo):
    source, target, repo = new_repo("source"), new_repo("target"), new_repo("repo")
    for bucket in [source, target]:
        api.create_bucket(bucket, private=True)
    api.create_repo(repo, repo_type="dataset")
    api.upload_file(path_or_fileobj=noise("copy", 200_000), path_in_repo="x.bin", repo_id=repo, repo_type="dataset")
    api.batch_bucket_files(source, add=[(b"one", "a/one.txt")])
    api.copy_files(f"hf://buckets/{source}/a/one.txt", f"hf://buckets/{target}/copied.txt")
    api.copy_files(f"hf://datasets/{repo}/x.bin", f"hf://buckets/{target}/x.bin")
    assert names(api, target) == ["copied.txt", "x.bin"]


def test_hf_command(hf_command, hub, new_repo, folder, tmp_path):
    bucket = new_repo("command")
    uri = f"hf://buckets/{bucket}"
    hf_command("buckets", "create", bucket, "--private")
    hf_command("buckets", "create", bucket, "--private", "--exist-ok")
    hf_command("buckets", "sync", str(folder), f"{uri}/in")
    assert bucket in hf_command("buckets", "list").stdout
    listed = hf_command("buckets", "ls", f"{bucket}/in", "-R", "--format", "json").stdout
    assert {row["path"] for row in json.loads(listed)} == {f"in/{path}" for path in contents(folder)}

    (folder / "a.txt").unlink()
    (folder / "new.txt").write_text("new\n")
    hf_command("buckets", "sync", str(folder), f"{uri}/in", "--delete")
    down = tmp_path / "down"
    hf_command("buckets", "sync", f"{uri}/in", str(down))
    assert contents(down) == contents(folder)

    hf_command("buckets", "cp", str(folder / "new.txt"), f"{uri}/single.txt")
    hf_command("buckets", "cp", f"{uri}/single.txt", str(tmp_path / "single.txt"))
    assert (tmp_path / "single.txt").read_text() == "new\n"
    hf_command("buckets", "rm", f"{bucket}/single.txt", "--yes")
    hf_command("buckets", "rm", f"{bucket}/in", "--recursive", "--yes")
    assert json.loads(hf_command("buckets", "ls", bucket, "-R", "--format", "json").stdout or "[]") == []
    hf_command("buckets", "delete", bucket, "--yes")
