"""The files and the configuration of the images."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

#: Small, because each job pulls or builds the action's image. The C library of this build has 0.8 MB, and that of Alpine
#: 0.1 MB. The source of the proxy, which a release leaves out, has 0.4 MB.
MOST_BYTES = {"compressed": 7_000_000, "binary": 13_100_000}
#: Some versions of buildah write down the default.
FOLDERS_OF_NO_MATTER = (None, "", "/")
#: A segment that names the loader of shared libraries (System V ABI, "Program Header").
PT_INTERP = 3


def test_a_program_with_shared_libraries_would_be_seen():
    assert PT_INTERP in segments(Path("/bin/sh").read_bytes())


@pytest.mark.parametrize("name", ["hf-deploy", "hf-proxy"])
def test_an_image_holds_one_static_binary_and_nothing_else(name, request, tmp_path):
    image = request.getfixturevalue({"hf-deploy": "action", "hf-proxy": "proxy"}[name])
    assert len(image.layers) == 1
    files = [member for member in image.files(tmp_path) if member.name.strip("./")]
    assert [(file.name.strip("./"), oct(file.mode & 0o7777), file.uid) for file in files] == [(name, "0o755", 0)]
    with image.container() as container, container.root() as root:
        binary = (root / name).read_bytes()
    # No segment names a loader, so the binary needs no libraries.
    assert PT_INTERP not in segments(binary)


def segments(binary: bytes) -> list[int]:
    """Returns the types of the program headers of a 64-bit, little-endian ELF file."""
    assert binary.startswith(b"\x7fELF\x02\x01")
    (offset,) = struct.unpack_from("<Q", binary, 32)
    size, count = struct.unpack_from("<HH", binary, 54)
    return [struct.unpack_from("<I", binary, offset + size * index)[0] for index in range(count)]


def test_the_action_leaves_user_and_folder_to_the_runner(action):
    assert action.config["Entrypoint"] == ["/hf-deploy"]
    assert not any(action.config.get(name) for name in ("User", "Cmd", "Volumes", "ExposedPorts"))
    assert action.config.get("WorkingDir") in FOLDERS_OF_NO_MATTER


def test_the_proxy_runs_as_the_user_of_spaces_at_their_port(proxy):
    assert proxy.config["Entrypoint"] == ["/hf-proxy"]
    assert proxy.config["User"] == "1000:1000"
    assert list(proxy.config["ExposedPorts"]) == ["7860/tcp"]
    assert not any(proxy.config.get(name) for name in ("Cmd", "Volumes"))
    assert proxy.config.get("WorkingDir") in FOLDERS_OF_NO_MATTER


def test_the_action_is_small(action):
    with action.container() as container, container.root() as root:
        sizes = {"compressed": action.compressed_size, "binary": (root / "hf-deploy").stat().st_size}
    assert {name: size for name, size in sizes.items() if size > MOST_BYTES[name]} == {}
