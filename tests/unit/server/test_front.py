"""The front of a connection that is never read, and the acceptor at its limits, without a network."""

import asyncio
import errno
import socket
from typing import Any

import pytest
from exotel_ws.admission.bounds import Admission, Ticket
from exotel_ws.engines import acceptor, front
from exotel_ws.engines.acceptor import Acceptor
from exotel_ws.engines.front import Front
from exotel_ws.engines.head import BadHead, Head
from exotel_ws.engines.request import Answer, Reply
from exotel_ws.metrics.tally import Tally
from exotel_ws.settings import Limits


class Transport(asyncio.Transport):
    """Transport of a client that never reads, so that a close never completes."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def write(self, data: Any) -> None:
        self.done.append(bytes(data).split(b" ")[1].decode())

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.done or "abort" in self.done


class Desk:
    """Desk that answers everything, or fails to."""

    def __init__(self, reply: Answer | None) -> None:
        self._reply = reply

    def reply(self, head: Head, ticket: Ticket) -> Reply:
        if self._reply is not None:
            return self._reply
        failing: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        failing.set_exception(RuntimeError("a fault of ours"))
        return failing

    def refused(self, fault: BadHead, ticket: Ticket) -> None:
        pass


@pytest.mark.parametrize(
    ("sent", "reply", "done"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", Answer(200, "text/plain", "x"), ["200", "close", "abort"]),
        (b"POST / HTTP/1.1\r\n\r\n", Answer(405, "text/plain", "x"), ["405", "eof", "abort"]),
        (b"GET\r\n\r\n", None, ["400", "eof", "abort"]),
        (b"GET / HTTP/1.1\r\n\r\n", None, ["abort"]),
    ],
)
def test_a_client_that_never_reads_is_dropped(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, reply: Answer | None, done: list[str]
) -> None:
    monkeypatch.setattr(front, "_SEND_S", 0.02)
    monkeypatch.setattr(front, "_LINGER_S", 0.02)

    async def story() -> list[str]:
        ticket = Admission(Limits(), Tally()).accept("198.51.100.1", lambda: None)
        assert isinstance(ticket, Ticket)
        protocol, transport = Front(ticket, Desk(reply), lambda *_: None, 10.0), Transport()
        protocol.connection_made(transport)
        protocol.get_buffer(-1)[: len(sent)] = sent
        protocol.buffer_updated(len(sent))
        await asyncio.sleep(0.1)
        protocol.connection_lost(None)
        assert ticket.closed
        return transport.done

    assert asyncio.run(story()) == done


class Listener:
    """Listening socket that fails this many times with this error."""

    def __init__(self, error: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._error = error
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def accept(self) -> Any:
        self.asked += 1
        raise OSError(self._error, "as told")


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINVAL])
def test_the_acceptor_waits_when_files_run_out(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """Without files the acceptor retries once a pause, not once a turn of the loop, while connections wait."""
    monkeypatch.setattr(acceptor, "_PAUSE_S", 0.05)

    async def story() -> int:
        async def connect(_accepted: socket.socket, _ticket: Ticket) -> None:
            raise AssertionError("nobody was accepted")

        tally, listener = Tally(), Listener(error)
        accepting = Acceptor(listener, Admission(Limits(), tally), connect)  # type: ignore[arg-type]
        accepting.start()
        with socket.create_connection(listener.getsockname()):
            await asyncio.sleep(0.3)
        accepting.stop(shared=True)
        accepting.close()
        assert tally.bounds["files"] == listener.asked
        return listener.asked

    assert 2 <= asyncio.run(story()) <= 8


def test_a_client_that_is_gone_already_is_passed_over() -> None:
    async def story() -> Listener:
        async def connect(_accepted: socket.socket, _ticket: Ticket) -> None: ...

        listener = Listener(errno.ECONNABORTED)
        accepting = Acceptor(listener, Admission(Limits(), Tally()), connect)  # type: ignore[arg-type]
        accepting._accept(3)
        listener.close()
        return listener

    assert asyncio.run(story()).asked == 3


def test_a_connection_that_loses_its_place_at_once_does_not_make_the_next_one_deaf() -> None:
    """No reader stays behind on a closed file number: it would keep uvloop from reading the next socket of that number."""
    import uvloop
    from aiofastnet import connect_accepted_socket

    health = Answer(200, "text/plain", "ok")

    async def meet(admission: Admission, *, closed: bool) -> tuple[int, bytes]:
        ours, theirs = socket.socketpair()
        number = ours.fileno()
        ours.setblocking(False)
        theirs.setblocking(False)
        ticket = admission.accept("192.0.2.1", lambda: None)
        assert isinstance(ticket, Ticket)
        if closed:
            ticket.close()
        else:
            theirs.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        await connect_accepted_socket(asyncio.get_running_loop(), lambda: Front(ticket, Desk(health), no_upgrade, 60), ours)
        async with asyncio.timeout(30):
            answer = await asyncio.get_running_loop().sock_recv(theirs, 100)
        theirs.close()
        return number, answer

    def no_upgrade(_transport: object, _request: object, _rest: bytes) -> None:
        raise AssertionError("nobody asked for a WebSocket")

    async def story() -> list[tuple[int, bytes]]:
        admission = Admission(Limits(), Tally())
        return [await meet(admission, closed=closed) for closed in (True, False)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        (first, nothing), (second, answer) = runner.run(story())
    assert nothing == b""
    assert second == first, "the file number is used again"
    assert answer.startswith(b"HTTP/1.1 200 ")
