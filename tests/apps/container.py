"""Stands in for a container of the local Hub: `container.py HF_PROXY RECORDINGS NEXT`, in the folder
of a Space.

A Space with the proxy's source runs that program, behind a recorder that keeps every byte which it sends to its
callers. Any other Space runs the `CMD` of its Dockerfile, with the packages of this Python.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import socket
import sys
from pathlib import Path


def main() -> None:
    program, recordings, next_build = map(Path, sys.argv[1:4])
    if Path("src/main.rs").is_file():
        folder = recordings / os.environ["SPACE_REPO_NAME"]
        folder.mkdir(parents=True, exist_ok=True)
        sys.exit(asyncio.run(record(program, folder)))
    if Path("next.config.mjs").is_file():
        link_build(next_build)
    command = json.loads(re.findall(r"^CMD\s+(\[.*\])$", Path("Dockerfile").read_text(), re.MULTILINE)[-1])
    # On loopback only, unlike a container.
    command = [part.replace("0.0.0.0", "127.0.0.1") for part in command]
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    os.execvp(command[0], command)


def link_build(next_build: Path) -> None:
    """Copies the files that the Dockerfile builds before its `CMD`; the test built them, because that takes time."""
    for name in ("node_modules", ".next"):
        if not Path(name).exists():
            Path(name).symlink_to(next_build / name)


async def record(program: Path, folder: Path) -> int:
    """Runs the proxy on another port, and listens on `PORT` in its place."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    public = int(os.environ["PORT"])
    proxy = await asyncio.create_subprocess_exec(program, env=os.environ | {"PORT": str(port)})
    ended = asyncio.create_task(proxy.wait())
    while not ended.done():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.02)
    count = itertools.count()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = f"{next(count):05}"
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        ways = [
            asyncio.create_task(copy(reader, upstream_writer, folder / f"{name}.request")),
            asyncio.create_task(copy(upstream_reader, writer, folder / f"{name}.answer")),
        ]
        # The edge never closes one direction only, so the end of one is the end of both.
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.close()
        upstream_writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", public):
        return await ended


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: Path) -> None:
    with kept.open("wb", buffering=0) as file:
        try:
            while piece := await reader.read(65536):
                file.write(piece)
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass


main()
