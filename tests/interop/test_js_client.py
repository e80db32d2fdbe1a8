"""The official JavaScript client, unchanged, uploads to the local Hub and downloads from it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from processes import TOKEN, plain_environment, run, running_hub

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session", params=["xet", "multipart", "basic"])
def js_hub(request, tmp_path_factory):
    with running_hub(tmp_path_factory.mktemp(f"hub-{request.param}"), request.param) as hub:
        yield request.param, hub


@pytest.mark.parametrize("kind", ["model", "space"])
def test_upload_and_download(js_hub, kind, tmp_path: Path):
    transfer, hub = js_hub
    hub.clear()
    # Node looks up a module from the folder of the importing file.
    program = Path(os.environ["INTEROP_NODE_MODULES"]).parent / "calls.mjs"
    program.write_bytes((HERE / "js/calls.mjs").read_bytes())
    env = plain_environment(tmp_path) | {"HF_TOKEN": TOKEN, "USE_XET": "1" if transfer == "xet" else "0"}
    repo = f"ada/{kind}"
    ran = run(["node", program, hub.endpoint, repo, kind], env, tmp_path, tmp_path / "program", timeout=120)
    assert ran.code == 0, f"{ran.stdout}\n{ran.stderr}"
    found = json.loads(ran.stdout)

    assert found["user"] == "ada"
    del found["sent"]["empty.txt"]
    assert found["received"] == found["sent"]
    assert found["listed"].items() >= {"empty.txt": 0, "folder/config.json": 11, "large.bin": 3_000_000}.items()
    assert found["info"]["size"] == 3_000_000
    assert found["info"]["etag"].strip('"') == found["sent"]["large.bin"]
    assert (found["info"]["xet"] is not None) == (transfer == "xet")
    assert found["slice"]
    assert found["pointer"].splitlines()[1] == f"oid sha256:{found['sent']['large.bin']}"
    assert found["missing"] is None
    assert found["pullRequest"].endswith("/discussions/1")
    tree = hub.tree(kind, repo)
    assert "large.bin" in tree and "folder/config.json" not in tree and "added.bin" not in tree
    assert "added.bin" in hub.tree(kind, repo, "refs/pr/1")

    paths = [request["path"] for request in hub.requests()]
    assert any(path.startswith("/v1/shards") for path in paths) == (transfer == "xet")
    assert any(path.startswith("/__lfs/") for path in paths) == (transfer != "xet")
    assert hub.violations() == []
