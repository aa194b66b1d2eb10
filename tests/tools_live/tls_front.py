"""A TLS front before a server on loopback that asks for a key and shows no metrics, as the edge does."""

import asyncio
import base64
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

KEY = "KEY:a-token-of-the-front"
_BASIC = b"authorization: basic " + base64.b64encode(KEY.encode()).lower()


def certificate(folder: Path, names: str) -> Path:
    """Return a file with a self-signed certificate for these subject alternative names, and its key."""
    file = folder / "front.pem"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / "front.key"))
    names_of = ("-subj", "/CN=front", "-addext", f"subjectAltName={names}", "-days", "2")
    subprocess.run(["openssl", "req", "-x509", *key, *names_of, "-out", str(file)], capture_output=True, timeout=30, check=True)
    return file


@contextlib.asynccontextmanager
async def fronted(port: int, folder: Path, *, lets_all_in: bool = False) -> AsyncIterator[int]:
    """Yield the port of a front before ``port``, with the certificate of ``folder``; ``lets_all_in`` is its fault."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "front.pem", folder / "front.key")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        upgrade, known = b"upgrade: websocket" in head.lower(), _BASIC in head.lower()
        status = b"404 Not Found" if head.startswith(b"GET /metrics ") else b""
        if upgrade and not known and not lets_all_in:
            status = b"401 Unauthorized"
        if status:
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            writer.close()
            return
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
        back_writer.write(head)
        await asyncio.gather(pass_on(reader, back_writer), pass_on(back_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
