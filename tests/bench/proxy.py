#!/usr/bin/env python3
"""Compares hf-proxy with nginx and HAProxy, in one run on this machine.

    tests/bench/proxy.py [--quick] [--rounds 5] [--seconds 4] [--only plain|tls] [--binary PATH]...

Builds hf-proxy in release mode, and installs what else is missing from Debian. Load, proxies and upstream share
this machine's cores, so only ratios mean something: each is taken against the direct way of the same round, and
the median of the rounds is shown. Access logs are off everywhere; every proxy has as many threads or workers as it
takes by itself. `--binary` measures a build that is there already; given twice, it compares two.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import servers
from servers import BIG, Server

CONNECTIONS = 64
WEBSOCKETS = 1000
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def wrk(server: Server, connections: int, seconds: int) -> dict[str, float]:
    """Measures small requests on open connections."""
    threads = min(2, connections)
    cpu = server.cpu()
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", f"{server.url}/small"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(seconds * 0.8)
    memory = server.memory()
    text, _ = load.communicate()
    cpu = server.cpu() - cpu
    if load.returncode or "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{server.name}: {text}\n{server.log.read_text()}")
    requests, took = re.search(r"(\d+) requests in ([0-9.]+\w+)", text).groups()
    return {
        "rate": int(requests) / milliseconds(took) * 1e3,
        "cpu": cpu / int(requests) * 1e6,
        "p50": milliseconds(re.search(r"(?m)^ +50% +(\S+)", text)[1]),
        "p99": milliseconds(re.search(r"(?m)^ +99% +(\S+)", text)[1]),
        "memory": memory,
    }


def curl(server: Server, path: str, ca: Path, *more: str | Path) -> float:
    """Returns megabytes per second."""
    command = ["curl", "--silent", "--show-error", "--fail", "--cacert", ca, "--output", "/dev/null"]
    command += ["--header", "Expect:", "--write-out", "%{time_total} %{size_download} %{size_upload}", *more]
    ran = subprocess.run([*command, f"{server.url}{path}"], check=True, capture_output=True, text=True)
    took, down, up = (float(number) for number in ran.stdout.split())
    if max(down, up) != BIG:
        raise SystemExit(f"{server.name}: {down} down, {up} up")
    return BIG / took / 1e6


def websockets(server: Server, count: int) -> float:
    """Returns the resident megabytes with this number of open and silent WebSockets."""
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            opened[-1].sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = opened[-1].recv(4096)
                answer += piece
                if not piece:
                    break
            if not answer.startswith(b"HTTP/1.1 101"):
                raise SystemExit(f"{server.name}: {answer!r}")
        time.sleep(0.5)
        return server.memory()
    finally:
        for stream in opened:
            stream.close()


def measure(web: Server, ca: Path, big: Path, seconds: int) -> dict[str, float]:
    """Runs one round of one way to the upstream."""
    many = wrk(web, CONNECTIONS, seconds)
    one = wrk(web, 1, max(1, seconds // 2))
    return {
        **many,
        "one p50": one["p50"],
        "one p99": one["p99"],
        # The best of three, because one is short.
        "down": max(curl(web, "/big", ca) for _ in range(3)),
        "up": max(curl(web, "/up/big", ca, "--upload-file", big) for _ in range(3)),
    }


#: Title, key, is a ratio, digits.
COLUMNS = [
    ("req/s", "rate", True, 2),
    ("CPU µs", "cpu", False, 1),
    ("p50 ms", "p50", False, 2),
    ("p99 ms", "p99", False, 2),
    ("c1 p50 ms", "one p50", False, 3),
    ("c1 p99 ms", "one p99", False, 3),
    ("down", "down", True, 2),
    ("up", "up", True, 2),
    ("RSS MB", "memory", False, 1),
    ("RSS MB, 1,000 WebSockets", "websockets", False, 1),
]


def compare(tls: bool, binaries: list[Path], ca_files, work: Path, rounds: int, seconds: int) -> None:
    title = "TLS" if tls else "plain"
    started: list[Server] = []

    def start(make, *arguments) -> Server:
        started.append(make(*arguments))
        return started[-1]

    try:
        ca = ca_files[0]
        pair = ca_files if tls else None
        web, app = start(servers.nginx_upstream, work, pair), start(servers.app_upstream, work, pair)
        ways = {"direct": (web, app)}
        peers = [("a TCP relay", servers.relay), ("nginx", servers.nginx), ("HAProxy", servers.haproxy)]
        for name, make in peers:
            ways[name] = (start(make, work, web, ca), start(make, work, app, ca))
        for number, binary in enumerate(binaries, 1):
            name = "hf-proxy" if len(binaries) == 1 else f"hf-proxy {number}"
            ways[name] = tuple(start(servers.hf_proxy, binary, work, to, ca) for to in (web, app))
        # Measured first, before other requests grow the memory.
        idle = {name: websockets(way[1], WEBSOCKETS) for name, way in ways.items() if name != "direct"}
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for number in range(rounds):
            # In turns that start with another server, so that a slow moment does not affect only one.
            names = list(ways)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                samples[name].append(measure(ways[name][0], ca, work / "files" / "big", seconds))
        for name, rows in samples.items():
            cells = []
            for _, key, ratio, digits in COLUMNS:
                if key == "websockets":
                    cells.append(f"{idle[name]:.{digits}f}" if name in idle else "")
                elif ratio:
                    of = [row[key] / base[key] for row, base in zip(rows, samples["direct"])]
                    cells.append(f"{statistics.median(of):.{digits}f}")
                else:
                    cells.append(f"{statistics.median(row[key] for row in rows):.{digits}f}")
            print(f"| {title} | {name} | {' | '.join(cells)} |", flush=True)
        base = {key: statistics.median(row[key] for row in samples["direct"]) for key in ("rate", "down", "up")}
        print(
            f"| {title} | *direct* | *{base['rate']:,.0f}* |  |  |  |  |  "
            f"| *{base['down']:,.0f} MB/s* | *{base['up']:,.0f} MB/s* |  |  |",
            flush=True,
        )
    finally:
        for server in reversed(started):
            server.stop()


def machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two short rounds: a look, no result")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of small requests, for each way and round")
    parser.add_argument("--only", choices=["plain", "tls"])
    parser.add_argument("--binary", type=Path, action="append", help="instead of building it")
    options = parser.parse_args()
    rounds, seconds = (2, 2) if options.quick else (options.rounds, options.seconds)
    servers.need({"wrk": "wrk", "nginx": "nginx-light", "haproxy": "haproxy", "openssl": "openssl", "curl": "curl"})
    servers.allow_many_files()
    binaries = [binary.resolve() for binary in options.binary or [servers.build_proxy()]]
    load = os.getloadavg()[0]

    print(f"\n{machine()}; load average before the run {load:.2f}")
    print(f"{datetime.date.today()}; median of {rounds} rounds, {seconds} s of {CONNECTIONS} connections each;", end=" ")
    print("req/s, down and up (100 MB) are ratios to the direct way of the same round\n")
    print(f"| upstream | way | {' | '.join(title for title, *_ in COLUMNS)} |")
    print(f"| --- | --- | {' | '.join('---:' for _ in COLUMNS)} |", flush=True)
    # In memory, because the upstream writes uploads to a file, and a disk would slow it down.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="hf-proxy-bench-", dir=memory) as folder:
        work = Path(folder)
        ca_files = servers.certificates(work)
        for tls in (False, True):
            if options.only in (None, "tls" if tls else "plain"):
                compare(tls, binaries, ca_files, work, rounds, seconds)


if __name__ == "__main__":
    main()
