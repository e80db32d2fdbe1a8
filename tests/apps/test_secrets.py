"""The token, and where the private app is, in no byte that anybody gets. Runs after all other tests, and searches
what their visits were answered with.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from processes import TOKEN, USER
from world import METRICS_TOKEN, App, World, api_prefix

#: Routes that return the app's own `Host`, as their test requires.
SHOWS_HOST = {"fastapi": ("/headers", "/landing", "/ws")}
#: Headers of requests that no answer has.
OF_REQUESTS = {
    "accept", "authorization", "cookie", "forwarded", "host", "origin", "range", "referer", "user-agent",
    "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-hf-authorization", "x-ip-token",
}  # fmt: skip


@pytest.fixture(scope="module")
def shown_to_the_app(world: World) -> App:
    """Starts a second proxy for the same app, which shows the token to the app, for an edge that requires it."""
    return world.deploy("gradio-6", world.gradio_source(6), suffix="-plain", settings="AUTH_MODE=authorization")


def sent_file(app: App, major: int, content: bytes) -> str:
    """Uploads a file and returns the address from which Gradio serves it."""
    api = f"{app.url}{api_prefix(major)}"
    path = httpx.post(f"{api}/upload", files={"files": ("sent.bin", content)}, timeout=30).json()[0]
    return f"{api}/file={path}"


def part_of(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers={"range": "bytes=2-5", "cookie": "mine=1", "x-own": "1"} | headers, timeout=30)


def clean(name: str, data: bytes | str, app: App, host: bool = True) -> None:
    data = data.encode() if isinstance(data, str) else data
    for secret in [TOKEN, METRICS_TOKEN, *([app.private_host] if host else [])]:
        at = data.lower().find(secret.lower().encode())
        assert at < 0, f"{name}: {data[max(0, at - 200) : at + 200]!r}"


def test_a_part_of_a_file_is_no_copy_of_the_request(gradio: App, major: int):
    """Gradio answers a Range with the headers of the request; through the proxy, they are not visible."""
    url = sent_file(gradio, major, b"0123456789")
    echo = part_of(url.replace(gradio.url, gradio.private_url), authorization=f"Bearer {TOKEN}")
    assert echo.status_code == 206
    assert echo.headers["authorization"] == f"Bearer {TOKEN}", "the app is not what it was: this test shows nothing"

    part = part_of(url)
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"2345", "bytes 2-5/10")
    assert OF_REQUESTS.isdisjoint(part.headers), part.headers
    clean("a part", repr(part.headers.raw), gradio)


def test_nor_where_the_app_sees_the_token(shown_to_the_app: App):
    url = sent_file(shown_to_the_app, 6, b"0123456789")
    part = part_of(url)
    assert (part.status_code, part.content) == (206, b"2345")
    assert OF_REQUESTS.isdisjoint(part.headers), part.headers
    clean("a part", repr(part.headers.raw), shown_to_the_app)


def test_pages_of_the_proxy_itself(world: World):
    for app in world.apps.values():
        with httpx.Client(base_url=app.url, timeout=30, trust_env=False) as client:
            health = client.get("/_proxy/healthz")
            found = health.json()["selfcheck"]
            assert found["upstream"] == "ok" and found["auth_mode"] == "x-hf-authorization"
            metrics = client.get("/_proxy/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
            assert metrics.status_code == 200 and re.search(r"(?m)^hf_proxy_\w+", metrics.text)
            errors = [
                client.get("/_proxy/metrics"),
                client.get("/_proxy/nothing"),
                client.get("/gradio_api/file=https://example.org/"),
                client.get("/gradio_api/monitoring"),
                client.request("TRACE", "/"),
                client.get("/x", headers={"host": app.private_host}),
                client.get("/", headers={"expect": "a miracle"}),
                client.get("/" + "x" * 20_000),
                client.get("/", headers={"accept": "text/html", "x-long": "x" * 40_000}),
            ]
            for error in errors:
                is_page = error.headers["content-type"].startswith("text/html")
                assert error.status_code >= 400 and (is_page or error.json()["code"]), error.text
            for answer in [health, metrics, *errors]:
                clean(str(answer.url), repr(answer.headers.raw), app, host=False)
                clean(str(answer.url), answer.content, app)


def test_private_apps_are_private(world: World):
    for app in world.apps.values():
        for path in ("/", "/config", "/landing"):
            assert httpx.get(f"{app.private_url}{path}", timeout=30).status_code == 404


def test_every_byte_that_was_sent(world: World, shown_to_the_app: App):
    for app in [*world.apps.values(), shown_to_the_app]:
        answers = app.answers()
        assert len(answers) > 5, app.name
        for answer in answers:
            name = f"{app.proxy_name}: {answer.method} {answer.target}"
            host = not answer.target.startswith(SHOWS_HOST.get(app.name, ()))
            clean(name, answer.raw, app, host)
            clean(name, answer.body, app, host)
            names = {line.split(":")[0].lower() for line in answer.head.splitlines()[1:]}
            assert OF_REQUESTS.isdisjoint(names), f"{name}\n{answer.head}"
            assert not any(other.startswith("x-proxied-") for other in names), f"{name}\n{answer.head}"
            assert f"spaces/{USER}/{app.name}" not in answer.head, f"{name}\n{answer.head}"


def test_the_name_of_the_private_space_is_only_in_the_pages_and_config_of_gradio(world: World):
    """`space_id` comes from the app. It is in the pages and the config of Gradio only."""
    for app in world.apps.values():
        name = re.compile(re.escape(f"{USER}/{app.name}".encode()) + rb"(?![-\w])")
        paths = {answer.target.split("?")[0] for answer in app.answers() if name.search(answer.body)}
        assert paths <= ({"/", "/second", "/config", "/gradio_api/info"} if app.name.startswith("gradio") else set()), app.name
        assert not [answer.head for answer in app.answers() if name.search(answer.head.encode())]


def test_logs(world: World, shown_to_the_app: App):
    apps = [*world.apps.values(), shown_to_the_app]
    with ThreadPoolExecutor() as pool:
        logs = list(pool.map(App.logs, apps))
    for app, log in zip(apps, logs, strict=True):
        lines = [json.loads(line) for line in re.findall(r'\{"time".*\}', decoded(log))]
        assert any(line.get("status") == 200 for line in lines), log[:2000]
        clean(f"the log of {app.proxy_name}", log, app)
        assert "Bearer" not in log and "panicked" not in log
        # The owner's outputs and log have the address of the private app, but not the token.
        job = app.deployed.stdout.replace(f"::add-mask::{TOKEN}\n", "") + app.deployed.stderr + app.deployed.summary
        assert TOKEN not in job


def decoded(log: str) -> str:
    """Returns the lines of the log, from their events."""
    events = (json.loads(line.removeprefix("data: ")) for line in log.splitlines() if line.startswith("data: {"))
    return "\n".join(event.get("data", "") for event in events)


def test_the_files_of_the_proxy_space(world: World):
    for app in world.apps.values():
        repo = f"{USER}/{app.proxy_name}"
        tree = world.hub.tree("space", repo)
        assert "src/main.rs" in tree
        for path in tree:
            clean(path, world.hub.read("space", repo, path), app)
            assert f"{USER}/{app.name}\n".encode() not in world.hub.read("space", repo, path), Path(path)


def test_the_requests_of_hf_deploy_keep_the_contract(world: World):
    assert world.hub.violations() == []
