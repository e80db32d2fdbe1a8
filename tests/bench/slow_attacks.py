#!/usr/bin/env python3
"""Attacks hf-proxy with slowhttptest, during requests of a visitor.

    tests/bench/slow_attacks.py [--connections 1500] [--seconds 30] [--binary PATH]

Slow heads, slow bodies and slow readers, one after the other, each against a fresh proxy with its default limits, but
for the rate limit and the streams per address, which would end the attacks too soon to show anything else. Ends
non-zero when the visitor was refused, or waited for longer than a second.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import servers
from servers import Server

#: Name, path, options.
ATTACKS = [
    ("slow heads", "/small", ["-H", "-i", "5"]),
    ("slow bodies", "/up", ["-B", "-i", "5", "-s", "1000000", "-x", "10"]),
    # Windows of a few bytes, so that responses do not fit into the kernel's buffers.
    ("slow readers", "/big", ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "10", "-k", "1"]),
]


def visit(server: Server, path: str) -> float:
    """Returns the milliseconds of one request on a new connection, from another address than the attacker's."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"X-Forwarded-For": "198.51.100.7"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise OSError(f"{answer.status}")
    finally:
        connection.close()
    return (time.monotonic() - began) * 1e3


def connections(server: Server) -> int:
    """Counts the established connections of callers."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        count += fields[1].endswith(f":{server.port:04X}") and fields[3] == "01"
    return count


def attack(name: str, server: Server, path: str, options: list[str], many: int, seconds: int) -> bool:
    command = ["slowhttptest", *options, "-c", many, "-r", many // 5, "-l", seconds, "-u", f"{server.url}{path}"]
    tool = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    took, faults, most = [], [], 0
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end and tool.poll() is None:
            try:
                took.append(visit(server, "/small"))
            except OSError as error:
                faults.append(str(error) or type(error).__name__)
            most = max(most, connections(server))
            time.sleep(0.1)
        left, memory = connections(server), server.memory()
    finally:
        tool.terminate()
        tool.communicate()
    slowest = max(took, default=0.0)
    median = statistics.median(took) if took else 0.0
    print(
        f"| {name} | {most} | {left} | {len(took)} | {len(faults)} | {median:.1f} | {slowest:.0f} | {memory:.0f} |"
        + (f" {sorted(set(faults))}" if faults else ""),
        flush=True,
    )
    return bool(took) and not faults and slowest < 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=1500)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--binary", type=Path, help="instead of building it")
    options = parser.parse_args()
    servers.need({"slowhttptest": "slowhttptest", "nginx": "nginx-light", "openssl": "openssl"})
    servers.allow_many_files()
    binary = options.binary.resolve() if options.binary else servers.build_proxy()
    print("\n| attack | most connections | at the end | visits | refused | median ms | slowest ms | RSS MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    passed = []
    with tempfile.TemporaryDirectory(prefix="hf-proxy-attacks-") as folder:
        work = Path(folder)
        upstreams = [servers.nginx_upstream(work, None), servers.app_upstream(work, None)]
        try:
            for name, path, flags in ATTACKS:
                server = servers.hf_proxy(binary, work, upstreams[path == "/up"], work, MAX_IN_FLIGHT="1024", MAX_BODY="200MB")
                try:
                    passed.append(attack(name, server, path, flags, options.connections, options.seconds))
                finally:
                    server.stop()
        finally:
            for upstream in upstreams:
                upstream.stop()
    raise SystemExit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
