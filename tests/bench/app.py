"""An upstream that discards uploads, and keeps WebSockets open and silent: `app.py PORT [CERTIFICATE KEY]`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import sys

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Connection(asyncio.BufferedProtocol):
    """Reads into one buffer for all connections, because only heads are kept."""

    scratch = memoryview(bytearray(1 << 20))

    def connection_made(self, transport) -> None:
        self.transport, self.head, self.left, self.tunnel = transport, b"", 0, False

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.scratch

    def buffer_updated(self, count: int) -> None:
        if self.tunnel:
            return
        if self.left:
            self.left -= count
        else:
            self.head += bytes(self.scratch[:count])
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = [line.partition(b":") for line in self.head[:end].lower().split(b"\r\n")]
            headers = {name: value.strip() for name, _, value in lines}
            if headers.get(b"upgrade") == b"websocket":
                self.switch()
                return
            self.left = int(headers.get(b"content-length", 0)) - (len(self.head) - end - 4)
        if self.left <= 0:
            self.left, self.head = 0, b""
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")

    def switch(self) -> None:
        key = next(
            line.partition(b":")[2].strip()
            for line in self.head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        self.tunnel = True
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )


async def main(port: int, certificate: list[str]) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, ssl=context, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
