"""Builds the images of both Dockerfiles without a Docker engine, and runs them.

The base image that the Dockerfiles name is stood in for by one of the same tools: this machine's distribution with a
C compiler, and its Rust toolchain mounted into it. The build has no network: cargo's registry is this machine's.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import subprocess
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT

STORE = ROOT / "target" / "images"
#: Packages of the Dockerfiles' base image, besides Rust.
STAND_IN_PACKAGES = "gcc,libc6-dev,make"
#: A stand-in for the package manager of the base image: it only checks that the program exists.
APK = """#!/bin/sh
[ "$1 $2" = "add --no-cache" ] && shift 2 && for program; do command -v "$program" || exit 1; done
"""
#: Rebuilt when this changes.
STAND_IN = f"localhost/stand-in:{zlib.crc32((STAND_IN_PACKAGES + APK).encode()):08x}"
#: Path of the toolchain in the stand-in.
TOOLCHAIN = "/opt/rust"

#: With its own store, of a kind that works on every file system.
BUILDAH = ["buildah", "--root", STORE / "store", "--runroot", STORE / "run", "--storage-driver", "vfs"]


def buildah(*arguments: str | Path, **options) -> str:
    """Runs buildah, and returns its output."""
    command = [*BUILDAH, *arguments]
    ran = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False, **options)
    assert ran.returncode == 0, f"{' '.join(map(str, arguments))}\n{ran.stdout}"
    return ran.stdout.strip()


def stand_in() -> None:
    """Builds the base image, unless it exists."""
    STORE.mkdir(parents=True, exist_ok=True)
    # Remove the leftovers of a run that was stopped.
    buildah("rm", "--all")
    if STAND_IN in buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
        return
    system = STORE / "stand-in.tar"
    leave_out = ["doc", "info", "locale", "man"]
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in leave_out]
    release = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text(), re.MULTILINE)[1]
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=essential", f"--include={STAND_IN_PACKAGES}", *options, release, system],
        check=True,
    )
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, system, "/")
    system.unlink()
    apk = STORE / "apk"
    apk.write_text(APK)
    apk.chmod(0o755)
    buildah("add", "--quiet", container, apk, "/usr/bin/apk")
    path = f"PATH={TOOLCHAIN}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah("config", "--env", path, "--env", "CARGO_NET_OFFLINE=true", container)
    buildah("commit", "--quiet", "--rm", container, STAND_IN)


def build(name: str, folder: Path) -> Image:
    """Builds the Dockerfile of a folder, and keeps the compiled crates for the next build."""
    compiled = STORE / f"compiled-{name}"
    compiled.mkdir(exist_ok=True)
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], cwd=ROOT, capture_output=True, text=True, check=True)
    cargo = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    mounts = [f"{sysroot.stdout.strip()}:{TOOLCHAIN}:ro", f"{cargo}/registry:/root/.cargo/registry", f"{compiled}:/build/target"]
    # With a mirror of the registry, cargo uses another name for its files.
    mounts += [f"{config}:/root/.cargo/config.toml:ro" for config in [cargo / "config.toml"] if config.is_file()]
    volumes = [argument for mount in mounts for argument in ("--volume", mount)]
    buildah(
        "bud", "--isolation", "chroot", "--network", "host", "--pull=never", "--from", STAND_IN, *volumes,
        "--tag", f"localhost/{name}", folder,
        timeout=3000,
    )
    return Image(name)


class Image:
    """A built image."""

    def __init__(self, name: str) -> None:
        self.name = name
        folder = STORE / f"pushed-{name}"
        buildah("push", "--quiet", "--format", "oci", f"localhost/{name}", f"dir:{folder}")
        manifest = json.loads((folder / "manifest.json").read_text())
        blobs = [manifest["config"], *manifest["layers"]]
        config, *layers = (folder / blob["digest"].removeprefix("sha256:") for blob in blobs)
        #: The configuration of the image.
        self.config: dict = json.loads(config.read_text())["config"]
        #: Tar archives.
        self.layers: list[bytes] = [unpacked(layer.read_bytes()) for layer in layers]

    @property
    def compressed_size(self) -> int:
        """Returns the download size in bytes."""
        return sum(len(gzip.compress(layer, 9)) for layer in self.layers)

    def files(self, scratch: Path) -> list[tarfile.TarInfo]:
        """Returns all files of the image."""
        members = []
        for layer in self.layers:
            (scratch / "layer.tar").write_bytes(layer)
            with tarfile.open(scratch / "layer.tar") as archive:
                members += archive.getmembers()
        return members

    @contextlib.contextmanager
    def container(self):
        container = buildah("from", "--pull-never", f"localhost/{self.name}")
        try:
            yield Container(container, self.config["Entrypoint"])
        finally:
            buildah("rm", container)


def unpacked(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer


@dataclass
class Container:
    """An image that is ready to run."""

    name: str
    entrypoint: list[str]

    @contextlib.contextmanager
    def root(self):
        """Returns the path of its file system on this machine."""
        try:
            yield Path(buildah("mount", self.name))
        finally:
            buildah("umount", self.name)

    def start(self, arguments: list[str], env: dict[str, str], mounts: dict[Path, str] | None = None, folder: str = "/"):
        """Starts the entry point as an engine does. With `chroot`, it has the network of this machine."""
        command = [*BUILDAH, "run", "--isolation", "chroot", "--workingdir", folder]
        for name, value in env.items():
            command += ["--env", f"{name}={value}"]
        for place, inside in (mounts or {}).items():
            command += ["--volume", f"{place}:{inside}"]
        command += [self.name, "--", *self.entrypoint, *arguments]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
