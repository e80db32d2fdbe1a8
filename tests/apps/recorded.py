"""Reads the records of the recorder in front of a proxy: one connection, one request and its answer."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import brotli


@dataclass
class Answer:
    method: str
    target: str
    raw: bytes
    head: str
    #: Unpacked, except for the bytes after a 101.
    body: bytes

    @property
    def content_type(self) -> str:
        match = re.search(r"^content-type: *([^;\r\n]+)", self.head, re.IGNORECASE | re.MULTILINE)
        return match[1] if match else ""


def answers(folder: Path) -> list[Answer]:
    found = []
    for kept in sorted(folder.glob("*.answer")):
        raw = kept.read_bytes()
        request = kept.with_suffix(".request").read_bytes().split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if not raw or len(request) < 2:
            # A test for an open port, or a caller that left.
            continue
        head, _, body = raw.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        found.append(Answer(request[0], request[1], raw, text, unpacked(text, body)))
    return found


def unpacked(head: str, body: bytes) -> bytes:
    head = head.lower()
    if re.search(r"^transfer-encoding: *chunked", head, re.MULTILINE):
        body = dechunked(body)
    coding = re.search(r"^content-encoding: *(\w+)", head, re.MULTILINE)
    if not coding or not body:
        return body
    # A caller may have left before the end.
    try:
        match coding[1]:
            case "gzip":
                return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body)
            case "br":
                return brotli.Decompressor().process(body)
            case other:
                raise AssertionError(f"an answer is packed with {other}")
    except (zlib.error, brotli.error) as error:
        raise AssertionError(f"a body that cannot be unpacked: {error}\n{head}") from error


def dechunked(body: bytes) -> bytes:
    """Unpacks a body without its trailers, which are in the raw bytes."""
    out, at = bytearray(), 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end].split(b";")[0], 16)
        if size == 0:
            break
        out += body[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return bytes(out)
