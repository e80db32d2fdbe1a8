"""Gradio's own clients, of the version of each app, through the proxy and without a token."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import httpx
from processes import TOKEN, plain_environment, run
from world import HERE, App, api_prefix, gradio_python, node_modules


def run_client(command: list, home: Path) -> dict:
    """Runs a client program for a user who has never logged in, and returns its report."""
    ran = run(command, plain_environment(home), home, home / "program", timeout=120)
    assert ran.code == 0, f"{ran.stdout}\n{ran.stderr}"
    return json.loads(ran.stdout.splitlines()[-1])


def one_by_one(pieces: list) -> None:
    """Asserts that each piece arrived before the next one was made, and not with the last."""
    made = [float(piece.split()[-1]) for piece, _ in pieces]
    arrived = [at for _, at in pieces]
    assert len(pieces) >= 5, pieces
    in_time = sum(here < there for here, there in zip(arrived, made[1:], strict=False))
    assert in_time >= 3, f"made at {made}, arrived at {arrived}"
    assert arrived[0] < made[-1] - 0.5, f"made at {made}, arrived at {arrived}"


def test_python(gradio: App, major: int, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    said = run_client([gradio_python(major), HERE / "client_calls.py", gradio.url, home], home)
    assert said["src"].rstrip("/") == gradio.url
    assert {"/greet", "/count", "/copied", "/chat", "/bump"} <= set(said["endpoints"])
    assert said["predict"] == "Hello, Ada!"
    one_by_one(said["stream"])
    assert said["file_is_equal"] and said["file_is_another"]
    assert said["chat"][-1] == "You said: good morning" and len(said["chat"]) > 1
    assert "there is no tea today" in said["error"]
    assert said["session"] == ["total 1", "total 2"]
    assert said["other_session"] == "total 1"
    # The app sees the caller's headers, and not the token.
    seen = said["headers"].lower()
    assert f"x-forwarded-host: {gradio.public_host}" in seen
    assert "authorization" not in seen and TOKEN.lower() not in seen


def test_javascript(gradio: App, major: int, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    # Node looks up a module from the folder of the importing file.
    program = node_modules().parent / "calls.mjs"
    program.write_bytes((HERE / "js/calls.mjs").read_bytes())
    said = run_client(["node", program, str(major), gradio.url], home)
    assert said["root"].rstrip("/") == gradio.url
    assert {"/greet", "/count", "/copied", "/chat", "/bump"} <= set(said["endpoints"])
    assert said["predict"] == "Hello, Ada!"
    one_by_one(said["stream"])
    assert said["file_url"].startswith(gradio.url) and said["file_status"] == 200 and said["file_is_equal"]
    assert said["chat"][-1] == "You said: good morning" and len(said["chat"]) > 1
    assert "there is no tea today" in said["error"]
    assert said["session"] == ["total 1", "total 2"]
    strangers = [url for url in said["asked"] if not url.startswith(gradio.url)]
    assert strangers == []


def call(gradio: App, major: int, name: str, *data) -> list:
    """Calls an endpoint with the two steps that Gradio documents for curl."""
    url = f"{gradio.url}{api_prefix(major)}/call/{name}"
    event = httpx.post(url, json={"data": data}, timeout=30).json()["event_id"]
    lines = httpx.get(f"{url}/{event}", timeout=30).text.splitlines()
    assert "event: complete" in lines, lines
    return json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))


def test_curl(gradio: App, major: int):
    assert call(gradio, major, "greet", "Ada") == ["Hello, Ada!"]


def test_a_caller_that_leaves_ends_the_work(gradio: App, major: int):
    """Ends the stream of events, as a browser does when its tab closes."""
    api = f"{gradio.url}{api_prefix(major)}"
    functions = httpx.get(f"{gradio.url}/config", timeout=30).json()["dependencies"]
    index = next(f.get("id", at) for at, f in enumerate(functions) if f["api_name"] == "endless")
    session = f"leaves{major}"
    joined = httpx.post(
        f"{api}/queue/join", json={"data": ["tick"], "fn_index": index, "session_hash": session}, timeout=30
    )
    assert joined.status_code == 200, joined.text
    with httpx.stream("GET", f"{api}/queue/data", params={"session_hash": session}, timeout=30) as events:
        generating = (line for line in events.iter_lines() if "process_generating" in line)
        assert len(list(itertools.islice(generating, 3))) == 3
    gradio.stops_working(time.monotonic())
