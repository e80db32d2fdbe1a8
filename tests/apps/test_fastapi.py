"""A plain web app through the proxy: redirects, cookies, events, WebSockets, answers without a body."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from processes import TOKEN
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from world import App, World


@pytest.fixture
def app(world: World) -> App:
    return world.apps["fastapi"]


@pytest.fixture
def visitor(app: App):
    with httpx.Client(base_url=app.url, timeout=30, trust_env=False) as client:
        yield client


def test_redirects_stay_at_the_proxy(app: App, visitor: httpx.Client):
    for path, status, lands in [
        # Starlette builds this one from the Host that it sees.
        ("/items", 307, "/items/"),
        ("/relative", 307, "/landing?way=relative"),
        ("/absolute", 303, "/landing?way=absolute"),
    ]:
        answer = visitor.get(path)
        assert answer.status_code == status
        assert str(answer.next_request.url) == f"{app.url}{lands}"
        assert visitor.get(path, follow_redirects=True).status_code == 200
    assert visitor.get("/elsewhere").headers["location"] == "https://example.org/landing"


def test_cookies(app: App, visitor: httpx.Client):
    answer = visitor.get("/cookies")
    cookies = answer.headers.get_list("set-cookie")
    assert len(cookies) == 2 and not any("domain" in cookie.lower() for cookie in cookies), cookies
    assert "httponly" in cookies[1].lower()
    assert visitor.get("/cookies").json() == {"plain": "1", "bound": "2"}
    # The platform's cookie would open the private Space, so the test uses a made-up one.
    stray = visitor.get("/headers", headers={"cookie": "spaces-jwt=x; mine=1"})
    assert dict(stray.json())["cookie"] == "mine=1"


def test_events_come_one_by_one(app: App, visitor: httpx.Client):
    times = []
    with visitor.stream("GET", "/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines():
            if line.startswith("data: "):
                times.append((float(line.removeprefix("data: ")), time.monotonic()))
    assert len(times) == 5
    late = [arrived - made for made, arrived in times]
    assert sum(delay < 0.25 for delay in late) >= 4, late


def test_a_caller_that_leaves_ends_the_stream(app: App, visitor: httpx.Client):
    with visitor.stream("GET", "/events", params={"steps": 1000}) as events:
        lines = events.iter_lines()
        while not next(lines).startswith("id: 2"):
            pass
    app.stops_working(time.monotonic())


def test_answers_without_a_body(visitor: httpx.Client):
    page = visitor.get("/page")
    assert (page.status_code, page.text) == (200, "a page\n")
    head = visitor.head("/page")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "7")
    unchanged = visitor.get("/page", headers={"if-none-match": page.headers["etag"]})
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", page.headers["etag"])
    gone = visitor.delete("/page")
    assert (gone.status_code, gone.content) == (204, b"")
    # The connection still works.
    assert visitor.get("/page").text == "a page\n"


def test_bodies_of_either_framing(visitor: httpx.Client):
    body = bytes(range(256)) * 8192
    for content in (body, (body[at : at + 70_001] for at in range(0, len(body), 70_001))):
        answer = visitor.post("/echo", content=content, headers={"content-type": "application/x-own"})
        assert answer.content == body
        assert answer.headers["content-type"] == "application/x-own"


def test_an_error_of_the_app_is_the_apps(visitor: httpx.Client):
    crash = visitor.get("/crash")
    assert (crash.status_code, crash.text) == (500, "Internal Server Error")
    assert visitor.get("/nowhere").json() == {"detail": "Not Found"}


def test_what_the_app_sees(app: App, visitor: httpx.Client):
    own = {"authorization": "Bearer of-the-app", "x-forwarded-for": "203.0.113.9", "x-forwarded-host": "evil.example"}
    received = visitor.get("/headers", headers=own).json()
    seen = dict(received)
    assert len(seen) == len(received), "no header occurs twice"
    assert seen["host"] == app.private_host
    assert seen["x-forwarded-host"] == app.public_host
    assert "203.0.113.9" not in seen["x-forwarded-for"]
    assert seen["authorization"] == "Bearer of-the-app"
    assert "x-hf-authorization" not in seen and TOKEN not in json.dumps(received)
    # The login of a caller at Hugging Face does not reach the app.
    for name in ("authorization", "x-hf-authorization"):
        theirs = visitor.get("/headers", headers={name: "Bearer hf_theirsTheirsTheirsTheirsTheirs"})
        assert "hf_theirs" not in theirs.text


def test_what_an_app_compares_agrees(app: App, visitor: httpx.Client):
    form = visitor.post("/form", headers={"origin": app.url})
    assert (form.status_code, form.headers.get("location")) == (303, f"{app.url}/landing?way=form"), form.text
    stranger = visitor.post("/form", headers={"origin": "https://evil.example"})
    assert stranger.status_code == 422, stranger.text
    links = visitor.post("/links", headers={"origin": app.url})
    assert links.json() == {"self": f"{app.url}/items/"}
    for what in ("host", "forwarded"):
        url = f"{app.url.replace('http', 'ws', 1)}/compares/{what}"
        with connect(url, origin=app.url, proxy=None) as socket:
            assert socket.recv(10) == "welcome"
        with pytest.raises(InvalidStatus):
            connect(url, origin="https://evil.example", proxy=None)


def test_routes_and_headers_of_other_frameworks(visitor: httpx.Client):
    assert visitor.post("/token", data={"username": "ada"}).json()["token_type"] == "bearer"
    sent = {"api_key": "1", "X_Custom": "2", "X-Original-Filename": "a.png", "cf-turnstile-response": "3"}
    seen = dict(visitor.get("/headers", headers=sent).json())
    assert {name: seen.get(name.lower()) for name in sent} == sent


def test_a_rest_app_is_called_as_often_as_it_is(visitor: httpx.Client):
    statuses = {visitor.post("/api/embed", content=b"text").status_code for _ in range(200)}
    assert statuses == {200}


def test_websocket(app: App):
    url = app.url.replace("http", "ws", 1) + "/ws"
    with connect(url, subprotocols=["other", "echo"], origin=app.url, proxy=None) as socket:
        assert socket.subprotocol == "echo"
        seen = json.loads(socket.recv(10))
        assert seen["origin"] == app.private_url
        assert TOKEN not in json.dumps(seen) and "x-hf-authorization" not in seen
        for message in ("text", "ünï", b"\x00\xff", "x" * 300_000, b"y" * 900_000):
            socket.send(message)
            assert socket.recv(10) == message
        socket.ping().wait(10)
        socket.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as asked")
