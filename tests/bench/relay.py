#!/usr/bin/env python3
"""A TCP relay that only adds round-trip time: bytes leave in the order and at the rate of their arrival.

    tests/bench/relay.py --to 127.0.0.1:8080 --rtt 80

Prints `listening on PORT`. Half of the round trip is added each way, and the whole of it to a connection's first
byte, as a TCP handshake would. What is under way is bounded by the kernel's buffers on both sides and by
`WINDOW` between them, which lets one connection carry `WINDOW` bytes in each round trip.
"""

from __future__ import annotations

import argparse
import asyncio
import collections

#: Bytes in flight in one direction: 64 MiB in 80 ms are 800 MB/s, more than the tools reach.
WINDOW = 64 << 20
BLOCK = 1 << 20


class Delayed:
    """Forwards one direction of a connection, `delay` seconds later."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.queue: collections.deque[tuple[float, bytes]] = collections.deque()
        self.waiting = 0
        self.came = asyncio.Event()
        self.left = asyncio.Event()

    async def read(self, reader: asyncio.StreamReader) -> None:
        now = asyncio.get_running_loop().time
        while True:
            try:
                data = await reader.read(BLOCK)
            except OSError:
                data = b""
            self.queue.append((now() + self.delay, data))
            self.waiting += len(data)
            self.came.set()
            if not data:
                return
            while self.waiting > WINDOW:
                self.left.clear()
                await self.left.wait()

    async def write(self, writer: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        while True:
            while not self.queue:
                self.came.clear()
                await self.came.wait()
            due, data = self.queue.popleft()
            if (early := due - now()) > 0:
                await asyncio.sleep(early)
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            self.waiting -= len(data)
            self.left.set()


async def carry(host: str, port: int, delay: float, reader, writer) -> None:
    # The handshake takes a whole round trip before the first byte.
    opened = asyncio.get_running_loop().time()
    try:
        far_reader, far_writer = await asyncio.open_connection(host, port, limit=BLOCK)
    except OSError:
        writer.close()
        return
    await asyncio.sleep(max(0, opened + 2 * delay - asyncio.get_running_loop().time()))
    there, back = Delayed(delay), Delayed(delay)
    ways = [there.read(reader), there.write(far_writer), back.read(far_reader), back.write(writer)]
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.gather(*tasks)
    except (OSError, ConnectionError):
        pass
    finally:
        for task in tasks:
            task.cancel()
        for end in (writer, far_writer):
            end.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", required=True, help="HOST:PORT behind the relay")
    parser.add_argument("--rtt", type=float, required=True, help="milliseconds")
    options = parser.parse_args()
    host, port = options.to.rsplit(":", 1)

    async def accepted(reader, writer) -> None:
        await carry(host, int(port), options.rtt / 2000, reader, writer)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, limit=BLOCK)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
