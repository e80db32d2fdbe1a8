"""The servers of the proxy's benchmark and attacks: an upstream, hf-proxy, and its peers from Debian.

All of them listen on loopback, keep their files in one temporary folder, and are ended by their process ids.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
BIG = 100_000_000
#: Short, to measure the requests and not the bytes.
SMALL = b"thirty-nine bytes are one small answer\n"
TOKEN = "hf_TokenOfTheBenchmark"


def need(packages: dict[str, str]) -> None:
    """Installs the Debian packages of missing commands, with their dependencies."""
    missing = [package for command, package in packages.items() if not command_path(command)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SystemExit(f"missing, and only root can install it with apt-get: {' '.join(missing)}")
    quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
    subprocess.run(["apt-get", "update", "-qq"], check=True, **quiet)
    install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends"]
    subprocess.run([*install, *missing], check=True, **quiet)


def command_path(name: str) -> str | None:
    """Finds a command, also in the folders of servers, which are not always in PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def build_proxy() -> Path:
    """Builds hf-proxy as released."""
    manifest = ROOT / "proxy-template" / "Cargo.toml"
    subprocess.run(["cargo", "build", "--release", "--locked", "--features", "jemalloc", "--manifest-path", manifest], check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", manifest.parent / "target"))
    return target / "release" / "hf-proxy"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def allow_many_files() -> None:
    """Raises the limit of open files, because a thousand WebSockets need three thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


def wait_for(what: str, ready, patience: float = 20.0) -> None:
    deadline = time.monotonic() + patience
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come")
        time.sleep(0.02)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Server:
    """One server with its worker processes."""

    def __init__(self, name: str, command: list, port: int, work: Path, tls: bool = False, env=None) -> None:
        self.name, self.port, self.tls = name, port, tls
        self.log = work / f"{name}-{port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, cwd=work, env=env
            )
        try:
            wait_for(name, lambda: self.process.poll() is not None or listens(port))
            if self.process.poll() is not None:
                raise SystemExit(f"{name} ended at once:\n{self.log.read_text()}")
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        # By the name in the certificate.
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    def pids(self) -> list[int]:
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            try:
                todo += [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
                found.append(pid)
            except FileNotFoundError:
                pass
        return found

    def cpu(self) -> float:
        """Returns the CPU seconds of all its processes."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory(self) -> float:
        """Returns the resident megabytes of all its processes."""
        kilobytes = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    kilobytes += int(line.split()[1])
        return kilobytes * 1024 / 1e6

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def certificates(work: Path) -> tuple[Path, Path, Path]:
    """Creates an authority, and a certificate with its key for `localhost`."""
    (work / "leaf.ext").write_text("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        [*new, "-x509", "-days", "2", "-subj", "/CN=bench", "-keyout", "ca.key", "-out", "ca.pem"],
        [*new, "-subj", "/CN=localhost", "-keyout", "leaf.key", "-out", "leaf.csr"],
        ["openssl", "x509", "-req", "-days", "2", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
        + ["-set_serial", "1", "-extfile", "leaf.ext", "-out", "leaf.pem"],
    ):
        subprocess.run(command, cwd=work, check=True, capture_output=True)
    return work / "ca.pem", work / "leaf.pem", work / "leaf.key"


def nginx_command(work: Path, name: str, port: int, workers: str, http: str) -> list:
    folder = work / f"{name}-{port}"
    folder.mkdir()
    # As root, the workers would switch to a user without access to the folder.
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(f"""
daemon off; worker_processes {workers}; pid {folder}/pid; error_log stderr warn; {user}
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; sendfile on; keepalive_timeout 75s; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 0;
  {http}
}}
""")
    return [command_path("nginx"), "-p", folder, "-c", config, "-e", "stderr"]


def nginx_upstream(work: Path, tls: tuple[Path, Path, Path] | None) -> Server:
    """Starts an nginx with one worker that serves files and accepts uploads."""
    files = work / "files"
    if not files.exists():
        files.mkdir()
        (files / "small").write_bytes(SMALL)
        (files / "big").write_bytes(os.urandom(1_000_000) * (BIG // 1_000_000))
    port = free_port()
    secure = f"ssl_certificate {tls[1]}; ssl_certificate_key {tls[2]};" if tls else ""
    http = f"""
  default_type text/plain;
  server {{ listen 127.0.0.1:{port} {"ssl" if tls else ""} backlog=4096; {secure} root {files};
    location /up/ {{ dav_methods PUT; create_full_put_path on; }} }}"""
    name = "upstream-tls" if tls else "upstream"
    return Server(name, nginx_command(work, name, port, "1", http), port, work, bool(tls))


def app_upstream(work: Path, tls: tuple[Path, Path, Path] | None) -> Server:
    """Starts the upstream for uploads and WebSockets."""
    port = free_port()
    command = [sys.executable, BENCH / "app.py", port, *(tls[1:] if tls else ())]
    return Server("app-tls" if tls else "app", command, port, work, bool(tls))


def nginx(work: Path, upstream: Server, ca: Path) -> Server:
    port = free_port()
    secure = f"""
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {ca}; proxy_ssl_name localhost;
      proxy_ssl_server_name on;""" if upstream.tls else ""
    http = f"""
  map $http_upgrade $hop {{ default upgrade; '' ''; }}
  upstream target {{ server 127.0.0.1:{upstream.port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass {"https" if upstream.tls else "http"}://target; proxy_http_version 1.1;
      proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 1h; {secure}
      proxy_set_header Host localhost; proxy_set_header Connection $hop;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header Authorization "Bearer {TOKEN}";
    }}
  }}"""
    return Server("nginx", nginx_command(work, "nginx", port, "auto", http), port, work)


def relay(work: Path, upstream: Server, ca: Path) -> Server:
    """Starts a relay that forwards bytes without reading them, to measure the cost of a hop."""
    return haproxy(work, upstream, ca, http=False)


def haproxy(work: Path, upstream: Server, ca: Path, http: bool = True) -> Server:
    port = free_port()
    config = work / f"haproxy-{port}.cfg"
    secure = f"ssl verify required ca-file {ca} verifyhost localhost sni str(localhost)" if upstream.tls else ""
    rules = f"""
  http-reuse always
  option forwardfor
  http-request set-header Host localhost
  http-request set-header Authorization "Bearer {TOKEN}"
  default-server pool-max-conn 256"""
    config.write_text(f"""
global
  maxconn 8192
defaults
  mode {"http" if http else "tcp"}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend callers
  bind 127.0.0.1:{port} backlog 4096
  default_backend target
backend target
  {rules if http else ""}
  server target 127.0.0.1:{upstream.port} {secure}
""")
    return Server("haproxy" if http else "relay", [command_path("haproxy"), "-db", "-f", config], port, work)


def hf_proxy(binary: Path, work: Path, upstream: Server, ca: Path, **variables: str) -> Server:
    port = free_port()
    env = {
        "PORT": str(port),
        "TARGET_URL": upstream.url,
        "TARGET_TOKEN": TOKEN,
        "TARGET_EDGE": "never",
        "ALLOW_ANY_TARGET": "true",
        "AUTH_MODE": "x-hf-authorization",
        # Without limits and logs, like the peers.
        "RATE_LIMIT": "off",
        "RATE_LIMIT_COMPUTE": "off",
        "MAX_STREAMS_PER_IP": "0",
        "MAX_IN_FLIGHT": "0",
        "MAX_BODY": "0",
        "WEBSOCKET_IDLE_TIMEOUT": "0",
        "LOG_FORMAT": "off",
        **({"TARGET_CA_FILE": str(ca)} if upstream.tls else {}),
        **variables,
    }
    return Server("hf-proxy", [binary], port, work, env=env)
