"""Clients at the wrong door: logged with their protocol and address, counted, and no bother to a call."""

import asyncio
import contextlib
import socket
import ssl

import pytest

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess, eventually

TLS, NOT_HTTP = 'handshakes_rejected_total{reason="tls"}', 'handshakes_rejected_total{reason="not_http"}'


def test_a_tls_hello_is_named_and_ended_at_once(start_server: StartServer) -> None:
    server = start_server({}, "--log-format", "json")
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain, pytest.raises(OSError, match=r"."):
        context.wrap_socket(plain, server_hostname="localhost")
    said = eventually(lambda: server.fields("refused"), "the refusal in the log")
    assert "ws://, not wss://" in said[0].pop("message")
    assert (said[0]["reason"], said[0]["remote"]) == ("tls", "127.0.0.1")
    assert (server.metric(TLS), server.metric(NOT_HTTP)) == (1, 0)


def test_what_is_not_http_is_named(start_server: StartServer) -> None:
    server = start_server({}, "--log-format", "json")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client, contextlib.suppress(OSError):
        client.sendall(b"\x00\x01 hello\r\n\r\n")
        client.recv(1000)
    said = eventually(lambda: server.fields("refused"), "the refusal in the log")
    assert (said[0]["reason"], said[0]["remote"]) == ("not_http", "127.0.0.1")
    assert (server.metric(TLS), server.metric(NOT_HTTP)) == (0, 1)


def test_a_request_in_pieces_and_a_frame_behind_it(server: ServerProcess) -> None:
    """A head in pieces is held until it is whole; a frame right behind it in the same segment belongs to the stream."""
    request = (
        b"GET /?sample-rate=8000 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    message = wire.start("pieces").encode()
    size = len(message)
    frame = b"\x81" + (bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")) + bytes(4) + message
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        for at in range(0, len(request) - 4, 40):
            client.sendall(request[at : min(at + 40, len(request) - 4)])
        client.sendall(request[-4:] + frame)
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        eventually(lambda: server.call_log("pieces"), "the start that came with the request")


def test_a_call_beside_them_is_not_disturbed(server: ServerProcess) -> None:
    async def beside() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("undisturbed")
            for _ in range(20):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"\x16\x03\x01\x02\x00\x01")
                frames = wire.audio(1)
                assert await phone.converse(frames, "undisturbed") == frames
                writer.close()

    asyncio.run(beside())
