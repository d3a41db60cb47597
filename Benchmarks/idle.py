#!/usr/bin/env python3
"""Holds many idle HTTP/2 connections with a client certificate, as services that wait for work do.

Usage: idle.py HOST PORT COUNT CA CERTIFICATE KEY. Prints "open COUNT" when all are open, and closes them when its
standard input ends. Each answers settings and pings, as any HTTP/2 client does (RFC 9113 §6.5.3, §6.7).
"""

import asyncio
import ssl
import sys

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _PING, _GOAWAY = 4, 6, 7
_ACK = 1


def frame(kind: int, flags: int, payload: bytes = b"") -> bytes:
    """A frame of stream 0 (RFC 9113 §4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + bytes(4) + payload


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers what the server sends, until it closes."""
    while True:
        header = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
        kind, flags = header[3], header[4]
        if kind == _GOAWAY:
            raise ConnectionError("the server said goodbye")
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            writer.write(frame(kind, _ACK, payload if kind == _PING else b""))
            await writer.drain()


async def main() -> None:
    host, port, count, ca, certificate, key = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    at_a_time, held = asyncio.Semaphore(40), []

    async def connect() -> None:
        async with at_a_time:
            reader, writer = await asyncio.open_connection(host, int(port), ssl=context, ssl_handshake_timeout=30)
            writer.write(_PREFACE + frame(_SETTINGS, 0))
            await writer.drain()
            # The server's first frame is its settings: only then is the connection really accepted.
            header = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(header[:3], "big"))
            writer.write(frame(_SETTINGS, _ACK))
            held.append(asyncio.create_task(hold(reader, writer)))

    await asyncio.gather(*(connect() for _ in range(int(count))))
    print(f"open {len(held)}", flush=True)
    end = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    done, _ = await asyncio.wait([end, *held], return_when=asyncio.FIRST_COMPLETED)
    if end not in done:
        raise SystemExit("a connection was closed while it was to be held")
    for task in held:
        task.cancel()


asyncio.run(main())
