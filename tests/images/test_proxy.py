"""The image of the proxy, run as a Space runs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

TOKEN = "hf_ProxyTokenThatMustNeverShowUp"


class Echo(BaseHTTPRequestHandler):
    """Answers with the received request."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = json.dumps({"path": self.path, "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def log_message(self, *_) -> None:
        """Logs nothing, because the test reads the answers."""


@pytest.fixture
def echo():
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def process_of(program: str, port: int) -> int:
    """Returns the id of the process with this name, and this port in its environment."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == program:
                if f"PORT={port}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    return int(entry.name)
    raise AssertionError(f"{program} does not run")


def get(url: str, body: bytes | None = None) -> dict:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
        return json.load(answer)


def wait_for(url: str, process) -> dict:
    until = time.monotonic() + 30
    while True:
        assert process.poll() is None, process.communicate()
        try:
            return get(url)
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < until, "the proxy does not answer"
            time.sleep(0.05)


def test_the_proxy_answers_and_passes_requests_on(proxy, echo):
    port = free_port()
    env = {"TARGET_URL": echo, "TARGET_TOKEN": TOKEN, "PORT": str(port), "SPACE_HOST": f"127.0.0.1:{port}"}
    with proxy.container() as container:
        process = container.start([], env)
        try:
            health = wait_for(f"http://127.0.0.1:{port}/_proxy/healthz", process)
            assert health["version"] == "0.1.0"
            answer = get(f"http://127.0.0.1:{port}/api/predict?n=1", b"hello")
            assert answer == {"path": "/api/predict?n=1", "body": "hello"}
            running = process_of("hf-proxy", port)
            assert os.stat(f"/proc/{running}").st_uid == 1000
            os.kill(running, signal.SIGTERM)
            log, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, log + errors
    assert f"listens on port {port}" in log
    assert TOKEN not in log + errors + json.dumps(health)


def test_a_fault_in_the_environment_does_not_start(proxy):
    with proxy.container() as container:
        process = container.start([], {"PORT": str(free_port())})
        log, errors = process.communicate(timeout=30)
    assert process.returncode == 2, log + errors
    assert "TARGET_URL" in errors
