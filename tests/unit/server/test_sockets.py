"""Listening sockets, over loopback."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest
from exotel_ws import sockets


def test_bind() -> None:
    (listener,) = sockets.bind("127.0.0.1", 0)
    with listener:
        assert listener.getsockname()[1] > 0
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_accepted_connections_do_not_wait_for_full_segments() -> None:
    """Accepted connections have TCP_NODELAY: without it an echo waits 40 ms for the acknowledgement of the one before."""

    async def accept() -> int:
        (listener,) = sockets.bind("127.0.0.1", 0)
        options: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            options.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(accepted, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            async with asyncio.timeout(5):
                return await options

    assert asyncio.run(accept())


@pytest.mark.parametrize("host", ["", "::", "localhost"])
def test_every_address_of_a_host(host: str) -> None:
    bound = sockets.bind(host, 0)
    try:
        assert bound
        assert len({listener.family for listener in bound}) == len(bound)
    finally:
        for listener in bound:
            listener.close()


def test_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OSError, match=rf"can't listen on 127.0.0.1:{port}: Address already in use; .*port-clean --port {port}"
        ):
            sockets.bind("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "300.1.2.3"])
def test_a_host_that_is_not_ours(host: str) -> None:
    with pytest.raises(OSError, match=f"can't listen on '{host}'.*set 'host' to an address of this machine"):
        sockets.bind(host, 0)


def test_the_admin_socket_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    sockets.bind_admin(path).close()
    with sockets.bind_admin(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_an_admin_socket_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"can't make the admin socket {tmp_path}/missing/a.sock: No such file"):
        sockets.bind_admin(tmp_path / "missing" / "a.sock")
